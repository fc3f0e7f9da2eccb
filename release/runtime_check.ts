/**
 * Purpose: whether a runtime that somebody names is the one that it must be. Of this machine's kind it is
 * run; of the other, what is written in the file must do.
 */
import { Buffer } from "node:buffer";
import { VERSION } from "../ffi/version.ts";
import { readElf } from "./elf.ts";
import { tryProgram } from "./run_program.ts";
import { HERE, type Target } from "./target.ts";

/** What prints its version does so at once. */
const LIMIT_MS = 20_000;

/** Only denort says this: where there is no program behind it; cli/rt/binary.rs. */
const DENORT_MARK = "Could not find standalone binary section.";

/** Why a file cannot be Deno's runtime of a version for a target; `undefined`: it can. */
export async function whyNoRuntime(
  path: string,
  target: Target,
  version: string,
): Promise<string | undefined> {
  if (readElf(path)?.machine !== target.elfMachine) return `no program for ${target.name}`;
  const name = `Deno ${version}`;
  if (target !== HERE) return contains(path, version) ? undefined : `not ${name}`;
  const said = await firstLineOf(path);
  return said?.startsWith(`deno ${version} `) ? undefined : `not ${name}: it ${whatItSaid(said)}`;
}

/** Why a program that was compiled for a target does not work; `undefined`: as far as is known it does. */
export async function whyNoProgram(path: string, target: Target): Promise<string | undefined> {
  if (target !== HERE) {
    return [Deno.version.deno, DENORT_MARK].every((text) => contains(path, text))
      ? undefined
      : `no denort of Deno ${Deno.version.deno} is in a program made with it`;
  }
  const said = await firstLineOf(path), wanted = `uspf ${VERSION}`;
  const works = said === wanted || said?.startsWith(`${wanted} (commit `);
  return works ? undefined : `a program made with it ${whatItSaid(said)}`;
}

/** What `--version` prints, with no environment; `undefined`: it cannot be run, or fails. */
async function firstLineOf(path: string): Promise<string | undefined> {
  const options = { clearEnv: true, limitMs: LIMIT_MS };
  const printed = await tryProgram([Deno.realPathSync(path), "--version"], options).catch(() =>
    undefined
  );
  return printed?.success ? printed.stdout.split("\n")[0] : undefined;
}

function whatItSaid(line: string | undefined): string {
  if (line === undefined) return 'fails with "--version"';
  return `says "${line.slice(0, 60)}" to "--version"`;
}

function contains(path: string, text: string): boolean {
  return Buffer.from(Deno.readFileSync(path).buffer).includes(text);
}
