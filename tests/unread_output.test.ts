/**
 * Whether a capture goes on, and can be ended, while its standard output or standard error is open but not
 * read.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { finalOf, type Finished, objects, type Running, start } from "./command.ts";

/** A pipe holds 64 KiB (pipe(7)); so much is in it before the capture begins. */
const FILLED = 65_500;

/** A capture whose stream 1 or 2 goes into a full pipe, which is read once it is told. */
class Unread implements Disposable {
  readonly capture: Running;
  readonly #directory = Deno.makeTempDirSync();

  constructor(stream: 1 | 2, args: string[], env: Record<string, string> = {}) {
    const there = this.#directory, read = `while [ ! -e ${there}/read ]; do sleep 0.1; done; cat`;
    const run = `{ sh -c 'echo $$ >${there}/pid; yes "" | head -c ${FILLED} >&${stream}; ` +
      `exec "$@"' sh "$@"; echo $? >${there}/code; }`;
    const shell = stream === 1
      ? `${run} | { ${read}; }`
      : `{ ${run} 2>&1 >&3 3>&- | { ${read}; } >&2; } 3>&1`;
    const inside = (command: string[]) => ["sh", "-c", shell, "sh", ...command];
    this.capture = start("capture", args, env, 60_000, inside);
  }

  kill(signal: Deno.Signal): void {
    Deno.kill(Number(Deno.readTextFileSync(`${this.#directory}/pid`)), signal);
  }

  /** The capture's exit code, once it has ended. */
  async code(): Promise<number> {
    for (const end = performance.now() + 10_000; performance.now() < end;) {
      try {
        return Number(Deno.readTextFileSync(`${this.#directory}/code`));
      } catch {
        await after(50);
      }
    }
    throw new Error("it goes on");
  }

  /** Reads it all; what the pipe was filled with is left out. */
  async read(): Promise<Finished> {
    Deno.writeTextFileSync(`${this.#directory}/read`, "");
    const { code, stdout, stderr } = await this.capture.finished;
    return { code, stdout: stdout.trimStart(), stderr: stderr.trimStart() };
  }

  [Symbol.dispose](): void {
    try {
      this.kill("SIGKILL");
    } catch { /* it has ended */ }
    Deno.writeTextFileSync(`${this.#directory}/read`, "");
    this.capture.finished.finally(() => Deno.removeSync(this.#directory, { recursive: true }));
  }
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const style of [["--json"], []]) {
  Deno.test(`${["capture", ...style].join(" ")} goes on while nobody reads its standard output, and says at the end what it left out`, async () => {
    const args = ["-r", "60", ...style, "--metrics", "127.0.0.1:0"];
    // Without --json the address is said on standard output, which is not read.
    using unread = new Unread(1, style.length > 0 ? args : args.slice(0, -2));
    if (style.length > 0) {
      const at = await unread.capture.served();
      await after(8000);
      assertEquals(await (await fetch(`http://${at}/health`)).text(), "ok\n");
    } else await after(8000);
    unread.kill("SIGTERM");
    await after(1000);
    const { stdout, stderr } = await unread.read();
    assertEquals(await unread.code(), 0);
    const [, count] = /^(\d+) lines are left out of standard output: /m.exec(stderr) ?? [];
    assertGreater(Number(count), 0);
    if (style.length === 0) {
      assertMatch(stdout, /received +\d{5,} packets[^]*profit/);
      return;
    }
    const all = objects(stdout), last = finalOf({ code: 0, stdout, stderr });
    assertEquals(all.length, stdout.trim().split("\n").length, "none is cut");
    assertGreater(last.elapsedNs, 7e9);
    assertLess(last.elapsedNs, 15e9);
    assertLess(last.dropped, last.received / 10, "the engine went on");
    const times = all.map(({ elapsedNs }) => elapsedNs as number);
    assertEquals(times, times.toSorted((a, b) => a - b));
  });
}

for (const log of ["text", "json"]) {
  Deno.test(`capture --log ${log} goes on while nobody reads its standard error, and then says all that it has kept`, async () => {
    using unread = new Unread(2, ["-r", "60", "--json", "--log", log], { USPF_DEBUG: "1" });
    await unread.capture.counted(({ elapsedNs }) => elapsedNs > 7e9);
    unread.kill("SIGTERM");
    await after(1000);
    const { stdout, stderr } = await unread.read(), last = finalOf({ code: 0, stdout, stderr });
    assertEquals(await unread.code(), 0);
    assertGreater(last.elapsedNs, 7e9);
    assertLess(last.dropped, last.received / 10, "the engine went on");
    const lines = stderr.trim().split("\n");
    assertGreater(lines.length, 4 * 7);
    if (log === "json") assertEquals(JSON.parse(lines.at(-1)!).level, "debug");
    assert(
      lines.every((line) => log === "json" ? line.startsWith("{") : /^DEBUG \w+: /.test(line)),
    );
  });
}

for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  Deno.test(`capture that waits for who does not read is ended at once by a second ${signal}`, async () => {
    using unread = new Unread(1, ["-r", "60", "--json", "--metrics", "127.0.0.1:0"]);
    assertMatch(await unread.capture.served(), /^127/);
    await after(4000);
    unread.kill(signal);
    await after(1000);
    const began = performance.now();
    unread.kill(signal);
    assertEquals(await unread.code(), code);
    assertLess(performance.now() - began, 1000);
  });
}
