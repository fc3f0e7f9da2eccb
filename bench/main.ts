/**
 * Purpose: `deno task bench [NAME …] [--json FILE]`: runs the benches of this folder, each in a process of its
 * own, with their ways in turn, and judges their targets. (`deno bench -P=bench` runs the same with Deno's own
 * runner.)
 */
import { CommandLine } from "../ffi/command_line.ts";
import { runCommand, UsageError } from "../ffi/usage.ts";
import { Child } from "./harness/child.ts";
import { allMet, asTask, type ComparisonResult, runComparisons } from "./harness/compare.ts";
import { describeMachine, machineLine } from "./harness/machine.ts";
import { resultOf, writeResult } from "./harness/result.ts";

const TIMEOUT_MS = 20 * 60_000;
const HELP = `deno task bench [NAME …] [--json FILE]

Compares pieces of uspf with their yardsticks, in turn, and exits 1 if a target is missed.

  NAME          which: ${names().join(", ")}; all by default
  --json FILE   also write the results to FILE
  --help        show this`;

/** Benches of this folder. */
function names(): string[] {
  return [...Deno.readDirSync(new URL(".", import.meta.url))].map(({ name }) => name)
    .filter((name) => name.endsWith(".bench.ts")).map((name) => name.slice(0, -".bench.ts".length))
    .sort();
}

async function main(): Promise<number> {
  const wanted = Deno.args.filter((arg, i) =>
    !arg.startsWith("-") && Deno.args[i - 1] !== "--json"
  );
  const { values: { json }, switches: { help } } = new CommandLine(
    Deno.args.filter((arg) => !wanted.includes(arg)),
    { values: ["json"], switches: ["help"], defaults: {} },
  );
  if (help) {
    console.log(HELP);
    return 0;
  }
  const strange = wanted.find((name) => !names().includes(name));
  if (strange !== undefined) {
    throw new UsageError(`Cannot run bench "${strange}": no such bench: see --help`);
  }
  console.log(machineLine(describeMachine()));
  const results: Record<string, ComparisonResult[]> = {};
  for (const name of wanted.length > 0 ? wanted : names()) results[name] = await runOne(name);
  if (json !== undefined) {
    const command = ["bench", ...wanted].join(" ");
    writeResult(json, resultOf("bench", command, results));
  }
  return Object.values(results).every(allMet) ? 0 : 1;
}

/** In a process of its own: what one bench does to V8's code shall not reach the next. */
async function runOne(name: string): Promise<ComparisonResult[]> {
  console.log(`\n== ${name}`);
  const child = new Child(import.meta.filename!, ["--one", name], { timeoutMs: TIMEOUT_MS });
  const output = await child.output((line) => console.log(line));
  return JSON.parse(output.trimEnd().split("\n").at(-1)!);
}

async function one(name: string): Promise<void> {
  asTask();
  await import(`./${name}.bench.ts`);
  const results = await runComparisons((line) => console.log(line));
  console.log(JSON.stringify(results));
}

if (Deno.args[0] === "--one") {
  await one(Deno.args[1]);
  Deno.exit(0);
} else await runCommand(main);
