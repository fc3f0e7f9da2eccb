/**
 * Purpose: `deno task capture`: parse, start the capture thread, run the engine, report.
 */
import { MeanReversion } from "../engine/mean_reversion.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { TradingEngine } from "../engine/trading_engine.ts";
import { allowedCores, checkCore, pinToCore, tscHz } from "../ffi/host.ts";
import { runCommand } from "../ffi/usage.ts";
import { VERSION } from "../ffi/version.ts";
import { BackgroundCapture, CaptureError } from "./background_capture.ts";
import { CAPTURE_HELP, type CaptureOptions, parseCaptureOptions } from "./capture_options.ts";
import { DebugLog } from "./debug_log.ts";
import { type DemoSender, startDemoSender } from "./demo_sender.ts";
import { giveUpPermissions } from "./give_up_permissions.ts";
import { drainEngine, runEngine } from "./engine_loop.ts";
import { collect, liveLine, type Statistics, summary } from "./statistics.ts";

const INTERVAL_MS = 1000;
const MOST_DEMOS = 50; // at the same time

async function main(): Promise<number> {
  const options = parseCaptureOptions(Deno.args);
  if (options.help || options.version) {
    console.log(options.help ? CAPTURE_HELP : `uspf ${VERSION}`);
    return 0;
  }
  const stop = new StopRequest(options.seconds);
  const debug = Deno.env.get("USPF_DEBUG") === "1";
  const ticks = TickRing.create(options.ringSize);
  const engine = new TradingEngine(ticks, (market) => new MeanReversion(market));
  const nsPerTick = 1e9 / tscHz();
  const { engineCore } = options, cores = allowedCores();
  if (engineCore !== undefined) checkCore(engineCore);
  const core = options.core ?? cores.findLast((other) => other !== engineCore) ?? cores[0];
  const { capture, port } = await startCapture(options, core, ticks);
  const senderCore = cores.find((other) => other !== core) ?? core;
  const sender = options.port === ""
    ? await startDemoSender(port.replace(/capture$/, "sender"), senderCore)
    : undefined;
  if (engineCore !== undefined) pinToCore(engineCore); // the threads would have inherited it
  await giveUpPermissions();
  announce(options, port, capture, sender);
  const run = {
    options,
    capture,
    engine,
    ticks,
    nsPerTick,
    stop,
    debug: debug ? new DebugLog(ticks) : undefined,
  };
  return await runUntilStopped(run, sender);
}

interface Run {
  options: CaptureOptions;
  capture: BackgroundCapture;
  engine: TradingEngine;
  ticks: TickRing;
  nsPerTick: number;
  stop: StopRequest;
  debug?: DebugLog;
}

/** Whether to stop: a signal came, from the first moment on, or the time is over. */
class StopRequest {
  requested = false;
  #deadline = Infinity;

  constructor(readonly seconds: number) {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => this.requested = true);
    }
  }

  startClock(now: number): void {
    if (this.seconds > 0) this.#deadline = now + this.seconds * 1000;
  }

  get due(): boolean {
    return this.requested || performance.now() >= this.#deadline;
  }
}

/** Starts on the port named, or without one on the first demonstration switch that nobody has. */
async function startCapture(
  options: CaptureOptions,
  core: number,
  ticks: TickRing,
): Promise<{ capture: BackgroundCapture; port: string }> {
  for (let i = 0;; i++) {
    const port = options.port || `soft:demo_${i}:capture`;
    try {
      const capture = await BackgroundCapture.start({
        ...options,
        port,
        core,
        ticks,
        filter: options,
      });
      return { capture, port };
    } catch (error) {
      const taken = error instanceof CaptureError && error.code === "EBUSY";
      if (options.port !== "" || !taken || i === MOST_DEMOS) throw error;
    }
  }
}

function announce(
  options: CaptureOptions,
  port: string,
  capture: BackgroundCapture,
  sender: DemoSender | undefined,
): void {
  if (options.printCode) console.log(capture.code);
  if (options.quiet || options.json) return;
  const until = options.seconds > 0 ? ` for ${options.seconds} s` : " until stopped";
  const from = sender
    ? `the built-in soft switch, with a built-in sender of ${sender.rateHz} packets a second`
    : `${port} (${capture.mode})`;
  console.log(`capturing from ${from}${until}; capture thread on core ${capture.core}`);
}

async function runUntilStopped(run: Run, sender: DemoSender | undefined): Promise<number> {
  const { options, capture, engine, ticks, stop } = run;
  const started = performance.now();
  let failure: unknown;
  capture.ended.catch((error) => {
    failure = error;
    stop.requested = true;
  });
  stop.startClock(started);
  const reporter = new Reporter(run, started);
  const timer = setInterval(() => reporter.live(), INTERVAL_MS);
  await runEngine(engine, ticks, options.wait, () => !stop.due);
  clearInterval(timer);
  // The engine goes on while the rings are drained, so that nothing is dropped for want of room.
  await drainEngine(engine, stopThreads(capture, sender));
  reporter.final();
  engine.close();
  if (failure !== undefined) throw failure;
  return 0;
}

/** The sender first: what it sent is then captured. */
async function stopThreads(capture: BackgroundCapture, sender?: DemoSender): Promise<void> {
  await sender?.stop();
  await capture.stop().catch(() => {}); // a failure has been noted already
}

/** Prints statistics while running and at the end. */
class Reporter {
  #last = { elapsedNs: 0, received: 0, bytes: 0 };

  constructor(readonly run: Run, readonly started: number) {}

  live(): void {
    const { options, debug } = this.run, s = this.#collect(false);
    if (options.json) console.log(JSON.stringify(s));
    else if (!options.quiet) console.log(liveLine(s));
    debug?.log(s);
    this.#last = s;
  }

  final(): void {
    this.#last = { elapsedNs: 0, received: 0, bytes: 0 };
    const s = this.#collect(true);
    console.log(this.run.options.json ? JSON.stringify(s) : summary(s));
    this.run.debug?.log(s);
  }

  #collect(final: boolean): Statistics {
    const { capture, engine, nsPerTick } = this.run;
    const elapsedNs = (performance.now() - this.started) * 1e6;
    const { elapsedNs: sinceNs, received: sinceReceived, bytes: sinceBytes } = this.#last;
    const interval = { elapsedNs, sinceNs, sinceReceived, sinceBytes };
    return collect(capture.state, engine.stats(), nsPerTick, interval, final);
  }
}

await runCommand(main);
