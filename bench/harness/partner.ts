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
 * ```
 */
import { pinToCore } from "../../ffi/host.ts";

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
  word: SharedArrayBuffer;
  orders: Orders;
}
type News<Result> = { result?: Result; failed?: string };

/** The bench's side. */
export class Partner<Orders, Result> {
  readonly #worker: Worker;
  readonly #core: number;
  #word = new Int32Array(new SharedArrayBuffer(4));
  #waiting: PromiseWithResolvers<News<Result>> | undefined;
  #failed: string | undefined;

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
    this.#word = new Int32Array(new SharedArrayBuffer(4));
    const start: Start<Orders> = { core: this.#core, word: this.#word.buffer, orders };
    await this.#ask(start);
  }

  /** Lets it run, at once. */
  go(): void {
    Atomics.store(this.#word, 0, 1);
  }

  /** What it has to say of its run. */
  async finish(): Promise<Result> {
    return (await this.#ask("finish")).result!;
  }

  /** Ends it. */
  stop(): void {
    this.#worker.terminate();
  }

  async #ask(message: unknown): Promise<News<Result>> {
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

/** The partner's side: `make` gives its part of a run. */
export function serve<Orders, Result>(make: (orders: Orders) => Part<Result>): void {
  let part: Part<Result> | undefined;
  addEventListener("message", ({ data }: MessageEvent<Start<Orders> | "finish">) => {
    try {
      if (data === "finish") postMessage({ result: part?.finish() });
      else {
        pinToCore(data.core);
        part = make(data.orders);
        postMessage({});
        spin(new Int32Array(data.word));
        part.run();
      }
    } catch (error) {
      postMessage({ failed: (error as Error).message });
    }
  });
}

function spin(word: Int32Array): void {
  const end = performance.now() + SPIN_MS;
  while (Atomics.load(word, 0) === 0) {
    if (performance.now() > end) {
      throw new Error(`Cannot go on: nobody said go for ${SPIN_MS} ms: see what failed before`);
    }
  }
}
