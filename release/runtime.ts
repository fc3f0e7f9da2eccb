/**
 * Purpose: Deno's runtime for a target, of the one version that the README pins.
 */
import { ROOT } from "./module_graph.ts";
import { ReleaseError } from "./release_error.ts";
import { whyUnreadable } from "./release_file.ts";
import { runProgram, tryProgram } from "./run_program.ts";
import { whyNoRuntime } from "./runtime_check.ts";
import { HERE, type Target } from "./target.ts";

/** A download of 40 MB on a slow line. */
const LIMIT_MS = 300_000;

/** The version, as in the README's commands: "2.9.6". */
export function pinnedVersion(): string {
  const readme = Deno.readTextFileSync(`${ROOT}README.md`);
  const version = /^npx -y deno@([0-9.]+) task test$/m.exec(readme)?.[1];
  if (version !== undefined) return version;
  throw new ReleaseError(
    'Cannot find the version of Deno: README.md has no "npx -y deno@… task test"',
  );
}

/**
 * Puts the runtime, or a link to it, at a path: `given`, the running one, or that of the npm package.
 *
 * @throws {ReleaseError} where it cannot be had.
 */
export async function placeRuntime(target: Target, path: string, given?: string): Promise<void> {
  if (target === HERE && given === undefined) {
    return Deno.symlinkSync(runningRuntime(), path); // 95 MB need no copy
  }
  if (given !== undefined) return await copyRuntime(given, target, path);
  await unpackRuntime(target, path);
  Deno.chmodSync(path, 0o755);
}

async function copyRuntime(given: string, target: Target, path: string): Promise<void> {
  const version = pinnedVersion();
  const refuse = (state: string | undefined) => {
    if (state === undefined) return;
    throw new ReleaseError(
      `Cannot use --runtime "${given}": ${state}: name the file deno of Deno ${version} for ${target.name}`,
    );
  };
  refuse(whyUnreadable(given));
  Deno.copyFileSync(given, path);
  Deno.chmodSync(path, 0o755); // what was downloaded may not be run yet
  refuse(await whyNoRuntime(path, target, version));
}

function runningRuntime(): string {
  const pinned = pinnedVersion(), { deno } = Deno.version;
  if (deno === pinned && Deno.build.target === HERE.triple) return Deno.execPath();
  throw new ReleaseError(
    `Cannot bundle Deno ${deno} for ${Deno.build.target}: the release has ${pinned} for ${HERE.triple}: ` +
      `run "npx -y deno@${pinned} task bundle", or name it with --runtime FILE`,
  );
}

async function unpackRuntime({ runtimePackage, name }: Target, path: string): Promise<void> {
  const id = `${runtimePackage}@${pinnedVersion()}`, directory = `${path}.download`;
  Deno.mkdirSync(directory);
  const pack = ["npm", "pack", "--silent", id];
  const printed = await tryProgram(pack, { cwd: directory, limitMs: LIMIT_MS });
  if (!printed?.success) {
    const state = printed === undefined ? "there is no npm here" : `npm does not give "${id}"`;
    throw new ReleaseError(
      `Cannot bundle for ${name}: ${state}: name a runtime for it with --runtime FILE`,
    );
  }
  const archive = `${directory}/${printed.stdout.trim()}`;
  const unpack = ["tar", "-xzf", archive, "-C", directory, "package/deno"];
  await runProgram(`unpack "${id}"`, unpack);
  Deno.renameSync(`${directory}/package/deno`, path);
  Deno.removeSync(directory, { recursive: true });
}
