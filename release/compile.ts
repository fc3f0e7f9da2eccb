/**
 * Purpose: `deno task compile`: one file for each program, with the runtime, all modules, the threads'
 * modules and the native library in it.
 *
 * ```text
 *  modules, library, packages ──▶ a stage ──▶ deno compile ──▶ dist/uspf-capture
 *                                                ▲
 *                 runtime base (denort): downloaded by deno, or DENORT_BIN
 * ```
 * The library is never loaded from where it was built: the program has it at EMBEDDED, a path that only
 * exists inside it, and may load nothing else. What runs is a copy that Deno's runtime makes of it in
 * /tmp. So the program must keep its name, and TMPDIR must not be set.
 */
import { CommandLine } from "../ffi/command_line.ts";
import { print, runCommand } from "../ffi/usage.ts";
import { commitTime, setTimes } from "./commit_time.ts";
import { newest, readElf } from "./elf.ts";
import { announceFile } from "./made_file.ts";
import { type ModuleGraph, moduleGraph, ROOT } from "./module_graph.ts";
import { whyNoLibrary } from "./native_library.ts";
import { permissionFlags } from "./permission_flags.ts";
import { type Program, programNames, PROGRAMS } from "./programs.ts";
import { ReleaseError } from "./release_error.ts";
import { tryProgram } from "./run_program.ts";
import { LIBRARY, permissionsOf, stage } from "./stage.ts";
import { HERE, type Target, targetOf, TARGETS } from "./target.ts";
import { inWorkFolder } from "./work_folder.ts";

const HELP = `Makes programs that need nothing but Linux and glibc:
${programNames()}.

Usage: deno task compile [options]

  --target NAME   x86_64 or aarch64; without it this machine, and the other where a
                  cross compiler is installed
  --output DIR    where they go; those for another machine into a folder with its
                  name                                             (dist)
  --help

The runtime that goes into them is downloaded, or taken from DENORT_BIN: the file denort of
this version of Deno, for the target.`;

/** More than a slow line needs for 40 MB; a network without answer must not hold us for ever. */
const LIMIT_MS = 300_000;

async function main(): Promise<number> {
  const { values, switches } = new CommandLine(Deno.args, {
    values: ["target", "output"],
    switches: ["help"],
    defaults: { output: "dist" },
  });
  if (switches.help) {
    print(HELP);
    return 0;
  }
  const targets = values.target === undefined
    ? [HERE, ...TARGETS.filter((target) => target !== HERE)]
    : [targetOf(values.target)];
  const base = Deno.env.get("DENORT_BIN");
  const machine = base ? machineOf(base) : undefined;
  const seconds = await commitTime(), graph = await moduleGraph(PROGRAMS.map(({ main }) => main));
  let made = 0;
  for (const target of targets) {
    const without = await whyNot(target, machine);
    if (without !== undefined) print(`${target.name} is left out: ${without}`);
    else made += await compileFor(target, graph, seconds, values.output);
  }
  return made > 0 ? 0 : 1;
}

/** Why there can be no program for a target. */
async function whyNot(target: Target, machine: number | undefined): Promise<string | undefined> {
  if (machine === undefined || machine === target.elfMachine) return await whyNoLibrary(target);
  return "the runtime base in DENORT_BIN is for another kind of machine";
}

/** Compiles all programs for a target; returns how many. */
async function compileFor(
  target: Target,
  graph: ModuleGraph,
  seconds: number,
  output: string,
): Promise<number> {
  const folder = target === HERE ? output : `${output}/${target.name}`;
  await inWorkFolder(folder, async (directory) => {
    await stage(graph, target, directory);
    setTimes(directory, seconds);
    const library = readElf(`${directory}/${LIBRARY}`)!, absolute = Deno.realPathSync(folder);
    for (const program of PROGRAMS) {
      await compile(program, target, directory, `${absolute}/${program.name}`);
      const path = `${folder}/${program.name}`;
      const glibc = newest(
        [library.glibc, readElf(path)!.glibc].filter((one) => one !== undefined),
      );
      await announceFile(path, `for ${target.name} with glibc ${glibc} or newer`);
    }
  });
  return PROGRAMS.length;
}

async function compile(
  program: Program,
  target: Target,
  directory: string,
  output: string,
): Promise<void> {
  const { threads } = await moduleGraph([program.main]);
  const command = [
    Deno.execPath(),
    "compile",
    "-q",
    "--no-check",
    // It would lie in /tmp under a name that everybody knows.
    "--no-code-cache",
    ...permissionFlags(permissionsOf(program.permissions), embedded(program)),
    `--target=${target.triple}`,
    ...[...threads, LIBRARY, `${LIBRARY}.json`].map((file) => `--include=${file}`),
    `--output=${output}`,
    program.main,
  ];
  const base = Deno.env.get("DENORT_BIN");
  const env: Record<string, string> = base ? { DENORT_BIN: Deno.realPathSync(base) } : {};
  const printed = await tryProgram(command, { cwd: directory, env, limitMs: LIMIT_MS });
  if (printed?.success) return;
  const { stderr = "" } = printed ?? {};
  const path = output.startsWith(ROOT) ? output.slice(ROOT.length) : output;
  throw new ReleaseError(
    stderr === "" || stderr.includes("Setting up base binary")
      ? `Cannot compile "${path}": the runtime base denort-${target.triple} of Deno ` +
        `${Deno.version.deno} cannot be downloaded: supply it, ` +
        "DENORT_BIN=/path/to/denort deno task compile"
      : `Cannot compile "${path}": deno compile failed: ${stderr.trim()}`,
  );
}

/** Where a program sees its library: what does not exist on any disk is not to be found there either. */
function embedded({ name }: Program): string {
  return `/tmp/deno-compile-${name}/${LIBRARY}`;
}

function machineOf(base: string): number {
  const elf = readElf(base);
  if (elf !== undefined) return elf.machine;
  throw new ReleaseError(`Cannot use DENORT_BIN "${base}": no program for Linux: name a denort`);
}

await runCommand(main);
