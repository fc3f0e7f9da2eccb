/**
 * Purpose: `deno task compile`: one file for each program, with the runtime, all modules, the threads'
 * modules and the native library in it; see `compile_programs.ts`.
 */
import { CommandLine } from "../ffi/command_line.ts";
import { print, runCommand } from "../ffi/usage.ts";
import { describeVersion } from "../ffi/version.ts";
import { compilePrograms } from "./compile_programs.ts";
import { readElf } from "./elf.ts";
import { whyNoLibrary } from "./native_library.ts";
import { programNames } from "./programs.ts";
import { ReleaseError } from "./release_error.ts";
import { whyUnreadable } from "./release_file.ts";
import { HERE, type Target, targetOf, TARGETS } from "./target.ts";

const HELP = `Makes programs that need nothing but Linux and glibc:
${programNames()}.

Usage: deno task compile [options]

  --target NAME   x86_64 or aarch64; without it this machine, and the other where a
                  cross compiler is installed
  --output DIR    where they go; those for another machine into a folder with its
                  name                                             (dist)
  --help, --version

The runtime that goes into them is downloaded, or taken from DENORT_BIN: the file denort of
this version of Deno, for the target.`;

async function main(): Promise<number> {
  const { values, switches } = new CommandLine(Deno.args, {
    values: ["target", "output"],
    switches: ["help", "version"],
    defaults: { output: "dist" },
  });
  if (switches.help || switches.version) {
    print(switches.help ? HELP : describeVersion());
    return 0;
  }
  const wanted = values.target === undefined
    ? [HERE, ...TARGETS.filter((target) => target !== HERE)]
    : [targetOf(values.target)];
  const base = runtimeBase(), targets: Target[] = [];
  const machine = base === undefined ? undefined : readElf(base)?.machine;
  for (const target of wanted) {
    const without = await whyNot(target, machine);
    if (without !== undefined) print(`${target.name} is left out: ${without}`);
    else targets.push(target);
  }
  if (targets.length === 0) return 1;
  await compilePrograms(targets, { output: values.output, base });
  return 0;
}

/** Why there can be no program for a target. */
async function whyNot(target: Target, machine: number | undefined): Promise<string | undefined> {
  if (machine === undefined || machine === target.elfMachine) return await whyNoLibrary(target);
  return "the runtime base in DENORT_BIN is for another kind of machine";
}

/** The file that DENORT_BIN names; empty is as good as not set. */
function runtimeBase(): string | undefined {
  const base = Deno.env.get("DENORT_BIN");
  if (!base) return undefined;
  const state = whyUnreadable(base) ?? (readElf(base) ? undefined : "no program for Linux");
  if (state === undefined) return base;
  throw new ReleaseError(`Cannot use DENORT_BIN "${base}": ${state}: name a denort`);
}

await runCommand(main);
