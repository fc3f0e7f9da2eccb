/**
 * Purpose: runs the engine on the main isolate, in slices, so that signals, timers and logs stay alive
 * while it spins.
 */
import type { TickRing } from "../engine/tick_ring.ts";
import type { TradingEngine } from "../engine/trading_engine.ts";
import { idle, IDLE_EVERY_MS, turn } from "../ffi/usage.ts";
import type { Wait } from "./pump_loop.ts";

const BATCH = 1024; // released to the producer as one
const SLICE_MS = 2;
const PARK_MS = 40; // a tick wakes us at once
const HYBRID_SPIN_MS = 0.2, CROWDED_SPIN_MS = 0.02;
/** Hybrid: how long a nap is, and for how long after the last tick there are naps. */
export const NAP_MS = 0.2, NAPPING_MS = 5;
const LOOK_MS = 10; // for the end of a file, or of the time
const CORES_TO_SPIN = 4; // with fewer, a spinning engine takes the core that the sender needs

/** Hybrid: how long an engine spins after the last tick. */
export function hybridSpinMs(): number {
  return navigator.hardwareConcurrency < CORES_TO_SPIN ? CROWDED_SPIN_MS : HYBRID_SPIN_MS;
}

/**
 * Polls the engine until `running` says no, and waits for ticks in the way of `wait`:
 *
 * - spin: not at all
 * - hybrid: spins for 200 µs after the last tick (20 µs on fewer than four cores), then takes naps of
 *   200 µs, and 5 ms after the last tick sleeps until it is woken
 * - poll: sleeps until it is woken
 *
 * To wake it costs the capture thread a system call, in a virtual machine 10 µs and more: hence the naps.
 *
 * @example Trade for a tenth of a second
 * ```ts
 * import { drainEngine, MeanReversion, runEngine, TickRing, TradingEngine } from "@uspf/uspf";
 *
 * const ring = TickRing.create(1024), signal = AbortSignal.timeout(100);
 * const engine = new TradingEngine(ring, (market) => new MeanReversion(market));
 * await runEngine(engine, [ring], "poll", () => !signal.aborted);
 * await drainEngine(engine, Promise.resolve()); // of a capture: capture.stop()
 * engine.close();
 * ```
 */
export async function runEngine(
  engine: TradingEngine,
  rings: readonly TickRing[],
  wait: Wait,
  running: () => boolean,
): Promise<void> {
  const spinMs = wait === "spin" ? Infinity : wait === "hybrid" ? hybridSpinMs() : 0;
  let now = performance.now(), busyAt = now, idleAt = now;
  while (running()) {
    const end = now + SLICE_MS;
    do {
      const consumed = engine.poll(BATCH, now);
      now = performance.now();
      if (consumed > 0) busyAt = now;
    } while (now < end && now - busyAt <= spinMs);
    if (now - busyAt > spinMs) {
      if (wait === "hybrid" && now - busyAt < NAPPING_MS) nap();
      else park(rings);
      if (now - idleAt >= IDLE_EVERY_MS) {
        await idle();
        idleAt = now;
      }
    }
    await turn();
    now = performance.now();
  }
}

/** In place of an engine where there are no ticks: lets signals and timers come until `running` says no. */
export async function waitWhile(running: () => boolean): Promise<void> {
  while (running()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** Several rings have a doorbell in common; without one it naps. */
function park(rings: readonly TickRing[]): void {
  const { bell } = rings[0];
  if (rings.length === 1) rings[0].park(PARK_MS);
  else if (bell !== undefined) bell.park(rings, PARK_MS);
  else nap();
}

const nobody = new Int32Array(new SharedArrayBuffer(4));

function nap(): void {
  Atomics.wait(nobody, 0, 0, NAP_MS);
}

/** Goes on consuming while the capture ends, then takes what is left in the ring. */
export async function drainEngine(engine: TradingEngine, ending: Promise<unknown>): Promise<void> {
  let ended = false;
  ending.finally(() => ended = true).catch(() => {});
  while (!ended) {
    if (engine.poll(BATCH) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    else await turn();
  }
  while (engine.poll(BATCH) > 0);
}
