/**
 * Purpose: whether a capture shall stop: a signal came, from the first moment on, or its time is over. A
 * second signal ends the program at once, whatever it waits for.
 */
import { exitAtOnce } from "../ffi/outlet.ts";
import { IDLE_EVERY_MS, onStopSignals, type StopSignal } from "../ffi/usage.ts";

/** Exit codes as shells have them: 128 and the signal's number. */
const EXIT_CODES: Record<StopSignal, number> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
/** timeout(1) and "deno task" may send one signal twice; either may be seen as late as IDLE_EVERY_MS. */
const SECOND_MS = IDLE_EVERY_MS + 100;

/** Made before anything is opened, so that no signal is missed. */
export class StopRequest {
  #requested = false;
  #deadline = Infinity;
  #atOnce = false;
  #signalledAt = Infinity;

  /** `seconds`: how long to go on after `startClock`; 0: until told. */
  constructor(readonly seconds: number) {
    onStopSignals((signal) => this.#signalled(signal));
  }

  /** Lets the time begin. */
  startClock(): void {
    if (this.seconds > 0) this.#deadline = performance.now() + this.seconds * 1000;
  }

  /** Asks to stop. */
  request(): void {
    this.#requested = true;
    if (this.#atOnce) Deno.exit(0);
  }

  #signalled(signal: StopSignal): void {
    const now = performance.now();
    if (now - this.#signalledAt > SECOND_MS) exitAtOnce(EXIT_CODES[signal]);
    this.#signalledAt = Math.min(this.#signalledAt, now);
    this.request();
  }

  /** Runs what may wait for a pipe's first byte without end, and has nothing to leave behind: a signal then ends the program. */
  async whileBlocked<T>(action: () => Promise<T>): Promise<T> {
    this.#atOnce = true;
    try {
      return await action();
    } finally {
      this.#atOnce = false;
    }
  }

  /** Whether to stop now. */
  get due(): boolean {
    return this.#requested || performance.now() >= this.#deadline;
  }
}
