/**
 * Purpose: the machine's own part in the tail: how often a loop that does nothing is held up. Interrupts, and
 * a hypervisor that must be asked for each, stop a thread for tens of microseconds, and no other counter shows
 * it: beside other programs on two virtual cores, a loop in C at real-time priority lost 2 % of its time so.
 */
import { ticksBetween } from "../../ffi/port.ts";

/** How long it looks; a little more, for V8 to compile it first. */
export const LOOK_S = 0.3;

const COMPILE_S = 0.05;
/** What P99.9 may be, in s: who arrives in a gap waits longer than that but for its last so much. */
const BEARABLE_S = 20e-6;

/** The share of the time in which whoever comes to this thread waits for longer than is bearable. */
export function heldUpShare(clock: () => number, hz: number): number {
  look(clock, COMPILE_S * hz, BEARABLE_S * hz);
  return look(clock, (LOOK_S - COMPILE_S) * hz, BEARABLE_S * hz);
}

function look(clock: () => number, ticks: number, bearable: number): number {
  let last = clock(), elapsed = 0, heldUp = 0;
  while (elapsed < ticks) {
    const now = clock(), gap = ticksBetween(last, now);
    last = now;
    elapsed += gap;
    if (gap > bearable) heldUp += gap - bearable;
  }
  return heldUp / elapsed;
}
