/**
 * Purpose: whether a capture shall stop: a signal came, from the first moment on, or its time is over.
 */
import { onStopSignals } from "../ffi/usage.ts";

/** Made before anything is opened, so that no signal is missed. */
export class StopRequest {
  #requested = false;
  #deadline = Infinity;
  #atOnce = false;

  /** `seconds`: how long to go on after `startClock`; 0: until told. */
  constructor(readonly seconds: number) {
    onStopSignals(() => this.request());
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
