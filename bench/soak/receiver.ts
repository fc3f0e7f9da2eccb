/**
 * Purpose: the receiving process of a soak: captures, runs the engine, and measures every interval.
 *
 * ```text
 *  inline   this thread: pump, poll, pump, poll, …; after each slice of 20 ms the watch, and the event loop
 *  thread   a capture thread of its own (BackgroundCapture); this one runs the engine, and the watch
 * ```
 * With a thread of its own the capture's bursts are not looked at one by one: only its own loop could.
 * It prints "ready", each interval and the totals as JSON lines, among the lines of V8's trace. It ends when,
 * after SIGINT, no packet has come for a second: the sender may go on for a moment; or when none has come for
 * ten.
 */
import { BackgroundCapture } from "../../capture/background_capture.ts";
import { drainEngine, runEngine } from "../../capture/engine_loop.ts";
import { PacketCapture } from "../../capture/packet_capture.ts";
import { MeanReversion } from "../../engine/mean_reversion.ts";
import { TickRing } from "../../engine/tick_ring.ts";
import { TradingEngine } from "../../engine/trading_engine.ts";
import { pinToCore, threadCpuNs, tscHz } from "../../ffi/host.ts";
import { openPort } from "../../ffi/open_port.ts";
import { RX, ticksBetween } from "../../ffi/port.ts";
import { runCommand, turn } from "../../ffi/usage.ts";
import { PacketFilter } from "../../filter/packet_filter.ts";
import { WANTED } from "../harness/market_data.ts";
import { stolenFrom } from "../harness/taken.ts";
import type { Stalls, Totals } from "./intervals.ts";
import { flushLines } from "./v8_trace.ts";
import { Watch } from "./watch.ts";

const RING = 65536, BATCH = 1024; // as the command's
const SLICE_MS = 20, PUMPS = 64;
const FIRST_SECOND_MS = 1000, STALL_NS = 2e6;

/** What the receiver is told, as JSON in its only argument. */
export interface ReceiverOptions {
  port: string;
  intervalS: number;
  /** Whether the capture has a thread of its own. */
  thread: boolean;
  cores: SoakCores;
}

/** Who stays on which core; the engine's counts only with a thread of its own. */
export interface SoakCores {
  capture: number;
  engine: number;
  sender: number;
}

const filter = { destinationPort: WANTED.destinationPort };

async function runInline(options: ReceiverOptions): Promise<Totals> {
  pinToCore(options.cores.capture);
  const port = openPort(options.port, RX, { wanted: WANTED }), ticks = TickRing.create(RING);
  const capture = new PacketCapture({ port, filter: new PacketFilter(filter), ticks });
  const engine = newEngine([ticks]), { state } = capture;
  capture.warmUp();
  const watch = new Watch(state, options, () => capture.housekeep());
  capture.begin();
  console.log("ready");
  while (!waitForFirst(capture) && watch.goesOn()) await turn();
  watch.goesOn(); // the first interval begins here
  const stalls = watchFirstSecond(capture, engine, options.cores);
  while (watch.goesOn()) {
    turns(capture, engine);
    await turn();
  }
  capture.housekeep();
  while (engine.poll(BATCH) > 0);
  const { mode } = port, totals = { mode, counts: state.read(), consumed: engine.consumed, stalls };
  engine.close();
  port.close();
  return totals;
}

/** A slice of waiting for the first packets: whether they came. */
function waitForFirst(capture: PacketCapture): boolean {
  for (const end = performance.now() + SLICE_MS; performance.now() < end;) {
    if (capture.pump() > 0) return true;
  }
  return false;
}

/** A slice of capture and engine in turn. */
function turns(capture: PacketCapture, engine: TradingEngine): void {
  capture.resume();
  for (const end = performance.now() + SLICE_MS; performance.now() < end;) pumps(capture, engine);
}

/** A function of its own, so that V8 never replaces it while it runs. What the engine takes is no service time of the capture. */
function pumps(capture: PacketCapture, engine: TradingEngine): void {
  for (let i = 0; i < PUMPS; i++) {
    capture.pump();
    engine.poll(BATCH);
    capture.resume();
  }
}

/**
 * The same for a second, with each pump timed by the clock and by the thread's own CPU time: over 2 ms by
 * the clock, while the thread ran for less, were taken by the scheduler.
 */
function watchFirstSecond(
  capture: PacketCapture,
  engine: TradingEngine,
  { capture: core, sender }: SoakCores,
): Stalls {
  const stalls: Stalls = { syncs: 0, ours: 0, others: 0, worstOursMs: 0, stolenMs: 0 };
  const stolen = stolenFrom([core, sender]), end = performance.now() + FIRST_SECOND_MS;
  const { port } = capture, stallTicks = STALL_NS / 1e9 * tscHz() | 0;
  while (stalls.syncs % PUMPS !== 0 || performance.now() < end) {
    const cpu = threadCpuNs(), clock = port.clock();
    capture.resume();
    capture.pump();
    if (ticksBetween(clock, port.clock()) > stallTicks) noteStall(stalls, threadCpuNs() - cpu);
    stalls.syncs++;
    engine.poll(BATCH);
  }
  stalls.stolenMs = stolenFrom([core, sender]) - stolen;
  return stalls;
}

function noteStall(stalls: Stalls, ranNs: number): void {
  if (ranNs <= STALL_NS) stalls.others++;
  else {
    stalls.ours++;
    stalls.worstOursMs = Math.max(stalls.worstOursMs, ranNs / 1e6);
  }
}

async function runThread(options: ReceiverOptions): Promise<Totals> {
  const ticks = TickRing.create(RING), { port, cores } = options;
  const capture = await BackgroundCapture.start({
    port,
    ticks,
    filter,
    core: cores.capture,
    hold: true,
  });
  pinToCore(cores.engine); // the thread would have inherited it
  const engine = newEngine([ticks]), watch = new Watch(capture.state, options);
  let ended = false;
  capture.ended.finally(() => ended = true).catch(() => {});
  await capture.go();
  console.log("ready");
  await runEngine(engine, [ticks], "hybrid", () => watch.goesOn() && !ended);
  await drainEngine(engine, capture.stop());
  await capture.ended; // rejects with what the thread died of
  const { mode, state } = capture, { consumed } = engine;
  engine.close();
  return { mode, counts: state.read(), consumed, stalls: null };
}

function newEngine(rings: TickRing[]): TradingEngine {
  return new TradingEngine(rings, (market) => new MeanReversion(market));
}

async function main(): Promise<number> {
  flushLines();
  const options: ReceiverOptions = JSON.parse(Deno.args[0]);
  const totals = await (options.thread ? runThread(options) : runInline(options));
  console.log(JSON.stringify({ totals }));
  return 0;
}

await runCommand(main);
