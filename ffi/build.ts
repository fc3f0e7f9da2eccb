/**
 * Purpose: builds the native library where it is missing or older than its sources (`deno task build`).
 *
 * No flag of this machine (`-march=native`) goes in: the library only makes system calls.
 */

const here = new URL(".", import.meta.url).pathname;
const output = `${here}build/libuspf.so`;
const flags = ["-std=c11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"];
const more = ["-fvisibility=hidden", "-pthread"];

/** Builds if needed; returns whether it did. */
export async function build(): Promise<boolean> {
  const names = [...Deno.readDirSync(here)].map((entry) => entry.name);
  const sources = names.filter((name) => name.endsWith(".c")).sort();
  const inputs = [...sources, ...names.filter((name) => name.endsWith(".h")), "build.ts"];
  if (!isOlder(output, inputs.map((name) => here + name))) return false;
  const compiler = await findCompiler();
  Deno.mkdirSync(`${here}build`, { recursive: true });
  // Written beside and renamed: a program that is running keeps the file that it has mapped.
  const fresh = `${output}.${Deno.pid}`;
  const args = [...flags, ...more, "-o", fresh, ...sources.map((name) => here + name)];
  const { success, stderr } = await new Deno.Command(compiler, { args }).output();
  if (!success) {
    throw new Error(
      `Cannot build "${output}": ${compiler} failed:\n${new TextDecoder().decode(stderr)}`,
    );
  }
  Deno.renameSync(fresh, output);
  return true;
}

function isOlder(file: string, than: string[]): boolean {
  const time = (path: string) => Deno.statSync(path).mtime!.getTime();
  try {
    const age = time(file);
    return than.some((path) => time(path) > age);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

async function findCompiler(): Promise<string> {
  const wanted = Deno.env.get("CC");
  for (const compiler of wanted ? [wanted] : ["cc", "gcc", "clang"]) {
    try {
      const { success } = await new Deno.Command(compiler, { args: ["--version"] }).output();
      if (success) return compiler;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(
    `Cannot build the native library: no C compiler${wanted ? ` "${wanted}"` : ""}: ` +
      `install one, on Debian or Ubuntu with "apt-get install gcc libc6-dev"`,
  );
}

if (import.meta.main) {
  try {
    await build();
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}
