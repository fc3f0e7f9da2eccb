/**
 * Purpose: the native library for a target, as it is released.
 */
import { VERSION } from "../ffi/version.ts";
import { ROOT } from "./module_graph.ts";
import { ReleaseError } from "./release_error.ts";
import { runProgram, tryProgram } from "./run_program.ts";
import { HERE, type Target } from "./target.ts";

/** The compiler for a target; `undefined` where there is none. */
export async function compilerFor(target: Target): Promise<string | undefined> {
  const compiler = target === HERE ? Deno.env.get("CC") || "cc" : target.crossCompiler;
  const printed = await tryProgram([compiler, "--version"]);
  return printed?.success ? compiler : undefined;
}

/**
 * Builds the library and its record into a folder.
 *
 * @throws {ReleaseError} where there is no compiler for the target.
 */
export async function placeLibrary(target: Target, directory: string): Promise<void> {
  const compiler = await compilerFor(target);
  if (compiler === undefined) {
    throw new ReleaseError(
      `Cannot build for ${target.name}: no ${target.crossCompiler}: install it, on Debian or Ubuntu ` +
        `with "apt-get install gcc-${target.name.replace("_", "-")}-linux-gnu"`,
    );
  }
  Deno.mkdirSync(directory, { recursive: true });
  const sources = [...Deno.readDirSync(`${ROOT}ffi`)].map(({ name }) => name)
    .filter((name) => name.endsWith(".c")).sort();
  const flags = "-std=c11 -O2 -g -fPIC -shared -fvisibility=hidden -pthread".split(" ");
  const output = `${directory}/libuspf.so`;
  const command = [
    compiler,
    ...flags,
    "-o",
    output,
    ...sources.map((name) => `${ROOT}ffi/${name}`),
  ];
  await runProgram("build the native library", command);
  const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(output));
  const sha256 = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
  Deno.writeTextFileSync(`${output}.json`, JSON.stringify({ version: VERSION, sha256 }));
}
