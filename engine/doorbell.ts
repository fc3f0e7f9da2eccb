/**
 * A doorbell: lets one consumer sleep on several tick rings, each with a producer
 * of its own. A thread can wait on one word only, and this is it:
 *
 * ```text
 *  producer a ── publish ──▶ ring a, parked? ──┐
 *  producer b ── publish ──▶ ring b, parked? ──┼─▶ word += 1, notify ──▶ consumer
 *  …                                           │
 * ```
 *
 * A producer comes here only where it finds its ring's consumer parked.
 *
 * @module
 */

import { PARKED_WORD, type TickRing } from "./tick_ring.ts";

/**
 * Shared by rings that are made with it; every thread makes its own object over the same memory.
 *
 * @example Two rings, one consumer
 * ```ts
 * import { Doorbell, TickRing } from "@uspf/uspf";
 *
 * const bell = new Doorbell(), rings = [1, 2].map(() => TickRing.create(256, 0, bell));
 * console.assert(!bell.park(rings, 10)); // 10 ms, and nothing is ready
 * ```
 */
export class Doorbell {
  readonly #word: Int32Array<SharedArrayBuffer>;

  /** `buffer`: memory of one that another thread has made. */
  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#word = new Int32Array(buffer);
  }

  /** Producer: wakes the consumer. */
  ring(): void {
    Atomics.add(this.#word, 0, 1);
    Atomics.notify(this.#word, 0, 1);
  }

  /**
   * Consumer: sleeps until one of the rings has a record, on a thread that may block.
   *
   * No wake-up is lost: a producer that publishes after the rings were looked at
   * sees its ring's flag, which was set before, and moves the word, which was read
   * before that: then Atomics.wait does not sleep.
   *
   * @param rings all made with this doorbell
   * @param timeoutMs longest sleep, in milliseconds
   * @returns whether a record is ready
   */
  park(rings: readonly TickRing[], timeoutMs: number): boolean {
    const rung = Atomics.load(this.#word, 0);
    for (const { words } of rings) Atomics.store(words, PARKED_WORD, 1);
    if (!isAnyReady(rings)) Atomics.wait(this.#word, 0, rung, timeoutMs);
    for (const { words } of rings) Atomics.store(words, PARKED_WORD, 0);
    return isAnyReady(rings);
  }
}

function isAnyReady(rings: readonly TickRing[]): boolean {
  return rings.some((ring) => ring.waiting > 0);
}
