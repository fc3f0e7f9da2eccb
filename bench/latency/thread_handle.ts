/**
 * Purpose: a thread of a measurement, seen from the measurement: what it was told, and what it has said.
 */
import type { ThreadCounts, ThreadNews, ThreadOrders } from "./thread.ts";

/** A thread, as the measurement knows it. */
export class ThreadHandle {
  /** It has opened its ports. */
  readonly opened = Promise.withResolvers<ThreadNews & { type: "opened" }>();
  /** It is warm, and waits for `go`. */
  readonly ready = Promise.withResolvers<void>();
  /** It has ended. */
  readonly finished = Promise.withResolvers<ThreadCounts>();
  readonly #worker: Worker;

  /** Starts it. */
  constructor(orders: ThreadOrders) {
    const all = [this.opened, this.ready, this.finished];
    for (const { promise } of all) promise.catch(() => {}); // each failure is seen by who waits
    const fail = (error: Error) => all.forEach(({ reject }) => reject(error));
    this.#worker = new Worker(import.meta.resolve("./thread.ts"), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<ThreadNews>) => {
      if (data.type === "opened") this.opened.resolve(data);
      else if (data.type === "ready") this.ready.resolve();
      else if (data.type === "finished") this.finished.resolve(data.counts);
      else fail(new Error(data.message, { cause: data.stack }));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      fail(new Error(`Cannot go on measuring: a thread died: ${event.message}`));
    };
    this.#worker.postMessage(orders);
  }

  /** Lets it warm up; resolves when it is ready. */
  warmUp(): Promise<void> {
    this.#worker.postMessage("warm up");
    return this.ready.promise;
  }
}
