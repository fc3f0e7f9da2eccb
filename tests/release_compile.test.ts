/** `deno task compile`: what goes into the programs; and, where there is a runtime base, that they run. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describeVersion, VERSION } from "../ffi/version.ts";
import { moduleGraph } from "../release/module_graph.ts";
import { type Program, PROGRAMS } from "../release/programs.ts";
import { complaint } from "../release/run_program.ts";
import { whyNoProgram } from "../release/runtime_check.ts";
import { HERE, TARGETS } from "../release/target.ts";
import { type CompiledProgram, readCompiledProgram } from "./compiled_program.ts";
import { finalOf } from "./command.ts";

const root = new URL("..", import.meta.url).pathname;
const THREADS = [
  "capture/monitor/web_worker.ts",
  "capture/worker.ts",
  "capture/write_worker.ts",
  "sender/worker.ts",
];
const LIBRARY = "ffi/build/libuspf.so";
const MACHINES = { x86_64: 62, aarch64: 183 }; // e_machine, elf(5)
const here = Deno.build.arch, there = here === "x86_64" ? "aarch64" : "x86_64";

const output = Deno.makeTempDirSync({ prefix: "uspf-compile-" });
Deno.test.afterAll(() => Deno.removeSync(output, { recursive: true }));

async function execute([program, ...args]: string[], env: Record<string, string> = {}) {
  const command = new Deno.Command(program, { args, cwd: root, env: { NO_COLOR: "1", ...env } });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const compile = (
  env: Record<string, string>,
  folder = output,
  args = ["--target", here],
) => {
  const task = ["task", "-q", "compile", "--output", folder, ...args];
  return execute([Deno.execPath(), ...task], env);
};

/** A base that says something; what stands behind it does not depend on what it is. */
async function standIn(compiler: string, says: string): Promise<string> {
  const source = `${output}/base.c`, base = `${output}/base-${compiler}`;
  const main = `int main(void) { return puts(${JSON.stringify(says)}) < 0; }`;
  Deno.writeTextFileSync(source, `#include <stdio.h>\n${main}\n`);
  const { code, stderr } = await execute([compiler, "-o", base, source]);
  assertEquals([code, stderr], [0, ""]);
  return base;
}

const noCross = await execute([`${there}-linux-gnu-gcc`, "--version"]).then(
  () => undefined,
  () => `no ${there}-linux-gnu-gcc here`,
);

let made: Promise<string> | undefined;

/** Makes the programs for this machine, once; returns what making them printed. */
function compiled(): Promise<string> {
  const make = async () => {
    const base = await standIn("cc", `uspf ${VERSION}`);
    const { code, stdout, stderr } = await compile({ DENORT_BIN: base }, output, []);
    assertEquals([code, stderr], [0, ""]);
    return stdout;
  };
  made ??= make();
  return made;
}

function contentsOf(path: string, { main }: Program): CompiledProgram {
  return readCompiledProgram(path, { name: main, bytes: Deno.readFileSync(root + main) });
}

async function assertComplete(
  path: string,
  program: Program,
  machine: keyof typeof MACHINES,
): Promise<void> {
  const { metadata, files } = contentsOf(path, program);
  assertEquals(metadata.entrypoint_key, program.main);
  const { loaded, packages } = await moduleGraph([program.main]);
  for (const name of loaded.filter((name) => name !== "deno.json")) {
    assert(files.get(name)?.equals(Deno.readFileSync(root + name)), name);
  }
  for (const { name } of packages) assert(files.has(`node_modules/${name}/package.json`), name);
  const library = Uint8Array.from(files.get(LIBRARY)!);
  const record = JSON.parse(new TextDecoder().decode(files.get(`${LIBRARY}.json`)));
  const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", library)).toHex();
  assertEquals(record.sha256, sha256);
  assertEquals(new DataView(library.buffer).getUint16(18, true), MACHINES[machine]);
}

Deno.test("moduleGraph finds the modules of all threads, and of types only where they are asked for", async () => {
  const { threads, loaded, files, packages } = await moduleGraph(PROGRAMS.map(({ main }) => main));
  assertEquals(threads, THREADS);
  for (const thread of threads) assert(loaded.includes(thread), thread);
  assert(files.includes("engine/strategy.ts") && !loaded.includes("engine/strategy.ts"));
  assert(!files.some((file) => /^(tests|bench|release)\//.test(file)));
  const names = packages.map(({ name }) => name);
  assert(names.includes("@logtape/logtape") && !names.includes("hdr-histogram-js"), `${names}`);
});

Deno.test("deno task compile puts every module, the threads', the packages and the library into each program", async () => {
  const stdout = await compiled();
  assertMatch(stdout, /\/uspf-capture: [0-9.]+ MB, for \w+ with glibc 2\.\d+ or newer\nSHA-256 /);
  assertMatch(stdout, new RegExp(`^${there} is left out: `, "m"));
  for (const program of PROGRAMS) await assertComplete(`${output}/${program.name}`, program, here);
});

Deno.test("deno task compile lets a program load no library but the one in it, run nothing, and never prompt", async () => {
  await compiled();
  const { permissions: sets } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`));
  for (const program of PROGRAMS) {
    const { metadata } = contentsOf(`${output}/${program.name}`, program);
    const { permissions } = metadata, set = sets[program.permissions];
    assertEquals(permissions.allow_ffi, [`/tmp/deno-compile-${program.name}/${LIBRARY}`]);
    assertEquals([permissions.allow_run, permissions.allow_sys], [null, null]);
    assertEquals(permissions.allow_net, set.net ?? null);
    assertEquals(permissions.allow_env, set.env);
    assertEquals([permissions.deny_import, permissions.prompt], [[], false]);
    assertEquals(permissions.allow_write, set.write ? [] : null);
  }
});

Deno.test({
  name: `deno task compile makes programs for ${there} with a cross compiler${
    noCross ? ` (${noCross})` : ""
  }`,
  ignore: noCross !== undefined,
  fn: async () => {
    const says = `Deno/${Deno.version.deno} Could not find standalone binary section.`;
    const base = await standIn(`${there}-linux-gnu-gcc`, says);
    const { code, stderr } = await compile({ DENORT_BIN: base }, output, ["--target", there]);
    assertEquals([code, stderr], [0, ""]);
    for (const program of PROGRAMS) {
      await assertComplete(`${output}/${there}/${program.name}`, program, there);
    }
  },
});

const noUnshare = await execute(["unshare", "-n", "true"]).then(
  ({ code }) => code === 0 ? undefined : "no root, no network namespaces",
  () => "no unshare here",
);
Deno.test({
  name: `deno task compile without network says in one line what is missing${
    noUnshare ? ` (${noUnshare})` : ""
  }`,
  ignore: noUnshare !== undefined,
  fn: async () => {
    const { stdout } = await execute([Deno.execPath(), "info", "--json"]);
    const cache = `${output}/cache`; // without a runtime base that was downloaded once
    Deno.mkdirSync(cache);
    Deno.symlinkSync(JSON.parse(stdout).npmCache, `${cache}/npm`);
    const task = [Deno.execPath(), "task", "-q", "compile", "--output", `${output}/none`];
    const without = ["unshare", "-n", "env", "DENORT_BIN=", ...task]; // as good as none
    const printed = await execute(without, { DENO_DIR: cache });
    assertEquals([printed.code, printed.stdout], [1, ""]);
    assertMatch(
      printed.stderr,
      /^Cannot compile ".*uspf-capture": the runtime base denort-\S+ .* DENORT_BIN=\/path\/to\/denort deno task compile\n$/,
    );
    assertEquals([...Deno.readDirSync(`${output}/none`)], []);
  },
});

Deno.test("deno task compile refuses a DENORT_BIN that is no program, in one line", async () => {
  const cases = [
    [`${root}README.md`, "no program for Linux"],
    ["/nonexistent/denort", "it does not exist"],
    [output, "it is a directory"],
  ];
  for (const [base, state] of cases) {
    const { code, stderr } = await compile({ DENORT_BIN: base });
    assertEquals([code, stderr], [
      1,
      `Cannot use DENORT_BIN "${base}": ${state}: name a denort\n`,
    ]);
  }
});

Deno.test("deno task compile runs what it made, and leaves all as it was where that is no program of ours", async () => {
  const folder = `${output}/kept`, kept = `${folder}/uspf-send`;
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(kept, "d3n0l4nd"); // as in all that was compiled
  const base = await standIn("cc", "something else");
  const { code, stdout, stderr } = await compile({ DENORT_BIN: base }, folder);
  const name = `name the file denort of Deno ${Deno.version.deno} for ${here}`;
  const state = `a program made with it says "something else" to "--version": ${name}`;
  assertEquals([code, stdout, stderr], [1, "", `Cannot use DENORT_BIN "${base}": ${state}\n`]);
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["uspf-send"]);
  assertEquals(Deno.readTextFileSync(kept), "d3n0l4nd");
  const said = await whyNoProgram(Deno.execPath(), HERE); // a DENORT_BIN that is often taken by mistake
  assert(said?.startsWith(`a program made with it says "deno ${Deno.version.deno} `), said);
});

Deno.test("deno task compile replaces no foreign file, and says in one line where it cannot write", async () => {
  const folder = `${output}/foreign`, file = `${folder}/uspf-capture`;
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(file, "mine");
  const cases = [
    [folder, `Cannot replace "${file}": no program that was compiled before: `],
    ["/proc/x", 'Cannot write "/proc/x": EPERM: '],
    [file, `Cannot write "${file}": `],
  ];
  for (const [place, begin] of cases) {
    const { code, stderr } = await compile({}, place);
    assertEquals([code, stderr.split("\n").length], [1, 2]);
    assert(stderr.startsWith(begin), stderr);
  }
  assertEquals(Deno.readTextFileSync(file), "mine");
});

Deno.test("whyNoProgram looks for denort and its version in what cannot be run here", async () => {
  const file = `${output}/for there`, target = TARGETS.find(({ name }) => name === there)!;
  const why = async (text: string) => {
    Deno.writeTextFileSync(file, text);
    return await whyNoProgram(file, target);
  };
  const { deno } = Deno.version, mark = "Could not find standalone binary section.";
  assertEquals(await why(`Deno/${deno}\0${mark}`), undefined);
  const state = `no denort of Deno ${deno} is in a program made with it`;
  assertEquals([await why(`Deno/${deno}`), await why(`Deno/0.0.1\0${mark}`)], [state, state]);
  // The runtime for programs that are not compiled is not taken for one.
  assertEquals(await whyNoProgram(Deno.execPath(), target), state);
});

Deno.test("complaint takes the error and its innermost cause, without colours and backtrace", () => {
  const deno = "\x1b[33mWarning\x1b[0m old\n\x1b[1m\x1b[31merror\x1b[0m: Writing 'x'";
  const causes = "\n\nCaused by:\n    0: on the way\n    1: No space left (os error 28)\n";
  const trace = "\nStack backtrace:\n   0: <unknown>\n";
  assertEquals(complaint(deno + trace), "Writing 'x'");
  assertEquals(complaint(deno + causes + trace), "Writing 'x': No space left (os error 28)");
  assertEquals(complaint("tar: no such file\ntar: exiting\n"), "tar: no such file");
  assertEquals(complaint(""), "");
});

Deno.test("deno task compile and bundle show their version", async () => {
  for (const task of ["compile", "bundle"]) {
    const printed = await execute([Deno.execPath(), "task", "-q", task, "--version"]);
    assertEquals(printed, { code: 0, stdout: `${describeVersion()}\n`, stderr: "" });
  }
});

const base = Deno.env.get("DENORT_BIN");
const noBase = base ? undefined : "no runtime base: name one with DENORT_BIN";
Deno.test({
  name: `uspf-capture, compiled, captures from the built-in sender, and its sums add up${
    noBase ? ` (${noBase})` : ""
  }`,
  ignore: noBase !== undefined,
  fn: async () => {
    assertEquals((await compile({})).code, 0);
    const version = await execute([`${output}/uspf-capture`, "--version"]);
    assertMatch(version.stdout, /^uspf \d+\.\d+\.\d+ \(commit [0-9a-f]{10}\)\n$/);
    const finished = await execute([`${output}/uspf-capture`, "-r", "2", "--json"]);
    const { received, accepted, rejected, malformed } = finalOf(finished);
    assert(received > 100_000);
    assertEquals(received, accepted + rejected + malformed);
  },
});
