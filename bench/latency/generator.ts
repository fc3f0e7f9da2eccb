/**
 * Purpose: the generator: stamped ticks at a constant rate, whatever becomes of them.
 *
 * ```text
 *  scheduled   |    |    |    |    |    |      packet n is due n intervals after the start
 *  sent        |    |    |         |||  |      after a stall all that is due goes at once, and says how late
 * ```
 * Instruments go round, so that the engine can tell whether one is missing; both sides take turns; every
 * fourth tick wants an answer.
 */
import { RECORD_SHIFT, SIDE_SHIFT } from "../../engine/tick.ts";
import { RECORDS_WORD, type TickRing } from "../../engine/tick_ring.ts";
import { ticksBetween } from "../../ffi/port.ts";
import { INSTRUMENTS, lateOf, stampOf } from "./stamp.ts";
import type { StampedSender } from "./stamped_sender.ts";

/** Of so many ticks one wants an answer. */
export const ANSWERED = 4;
/** Type of a tick that wants an answer, and of the others. */
export const MARKED = 1, PLAIN = 0;

const SIDE_EVERY = INSTRUMENTS;
const MAX_BURST = 64; // sent at once, so that what is late does not wait for all that is
const ELAPSED = 0, DUE = 1, LOOKED_ELAPSED = 2, LOOKED_AT = 3;
/** Times differ by 2^31 ticks where the clock has wrapped unseen; by far less where two clocks drift. */
const UNSEEN_TICKS = 2 ** 30;
const LOOK_EVERY = 255; // calls of watchClock

/** Where ticks go: a port, or the tick ring itself. */
export type TickSink = Pick<StampedSender, "place" | "sync" | "retry" | "unsent">;

/** What a schedule is. */
export interface Schedule {
  /** Ticks of the time stamp counter between two packets. */
  intervalTicks: number;
  /** Packets in all, and those of them that warm up. */
  packets: number;
  warmUp: number;
}

/** Sends stamped ticks on schedule. */
export class Generator {
  /** Packets placed. */
  sent = 0;
  readonly #sink: TickSink;
  readonly #clock: () => number;
  readonly #schedule: Schedule;
  readonly #longTicks: () => number;
  /**
   * Ticks since the start, and when the next packet is due; the first, and `longTicks`, when last looked at.
   * f64, in an array so that they need no allocation.
   */
  readonly #times = new Float64Array(4);
  #now = 0;
  #calls = 0;

  /** `clock` is the time stamp counter's low 31 bits; `longTicks` a time in ticks that does not wrap. */
  constructor(
    sink: TickSink,
    schedule: Schedule,
    clock: () => number,
    longTicks: () => number,
  ) {
    this.#sink = sink;
    this.#schedule = schedule;
    this.#clock = clock;
    this.#longTicks = longTicks;
  }

  /** All packets were sent. */
  get done(): boolean {
    return this.sent >= this.#schedule.packets && this.#sink.unsent === 0;
  }

  /** The first packet is due now. */
  begin(): void {
    this.#now = this.#clock();
    this.#times.fill(0);
    this.#times[LOOKED_AT] = this.#longTicks();
  }

  /** To be called now and then: sometimes does what `checkClock` does. */
  watchClock(): void {
    this.#calls = this.#calls + 1 & LOOK_EVERY;
    if (this.#calls === 0) this.checkClock();
  }

  /**
   * Sees whether the clock has wrapped unseen since the last time.
   *
   * @throws {Error} where it has: the schedule has slipped, and nothing would show it.
   */
  checkClock(): void {
    const times = this.#times;
    this.#advance();
    const at = this.#longTicks(), passed = at - times[LOOKED_AT];
    const unseen = passed - (times[ELAPSED] - times[LOOKED_ELAPSED]);
    if (unseen > UNSEEN_TICKS) {
      throw new Error(
        "Cannot keep the schedule: the generator stood still until its clock had wrapped: " +
          "see what else runs on its core",
      );
    }
    times[LOOKED_ELAPSED] = times[ELAPSED];
    times[LOOKED_AT] = at;
  }

  /** Sends what is due; returns how many. Called at least every 2^31 ticks: see `checkClock`. */
  step(): number {
    const times = this.#times;
    this.#advance();
    if (times[ELAPSED] < times[DUE] || this.sent >= this.#schedule.packets) {
      this.#sink.retry(this.#now);
      return 0;
    }
    return this.#send();
  }

  #advance(): void {
    const now = this.#clock();
    this.#times[ELAPSED] += ticksBetween(this.#now, now);
    this.#now = now;
  }

  #send(): number {
    const { intervalTicks, packets } = this.#schedule, times = this.#times, first = this.sent;
    do {
      if (!this.#place()) break;
      this.sent++;
      times[DUE] = this.sent * intervalTicks;
      this.#advance();
    } while (
      times[ELAPSED] >= times[DUE] && this.sent < packets && this.sent - first < MAX_BURST
    );
    this.#sink.sync();
    return this.sent - first;
  }

  #place(): boolean {
    const n = this.sent, times = this.#times;
    const side = (n & SIDE_EVERY) === 0 ? 0 : 1, type = n % ANSWERED === 0 ? MARKED : PLAIN;
    const late = lateOf(times[ELAPSED] - times[DUE]), stamp = stampOf(this.#now);
    const instrument = n & INSTRUMENTS - 1 | (n < this.#schedule.warmUp ? 0 : INSTRUMENTS);
    return this.#sink.place(instrument, type | side << SIDE_SHIFT, stamp, late);
  }
}

/** The tick ring without port and capture: the floor of what can be measured. */
export class RingSink implements TickSink {
  readonly unsent = 0;
  #placed = 0;

  /** This thread is the ring's only producer. */
  constructor(readonly ring: TickRing) {}

  /** Writes a record; `false` where the ring is full. */
  place(instrument: number, typeAndSide: number, stamp: number, late: number): boolean {
    const { ring } = this, { words } = ring;
    if (ring.claim(this.#placed + 1) <= this.#placed) return false;
    const word = RECORDS_WORD + ((ring.tail + this.#placed & ring.mask) << RECORD_SHIFT);
    words[word] = instrument;
    words[word + 1] = typeAndSide;
    words[word + 2] = stamp;
    words[word + 3] = late;
    this.#placed++;
    return true;
  }

  /** Publishes what was placed. */
  sync(): number {
    if (this.#placed > 0) this.ring.publish(this.#placed);
    this.#placed = 0;
    return 0;
  }

  /** What is published is sent. */
  retry(): void {}
}
