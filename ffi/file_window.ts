/**
 * Purpose: a file seen through a window of constant size, inside a port's region, so that packets can be
 * taken where they were read.
 *
 * ```text
 *  region  ... │ headroom │ not parsed yet │ free │ spare │
 *              from       position         end    to
 *  refill:     moves what is not parsed to the front, reads on behind it
 * ```
 * A byte keeps its place in its word: its index in the region and its offset in the file are the same
 * modulo 4. So what is aligned in the file is aligned in the window.
 */
import { sleepNs } from "./host.ts";

/** Bytes in front of the window that a header may grow into; no slot points there before. */
export const HEADROOM_BYTES = 32;
const RETRY_NS = 1e6;

/** Where bytes come from: an open file, or standard input. */
export interface ByteSource {
  readSync(bytes: Uint8Array): number | null;
  /** Whether a read would not block, after so long at most; without it none does. */
  ready?(timeoutUs: number): boolean;
  seekSync?(offset: number, whence: Deno.SeekMode): number;
  close(): void;
}

/** A file's bytes `[position, end)`, by their index in the region. */
export class FileWindow {
  /** The next byte to parse. */
  position: number;
  /** Behind the last byte that was read. */
  end: number;
  readonly #front: number;
  #endOffset = 0;

  /** A window over bytes `from` to `to` of the region, `from` a multiple of 4, that reads `chunkBytes` at a time. */
  constructor(
    readonly name: string,
    readonly words: Int32Array,
    readonly bytes: Uint8Array,
    readonly source: ByteSource,
    from: number,
    readonly to: number,
    readonly chunkBytes: number,
  ) {
    this.#front = from + HEADROOM_BYTES;
    this.position = this.end = this.#front;
  }

  /** Bytes that are there to be parsed. */
  get ready(): number {
    return this.end - this.position;
  }

  /** Offset in the file of the byte at `position`. */
  get offset(): number {
    return this.#endOffset - this.ready;
  }

  /**
   * Reads on; `false` at the end of the file. What lies before `position` is lost: no slot may point there
   * any more.
   */
  refill(): boolean {
    const to = this.#front + this.offset % 4;
    if (to !== this.position) this.bytes.copyWithin(to, this.position, this.end);
    this.end = to + this.ready;
    this.position = to;
    const most = Math.min(this.chunkBytes, this.to - this.end);
    const count = this.#read(this.bytes.subarray(this.end, this.end + most));
    this.end += count;
    this.#endOffset += count;
    return count > 0;
  }

  /** Reads until `bytes` are ready, or the file ends; returns whether they are. */
  need(bytes: number): boolean {
    while (this.ready < bytes && this.refill());
    return this.ready >= bytes;
  }

  /** Goes back to the file's first byte. */
  rewind(): void {
    this.source.seekSync!(0, Deno.SeekMode.Start);
    this.position = this.end = this.#front;
    this.#endOffset = 0;
  }

  /** A pipe gives what it has; 0 is the end. A signal is no error, and a pipe may be set not to block. */
  #read(into: Uint8Array): number {
    for (;;) {
      try {
        return this.source.readSync(into) ?? 0;
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock) sleepNs(RETRY_NS);
        else if (!(error instanceof Deno.errors.Interrupted)) throw error;
      }
    }
  }
}
