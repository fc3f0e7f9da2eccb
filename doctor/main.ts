/**
 * Purpose: `deno task doctor`: parse, collect, judge, print.
 */
import { print, runCommand } from "../ffi/usage.ts";
import { VERSION } from "../ffi/version.ts";
import { collectFacts } from "./collect.ts";
import { DOCTOR_HELP, parseDoctorOptions } from "./doctor_options.ts";
import { judge, wouldStop } from "./judge.ts";
import { reportLines } from "./report.ts";

function main(): Promise<number> {
  const { help, version, json, ...subject } = parseDoctorOptions(Deno.args);
  if (help || version) {
    print(help ? DOCTOR_HELP : `uspf ${VERSION}`);
    return Promise.resolve(0);
  }
  const facts = collectFacts(subject), findings = judge(facts);
  if (json) {
    print(JSON.stringify({ findings: [...findings.machine, ...findings.port], facts }));
  } else {
    const colours = Deno.stdout.isTerminal() && !Deno.noColor;
    print(reportLines(facts, findings, colours).join("\n"));
  }
  return Promise.resolve(wouldStop(findings) ? 1 : 0);
}

await runCommand(main);
