/**
 * Whether `/health` is red when, and only when, something stands still: by a clock of its own first, then
 * with captures whose threads are really stopped.
 */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { CaptureState, COUNTER } from "../capture/capture_state.ts";
import { Health, LOOK_MS, STALL_MS } from "../capture/monitor/health.ts";
import type { Statistics } from "../capture/monitor/statistics.ts";
import { WatchedCapture } from "../capture/monitor/watched_capture.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { VERDICT } from "../filter/verdict.ts";
import { finalOf, type Running, start } from "./command.ts";
import { writePcap } from "./foreign.ts";
import { FrozenThread, noFreezing, workerThreads } from "./freezer.ts";
import { tickPacket } from "./packets.ts";

/* ---- by its own clock ---- */

/** A capture that does what a test says, a look at a time. */
class Scene {
  readonly state = new CaptureState();
  readonly ticks = TickRing.create(256);
  readonly health: Health;
  nowMs = 5000;
  faults: string[] = [];

  constructor(port = "soft:x{1", failed?: string) {
    const orders = { port, core: 3, mode: "", state: this.state.buffer, ticks: this.ticks.buffer };
    this.health = new Health([new WatchedCapture(orders, 0)], () => this.nowMs);
    this.#statistics = { write: failed === undefined ? null : { failed } } as Statistics;
    this.state.begin();
  }

  readonly #statistics: Statistics;

  /** Lets time pass; what is named does not stand still meanwhile. */
  pass(ms: number, alive: { capture?: boolean; main?: boolean } = { capture: true, main: true }) {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += LOOK_MS;
      if (alive.capture) this.state.counters[COUNTER.syncs]++;
      if (alive.main) this.health.update(this.#statistics);
      this.faults = this.health.faults();
    }
    return this.faults;
  }
}

Deno.test("Health finds nothing wrong where everything goes on", () => {
  assertEquals(new Scene().pass(10 * STALL_MS), []);
});

Deno.test("Health finds a capture thread that does not sync, and forgets it when it does again", () => {
  const scene = new Scene();
  scene.pass(1000);
  assertEquals(scene.pass(STALL_MS - LOOK_MS, { main: true }), []);
  assertEquals(scene.pass(LOOK_MS, { main: true }), [
    'capture thread 0 ("soft:x{1", core 3) has not synced for 3 s',
  ]);
  assertEquals(scene.pass(LOOK_MS), []);
});

Deno.test("Health does not expect syncs before a capture has begun, nor after it has finished", () => {
  const held = new Scene();
  new Int32Array(held.state.buffer, 0, 4).fill(0); // as it is made
  assertEquals(held.pass(2 * STALL_MS, { main: true }), []);
  const stopped = new Scene();
  stopped.state.stop();
  stopped.state.finish();
  assertEquals(stopped.pass(2 * STALL_MS, { main: true }), []);
});

Deno.test("Health finds a capture thread that ended by itself, but a file may end", () => {
  const [dead, file] = [new Scene(), new Scene("pcap:x.pcap")];
  for (const { state } of [dead, file]) state.finish();
  assertEquals(dead.pass(LOOK_MS), [
    'capture thread 0 ("soft:x{1", core 3) has ended, though nobody told it to',
  ]);
  assertEquals(file.pass(2 * STALL_MS), []);
});

Deno.test("Health finds a main isolate that is silent, and forgets it when it speaks", () => {
  const scene = new Scene();
  assertEquals(scene.pass(STALL_MS, { capture: true }), [
    "the main thread, which runs the engine, has been silent for 3 s",
  ]);
  assertEquals(scene.pass(LOOK_MS), []);
});

Deno.test("Health finds ticks that nobody takes, not those of an engine that is slow", () => {
  const scene = new Scene();
  scene.ticks.publish(scene.ticks.claim(200));
  for (let i = 0; i < 20; i++) {
    assertEquals(scene.pass(STALL_MS - LOOK_MS), []);
    scene.ticks.take(1);
    scene.ticks.release(1);
  }
  assertEquals(scene.pass(STALL_MS + LOOK_MS), [
    "the engine has taken none of 180 ticks of ring 0 for 3 s",
  ]);
  scene.ticks.take(180);
  scene.ticks.release(180);
  assertEquals(scene.pass(2 * STALL_MS), []);
});

Deno.test("Health finds counters that do not add up, but not of a moment", () => {
  const scene = new Scene(), { counters } = scene.state;
  counters[COUNTER.received] = 7;
  counters[VERDICT.accepted] = 5;
  counters[COUNTER.delivered] = 5;
  assertEquals(scene.pass(STALL_MS), []);
  assertEquals(scene.pass(LOOK_MS), [
    'the counters of capture thread 0 ("soft:x{1", core 3) do not add up: 7 received, ' +
    "5 accepted + 0 rejected + 0 malformed; 5 delivered + 0 dropped",
  ]);
  counters[VERDICT.length] = 2;
  assertEquals(scene.pass(LOOK_MS), []);
  counters[COUNTER.dropped] = 1;
  assertEquals(scene.pass(STALL_MS + LOOK_MS).length, 1);
});

Deno.test("Health finds a writer that has failed", () => {
  const why = 'Cannot write "/x": no room is left; the capture goes on';
  assertEquals(new Scene("soft:x{1", why).pass(LOOK_MS), [`nothing is written any longer: ${why}`]);
});

Deno.test("Health blames nobody where the whole process was stopped", () => {
  const scene = new Scene();
  scene.pass(1000);
  scene.nowMs += 3_600_000;
  assertEquals(scene.health.faults(), []);
  assertEquals(scene.pass(STALL_MS / 2), []);
});

Deno.test("Health's page is text, or JSON for those who ask for it", async () => {
  const scene = new Scene(), json = { headers: { accept: "application/json" } };
  const ask = async (init?: RequestInit) => {
    const response = await scene.health.page(new Request("http://x/health", init));
    const { status, headers } = response;
    return [status, headers.get("content-type"), await response.text()];
  };
  const text = "text/plain;charset=UTF-8";
  assertEquals(await ask(), [200, text, "ok\n"]);
  assertEquals(await ask(json), [200, "application/json", '{"healthy":true,"faults":[]}']);
  const [one, two] = scene.pass(STALL_MS + LOOK_MS, {});
  assertEquals(await ask(), [503, text, `${one}\n${two}\n`]);
  assertEquals(await ask(json), [
    503,
    "application/json",
    JSON.stringify({ healthy: false, faults: [one, two] }),
  ]);
});

/* ---- of captures whose threads stand still ---- */

/** Asks until the answer has that status; returns it, and how long that took. */
async function until(at: string, status: number): Promise<{ text: string; ms: number }> {
  const began = performance.now();
  for (;;) {
    const response = await fetch(`http://${at}/health`), text = await response.text();
    const ms = performance.now() - began;
    if (response.status === status) return { text, ms };
    assertLess(ms, 20_000, text);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Red within N + 2 s of `stall`, for a reason; green again soon after it has ended. */
async function assertTurnsRed(
  at: string,
  reason: RegExp,
  stall: () => Promise<AsyncDisposable>,
): Promise<void> {
  await until(at, 200);
  {
    await using _stalled = await stall();
    const { text, ms } = await until(at, 503);
    assertMatch(text, reason);
    assertLess(ms, STALL_MS + 2000);
    assert(ms > STALL_MS - 1500, `${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assertEquals((await until(at, 503)).ms < 1000, true, "it stays red");
  }
  assertLess((await until(at, 200)).ms, 2500);
}

async function end({ process, finished }: Running): Promise<void> {
  process.kill("SIGTERM");
  const { code, stderr } = await finished;
  assertEquals([code, stderr], [0, ""]);
}

function freezing(sentence: string, fn: () => Promise<void>): void {
  const name = noFreezing === undefined ? sentence : `${sentence} (${noFreezing})`;
  Deno.test({ name, ignore: noFreezing !== undefined, fn });
}

freezing("/health turns red while the capture thread stands still, and green again", async () => {
  const args = ["-i", "soft:t_stall:1", "--metrics", "127.0.0.1:0"];
  const capture = start("capture", args, {}, 60_000), at = await capture.served();
  const [thread] = workerThreads(capture.process.pid);
  const reason = /^capture thread 0 \("soft:t_stall:1", core \d+\) has not synced for \d+ s\n$/;
  await assertTurnsRed(at, reason, () => FrozenThread.freeze(thread));
  await end(capture);
});

freezing(
  "/health turns red while the main isolate stands still, on the dashboard, too, and green again",
  async () => {
    const args = ["-r", "60", "--dashboard", "127.0.0.1:0"];
    const capture = start("capture", args, {}, 60_000), at = await capture.served();
    const main = capture.process.pid;
    const reason =
      /^the engine has taken none of \d+ ticks of ring 0 for \d+ s\n|has been silent for \d+ s\n$/;
    await assertTurnsRed(at, reason, () => FrozenThread.freeze(main));
    await end(capture);
  },
);

Deno.test("/health stays green while a pcap: pipe is quiet, as a wire may be", async () => {
  const directory = Deno.makeTempDirSync(), pipe = `${directory}/pipe`;
  const packets = Array.from({ length: 100 }, (_, i) => ({ bytes: tickPacket(), atNs: i * 1000 }));
  writePcap(`${directory}/file`, packets);
  const bytes = Deno.readFileSync(`${directory}/file`);
  const half = bytes.length - 50 * (16 + packets[0].bytes.length) - 7; // within a packet
  new Deno.Command("mkfifo", { args: [pipe] }).outputSync();
  const args = ["-i", `pcap:${pipe}`, "--json", "--metrics", "127.0.0.1:0"];
  const capture = start("capture", args, {}, 60_000);
  const writer = await Deno.open(pipe, { write: true });
  try {
    await writer.write(bytes.subarray(0, half));
    await capture.counted(({ received }) => received === 49);
    const at = await capture.served();
    const end = performance.now() + STALL_MS + 1500;
    while (performance.now() < end) {
      assertEquals(await (await fetch(`http://${at}/health`)).text(), "ok\n");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await writer.write(bytes.subarray(half));
  } finally {
    writer.close();
    const finished = await capture.finished;
    assertEquals([finished.code, finalOf(finished).received], [0, 100]);
    Deno.removeSync(directory, { recursive: true });
  }
});
