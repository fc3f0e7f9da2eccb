/**
 * The library as others get it: what "deno publish" would ship, and the same code from a web server, as a
 * registry is one, in a project of one's own.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startProgram } from "./command.ts";
import { Place } from "./written_files.ts";

const root = new URL("..", import.meta.url).pathname;
const LIBRARY = `${root}ffi/build/libuspf.so`;
/** What a dry run says where it needs a registry that it cannot reach. */
const OUT_OF_REACH = /error sending request|dns error|timed out|Could not find .* in registry/i;

interface DryRun {
  code: number;
  text: string;
  /** The files, from the package's folder. */
  files: string[];
}

const dryRun = publish();
const unreachable = dryRun.code !== 0 && OUT_OF_REACH.test(dryRun.text)
  ? "the registry is out of reach"
  : undefined;

function publish(): DryRun {
  const { code, stdout, stderr } = deno(
    ["publish", "--dry-run", "--allow-dirty", "--no-provenance"],
  );
  const text = `${stdout}${stderr}`;
  const files = [...text.matchAll(/^ +file:\/\/(\S+) \(/gm)].map(([, path]) =>
    path.slice(root.length)
  );
  return { code, text, files };
}

function deno(args: string[]): { code: number; stdout: string; stderr: string } {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: root, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = command.outputSync();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** The local modules that a module leads to. */
function modulesOf(entry: string): string[] {
  const { modules } = JSON.parse(deno(["info", "--json", entry]).stdout);
  return modules.map(({ specifier }: { specifier: string }) => specifier)
    .filter((specifier: string) => specifier.startsWith("file:"))
    .map((specifier: string) => new URL(specifier).pathname.slice(root.length));
}

Deno.test({
  name: unreachable
    ? `deno publish --dry-run succeeds (${unreachable})`
    : "deno publish --dry-run succeeds, without slow types",
  ignore: unreachable !== undefined,
  fn() {
    assertEquals(dryRun.code, 0, dryRun.text);
    assertMatch(dryRun.text, /Checking for slow types in the public API/);
    assertMatch(dryRun.text, /Dry run complete/);
  },
});

Deno.test({
  name: `deno publish ships all that the library needs${unreachable ? ` (${unreachable})` : ""}`,
  ignore: unreachable !== undefined,
  fn() {
    const threads = ["capture/worker.ts", "capture/write_worker.ts", "sender/worker.ts"];
    const programs = ["mod.ts", "ffi/build.ts", "capture/main.ts", "sender/main.ts", ...threads];
    const native = [...Deno.readDirSync(`${root}ffi`)].map(({ name }) => `ffi/${name}`)
      .filter((name) => /\.[ch]$/.test(name));
    const needed = [...programs.flatMap(modulesOf), ...native, "LICENSE", "README.md", "deno.json"];
    assertEquals(needed.filter((file) => !dryRun.files.includes(file)), []);
  },
});

Deno.test({
  name: `deno publish ships no tests, benches or built files${
    unreachable ? ` (${unreachable})` : ""
  }`,
  ignore: unreachable !== undefined,
  fn() {
    assert(dryRun.files.length > 100);
    const shape = /^((capture|docs|engine|ffi|filter|sender)\/|[\w.]+$)/,
      built = /^\.|^ffi\/build\//;
    assertEquals(dryRun.files.filter((file) => !shape.test(file) || built.test(file)), []);
  },
});

Deno.test("the library works from a web server, its threads too, with no permission but those named", async () => {
  // Its path there is the same as here, so that it is the same for what is named after it.
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url), json = pathname.endsWith(".json");
    const type = json ? "application/json" : "application/typescript";
    if (!pathname.startsWith(root)) return new Response("not here", { status: 404 });
    return new Response(await Deno.readFile(pathname), { headers: { "content-type": type } });
  });
  using place = new Place();
  const host = `127.0.0.1:${server.addr.port}`, program = `${place.path}/print_ticks.ts`;
  const config = {
    imports: { "@uspf/uspf": `http://${host}${root}mod.ts` },
    unstable: ["worker-options"],
  };
  Deno.writeTextFileSync(`${place.path}/deno.json`, JSON.stringify(config));
  Deno.copyFileSync(`${root}examples/print_ticks.ts`, program);
  const printing = startProgram(
    [
      `--config=${place.path}/deno.json`,
      "--no-lock",
      `--allow-import=${host}`,
      `--allow-ffi=${LIBRARY}`,
      `--allow-read=${root}ffi/build`,
      "--allow-env=USPF_LIBRARY",
      program,
    ],
    { USPF_LIBRARY: LIBRARY, DENO_DIR: `${place.path}/cache` },
    60_000,
  );
  await printing.shown("instrument ");
  printing.process.kill("SIGINT");
  const { code, stdout, stderr } = await printing.finished;
  await server.shutdown();
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /\n(\d+) ticks of \1 packets; 0 rejected, 0 malformed, 0 dropped\n$/);
});

Deno.test("every example in the documentation runs", () => {
  const stages = ["mod.ts", "capture", "engine", "ffi", "filter", "sender"];
  const { code, stdout, stderr } = deno(["test", "-q", "-P=test", "--doc", ...stages]);
  assertEquals(code, 0, stdout + stderr);
  const [, passed] = /(\d+) passed \| 0 failed/.exec(stdout)!;
  assert(Number(passed) > 30, stdout);
});
