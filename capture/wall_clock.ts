/**
 * Purpose: what time it is, for packets whose port does not say when they came: CLOCK_REALTIME, carried on
 * by the time stamp counter between readings, so that a burst's time costs no call.
 */
import { readRealtime, tscHz } from "../ffi/host.ts";
import { type Port, ticksBetween } from "../ffi/port.ts";

const NS_PER_S = 1e9;

/** The wall clock of a thread. */
export class WallClock {
  readonly #nsPerTick = NS_PER_S / tscHz();
  readonly #now = new Int32Array(2);
  // Elements of an array, for a field that holds an f64 costs a heap object at each change.
  readonly #time = new Float64Array(2);
  #clock = 0;

  /** Of a port whose clock it is. */
  constructor(readonly port: Pick<Port, "clock">) {
    this.set();
  }

  /** Seconds since 1970. */
  get seconds(): number {
    return this.#time[0];
  }

  /** Nanoseconds of the second. */
  get nanoseconds(): number {
    return this.#time[1] | 0;
  }

  /** Reads the kernel's clock: ten times a second is enough. */
  set(): void {
    readRealtime(this.#now);
    this.#clock = this.port.clock();
    this.#time[0] = this.#now[0] >>> 0;
    this.#time[1] = this.#now[1];
  }

  /** Goes on to a reading of the port's clock, which is less than 2^31 ticks ahead. */
  advance(clock: number): void {
    const ns = this.#time[1] + ticksBetween(this.#clock, clock) * this.#nsPerTick;
    const seconds = Math.floor(ns / NS_PER_S);
    this.#time[0] += seconds;
    this.#time[1] = ns - seconds * NS_PER_S;
    this.#clock = clock;
  }
}
