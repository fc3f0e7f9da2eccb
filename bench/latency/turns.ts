/**
 * Purpose: the loop of a thread: its roles in turn, and what it does when there is nothing to do.
 *
 * | wait   | without work                                                              |
 * | ------ | ------------------------------------------------------------------------- |
 * | spin   | the next turn at once                                                     |
 * | poll   | sleeps: on the port, where the thread has one, or on the tick ring        |
 * | hybrid | spins for a while, then sleeps (capture/pump_loop.ts, engine_loop.ts)     |
 *
 * A thread with the generator spins in any case: it is the clock.
 */
import { ticksBetween } from "../../ffi/port.ts";

/** Something that is done a bit at a time. */
export interface Turn {
  /** Does what there is to do; returns how much it was. */
  step(): number;
}

/** How a thread sleeps. */
export interface Sleeper {
  /** After so many ticks of the clock without work. */
  afterTicks: number;
  /** Sleeps for a while; `idleTicks`: for how long there has been no work. */
  sleep(idleTicks: number): void;
}

const LOOK_EVERY = 255; // turns
const NOTHING: Turn = { step: () => 0 };

/** Takes turns until `ended`, which is asked now and then. */
export function takeTurns(
  turns: Turn[],
  ended: () => boolean,
  sleeper: Sleeper | undefined,
  clock: () => number,
): void {
  // Each has a call of its own: V8 then knows what is called, and puts it in place.
  const [a, b = NOTHING, c = NOTHING, d = NOTHING] = turns;
  let busyAt = clock();
  for (let turn = 1;; turn = turn + 1 & LOOK_EVERY) {
    const done = a.step() + b.step() + c.step() + d.step();
    if (turn === 0 && ended()) return;
    if (sleeper === undefined) continue;
    const now = clock(), idle = ticksBetween(busyAt, now);
    if (done > 0) busyAt = now;
    else if (idle >= sleeper.afterTicks) {
      sleeper.sleep(idle);
      if (ended()) return;
    }
  }
}
