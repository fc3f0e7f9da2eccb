/**
 * Runs `deno task doctor` in a test network, looks for its findings, and does what they say.
 */
import { assert, assertEquals } from "@std/assert";
import type { Finding, Level } from "../doctor/finding.ts";
import type { Facts } from "../doctor/facts/facts.ts";
import type { Output, Side, Testbed } from "./testbed.ts";

const root = new URL("..", import.meta.url).pathname;
const WATCHED = "0.1";

/** What the doctor printed with `--json`. */
export interface Diagnosis {
  code: number;
  findings: Finding[];
  facts: Facts;
}

/** Why a test that runs these programs cannot be run here; nothing: they are there. */
export function without(...programs: string[]): string | undefined {
  const isThere = (program: string) =>
    new Deno.Command("sh", { args: ["-c", 'command -v "$0"', program], stdout: "null" })
      .outputSync()
      .success;
  const missing = programs.filter((program) => !isThere(program));
  return missing.length > 0 ? `no ${missing.join(", ")} here` : undefined;
}

/** The doctor's command line; `deno` is the program to run it with. */
export function doctorCommand(args: string[], deno = Deno.execPath()): string[] {
  return [deno, "run", "-q", "-P=doctor", `${root}doctor/main.ts`, ...args];
}

/** Runs it here. */
export async function runDoctor(
  args: string[],
  inside: (command: string[]) => string[] = (command) => command,
  deno = Deno.execPath(),
): Promise<Output> {
  const [program, ...words] = inside(doctorCommand(args, deno));
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: words,
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs it with `--json`. */
export async function diagnose(
  args: string[],
  inside?: (command: string[]) => string[],
  deno?: string,
): Promise<Diagnosis> {
  const seconds = args.includes("--seconds") ? [] : ["--seconds", WATCHED];
  const { code, stdout, stderr } = await runDoctor([...args, ...seconds, "--json"], inside, deno);
  assertEquals(stderr, "");
  return { code, ...JSON.parse(stdout) };
}

/** Runs it in a namespace, by default the right one. */
export function diagnoseIn(
  testbed: Testbed,
  args: string[],
  side: Side = "right",
): Promise<Diagnosis> {
  return diagnose(args, (command) => testbed.inside(side, command));
}

/** The one finding of this id, which must have this level; without a level there must be none. */
export function finding(diagnosis: Diagnosis, id: string, level?: Level): Finding {
  const found = diagnosis.findings.filter((finding) => finding.id === id && finding.level !== "ok");
  const all = JSON.stringify(diagnosis.findings.map(({ id, level, what }) => [id, level, what]));
  assertEquals(
    found.map(({ level }) => level),
    level === undefined ? [] : [level],
    `${id}: ${all}`,
  );
  return found[0];
}

/** Does what a finding says: every line of its remedy, in one shell. */
export async function mend(testbed: Testbed, { remedy }: Finding, side: Side = "right") {
  assert(remedy.some((line) => !line.startsWith("#")), "it has a command");
  await testbed.must(side, "sh", "-euc", remedy.join("\n"));
}
