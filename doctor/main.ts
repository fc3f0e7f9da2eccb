/**
 * Purpose: `deno task doctor`: parse, collect, judge, print.
 */
import { print, runCommand } from "../ffi/usage.ts";
import { describeVersion } from "../ffi/version.ts";
import { checkLibrary } from "./checks/library.ts";
import { collectFacts } from "./collect.ts";
import { DOCTOR_HELP, parseDoctorOptions } from "./doctor_options.ts";
import { judge, wouldStop } from "./judge.ts";
import { reportLines } from "./report.ts";

function main(): Promise<number> {
  const { help, version, json, ...subject } = parseDoctorOptions(Deno.args);
  if (help || version) {
    print(help ? DOCTOR_HELP : describeVersion());
    return Promise.resolve(0);
  }
  const library = checkLibrary();
  // Whatever else there is to know, the library asks the kernel for it.
  const facts = library.level === "ok" ? collectFacts(subject) : undefined;
  const rest = facts === undefined ? { machine: [], port: [] } : judge(facts);
  const findings = { ...rest, machine: [...rest.machine, library] };
  if (json) {
    print(
      JSON.stringify({ findings: [...findings.machine, ...findings.port], facts: facts ?? {} }),
    );
  } else {
    const colours = Deno.stdout.isTerminal() && !Deno.noColor;
    print(reportLines(facts, findings, colours).join("\n"));
  }
  return Promise.resolve(wouldStop(findings) ? 1 : 0);
}

await runCommand(main);
