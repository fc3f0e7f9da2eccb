/**
 * A limit on how often something may happen, over a sliding second.
 *
 * @module
 */

/** Highest rate that can be asked for: a time stamp is kept for each. */
export const MAX_RATE_HZ = 1_000_000;

const WINDOW_MS = 1000;

/**
 * Allows at most `rateHz` events in any span of one second, exactly: it keeps
 * the times of that many events and allows the next one when the oldest of them
 * is a second old.
 */
export class RateLimit {
  readonly #timesMs: Float64Array;
  #next = 0;

  /**
   * Makes a limit under which nothing has happened yet.
   *
   * @param rateHz events a second, a whole number from 1 to 1,000,000
   * @throws {RangeError} if the rate is out of range
   */
  constructor(rateHz: number) {
    if (!(Number.isInteger(rateHz) && rateHz >= 1 && rateHz <= MAX_RATE_HZ)) {
      throw new RangeError(
        `Cannot limit rate: rate is "${rateHz}" a second: pass a whole number from 1 to ${MAX_RATE_HZ}`,
      );
    }
    this.#timesMs = new Float64Array(rateHz).fill(-Infinity);
  }

  /**
   * Whether an event may happen now; if so, it counts as having happened.
   *
   * @param nowMs any monotonic clock, in milliseconds
   */
  allow(nowMs: number): boolean {
    const timesMs = this.#timesMs;
    const next = this.#next;
    if (nowMs - timesMs[next] < WINDOW_MS) return false;
    timesMs[next] = nowMs;
    this.#next = next + 1 === timesMs.length ? 0 : next + 1;
    return true;
  }
}
