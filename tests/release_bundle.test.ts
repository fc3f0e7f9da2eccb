/**
 * `deno task bundle`: the archive is unpacked elsewhere and run where there is nothing else: no network, no
 * compiler, no Node, no environment.
 */

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { VERSION } from "../ffi/version.ts";
import { launcher } from "../release/launcher.ts";
import { PROGRAMS } from "../release/programs.ts";
import { pinnedVersion } from "../release/runtime.ts";
import { whyNoRuntime } from "../release/runtime_check.ts";
import { HERE, TARGETS } from "../release/target.ts";
import { BareHost, noBareHost } from "./bare_host.ts";
import { type AnyStatistics, finalOf } from "./command.ts";

const root = new URL("..", import.meta.url).pathname;
const arch = Deno.build.arch;
const LIMIT_MS = 60_000; // for what ends when it is told to

const folder = Deno.makeTempDirSync({ prefix: "uspf-bundle-" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

async function execute(
  [program, ...args]: string[],
  options: Deno.CommandOptions = {},
) {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, ...options }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const ARCHIVE = `${folder}/uspf-${VERSION}-linux-${arch}.tar.gz`;
let made: Promise<string> | undefined;

/** Makes the archive and unpacks it elsewhere, once; returns what making it printed. */
function bundled(): Promise<string> {
  made ??= makeAndUnpack();
  return made;
}

async function makeAndUnpack(): Promise<string> {
  const task = ["task", "-q", "bundle", "--output", folder, "--level", "1"];
  const env = { NO_COLOR: "1" };
  const { code, stdout, stderr } = await execute([Deno.execPath(), ...task], { cwd: root, env });
  assertEquals([code, stderr], [0, ""]);
  const parent = `${folder}/host/opt/my programs`;
  Deno.mkdirSync(parent, { recursive: true });
  const unpack = ["tar", "-xzf", ARCHIVE, "-C", parent];
  assertEquals(await execute(unpack), { code: 0, stdout: "", stderr: "" });
  return stdout;
}

function assertAddsUp(s: AnyStatistics): void {
  assertEquals(s.received, s.accepted + s.rejected + s.malformed);
  assertEquals(s.accepted, s.delivered + s.dropped);
  assertEquals(s.delivered, s.consumed);
}

Deno.test("deno task bundle makes an archive of the programs, the runtime, the library and nothing of the tests", async () => {
  assertMatch(
    await bundled(),
    /\.tar\.gz: [0-9.]+ MB, for \w+ with glibc 2\.\d+ or newer\nSHA-256 \w{64}\n$/,
  );
  const { stdout: list } = await execute(["tar", "-tzvf", ARCHIVE, "--full-time"]);
  const lines = list.trim().split("\n"), names = lines.map((line) => line.split(/\s+/).at(-1)!);
  const top = `uspf-${VERSION}`;
  for (const { name, main } of PROGRAMS) {
    for (const file of [`bin/${name}`, `program/${main}`]) assert(names.includes(`${top}/${file}`));
  }
  const more = ["runtime/deno", "program/ffi/build/libuspf.so", "LICENSE", "README.md"];
  for (const file of more) assert(names.includes(`${top}/${file}`), file);
  assert(names.every((name) => name.startsWith(`${top}/`)));
  assert(!names.some((name) => /\/program\/(tests|bench|release)\/|\.c$/.test(name)));
  assertEquals(new Set(lines.map((line) => line.split(/\s+/)[1])), new Set(["0/0"]));
  assertEquals(
    new Set(lines.map((line) => line.split(/\s+/).slice(3, 5).join(" "))).size,
    1,
  );
});

Deno.test("deno task bundle refuses a --runtime that is not the pinned one, and keeps the archive that is there", async () => {
  const output = `${folder}/kept`, archive = `${output}/uspf-${VERSION}-linux-${arch}.tar.gz`;
  Deno.mkdirSync(output);
  Deno.writeTextFileSync(archive, "good");
  const task = [Deno.execPath(), "task", "-q", "bundle", "--level", "1", "--output", output];
  const cases: [string, string][] = [
    ["/bin/true", `not Deno ${pinnedVersion()}: it `],
    [`${root}README.md`, `no program for ${arch}`],
    ["/nonexistent", "it does not exist"],
    ["/usr", "it is a directory"],
  ];
  for (const [runtime, state] of cases) {
    const { code, stdout, stderr } = await execute([...task, "--runtime", runtime], { cwd: root });
    assertEquals([code, stdout, stderr.split("\n").length], [1, "", 2]);
    assert(stderr.startsWith(`Cannot use --runtime "${runtime}": ${state}`), stderr);
  }
  assertEquals([...Deno.readDirSync(output)].length, 1);
  assertEquals(Deno.readTextFileSync(archive), "good");
});

Deno.test("whyNoRuntime looks for the version in what cannot be run here", async () => {
  const there = TARGETS.find((target) => target !== HERE)!, file = `${folder}/for there`;
  const why = async (text: string) => {
    const elf = new Uint8Array(64 + text.length);
    elf.set([0x7f, 0x45, 0x4c, 0x46]);
    elf[18] = there.elfMachine;
    elf.set(new TextEncoder().encode(text), 64);
    Deno.writeFileSync(file, elf);
    return await whyNoRuntime(file, there, "2.9.6");
  };
  assertEquals([await why("Deno/2.9.6"), await why("")], [undefined, "not Deno 2.9.6"]);
  assertEquals(await whyNoRuntime(Deno.execPath(), there, "2.9.6"), `no program for ${there.name}`);
});

const HOME = `/opt/my programs/uspf-${VERSION}`;

/** Tests on a host that has nothing but the bundle. */
function bareTest(sentence: string, fn: (host: BareHost) => Promise<void>): void {
  Deno.test({
    name: noBareHost === undefined ? sentence : `${sentence} (${noBareHost})`,
    ignore: noBareHost !== undefined,
    fn: async () => {
      await bundled();
      const host = new BareHost(`${folder}/host`);
      host.addLibrariesOf(`${host.root}${HOME}/runtime/deno`);
      for (const { name } of PROGRAMS) {
        const link = `${host.root}/usr/local/bin/${name}`;
        if (!exists(link)) Deno.symlinkSync(`${HOME}/bin/${name}`, link);
      }
      await fn(host);
    },
  });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

bareTest(
  "uspf-capture of a bundle shows version and commit on a terminal, and nothing else, on a bare host that is read-only, called through a link",
  async (host) => {
    const { code, stdout } = await host.runOnTerminal(["/usr/local/bin/uspf-capture", "--version"]);
    assertMatch(stdout, /^uspf \d+\.\d+\.\d+( \(commit [0-9a-f]{10}\))?\n$/);
    assertEquals(code, 0);
  },
);

bareTest("Programs of a bundle say in --help how they are called there", async (host) => {
  for (const { name } of PROGRAMS) {
    const { code, stdout, stderr } = await host.run([`${HOME}/bin/${name}`, "--help"]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, new RegExp(`^Usage: ${name} `, "m"));
    assert(!stdout.includes("deno task"), stdout);
  }
  const packed = ["-i", "pcap:/tmp/x.gz"], file = `${host.root}/tmp/x.gz`;
  Deno.writeFileSync(file, Uint8Array.of(0x1f, 0x8b, ...new Uint8Array(30)));
  const { stderr } = await host.run([`${HOME}/bin/uspf-capture`, ...packed]);
  assertMatch(stderr, / \| uspf-capture -i pcap:-"\n$/);
});

Deno.test("deno task compile and bundle name all programs in --help", async () => {
  for (const task of ["compile", "bundle"]) {
    const { code, stdout } = await execute([Deno.execPath(), "task", "-q", task, "--help"], {
      cwd: root,
    });
    assertEquals(code, 0);
    for (const { name } of PROGRAMS) assert(stdout.includes(name), `${task}: ${name}`);
    assert(stdout.split("\n").every((line) => line.length <= 100), stdout);
  }
});

bareTest(
  "uspf-capture of a bundle captures on a bare host, as nobody, and its sums add up",
  async (host) => {
    const finished = await host.run(["/usr/local/bin/uspf-capture", "-r", "2", "--json"]);
    assertEquals([finished.code, finished.stderr], [0, ""]);
    const final = finalOf(finished);
    assertGreater(final.received, 10_000);
    assertAddsUp(final);
  },
);

bareTest(
  "uspf-capture of a bundle receives what its uspf-send sends from another process, and writes and reads a file",
  async (host) => {
    const name = `soft:bundle${Deno.pid}`, file = "/tmp/x.pcapng";
    const receive = ["-i", `${name}{1`, "-p", "5001", "--write", file, "--json"];
    const capture = host.start(["/usr/local/bin/uspf-capture", ...receive]);
    const output = watch(capture);
    await output.shown("{"); // it counts
    const send = ["-i", `${name}}1`, "-c", "20000", "--json"];
    const sent = await host.run([`${HOME}/bin/uspf-send`, ...send]);
    assertEquals([sent.code, sent.stderr], [0, ""]);
    assertEquals(finalOf(sent).sent, 20_000);
    capture.kill("SIGINT");
    const first = finalOf(await output.finished);
    assertAddsUp(first);
    assertEquals(first.received, 20_000);
    const read = await host.run(["/usr/local/bin/uspf-capture", "-i", `pcap:${file}`, "--json"]);
    assertEquals([read.code, read.stderr], [0, ""]);
    assertEquals(finalOf(read).received, first.accepted);
  },
);

Deno.test("uspf-capture of a bundle ends by Ctrl-C as a program does, and leaves no file anywhere", async () => {
  await bundled();
  const program = `${folder}/host${HOME}`, user = `${folder}/user`;
  Deno.mkdirSync(user);
  const before = listing(program);
  const child = startBundled(["../bin/uspf-capture", "--json"], {
    cwd: `${program}/program`,
    env: { HOME: user, TMPDIR: user },
  });
  const output = watch(child);
  await output.shown("{");
  child.kill("SIGINT"); // the launcher's own process
  const { code, stdout, stderr } = await output.finished;
  assertEquals([code, stderr], [0, ""]);
  assertAddsUp(finalOf({ code, stdout, stderr }));
  assertEquals(listing(program), before);
  assertEquals(listing(user), []);
});

const noMetrics = exists(`${root}capture/monitor/metrics_site.ts`)
  ? undefined
  : "this program serves no metrics";
Deno.test({
  name: `uspf-capture of a bundle serves --metrics on the address that it is given${
    noMetrics ? ` (${noMetrics})` : ""
  }`,
  ignore: noMetrics !== undefined,
  fn: async () => {
    await bundled();
    const program = `${folder}/host${HOME}/bin/uspf-capture`;
    const child = startBundled([program, "--metrics", "127.0.0.1:0"]);
    const output = watch(child);
    const [url] = /http:\/\/\S+\/metrics/.exec(await output.shown("metrics at http://"))!;
    const text = await (await fetch(url)).text();
    child.kill("SIGTERM");
    assertMatch(text, /^uspf_received_packets_total\{.*\} \d+$/m);
    assertEquals((await output.finished).code, 0);
  },
});

Deno.test("uspf-capture of a bundle says usage errors in one line and ends with 2", async () => {
  await bundled();
  const program = `${folder}/host${HOME}/bin/uspf-capture`;
  const mistakes = ["--metrics a,b", "--metrics 1.2.3.4:", "--dashboard 127.0.0.1:70000"];
  for (const mistake of mistakes) {
    const command = ["env", "-i", program, ...mistake.split(" ")];
    const { code, stdout, stderr } = await execute(command);
    assertEquals([code, stdout, stderr.split("\n").length], [2, "", 2], mistake);
    assertMatch(stderr, /^Cannot listen on "/);
  }
});

Deno.test("uspf-capture of a bundle takes the library beside its program, where its own is damaged", async () => {
  await bundled();
  const top = `${folder}/damaged`, program = `${top}/uspf-${VERSION}/program`;
  Deno.mkdirSync(top);
  await execute(["tar", "-xzf", ARCHIVE, "-C", top]);
  const own = `${program}/ffi/build/libuspf.so`, beside = `${program}/libuspf.so`;
  Deno.copyFileSync(own, beside);
  Deno.copyFileSync(`${own}.json`, `${beside}.json`);
  Deno.writeFileSync(own, new Uint8Array(1), { append: true });
  const command = [`${program}/../bin/uspf-capture`, "-r", "0.2", "--json"];
  const plain = await execute(command, { clearEnv: true });
  assertEquals([plain.code, plain.stderr], [0, ""]);
  assertGreater(finalOf(plain).received, 0);
  const named = await execute(command, { clearEnv: true, env: { USPF_LIBRARY: "/nonexistent" } });
  assertEquals([named.code, named.stderr.split("\n").length], [0, 2], named.stderr);
  assert(named.stderr.endsWith(`; "${beside}" is taken instead\n`), named.stderr);
});

/** Starts a program with the environment that is given, and no other. */
function startBundled(
  [program, ...args]: string[],
  options: Deno.CommandOptions = {},
): Deno.ChildProcess {
  const streams = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(program, { args, clearEnv: true, ...streams, ...options }).spawn();
}

/** `shown` resolves to standard output once that has the text in it, or has ended. */
function watch(child: Deno.ChildProcess) {
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const waiting: (() => void)[] = [];
  let stdout = "", ended = false;
  const read = async () => {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += chunk;
      waiting.splice(0).forEach((look) => look());
    }
    ended = true;
    waiting.splice(0).forEach((look) => look());
  };
  const finish = async () => {
    const stderr = new Response(child.stderr).text();
    const [{ code }] = await Promise.all([child.status, read()]);
    clearTimeout(timer);
    return { code, stdout, stderr: await stderr };
  };
  const shown = async (text: string) => {
    while (!ended && !stdout.includes(text)) await new Promise<void>((look) => waiting.push(look));
    return stdout;
  };
  return { shown, finished: finish() };
}

/** Names and times of all files. */
function listing(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    return isDirectory ? listing(path) : [`${path} ${Deno.lstatSync(path).mtime?.getTime()}`];
  }).sort();
}

/** What may be /bin/sh. */
const SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]];

function isThere(program: string): boolean {
  return ["/bin/", "/usr/bin/"].some((folder) => exists(folder + program));
}

/** What the launcher gives its runtime, which is here a script that prints it. */
class FakeBundle {
  static #count = 0;
  readonly root = `${folder}/fake bundle ${FakeBundle.#count++}`;

  constructor() {
    for (const name of ["bin", "runtime"]) {
      Deno.mkdirSync(`${this.root}/${name}`, { recursive: true });
    }
    this.#script("bin/uspf-capture", launcher(PROGRAMS[0], "1.2.3"));
    this.#script("runtime/deno", `#!/bin/sh\nprintf '%s\\n' "$@" "in $(pwd)" "pid $$"\nexit 7\n`);
  }

  async run(args: string[], env: Record<string, string> = {}, shell: string[] = []) {
    const command = [...shell, `${this.root}/bin/uspf-capture`, ...args];
    const { code, stdout, stderr } = await execute(command, {
      env: { PATH: "/usr/bin:/bin", ...env },
      clearEnv: true,
    });
    const lines = stdout.split("\n");
    const allowed = lines.filter((line) => line.startsWith("--allow"));
    return { code, lines, allowed, stderr };
  }

  #script(path: string, text: string): void {
    Deno.writeTextFileSync(`${this.root}/${path}`, text);
    Deno.chmodSync(`${this.root}/${path}`, 0o755);
  }
}

Deno.test("launcher asks for the network where --metrics and --dashboard say, and nowhere else", async () => {
  const bundle = new FakeBundle();
  const cases: [string[], string[]][] = [
    [[], []],
    [["-i", "udp:0.0.0.0:5001"], []],
    [["--metrics", "127.0.0.1:9464"], ["--allow-net=127.0.0.1:9464"]],
    [["--metrics=127.0.0.1:0", "--dashboard", "[::1]:80"], ["--allow-net=127.0.0.1:0,[::1]:80"]],
    [["--dashboard=localhost:8080"], ["--allow-net=localhost:8080"]],
    [["--metrics", "127.0.0.1:1,evil.example:1"], []],
    [["--metrics", "127.0.0.1:1 --allow-all"], []],
    [["--metrics", "127.0.0.1:70000"], []],
    [["--metrics", "127.0.0.1:65536"], []],
    [["--metrics", "127.0.0.1:65535"], ["--allow-net=127.0.0.1:65535"]],
    [["--metrics", "127.0.0.1:000080"], []],
    [["--metrics", "127.0.0.1:99999999999999999999"], []],
    [["--metrics", "1.2.3.4:"], []],
    [["--metrics", "1.2.3.4"], []],
    [["--metrics", ":80"], []],
    [["--metrics", "1.2.3.4:5:6"], []],
    [["--metrics", "::1:80"], []],
    [["--metrics", "a..b:80"], []],
    [["--metrics", "[:80"], []],
    [["--metrics", "[]:80"], []],
    [["--metrics", "[zz]:80"], []],
    [["--metrics", "[1.2.3.4]:80"], []],
    [["--metrics", "[::1]x:80"], []],
    [["--metrics", "[::ffff:1.2.3.4]:80"], ["--allow-net=[::ffff:1.2.3.4]:80"]],
    [["--metrics", "127.0.0.1:70000", "--dashboard", "[::1]:80"], ["--allow-net=[::1]:80"]],
    [["--metrics", ""], []],
    [["--metrics"], []],
    [["--allow-all", "-A"], ["--allow-all"]], // behind its module
  ];
  for (const shell of SHELLS.filter(([program]) => isThere(program))) {
    for (const [args, expected] of cases) {
      const { allowed, lines } = await bundle.run(args, {}, shell);
      assertEquals(allowed, expected, `${shell} ${args}`);
      // What follows the module are the program's own arguments.
      const module = lines.indexOf(`${bundle.root}/program/capture/main.ts`);
      assert(!lines.slice(0, module).some((line) => /^(-A|--allow-all)$/.test(line)));
    }
  }
});

Deno.test("launcher lets the library of USPF_LIBRARY in besides its own, and no other", async () => {
  const bundle = new FakeBundle();
  assertEquals((await bundle.run([])).allowed, []);
  assertEquals((await bundle.run([], { USPF_LIBRARY: "" })).allowed, []);
  const own = "/usr/lib/my uspf/libuspf.so";
  const { allowed } = await bundle.run([], { USPF_LIBRARY: own });
  const program = `${bundle.root}/program`;
  const bundled = `${program}/libuspf.so,${program}/ffi/build/libuspf.so`;
  assertEquals(allowed, [`--allow-ffi=${bundled},${own}`]);
});

Deno.test("launcher passes arguments, folder and exit code on, and is replaced by the program", async () => {
  const bundle = new FakeBundle(), args = ["-f", "udp  port 1", "", "*", "-r", "$HOME", "a\\b"];
  const child = new Deno.Command(`${bundle.root}/bin/uspf-capture`, {
    args,
    cwd: "/usr",
    stdout: "piped",
  }).spawn();
  const { code, stdout } = await child.output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  const main = lines.indexOf(`${bundle.root}/program/capture/main.ts`);
  assertEquals(lines.slice(main + 1), [...args, "in /usr", `pid ${child.pid}`, ""]);
  assertEquals(code, 7);
  assert(lines.indexOf("--no-prompt") > 0 && lines.indexOf("--no-prompt") < main);
});

Deno.test("launcher finds its bundle through links, from its own folder, and by PATH", async () => {
  const bundle = new FakeBundle(), main = `${bundle.root}/program/capture/main.ts`;
  Deno.symlinkSync(`${bundle.root}/bin/uspf-capture`, `${bundle.root}/direct`);
  Deno.symlinkSync("direct", `${bundle.root}/relative`);
  for (const path of ["direct", "relative", "bin/../bin/uspf-capture"]) {
    assert((await execute([`${bundle.root}/${path}`])).stdout.split("\n").includes(main), path);
  }
  const cwd = `${bundle.root}/bin`;
  for (
    const shell of [["sh", "uspf-capture"], ["env", `PATH=${cwd}:/usr/bin:/bin`, "uspf-capture"]]
  ) {
    assert((await execute(shell, { cwd })).stdout.split("\n").includes(main), shell[0]);
  }
});
