/**
 * Purpose: the program of monitor.bench.ts that is watched: a capture thread on a core of its own, the engine,
 * and what --watch, --dashboard and --metrics are made of, which can be had or not from run to run.
 *
 * ```text
 *  bench ── a way, as a line over TCP ──▶ main isolate ── a run ──▶ hot_thread.ts
 *        ◀── a WatchedRun, as a line ──   engine, live view, statistics ──▶ web thread
 *        ◀── frames, on its terminal ──
 *        ◀── events, scrapes, over HTTP ─────────────────────────────────── web thread
 * ```
 */
import { CaptureState } from "../../capture/capture_state.ts";
import { runEngine } from "../../capture/engine_loop.ts";
import { parseListenAddress } from "../../capture/monitor/listen_address.ts";
import { collect, type Sample } from "../../capture/monitor/statistics.ts";
import { LiveView } from "../../capture/monitor/watch/live_view.ts";
import { terminalKind } from "../../capture/monitor/watch/terminal.ts";
import { WebServer } from "../../capture/monitor/web_server.ts";
import { MeanReversion } from "../../engine/mean_reversion.ts";
import { TickRing } from "../../engine/tick_ring.ts";
import { TradingEngine } from "../../engine/trading_engine.ts";
import { tscHz } from "../../ffi/host.ts";
import {
  type HotOrders,
  RUN,
  RUN_BYTES,
  TIMES,
  type WatchedReady,
  type WatchedRun,
  type Watcher,
} from "../harness/watched_run.ts";

const FRAME_MS = 250 / TIMES, SECOND_MS = 1000 / TIMES;
const CAPACITY = 65536, SLOTS = 511;

const [controlPort, core, packets] = Deno.args.map(Number);
const nsPerTick = 1e9 / tscHz(), state = new CaptureState(), ticks = TickRing.create(CAPACITY);
const runs = new SharedArrayBuffer(RUN_BYTES), flags = new Int32Array(runs);
const engine = new TradingEngine([ticks], (market) => new MeanReversion(market));
const capture = { state, port: "packet:bench", core, mode: "full", slots: SLOTS };
const began = performance.now();
let last = { sinceReceived: 0, sinceBytes: 0, sinceNs: 0 };

function look(): Sample {
  const elapsedNs = (performance.now() - began) * 1e6;
  const filter = { expression: null, decoded: true, where: "user space", how: "" } as const;
  const sources = { captures: [capture], rings: [ticks], engine, filter, write: null };
  const sample = collect(sources, nsPerTick, { elapsedNs, ...last }, false);
  const { received: sinceReceived, bytes: sinceBytes } = sample.statistics;
  last = { sinceReceived, sinceBytes, sinceNs: elapsedNs };
  return sample;
}

/** The view, on the terminal that is standard output. */
function openView(): LiveView {
  const from = capture.port, onQuit = () => {};
  return new LiveView({ kind: terminalKind(), from, slots: SLOTS, nsPerTick, onQuit });
}

function openWeb(): Promise<WebServer> {
  const address = parseListenAddress("127.0.0.1:0");
  const captures = [{ ...capture, state: state.buffer, ticks: ticks.buffer }];
  return WebServer.start({ metrics: address, dashboard: address, captures, nsPerTick });
}

async function startHotThread(): Promise<void> {
  const thread = new Worker(import.meta.resolve("./hot_thread.ts"), { type: "module" });
  const orders: HotOrders = { core, packets, state: state.buffer, ticks: ticks.buffer, runs };
  thread.postMessage(orders);
  await new Promise((resolve) => thread.onmessage = resolve);
}

async function main(): Promise<void> {
  const control = await Deno.connect({ hostname: "127.0.0.1", port: controlPort });
  const say = (what: WatchedReady | WatchedRun) =>
    control.write(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
  await startHotThread();
  const view = openView(), web = await openWeb();
  view.enter();
  await say(web.listening);
  const run = async (watcher: Watcher): Promise<WatchedRun> => {
    let shown = 0;
    const show = () => {
      shown++;
      const sample = look();
      if (watcher === "watch") view.show(sample);
      else web.post(sample.statistics);
    };
    const before = state.read(), consumed = engine.stats().consumed;
    const number = Atomics.add(flags, RUN.asked, 1) + 1;
    const timer = watcher === "nobody"
      ? undefined
      : setInterval(show, watcher === "watch" ? FRAME_MS : SECOND_MS);
    Atomics.notify(flags, RUN.asked);
    await runEngine(engine, [ticks], "hybrid", () => Atomics.load(flags, RUN.done) < number);
    clearInterval(timer);
    while (engine.poll(CAPACITY) > 0);
    return {
      cpuNs: new Float64Array(runs)[RUN.cpuNs],
      received: state.read().received - before.received,
      consumed: engine.stats().consumed - consumed,
      dropped: state.read().dropped - before.dropped,
      shown,
    };
  };
  for await (const text of control.readable.pipeThrough(new TextDecoderStream())) {
    await say(await run(text.trim() as Watcher));
  }
}

await main();
Deno.exit(0);
