/**
 * Purpose: `deno task bench [NAME …] [--json FILE]`: runs the benches of this folder, each in a process of its
 * own, with their ways in turn, and judges their targets. (`deno bench -P=bench` runs the same with Deno's own
 * runner.)
 */
import { CommandLine } from "../ffi/command_line.ts";
import { numberOption, onStopSignals, runCommand, UsageError } from "../ffi/usage.ts";
import { Child, stopChildren } from "./harness/child.ts";
import { asTask } from "./harness/compare.ts";
import { describeMachine, machineLine } from "./harness/machine.ts";
import { checkResultFile, resultOf, writeResult } from "./harness/result.ts";
import { allMet, type ComparisonResult, runComparisons } from "./harness/run_comparisons.ts";

const TIMEOUT_MS = 20 * 60_000, INTERRUPTED = 130;
const HELP = `deno task bench [NAME …] [--seconds N] [--json FILE]

Compares pieces of uspf with their yardsticks, in turn, and exits 1 if a target is missed.

  NAME          which: ${names().join(", ")}; all by default
  --seconds N   for each comparison about, 0.01 to 600 (4)
  --json FILE   also write the results to FILE
  --help        show this`;

/** Benches of this folder. */
function names(): string[] {
  return [...Deno.readDirSync(new URL(".", import.meta.url))].map(({ name }) => name)
    .filter((name) => name.endsWith(".bench.ts")).map((name) => name.slice(0, -".bench.ts".length))
    .sort();
}

async function main(): Promise<number> {
  const { words, values, switches: { help } } = new CommandLine(Deno.args, {
    values: ["seconds", "json"],
    switches: ["help"],
    defaults: { seconds: "4" },
    words: true,
  });
  if (help) {
    console.log(HELP);
    return 0;
  }
  const strange = words.find((name) => !names().includes(name));
  if (strange !== undefined) {
    throw new UsageError(`Cannot run bench "${strange}": no such bench: see --help`);
  }
  const seconds = numberOption("--seconds", values.seconds, { low: 0.01, high: 600, whole: false });
  checkResultFile(values.json);
  const print = values.json === "-" ? console.error : console.log;
  let interrupted = false;
  onStopSignals(() => {
    interrupted = true;
    stopChildren();
  });
  print(machineLine(describeMachine()));
  const results: Record<string, ComparisonResult[]> = {};
  for (const name of words.length > 0 ? words : names()) {
    try {
      results[name] = await runOne(name, seconds, print);
    } catch (error) {
      if (interrupted) return INTERRUPTED;
      throw error;
    }
  }
  if (values.json !== undefined) {
    writeResult(values.json, resultOf("bench", ["bench", ...Deno.args].join(" "), results));
  }
  return Object.values(results).every(allMet) ? 0 : 1;
}

/** In a process of its own: what one bench does to V8's code shall not reach the next. */
async function runOne(
  name: string,
  seconds: number,
  print: (line: string) => void,
): Promise<ComparisonResult[]> {
  print(`\n== ${name}`);
  const child = new Child(import.meta.filename!, ["--one", name, String(seconds)], {
    timeoutMs: TIMEOUT_MS,
  });
  return JSON.parse(await child.lastLine(print));
}

async function one(name: string, seconds: number): Promise<void> {
  asTask();
  await import(`./${name}.bench.ts`);
  const results = await runComparisons(seconds, (line) => console.log(line));
  console.log(JSON.stringify(results));
}

if (Deno.args[0] === "--one") {
  await one(Deno.args[1], Number(Deno.args[2]));
  Deno.exit(0);
} else await runCommand(main);
