/**
 * Purpose: the words by which the threads of a measurement are begun and stopped.
 */
const GO = 0, STOP = 1, SENT = 2, WORDS = 3;

/** Begins and stops threads, through shared memory. */
export class Control {
  /** The memory, to be posted to a thread. */
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** New, or over the memory of another thread's. */
  constructor(buffer = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /** Lets all threads begin. */
  go(): void {
    Atomics.store(this.#words, GO, 1);
    Atomics.notify(this.#words, GO);
  }

  /** A thread: sleeps until `go` or `stop`. */
  hold(): void {
    while (Atomics.wait(this.#words, GO, 0, 20) === "timed-out" && !this.stopping);
  }

  /** Asks all threads to end. */
  stop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  /** Whether to end. */
  get stopping(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  /** The generator: all is sent. */
  saySent(): void {
    Atomics.store(this.#words, SENT, 1);
  }

  /** Whether all is sent. */
  get sent(): boolean {
    return Atomics.load(this.#words, SENT) !== 0;
  }
}
