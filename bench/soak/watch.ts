/**
 * Purpose: looks at a capture now and then while it runs: measures the intervals, and sees when it is over.
 */
import { type CaptureState, COUNTER } from "../../capture/capture_state.ts";
import { IntervalMeter } from "./intervals.ts";
import type { ReceiverOptions } from "./receiver.ts";

const SILENT_MS = 1000; // after SIGINT
const DESERTED_MS = 10_000;

/** To be asked between two slices of work. */
export class Watch {
  #meter: IntervalMeter | undefined;
  #measureAt = Infinity;
  #received = 0;
  #packetAt = Infinity;
  #asked = false;

  /** `housekeep` is called before the counters are read, where the capture has nobody else who does. */
  constructor(
    readonly state: CaptureState,
    readonly options: ReceiverOptions,
    readonly housekeep: () => void = () => {},
  ) {
    Deno.addSignalListener("SIGINT", () => {
      this.#asked = true;
      if (this.#packetAt === Infinity) this.#packetAt = performance.now();
    });
  }

  /** Whether there is more to come. Prints an interval when it is over. */
  goesOn(): boolean {
    const now = performance.now(), received = this.state.counters[COUNTER.received];
    if (received > this.#received) {
      if (this.#meter === undefined) this.#begin(now);
      this.#packetAt = now;
      this.#received = received;
    }
    if (now >= this.#measureAt) this.#measure();
    return now - this.#packetAt < (this.#asked ? SILENT_MS : DESERTED_MS);
  }

  #begin(now: number): void {
    const { capture, engine, sender } = this.options.cores;
    const cores = this.options.thread ? [capture, engine, sender] : [capture, sender];
    this.#meter = new IntervalMeter(this.state, cores);
    this.#measureAt = now + this.options.intervalS * 1e3;
  }

  /** The next one begins when this one ought to have ended. */
  #measure(): void {
    this.housekeep();
    // Two ends of line: who reads this takes the last line of what has come for an unfinished one.
    console.log(JSON.stringify({ interval: this.#meter!.measure() }) + "\n");
    this.#measureAt += this.options.intervalS * 1e3;
  }
}
