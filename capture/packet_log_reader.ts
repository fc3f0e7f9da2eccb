/**
 * Purpose: the writing thread's side of a packet log: whole blocks, a chunk at a time.
 */
import {
  chunksAt,
  ENTRY,
  entryAt,
  FREE,
  LOG,
  LOG_COUNTER,
  logWords,
  queueAt,
} from "./packet_log_layout.ts";

/** A published chunk. */
export interface Chunk {
  /** Whole blocks, one after the other. */
  blocks: Uint8Array<SharedArrayBuffer>;
  /** Packets in them, and the packets' bytes. */
  packets: number;
  packetBytes: number;
}

/** The consumer's side of a packet log; at any time one thread may use it. */
export class PacketLogReader {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  readonly #chunks: number;

  /**
   * Takes the log up where the reader before left it.
   *
   * @throws {TypeError} where there is no log.
   */
  constructor(readonly buffer: SharedArrayBuffer) {
    this.#words = logWords(buffer);
    this.#counters = new Float64Array(buffer, 0, LOG_COUNTER.unwrittenBytes + 1);
    this.#chunks = this.#words[LOG.chunks];
  }

  /** The producer has closed the log, and all of it has been taken. */
  get ended(): boolean {
    return Atomics.load(this.#words, LOG.closed) !== 0 && this.#waiting === 0;
  }

  /** The oldest chunk that waits; it is the producer's again after `release`. */
  take(): Chunk | undefined {
    if (this.#waiting === 0) return undefined;
    const words = this.#words, chunk = this.#next, entry = entryAt(chunk);
    const at = chunksAt(this.#chunks) * 4 + chunk * words[LOG.chunkBytes];
    return {
      blocks: new Uint8Array(this.buffer, at, words[entry + ENTRY.used]),
      packets: words[entry + ENTRY.packets],
      packetBytes: words[entry + ENTRY.bytes],
    };
  }

  /** Gives the chunk taken last back. */
  release(): void {
    const words = this.#words, chunk = this.#next;
    Atomics.store(words, LOG.taken, words[LOG.taken] + 1 | 0);
    Atomics.store(words, entryAt(chunk) + ENTRY.state, FREE);
  }

  /** Counts packets that are in the file. */
  countWritten(packets: number, bytes: number): void {
    this.#counters[LOG_COUNTER.writtenPackets] += packets;
    this.#counters[LOG_COUNTER.writtenBytes] += bytes;
  }

  /** Counts packets that were logged, but are in no file. */
  countUnwritten(packets: number, bytes: number): void {
    this.#counters[LOG_COUNTER.unwrittenPackets] += packets;
    this.#counters[LOG_COUNTER.unwrittenBytes] += bytes;
  }

  /** Takes what waits and counts it as unwritten; returns whether there was anything. */
  discard(): boolean {
    let any = false;
    for (let chunk = this.take(); chunk !== undefined; chunk = this.take()) {
      this.countUnwritten(chunk.packets, chunk.packetBytes);
      this.release();
      any = true;
    }
    return any;
  }

  /** Says that nobody will write any more: a producer need not wait for room. */
  abandon(): void {
    Atomics.store(this.#words, LOG.abandoned, 1);
  }

  /** Says that nothing more will come, in place of a producer that is gone. */
  close(): void {
    Atomics.store(this.#words, LOG.closed, 1);
  }

  get #waiting(): number {
    return Atomics.load(this.#words, LOG.published) - this.#words[LOG.taken] | 0;
  }

  /** The oldest published chunk's number. */
  get #next(): number {
    return this.#words[queueAt(this.#chunks) + (this.#words[LOG.taken] >>> 0) % this.#chunks];
  }
}
