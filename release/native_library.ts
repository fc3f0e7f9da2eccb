/**
 * Purpose: the native library for a target, as it is released.
 */
import { buildLibrary, builtLibrary } from "../ffi/build.ts";
import { LIBRARY_NAME, readRecord, recordPath, Refusal } from "../ffi/library_record.ts";
import { ReleaseError } from "./release_error.ts";
import { tryProgram } from "./run_program.ts";
import { HERE, type Target } from "./target.ts";

/** Why the library cannot be built for a target; `undefined`: it can, as far as is known. */
export async function whyNoLibrary(target: Target): Promise<string | undefined> {
  if (target === HERE) return undefined;
  const printed = await tryProgram([target.crossCompiler, "--version"]);
  return printed?.success ? undefined : `no cross compiler ${target.crossCompiler}`;
}

/**
 * Builds the library and its record into a folder.
 *
 * @throws {ReleaseError} where that cannot be.
 */
export async function placeLibrary(target: Target, directory: string): Promise<void> {
  const missing = await whyNoLibrary(target);
  if (missing !== undefined) {
    const debian = `gcc-${target.name.replace("_", "-")}-linux-gnu`;
    throw new ReleaseError(
      `Cannot build for ${target.name}: ${missing}: install one, on Debian or Ubuntu with ` +
        `"apt-get install ${debian}"`,
    );
  }
  try {
    const native = target === HERE,
      compiler = native ? await takeBuilt(directory) : target.crossCompiler;
    buildLibrary({ compiler, directory });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new ReleaseError(`Cannot build the native library: ${error.message}`);
  }
}

/**
 * Copies what `deno task build` made, if this compiler would make the same; returns the compiler then. What
 * else must be the same, sources and command, is the build's to see.
 */
async function takeBuilt(directory: string): Promise<string | undefined> {
  const compiler = Deno.env.get("CC")?.trim() || "cc", library = builtLibrary()!;
  const printed = await tryProgram([...compiler.split(/\s+/), "--version"]);
  const record = readRecord(library), version = printed?.stdout.split("\n")[0];
  if (record === undefined || !printed?.success || record.compiler !== version) return undefined;
  Deno.mkdirSync(directory, { recursive: true });
  Deno.copyFileSync(library, `${directory}/${LIBRARY_NAME}`);
  Deno.copyFileSync(recordPath(library), recordPath(`${directory}/${LIBRARY_NAME}`));
  return compiler;
}
