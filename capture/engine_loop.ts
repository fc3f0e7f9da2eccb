/**
 * Purpose: runs the engine on the main isolate, in slices, so that signals, timers and logs stay alive
 * while it spins.
 */
import type { TickRing } from "../engine/tick_ring.ts";
import type { TradingEngine } from "../engine/trading_engine.ts";
import { turn } from "../ffi/usage.ts";
import type { Wait } from "./pump_loop.ts";

const BATCH = 1024; // released to the producer as one
const SLICE_MS = 2;
const PARK_MS = 10; // bounds how late a signal is seen; a tick wakes us at once

/** Polls the engine until `running` says no. With `spin` it never sleeps. */
export async function runEngine(
  engine: TradingEngine,
  ticks: TickRing,
  wait: Wait,
  running: () => boolean,
): Promise<void> {
  while (running()) {
    const end = performance.now() + SLICE_MS;
    let consumed = 0;
    do {
      consumed = engine.poll(BATCH);
    } while ((consumed > 0 || wait === "spin") && performance.now() < end);
    if (consumed === 0 && wait !== "spin") ticks.park(PARK_MS);
    await turn();
  }
}

/** Consumes what is still in the ring. */
export function drainEngine(engine: TradingEngine): void {
  while (engine.poll(BATCH) > 0);
}
