/**
 * The native library's own tests (tests/native/, in C), under AddressSanitizer and
 * UndefinedBehaviorSanitizer; once more against musl; and for arm64 what an emulator can run of them. Each
 * case that the program prints is a step.
 *
 * Rerun with another seed: `USPF_SEED=7 deno test -P=test tests/native.test.ts`. Under ThreadSanitizer:
 * `USPF_SANITIZER=thread deno test -P=test tests/native.test.ts`.
 */
import { assert } from "@std/assert";
import { ARM64_GCC, MUSL_GCC } from "./compilers.ts";

const SEED = Deno.env.get("USPF_SEED") ?? "1";
const SANITIZER = Deno.env.get("USPF_SANITIZER") ?? "address,undefined";
const COMPILER = Deno.env.get("CC") ?? "cc";
const EMULATOR = "qemu-aarch64-static";
const LIMIT_MS = 120_000;
const FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-pthread"];
const SANITIZED = [
  `-fsanitize=${SANITIZER}`,
  "-fno-sanitize-recover=all",
  "-fno-omit-frame-pointer",
];
/** What an emulator of user space can run: no second process, no XDP, no counters of a socket's. */
const EMULATED = [
  "uspf_abi",
  "uspf_open refuses",
  "uspf_* refuse",
  "uspf_tsc",
  "uspf_sleep_ns",
  "uspf_pin",
  "uspf_switches",
  "soft switch: wakes",
  "soft pipe: has two ends",
  "udp: carries",
];

const here = new URL(".", import.meta.url).pathname;

/** A way of running the tests. */
interface Way {
  name: string;
  /** Compiler and flags. */
  compile: string[];
  /** What runs the program. */
  runner?: string[];
  /** Only cases with one of these in their names. */
  only?: string[];
  /** Why it cannot run here. */
  reason?: string;
}

const ways: Way[] = [
  {
    name: `under ${SANITIZER} sanitizer`,
    compile: [COMPILER, ...FLAGS, ...SANITIZED],
    reason: whyNoSanitizer(),
  },
  {
    name: "against musl",
    compile: [...MUSL_GCC.command.split(" "), ...FLAGS, "-static"],
    reason: MUSL_GCC.missing,
  },
  {
    name: "on arm64, as far as an emulator goes",
    compile: [...ARM64_GCC.command.split(" "), ...FLAGS, "-static"],
    runner: [EMULATOR],
    only: EMULATED,
    reason: ARM64_GCC.missing ?? whyNoEmulator(),
  },
];

for (const { name, compile, runner, only = [""], reason } of ways) {
  Deno.test({
    name: `libuspf passes its tests in C ${name}` + (reason === undefined ? "" : ` (${reason})`),
    ignore: reason !== undefined,
    fn: async (t) => {
      const directory = await Deno.makeTempDir();
      try {
        await build(compile, `${directory}/native`);
        for (const part of only) {
          await judge(t, await run([...(runner ?? []), `${directory}/native`], part), part);
        }
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

async function judge(t: Deno.TestContext, output: string, part: string): Promise<void> {
  const cases = linesAfter(output, "case ");
  assert(cases.length > 0, `no case has "${part}" in its name`);
  for (const name of cases) {
    const skipped = linesAfter(output, `skip ${name}: `)[0];
    await t.step({
      name: skipped === undefined ? name : `${name} (${skipped})`,
      ignore: skipped !== undefined,
      fn: () => assert(output.includes(`pass ${name}\n`), output),
    });
  }
  assert(output.endsWith("exit 0\n"), `rerun with USPF_SEED=${SEED}\n${output}`);
}

/** They can run where an empty program links and runs with the sanitizer. */
function whyNoSanitizer(): string | undefined {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/empty.c`, "int main(void) { return 0; }\n");
    const args = [...FLAGS, ...SANITIZED, "-o", `${directory}/empty`, `${directory}/empty.c`];
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

function whyNoEmulator(): string | undefined {
  try {
    new Deno.Command(EMULATOR, { args: ["-version"], stdout: "null" }).outputSync();
    return undefined;
  } catch {
    return `no ${EMULATOR} here`;
  }
}

/** The library's sources and the tests; napi.c needs a JavaScript runtime. */
async function build([compiler, ...flags]: string[], program: string): Promise<void> {
  const sources = [`${here}../ffi/`, `${here}native/`].flatMap((folder) =>
    [...Deno.readDirSync(folder)].map(({ name }) => folder + name)
  ).filter((path) => path.endsWith(".c") && !path.endsWith("/napi.c")).sort();
  const command = new Deno.Command(compiler, { args: [...flags, "-o", program, ...sources] });
  const { success, stderr } = await command.output();
  assert(success, new TextDecoder().decode(stderr));
}

/** What the program and the sanitizer print, and how it ended. */
async function run([program, ...args]: string[], part: string): Promise<string> {
  const prefix = `uspf.native.${Deno.pid}`;
  const child = new Deno.Command(program, {
    args: [...args, prefix, SEED, part],
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
