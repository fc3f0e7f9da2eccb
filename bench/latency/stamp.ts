/**
 * Purpose: the times that travel with a packet, in the tick's own fields, and the shared memory that keeps
 * what is measured of them.
 *
 * ```text
 *  price field      when the packet was sent: the clock, halved      ┐ 30 bits each, plus 2^23: as
 *  quantity field   how late that was: actual less scheduled, halved ┘ f32 they are normal numbers
 *
 *  records          since sent, late │ since sent, late │ …           one pair a packet
 * ```
 * A beat is two ticks of the time stamp counter, under 1 ns. 2^30 of them are 0.8 s at 2.6 GHz: a packet
 * that takes longer would seem quicker, but no ring here holds one so long while its threads run.
 */
const BEATS = 0x3fffffff;
/** The bits of the least normal f32: what is smaller costs some processors an exception for each conversion. */
const LEAST_NORMAL = 0x00800000;
const PAIR = 2, NONE = -1;

/** Instruments, a power of two: the first so many while warming up, the next so many for what is measured. */
export const INSTRUMENTS = 16;

/** Ticks of the time stamp counter in a beat. */
export const BEAT_TICKS = 2;

/** The field for a clock's reading (31 bits, as of `Port.clock`). */
export function stampOf(clock: number): number {
  return (clock >>> 1) + LEAST_NORMAL;
}

/** The field for a number of ticks, from 0 on; what is too long counts as the longest. */
export function lateOf(ticks: number): number {
  const beats = ticks / BEAT_TICKS;
  return (beats < BEATS ? beats | 0 : BEATS) + LEAST_NORMAL;
}

/** Beats from a stamp to a clock's reading. */
export function beatsSince(stamp: number, clock: number): number {
  return ((clock >>> 1) - (stamp - LEAST_NORMAL)) & BEATS;
}

/** Beats in a field made by `lateOf`. */
export function beatsOf(late: number): number {
  return late - LEAST_NORMAL;
}

/** Pairs of beats, since sent and late, in shared memory; one thread writes. */
export class Records {
  /** The memory, to be posted to the thread that writes. */
  readonly buffer: SharedArrayBuffer;
  readonly #pairs: Int32Array;
  #count = 0;
  #warm = 0;
  #seen = 0;

  /** Room for `limit` of them; all memory is touched, so that no page has to be found later. */
  static create(limit: number): Records {
    const buffer = new SharedArrayBuffer(limit * PAIR * Int32Array.BYTES_PER_ELEMENT);
    new Int32Array(buffer).fill(NONE);
    return new Records(buffer);
  }

  /** Over the memory of another thread's. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#pairs = new Int32Array(buffer);
  }

  /** How many this thread has written; more than there is room for are counted only. */
  get count(): number {
    return this.#count;
  }

  /** How many of them belong to the warming up: the first ones. */
  get warm(): number {
    return this.#warm;
  }

  /** Writes one. */
  add(instrument: number, sinceSent: number, late: number): void {
    const pairs = this.#pairs, at = this.#count * PAIR;
    if (at < pairs.length) {
      pairs[at] = sinceSent;
      pairs[at + 1] = late;
    }
    this.#count++;
    if (instrument < INSTRUMENTS) this.#warm++;
  }

  /** How many another thread has written, as far as there is room. */
  get seen(): number {
    const pairs = this.#pairs, limit = pairs.length / PAIR;
    while (this.#seen < limit && Atomics.load(pairs, this.#seen * PAIR + 1) !== NONE) this.#seen++;
    return this.#seen;
  }

  /** Whether there is room for no more. */
  get full(): boolean {
    return this.seen * PAIR === this.#pairs.length;
  }

  /** The pairs from number `first` up to number `end`. */
  pairs(first: number, end: number): Int32Array {
    return this.#pairs.subarray(first * PAIR, end * PAIR);
  }
}
