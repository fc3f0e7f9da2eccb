/**
 * Purpose: compiles the programs for some kinds of machines, into a folder that has all of them or is as it
 * was.
 *
 * ```text
 *  modules, library, packages ──▶ a stage ──▶ deno compile ──▶ does it run? ──▶ dist/uspf-capture
 *                                                ▲
 *                 runtime base (denort): downloaded by deno, or given
 * ```
 * The library is never loaded from where it was built: the program has it at EMBEDDED, a path that only
 * exists inside it, and may load nothing else. What runs is a copy that Deno's runtime makes of it in
 * /tmp. So the program must keep its name, and TMPDIR must not be set.
 */
import { Buffer } from "node:buffer";
import { commitTime, setTimes } from "./commit_time.ts";
import { newest, readElf } from "./elf.ts";
import { announceFile } from "./made_file.ts";
import { type ModuleGraph, moduleGraph } from "./module_graph.ts";
import { permissionFlags } from "./permission_flags.ts";
import { type Program, PROGRAMS } from "./programs.ts";
import { ReleaseError } from "./release_error.ts";
import { cannotWrite, putInPlace, whyUnreadable } from "./release_file.ts";
import { complaint, tryProgram } from "./run_program.ts";
import { whyNoProgram } from "./runtime_check.ts";
import { LIBRARY, permissionsOf, stage } from "./stage.ts";
import { HERE, type Target } from "./target.ts";
import { inWorkFolder } from "./work_folder.ts";

/** More than a slow line needs for 40 MB; a network without answer must not hold us for ever. */
const LIMIT_MS = 300_000;

/** What every program that Deno compiled has in it: the name of the section. */
const COMPILED_MARK = "d3n0l4nd";

/** Where from, where to. */
export interface Compiling {
  /** The folder; programs for another machine go into a folder in it with the machine's name. */
  output: string;
  /** The runtime base; by default Deno downloads it. */
  base?: string;
}

/** A program that is made, and where it will be. */
interface Made {
  file: string;
  path: string;
  needs: string;
}

/**
 * Compiles all programs for these machines, and prints what they are.
 *
 * @throws {ReleaseError} if one cannot be made, or does not work: then none is replaced.
 */
export async function compilePrograms(
  targets: readonly Target[],
  { output, base }: Compiling,
): Promise<void> {
  const paths = targets.flatMap((target) =>
    PROGRAMS.map(({ name }) => placeOf(name, target, output))
  );
  const made: Made[] = [];
  await inWorkFolder(output, async (folder) => {
    paths.forEach(assertOurs);
    const seconds = await commitTime(), graph = await moduleGraph(PROGRAMS.map(({ main }) => main));
    for (const target of targets) {
      const staged = `${folder}/${target.name}`;
      await compileFor(target, { graph, seconds, base, staged }, async (file, program, needs) => {
        const path = placeOf(program.name, target, output),
          state = await whyNoProgram(file, target);
        if (state !== undefined) throw refused(path, target, { state, base });
        made.push({ file, path, needs });
      });
    }
    for (const { path } of made) makeFolderOf(path);
    for (const { file, path } of made) putInPlace(file, path);
  });
  for (const { path, needs } of made) await announceFile(path, needs);
}

interface Job {
  graph: ModuleGraph;
  seconds: number;
  base?: string;
  /** Where the stage is laid out. */
  staged: string;
}

/** Compiles all programs for a target beside the stage, and tells of each. */
async function compileFor(
  target: Target,
  { graph, seconds, base, staged }: Job,
  tell: (file: string, program: Program, needs: string) => Promise<void>,
): Promise<void> {
  const programs = `${staged}.programs`;
  for (const path of [staged, programs]) Deno.mkdirSync(path);
  await stage(graph, target, staged);
  setTimes(staged, seconds);
  const library = readElf(`${staged}/${LIBRARY}`)!;
  for (const program of PROGRAMS) {
    const file = `${programs}/${program.name}`;
    await compile(program, target, { staged, file, base });
    const versions = [library.glibc, readElf(file)?.glibc].filter((one) => one !== undefined);
    await tell(file, program, `for ${target.name} with glibc ${newest(versions)} or newer`);
  }
}

async function compile(
  program: Program,
  target: Target,
  { staged, file, base }: { staged: string; file: string; base?: string },
): Promise<void> {
  const { threads } = await moduleGraph([program.main]);
  const command = [
    // Also one that is set to nothing would be taken for a file.
    ...["env", "-u", "DENORT_BIN"],
    ...(base === undefined ? [] : [`DENORT_BIN=${Deno.realPathSync(base)}`]),
    Deno.execPath(),
    "compile",
    "-q",
    "--no-check",
    // It would lie in /tmp under a name that everybody knows.
    "--no-code-cache",
    ...permissionFlags(permissionsOf(program.permissions), embedded(program)),
    `--target=${target.triple}`,
    ...[...threads, LIBRARY, `${LIBRARY}.json`].map((file) => `--include=${file}`),
    `--output=${file}`,
    program.main,
  ];
  const printed = await tryProgram(command, { cwd: staged, limitMs: LIMIT_MS });
  if (printed?.success) return;
  const { stderr = "" } = printed ?? {};
  throw new ReleaseError(
    stderr === "" || base === undefined && stderr.includes("Setting up base binary")
      ? `Cannot compile "${program.name}": the runtime base denort-${target.triple} of Deno ` +
        `${Deno.version.deno} cannot be downloaded: supply it, ` +
        "DENORT_BIN=/path/to/denort deno task compile"
      : `Cannot compile "${program.name}": deno compile failed: ${complaint(stderr)}`,
  );
}

/** Where a program sees its library: what does not exist on any disk is not to be found there either. */
function embedded({ name }: Program): string {
  return `/tmp/deno-compile-${name}/${LIBRARY}`;
}

function placeOf(name: string, target: Target, output: string): string {
  return target === HERE ? `${output}/${name}` : `${output}/${target.name}/${name}`;
}

/** Nobody's file is replaced but one that was compiled before. */
function assertOurs(path: string): void {
  const state = whyUnreadable(path);
  if (state === "it does not exist") return;
  if (state === undefined && Buffer.from(Deno.readFileSync(path)).includes(COMPILED_MARK)) return;
  throw new ReleaseError(
    `Cannot replace "${path}": ${state ?? "no program that was compiled before"}: remove it, or ` +
      "name another folder with --output",
  );
}

function refused(
  path: string,
  { name }: Target,
  { state, base }: { state: string; base?: string },
): ReleaseError {
  const { deno } = Deno.version;
  return new ReleaseError(
    base === undefined
      ? `Cannot compile "${path}": ${state}: report it, with the version of Deno, ${deno}`
      : `Cannot use DENORT_BIN "${base}": ${state}: name the file denort of Deno ${deno} for ${name}`,
  );
}

function makeFolderOf(path: string): void {
  try {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  } catch (error) {
    throw cannotWrite(path, error);
  }
}
