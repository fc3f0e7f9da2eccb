/**
 * Purpose: calls something at a steady pace. Each call has its place in time, counted from the start:
 * one that comes late does not delay the next, and those that were missed are left out.
 */

/** A clock that calls until it is stopped. */
export class Pace {
  readonly #started = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `tick` is told its number: 1 after `intervalMs`, and so on; numbers that were missed are never told. */
  constructor(readonly intervalMs: number, readonly tick: (number: number) => void) {
    this.#wait(1);
  }

  /** Ends it. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(number: number): void {
    const dueMs = this.#started + number * this.intervalMs;
    this.#timer = setTimeout(() => {
      const elapsedMs = performance.now() - this.#started;
      const now = Math.max(number, Math.floor(elapsedMs / this.intervalMs));
      this.#wait(now + 1);
      this.tick(now);
    }, Math.max(0, dueMs - performance.now()));
  }
}
