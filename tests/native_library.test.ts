/**
 * Where the native library is found, what is refused, and how it is built.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildLibrary } from "../ffi/build.ts";
import { readCommit } from "../ffi/commit.ts";
import { libraryFile, useLibrary } from "../ffi/library.ts";
import {
  LIBRARY_NAME,
  type LibraryRecord,
  readRecord,
  recordPath,
  sha256Of,
} from "../ffi/library_record.ts";
import { COMPILERS } from "./compilers.ts";
import { ProgramCopy } from "./program_copy.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567", OTHER = COMMIT.replaceAll("0", "f");
const READ = ["--allow-read", "--allow-sys"];

Deno.test("loadLibrary takes USPF_LIBRARY, then beside the program, ffi/build/, built with cc", async () => {
  using copy = new ProgramCopy({ sources: "all" });
  const built = copy.put("ffi/build"), beside = copy.put(""), named = copy.put("else where");
  const found = async (env = {}) => (await copy.probe(env)).stdout.trimEnd();
  assertEquals(await found({ USPF_LIBRARY: named }), named);
  assertEquals(await found({ USPF_LIBRARY: `else where/${LIBRARY_NAME}` }), named);
  assertEquals(await found({ USPF_LIBRARY: "" }), beside);
  assertEquals(await found(), beside);
  copy.remove(beside);
  assertEquals(await found(), built);
  copy.remove(built);
  assertEquals(await found(), built);
  assertEquals(readRecord(built)?.sha256, sha256Of(built));
});

Deno.test("loadLibrary says of each place why there is no library", async () => {
  using copy = new ProgramCopy({ sources: "all" });
  const { folder } = copy, elsewhere = `${folder}/none.so`;
  const reasons = async (env: Record<string, string>, options: string[]) => {
    const { stdout } = await copy.probe(env, options);
    return stdout.trimEnd().split("\n");
  };
  assertEquals(await reasons({ USPF_LIBRARY: elsewhere }, [...READ, "--allow-env"]), [
    "Cannot load the native library: 4 places tried:",
    `  USPF_LIBRARY="${elsewhere}": missing: have it name a library, or unset it`,
    `  beside the program, "${folder}/${LIBRARY_NAME}": missing: put library and record there`,
    `  ffi/build/, "${folder}/ffi/build/${LIBRARY_NAME}": missing: run "deno task build"`,
    "  built with cc: loading it is not permitted: allow it with " +
    `--allow-ffi=${folder}/ffi/build/${LIBRARY_NAME}`,
  ]);
  const more = [...READ, "--allow-ffi"];
  assertEquals((await reasons({}, more)).filter((line) => /USPF_LIBRARY|cc/.test(line)), [
    "  USPF_LIBRARY: reading it is not permitted: allow it with --allow-env=USPF_LIBRARY",
    `  built with cc: writing to "${folder}/ffi/build" is not permitted: run "deno task build"`,
  ]);
  assertEquals(
    (await reasons({}, [...more, "--allow-env", "--allow-write"])).at(-1),
    '  built with cc: running "cc" is not permitted: run "deno task build"',
  );
  const failed = await reasons({ CC: "false" }, ["-A"]);
  assertMatch(failed.at(-1)!, /^ {2}built with cc: no C compiler "false": install one/);
});

Deno.test("loadLibrary without permissions refuses, and prompts nobody, even on a terminal", {
  ignore: await missing("script"),
}, async () => {
  using copy = new ProgramCopy({ sources: "all" });
  copy.put("ffi/build");
  const probe = `${Deno.execPath()} run -q probe.ts`;
  const { stdout } = await new Deno.Command("timeout", {
    args: ["-s", "KILL", "30", "script", "-qec", probe, "/dev/null"],
    cwd: copy.folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertStringIncludes(text, "Cannot load the native library: 4 places tried:");
  assertEquals(text.match(/not permitted: allow it with --allow-/g)?.length, 4);
  assertEquals(/Allow\?|┏/.test(text), false, text);
});

Deno.test("loadLibrary of code that was fetched looks for USPF_LIBRARY, and says that there is no other", async () => {
  using copy = new ProgramCopy();
  const types: Record<string, string> = { ts: "application/typescript", json: "application/json" };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ url }) => {
    const { pathname } = new URL(url), type = types[pathname.split(".").at(-1)!];
    const text = Deno.readTextFileSync(copy.folder + pathname);
    return new Response(text, { headers: { "content-type": type } });
  });
  const origin = `http://127.0.0.1:${server.addr.port}`, program = `${origin}/probe.ts`;
  const options = ["--no-config", "--no-lock", "--no-check", "-A"];
  const load = (env: Record<string, string> = {}) =>
    copy.run(["run", "-q", ...options, program], { DENO_DIR: `${copy.folder}/cache`, ...env });
  const { stdout } = await load(), none = `there is none, for the code is from ${origin}`;
  assertEquals(stdout.trimEnd().split("\n"), [
    "Cannot load the native library: 4 places tried:",
    "  USPF_LIBRARY: not set: have it name a library",
    `  beside the program: ${none}: set USPF_LIBRARY`,
    `  ffi/build/: ${none}: set USPF_LIBRARY`,
    `  built with cc: ${none}: set USPF_LIBRARY`,
  ]);
  const USPF_LIBRARY = copy.put("else where");
  assertEquals((await load({ USPF_LIBRARY })).stdout.trimEnd(), USPF_LIBRARY);
  await server.shutdown();
});

Deno.test("loadLibrary passes over a USPF_LIBRARY that is not good, and says so in a line", async (t) => {
  using copy = new ProgramCopy();
  const built = copy.put("ffi/build"), { arch } = Deno.build;
  const spoilt = (name: string, spoil: (library: string) => void) => {
    const library = copy.put(name);
    spoil(library);
    return library;
  };
  const text = "no library";
  const cases: [name: string, library: string, why: string][] = [
    ["is missing", `${copy.folder}/none.so`, "missing: have it name"],
    ["is a folder", copy.folder, "it is a directory: name the file in it"],
    ["is in a file", `${built}/x`, "missing: have it name"],
    ["is a device", "/dev/zero", "no good record "],
    ["has no record", spoilt("a", (path) => Deno.removeSync(recordPath(path))), "no good record "],
    [
      "has a damaged record",
      spoilt("b", (path) => Deno.writeTextFileSync(recordPath(path), "{")),
      "no good record ",
    ],
    [
      "has a record without a hash",
      spoilt("c", (path) => Deno.writeTextFileSync(recordPath(path), "{}")),
      "no good record ",
    ],
    [
      "has a byte more",
      spoilt("d", (path) => Deno.writeTextFileSync(path, " ", { append: true })),
      "its SHA-256 is not",
    ],
    ["has another interface", copy.put("e", { abi: 99 }), "it has interface 99, this code speaks"],
    [
      "is for another processor",
      copy.put("f", { target: "riscv64-linux-gnu" }),
      `built for riscv64-linux-gnu, this is ${arch}`,
    ],
  ];
  const foreign = copy.put("g", { sha256: await sha256(text) });
  Deno.writeTextFileSync(foreign, text);
  cases.push(["is no library", foreign, "it cannot be opened (file too short): build"]);
  for (const [name, library, why] of cases) {
    await t.step(`one that ${name}`, async () => {
      const { stdout, stderr } = await copy.probe({ USPF_LIBRARY: library });
      assertEquals(stdout.trimEnd(), built);
      assertStringIncludes(stderr, `Cannot use USPF_LIBRARY="${library}": ${why}`);
      assertStringIncludes(stderr, `; "${built}" is taken instead\n`);
      assertEquals(stderr.split("\n").length, 2);
    });
  }
});

Deno.test("deno task capture and send load USPF_LIBRARY in all threads, where there is no other", async () => {
  using copy = new ProgramCopy();
  const USPF_LIBRARY = copy.put("else where"), file = `${copy.folder}/packets.pcapng`;
  const task = (name: string, ...args: string[]) =>
    copy.run(["task", "-q", name, "--json", ...args], { USPF_LIBRARY });
  const demo = await task("capture", "-r", "1", "--write", file);
  assertEquals(demo.code, 0, demo.stderr);
  assertEquals(demo.stderr.trimEnd().split("\n").length, 1); // that it cannot be built
  assertStringIncludes(demo.stderr, "; USPF_LIBRARY is taken instead");
  const { received, delivered } = JSON.parse(demo.stdout.trimEnd().split("\n").at(-1)!);
  assert(received > 0 && delivered === received, demo.stdout);
  const sent = await task("send", "-i", `soft:t_lib_${Deno.pid}:1`, "-c", "1000");
  assertEquals([sent.code, JSON.parse(sent.stdout).sent], [0, 1000], sent.stderr);
  const replay = await task("capture", "-i", `pcap:${file}`);
  assertEquals(replay.code, 0, replay.stderr);
  assertEquals(JSON.parse(replay.stdout.trimEnd().split("\n").at(-1)!).received, received);
});

Deno.test("deno task capture and send load the library beside the program, where no other can be built", async () => {
  using copy = new ProgramCopy();
  copy.put("");
  for (
    const [name, ...args] of [["capture", "-r", "0.2"], [
      "send",
      "-i",
      "soft:t_beside:1",
      "-c",
      "9",
    ]]
  ) {
    const { code, stderr } = await copy.run(["task", "-q", name, "--json", ...args]);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "; the one beside the program is taken instead");
  }
});

Deno.test("deno task capture and send may load a library of the three places, and nothing else", async () => {
  using copy = new ProgramCopy();
  const USPF_LIBRARY = copy.put("else where"),
    other = copy.put("another"),
    beside = copy.put(""),
    built = copy.put("ffi/build");
  const probe = [USPF_LIBRARY, beside, built, other, copy.folder].map((path) =>
    `Deno.permissions.querySync({ name: "ffi", path: ${JSON.stringify(path)} }).state`
  );
  for (const [name, folder] of [["capture", "capture"], ["send", "sender"]]) {
    Deno.writeTextFileSync(`${copy.folder}/${folder}/main.ts`, `console.log(${probe.join()});`);
    const { stdout } = await copy.run(["task", "-q", name], { USPF_LIBRARY });
    assertEquals(stdout, "granted granted granted prompt prompt\n");
    const { stdout: without } = await copy.run(["task", "-q", name]);
    assertEquals(without, "prompt granted granted prompt prompt\n");
  }
});

Deno.test("deno task capture warns once of a USPF_LIBRARY that is missing, not once a thread", async () => {
  using copy = new ProgramCopy({ sources: "all" });
  copy.put("ffi/build");
  const { code, stderr } = await copy.run(["task", "-q", "capture", "-r", "1", "--quiet"], {
    USPF_LIBRARY: "/none.so",
  });
  assertEquals([code, stderr.match(/Cannot use USPF_LIBRARY/g)?.length], [0, 1], stderr);
});

Deno.test("useLibrary in a thread refuses a file that is another by now", async () => {
  const file = libraryFile(),
    probe = `
    import { useLibrary } from "${import.meta.resolve("../ffi/library.ts")}";
    onmessage = ({ data }) => {
      try { useLibrary(data); postMessage("used"); } catch (error) { postMessage(error.message); }
    };`;
  const url = URL.createObjectURL(new Blob([probe], { type: "text/javascript" }));
  const answer = async (orders: typeof file) => {
    const worker = new Worker(url, { type: "module" });
    const { promise, resolve } = Promise.withResolvers<string>();
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(orders);
    return await promise.finally(() => worker.terminate());
  };
  assertEquals(await answer(file), "used");
  const changed = { ...file, sha256: file.sha256.replace(/^./, "x") };
  assertEquals(
    await answer(changed),
    `Cannot load "${file.path}": it has changed since the start: start again`,
  );
  useLibrary(file); // has it already
});

Deno.test("buildLibrary records version, commit, interface, hash and compiler, and nothing of this machine", () => {
  const { path } = libraryFile(), record = readRecord(path)!;
  const { version } = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  const header = Deno.readTextFileSync(new URL("../ffi/uspf.h", import.meta.url));
  assertEquals(record.version, version);
  assertEquals(record.abi, Number(/USPF_ABI (\d+)/.exec(header)![1]));
  assertEquals(record.sha256, sha256Of(path));
  assertMatch(record.compiler, /\d+\.\d+/);
  assertEquals(record.target.split("-").slice(0, 2), [Deno.build.arch, "linux"]);
  assertEquals(/-march|-mtune|-mcpu|native/.test(record.command), false, record.command);
  assertStringIncludes(record.command, "-Wall -Wextra -Werror");
  const folder = new URL("..", import.meta.url).pathname;
  assertEquals(new TextDecoder("latin1").decode(Deno.readFileSync(path)).includes(folder), false);
});

for (const { name, command, target, missing } of COMPILERS) {
  Deno.test({
    name: `buildLibrary builds with ${name} without warnings` + (missing ? ` (${missing})` : ""),
    ignore: missing !== undefined,
    fn: () => {
      const directory = Deno.makeTempDirSync();
      try {
        assertEquals(buildLibrary({ compiler: command, directory }), true);
        const library = `${directory}/${LIBRARY_NAME}`, record = readRecord(library)!;
        assertEquals([record.target, record.sha256], [target, sha256Of(library)]);
        assertStringIncludes(record.command, `${command} -std=c11`);
        assertEquals([...Deno.readDirSync(directory)].length, 2);
        assertEquals(buildLibrary({ compiler: command, directory }), false);
      } finally {
        Deno.removeSync(directory, { recursive: true });
      }
    },
  });
}

Deno.test("deno task build compiles for a change of sources or compiler, and mends a record that does not fit", async () => {
  using copy = new ProgramCopy({ sources: "few" });
  const library = `${copy.folder}/ffi/build/${LIBRARY_NAME}`;
  const build = async (env = {}) => {
    const before = inode(library), { code, stderr } = await copy.run(["task", "-q", "build"], env);
    assertEquals([code, readRecord(library)?.sha256], [0, sha256Of(library)], stderr);
    return inode(library) !== before;
  };
  assertEquals([await build(), await build()], [true, false]);
  assertEquals([await build({ CC: "gcc" }), await build({ CC: "gcc" }), await build()], [
    true,
    false,
    false,
  ]);
  // As who dies between the two renames leaves it: a new library, the record of the one before.
  Deno.writeTextFileSync(library, " ", { append: true });
  assertEquals([await build(), await build()], [true, false]);
  Deno.writeTextFileSync(recordPath(library), "");
  assertEquals([await build(), await build()], [true, false]);
  const source = `${copy.folder}/ffi/host.c`, later = new Date(Date.now() + 1000);
  Deno.utimeSync(source, later, later);
  assertEquals(await build(), false);
  // As an archive of another version brings it: older than what was built.
  Deno.writeTextFileSync(source, "\n/* another version's */\n", { append: true });
  Deno.utimeSync(source, 1e9, 1e9);
  assertEquals([await build(), await build()], [true, false]);
});

Deno.test("deno task build keeps the commit current without compiling, and capture --version tells it", async () => {
  using copy = new ProgramCopy({ sources: "all" });
  const library = copy.put("ffi/build", { commit: OTHER });
  const version = async () => {
    const { stdout, stderr } = await copy.run(["task", "-q", "capture", "--version"]);
    assertEquals(stderr, "");
    return stdout;
  };
  const before = inode(library);
  assertEquals(
    await version(),
    `uspf ${readRecord(library)!.version} (commit ffff123456)\n`.replace(
      "ffff123456",
      OTHER.slice(0, 10),
    ),
  );
  Deno.mkdirSync(`${copy.folder}/.git`);
  Deno.writeTextFileSync(`${copy.folder}/.git/HEAD`, `${COMMIT}\n`);
  assertStringIncludes(await version(), `(commit ${COMMIT.slice(0, 10)})`);
  assertEquals([inode(library), readRecord(library)?.commit], [before, COMMIT]);
  const sent = await copy.run(["task", "-q", "send", "--version"]);
  assertStringIncludes(sent.stdout, `(commit ${COMMIT.slice(0, 10)})`);
});

Deno.test("deno task build at the same time, with two compilers, ends with a record that fits", async () => {
  using copy = new ProgramCopy({ sources: "few" });
  const library = `${copy.folder}/ffi/build/${LIBRARY_NAME}`;
  const compilers = ["gcc", "gcc", COMPILERS[1].missing ? "cc" : "clang"];
  const runs = compilers.map((CC) => copy.run(["task", "-q", "build"], { CC }));
  for (const { code, stderr } of await Promise.all(runs)) assertEquals(code, 0, stderr);
  assertEquals(readRecord(library)!.sha256, sha256Of(library));
  assertEquals([...Deno.readDirSync(`${copy.folder}/ffi/build`)].length, 2);
});

Deno.test("readCommit reads branches, packed ones, detached heads and worktrees, and nothing around the folder", () => {
  const folder = Deno.makeTempDirSync(), checkout = `${folder}/checkout`, git = `${checkout}/.git`;
  const write = (path: string, text: string) => {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, `${text}\n`);
  };
  try {
    assertEquals(readCommit(checkout), null);
    write(`${git}/HEAD`, "ref: refs/heads/a/b");
    assertEquals(readCommit(checkout), null);
    write(`${git}/packed-refs`, `# pack-refs\n${OTHER} refs/heads/a/bc\n${COMMIT} refs/heads/a/b`);
    assertEquals(readCommit(checkout), COMMIT);
    write(`${git}/refs/heads/a/b`, OTHER);
    assertEquals(readCommit(checkout), OTHER);
    write(`${folder}/tree/.git`, "gitdir: ../checkout/.git/worktrees/tree");
    write(`${git}/worktrees/tree/commondir`, "../..");
    write(`${git}/worktrees/tree/HEAD`, "ref: refs/heads/a/b");
    assertEquals(readCommit(`${folder}/tree`), OTHER);
    write(`${git}/HEAD`, COMMIT);
    assertEquals(readCommit(checkout), COMMIT);
    write(`${git}/HEAD`, "ref: refs/heads/c");
    write(`${git}/refs/heads/c`, "ref: refs/heads/c");
    assertEquals(readCommit(checkout), null);
    write(`${checkout}/inner/file`, "");
    assertEquals(readCommit(`${checkout}/inner`), null);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

const noObjdump = await missing("objdump");
Deno.test({
  name: "libuspf needs no newer glibc than the runtime" + (noObjdump ? " (no objdump here)" : ""),
  ignore: noObjdump,
  fn: async () => {
    const needed = await newestGlibc(libraryFile().path),
      given = await newestGlibc(Deno.execPath());
    assert(needed.length > 0);
    assertEquals([needed, given].sort(numerically).at(-1), given);
  },
});

/** The newest version of glibc's symbols that a program or library wants. */
async function newestGlibc(path: string): Promise<string> {
  const { stdout } = await new Deno.Command("objdump", { args: ["-T", path] }).output();
  const versions = new TextDecoder().decode(stdout).matchAll(/GLIBC_([\d.]+)/g);
  return [...versions].map(([, version]) => version).sort(numerically).at(-1) ?? "";
}

function numerically(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

async function sha256(text: string): Promise<LibraryRecord["sha256"]> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

function inode(path: string): number | null {
  try {
    return Deno.statSync(path).ino;
  } catch {
    return null;
  }
}

async function missing(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"] }).output();
    return false;
  } catch {
    return true;
  }
}
