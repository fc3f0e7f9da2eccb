/**
 * Purpose: reads server-sent events, as a browser's EventSource does.
 */

/** An event. */
export interface ReadEvent {
  name: string;
  id?: string;
  // deno-lint-ignore no-explicit-any -- looked at field by field
  data: any;
}

/** Events of a body, one by one. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next one that is no beat, unless they are wanted; `undefined` at the end. */
  async next(beats = false): Promise<ReadEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const event = parse(block);
        if (beats || event.name !== "beat") return event;
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += value;
    }
  }

  /** Leaves. */
  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

function parse(block: string): ReadEvent {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
  return { name: field("event")!, id: field("id"), data: JSON.parse(field("data")!) };
}
