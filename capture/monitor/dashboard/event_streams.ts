/**
 * Purpose: server-sent events (HTML standard, 9.2) to a bounded number of readers, each with a bounded
 * queue: who does not read is cut off, and comes back with the last event that it has seen.
 */

/** Readers at a time. */
export const MOST_READERS = 32;
/** What may wait for a reader: the ten minutes on load ten times over, or minutes of seconds. */
export const QUEUE_BYTES = 1 << 20;

const RETRY_MS = 1000;
const BEAT_MS = 5000;

/** An event. */
export interface ServerEvent {
  name: string;
  /** For the reader to come back with. */
  id?: string;
  data: unknown;
}

/** Streams of the same events. */
export class EventStreams {
  readonly #readers = new Set<Reader>();
  #beat: ReturnType<typeof setInterval> | undefined;

  /** Readers that are connected. */
  get readers(): number {
    return this.#readers.size;
  }

  /** A stream that begins with `first`. */
  open(first: ServerEvent): ReadableStream<Uint8Array> {
    const reader = new Reader();
    this.#readers.add(reader);
    this.#beat ??= setInterval(() => this.send({ name: "beat", data: null }), BEAT_MS);
    reader.offer(encode(first, `retry: ${RETRY_MS}\n`));
    return new ReadableStream<Uint8Array>({
      pull: (controller) => reader.pull(controller),
      cancel: () => this.#leave(reader),
    }, { highWaterMark: 0 });
  }

  /** Sends an event to all. */
  send(event: ServerEvent): void {
    if (this.#readers.size === 0) return;
    const bytes = encode(event);
    for (const reader of this.#readers) if (!reader.offer(bytes)) this.#leave(reader);
  }

  /** Ends all streams behind a last event. */
  end(last: ServerEvent): void {
    this.send(last);
    for (const reader of this.#readers) this.#leave(reader);
  }

  #leave(reader: Reader): void {
    reader.end();
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    clearInterval(this.#beat);
    this.#beat = undefined;
  }
}

/** What one reader has still to be sent. */
class Reader {
  readonly #queue: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #wake = () => {};

  /** Queues bytes; `false`, and nothing is left in the queue, where there is no room for them. */
  offer(bytes: Uint8Array): boolean {
    const fits = this.#bytes + bytes.length <= QUEUE_BYTES;
    if (fits) {
      this.#queue.push(bytes);
      this.#bytes += bytes.length;
    } else {
      this.#queue.length = 0;
    }
    this.#wake();
    return fits;
  }

  /** No more is offered. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#queue.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const bytes = this.#queue.shift();
    if (bytes === undefined) return controller.close();
    this.#bytes -= bytes.length;
    controller.enqueue(bytes);
  }
}

function encode({ name, id, data }: ServerEvent, before = ""): Uint8Array {
  const named = id === undefined ? "" : `id: ${id}\n`;
  return new TextEncoder().encode(
    `${before}event: ${name}\n${named}data: ${JSON.stringify(data)}\n\n`,
  );
}
