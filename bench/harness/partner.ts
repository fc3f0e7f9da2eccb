/**
 * Purpose: the other thread of a bench. It does its part of each run on a core of its own, and sleeps in
 * between, so that it takes nothing from other ways.
 *
 * ```text
 *  bench                           partner (a worker that calls `serve`)
 *  prepare ──── orders ──────────▶ make the part
 *          ◀─────────── ready ──── spin on a word
 *  go      ──── word = 1 ────────▶ run
 *  finish  ──────────────────────▶ finish
 *          ◀─────────── result ─── asleep
 *  stop    ──────────────────────▶ stop
 * ```
 */
import { pinToCore } from "../../ffi/host.ts";

/** The shared words: the bench says go; the partner has stopped. */
const GO = 0, STOPPED = 1; // words
const GIVE_UP = 2; // of GO: no run comes any more
const STOP_MS = 2000;
const SPIN_MS = 60_000; // only so that nothing hangs for ever

/** What a partner does of one run. */
export interface Part<Result> {
  /** Begins when the bench says go. */
  run(): void;
  /** After the run; not timed. */
  finish(): Result;
}

interface Start<Orders> {
  core: number;
  words: SharedArrayBuffer;
  orders: Orders;
}
type News<Result> = { result?: Result; failed?: string };

/** The bench's side. */
export class Partner<Orders, Result> {
  readonly #worker: Worker;
  readonly #core: number;
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  #waiting: PromiseWithResolvers<News<Result>> | undefined;
  #failed: string | undefined;
  #isBegun = false;

  /** Starts the thread; `file` is a module that calls `serve`. */
  constructor(file: URL, core: number) {
    this.#core = core;
    this.#worker = new Worker(file, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<News<Result>>) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#hear({ failed: event.message });
    };
  }

  /** Resolves when it is on its core and waits for `go`, which must follow within a minute. */
  async prepare(orders: Orders): Promise<void> {
    this.#words[GO] = 0;
    this.#words[STOPPED] = 0;
    const start: Start<Orders> = { core: this.#core, words: this.#words.buffer, orders };
    await this.#ask(start);
  }

  /** Lets it run, at once. */
  go(): void {
    Atomics.store(this.#words, GO, 1);
  }

  /** What it has to say of its run. */
  async finish(): Promise<Result> {
    return (await this.#ask("finish")).result!;
  }

  /** Ends it, and returns when it has cleaned up, though the event loop may never turn again. */
  stop(): void {
    if (this.#isBegun) {
      Atomics.store(this.#words, GO, GIVE_UP); // it may be waiting for a run
      this.#worker.postMessage("stop");
      Atomics.wait(this.#words, STOPPED, 0, STOP_MS);
    }
    this.#worker.terminate();
  }

  async #ask(message: unknown): Promise<News<Result>> {
    this.#isBegun = true;
    this.#waiting = Promise.withResolvers();
    this.#worker.postMessage(message);
    const news = await this.#waiting.promise;
    const failed = this.#failed ?? news.failed;
    if (failed !== undefined) throw new Error(failed);
    return news;
  }

  #hear(news: News<Result>): void {
    this.#failed ??= news.failed;
    this.#waiting?.resolve(news);
  }
}

/** The partner's side: `make` gives its part of a run; `stop` cleans up after the last. */
export function serve<Orders, Result>(
  make: (orders: Orders) => Part<Result>,
  stop = () => {},
): void {
  let part: Part<Result> | undefined, words: Int32Array | undefined;
  const begin = ({ core, words: memory, orders }: Start<Orders>) => {
    words = new Int32Array(memory);
    pinToCore(core);
    part = make(orders);
    postMessage({});
    if (spin(words)) part.run();
  };
  addEventListener("message", ({ data }: MessageEvent<Start<Orders> | "finish" | "stop">) => {
    try {
      if (data === "finish") postMessage({ result: part?.finish() });
      else if (data !== "stop") begin(data);
      else {
        stop();
        Atomics.store(words!, STOPPED, 1);
        Atomics.notify(words!, STOPPED);
      }
    } catch (error) {
      postMessage({ failed: (error as Error).message });
    }
  });
}

/** Whether there is to be a run. */
function spin(words: Int32Array): boolean {
  const end = performance.now() + SPIN_MS;
  while (Atomics.load(words, GO) === 0) {
    if (performance.now() > end) {
      throw new Error(`Cannot go on: nobody said go for ${SPIN_MS} ms: see what failed before`);
    }
  }
  return Atomics.load(words, GO) !== GIVE_UP;
}
