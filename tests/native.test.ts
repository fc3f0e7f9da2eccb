/**
 * The native library's own tests (tests/native/, in C), under AddressSanitizer and
 * UndefinedBehaviorSanitizer. Each case that the program prints is a step.
 *
 * Rerun with another seed: `USPF_SEED=7 deno test -P=test tests/native.test.ts`. Under ThreadSanitizer:
 * `USPF_SANITIZER=thread deno test -P=test tests/native.test.ts`.
 */
import { assert } from "@std/assert";

const SEED = Deno.env.get("USPF_SEED") ?? "1";
const SANITIZER = Deno.env.get("USPF_SANITIZER") ?? "address,undefined";
const COMPILER = Deno.env.get("CC") ?? "cc";
const LIMIT_MS = 120_000;
const FLAGS = [
  "-std=c11",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-g",
  `-fsanitize=${SANITIZER}`,
  "-fno-sanitize-recover=all",
  "-fno-omit-frame-pointer",
  "-pthread",
];

const here = new URL(".", import.meta.url).pathname;
const reason = whyNot();

Deno.test({
  name: `libuspf passes its tests in C under ${SANITIZER} sanitizer` +
    (reason === undefined ? "" : ` (${reason})`),
  ignore: reason !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir();
    try {
      await build(`${directory}/native`);
      const output = await run(`${directory}/native`);
      for (const name of linesAfter(output, "case ")) {
        const skipped = linesAfter(output, `skip ${name}: `)[0];
        await t.step({
          name: skipped === undefined ? name : `${name} (${skipped})`,
          ignore: skipped !== undefined,
          fn: () => assert(output.includes(`pass ${name}\n`), output),
        });
      }
      assert(output.endsWith("exit 0\n"), `rerun with USPF_SEED=${SEED}\n${output}`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

/** Why the tests cannot run here; they can where an empty program links and runs with the sanitizer. */
function whyNot(): string | undefined {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/empty.c`, "int main(void) { return 0; }\n");
    const args = [...FLAGS, "-o", `${directory}/empty`, `${directory}/empty.c`];
    const built = new Deno.Command(COMPILER, { args, stderr: "null" }).outputSync();
    if (!built.success) return `${COMPILER} has no ${SANITIZER} sanitizer`;
    const ran = new Deno.Command(`${directory}/empty`, { stderr: "null" }).outputSync();
    return ran.success ? undefined : `the ${SANITIZER} sanitizer does not run here`;
  } catch {
    return `no C compiler "${COMPILER}"`;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** The library's sources and the tests; napi.c needs a JavaScript runtime. */
async function build(program: string): Promise<void> {
  const sources = [`${here}../ffi/`, `${here}native/`].flatMap((folder) =>
    [...Deno.readDirSync(folder)].map(({ name }) => folder + name)
  ).filter((path) => path.endsWith(".c") && !path.endsWith("/napi.c")).sort();
  const command = new Deno.Command(COMPILER, { args: [...FLAGS, "-o", program, ...sources] });
  const { success, stderr } = await command.output();
  assert(success, new TextDecoder().decode(stderr));
}

/** What the program and the sanitizer print, and how it ended. */
async function run(program: string): Promise<string> {
  const prefix = `uspf.native.${Deno.pid}`;
  const child = new Deno.Command(program, {
    args: [prefix, SEED],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  try {
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return `${text(stdout)}${text(stderr)}exit ${code}\n`;
  } finally {
    clearTimeout(timer);
    for (const { name } of Deno.readDirSync("/dev/shm")) {
      if (name.startsWith(prefix)) Deno.removeSync(`/dev/shm/${name}`);
    }
  }
}

function linesAfter(output: string, start: string): string[] {
  return output.split("\n").filter((line) => line.startsWith(start))
    .map((line) => line.slice(start.length));
}
