/**
 * Executed orders, as bounded streams to whoever asks for them.
 *
 * @module
 */

import type { Order } from "./order.ts";

/** Orders that a stream keeps for its reader, unless told otherwise. */
export const DEFAULT_ORDER_LIMIT = 1024;
/** Most orders that a stream can be asked to keep. */
export const MAX_ORDER_LIMIT = 1_048_576;

/**
 * Hands every order to all open streams.
 *
 * A stream keeps the oldest orders that its reader has not read yet, up to its
 * limit; a newer one that finds it full is not kept and counted in
 * {@linkcode OrderFeed.unread}. The hot path never waits for a reader.
 */
export class OrderFeed {
  readonly #readers = new Set<ReadableStreamDefaultController<Order>>();
  #unread = 0;
  #closed = false;

  /** Orders not kept because a stream was full, over all streams. */
  get unread(): number {
    return this.#unread;
  }

  /** Whether any stream is open: without one, no order object is needed. */
  get wanted(): boolean {
    return this.#readers.size > 0;
  }

  /**
   * Opens a stream of the orders from now on. It ends when the feed is closed,
   * after what it has kept; cancelling it, or leaving a `for await`, drops it.
   *
   * @param limit orders to keep, 1 to 1,048,576
   * @throws {RangeError} if the limit is out of range
   */
  open(limit: number = DEFAULT_ORDER_LIMIT): ReadableStream<Order> {
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= MAX_ORDER_LIMIT)) {
      throw new RangeError(
        `Cannot open order stream: limit is "${limit}": pass a whole number from 1 to ${MAX_ORDER_LIMIT}`,
      );
    }
    let reader: ReadableStreamDefaultController<Order>;
    return new ReadableStream<Order>({
      start: (controller) => {
        reader = controller;
        if (this.#closed) controller.close();
        else this.#readers.add(controller);
      },
      cancel: () => void this.#readers.delete(reader),
    }, { highWaterMark: limit });
  }

  /** Hands `order` to every stream that has room. */
  push(order: Order): void {
    for (const reader of this.#readers) {
      if (reader.desiredSize! > 0) reader.enqueue(order);
      else this.#unread++;
    }
  }

  /** Ends all streams, those opened later too. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.close();
    this.#readers.clear();
  }
}
