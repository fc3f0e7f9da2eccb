/**
 * Purpose: where things lie in the memory of a packet log, through which the capture thread hands whole
 * blocks of a pcapng file to the thread that writes them.
 *
 * ```text
 *  byte 0    128         256         384       512        640        640 + 16 × chunks   page
 *  │ header │ published │ taken     │ missed  │ written  │ chunks'  │ queue             │ chunk 0 │ …
 *  │        │ closed    │ abandoned │ 2 × f64 │ 4 × f64  │ entries  │ of chunk numbers  │         │
 *    fixed    producer    consumer    producer  consumer   both       producer
 * ```
 * A chunk is free, being filled, or published: its number is then in the queue, at `published % chunks`
 * before that index moved on. The consumer takes chunks in the queue's order and sets them free; the
 * producer fills the first free one. So a consumer that keeps up lets it fill the same few chunks again
 * and again, which then stay in the cache.
 *
 * | who      | legal change                               | seen by the other side by      |
 * | -------- | ------------------------------------------ | ------------------------------ |
 * | producer | free → filling, entry and queue, published | one Atomics.store of published |
 * | consumer | published → free                           | one Atomics.store of the state |
 */
import { MORE_FRAGMENTS } from "../ffi/layout.ts";

/** Word indices of what is there once. Each writer's words have cache lines of their own. */
export const LOG = {
  magic: 0,
  version: 1,
  chunks: 2,
  chunkBytes: 3,
  interfaceId: 4,
  published: 32,
  closed: 33,
  taken: 64,
  abandoned: 65,
  entries: 160,
} as const;

/** Word offsets in a chunk's entry. */
export const ENTRY = { state: 0, used: 1, packets: 2, bytes: 3 } as const;
/** Words of an entry. */
export const ENTRY_WORDS = 4;
/** States of a chunk. */
export const FREE = 0, BUSY = 1;

/** Indices of the counters in the same memory as f64. */
export const LOG_COUNTER = {
  missedPackets: 48,
  missedBytes: 49,
  writtenPackets: 64,
  writtenBytes: 65,
  unwrittenPackets: 66,
  unwrittenBytes: 67,
} as const;

/** Bytes of an Enhanced Packet Block around its packet (pcapng, 4.3), without options. */
export const BLOCK_BYTES = 32;
/** Bits of a slot's second word that make a packet odd if they are above its buffer's size. */
export const LENGTH_AND_MORE = MORE_FRAGMENTS << 16 | 0xffff;

const MAGIC = 0x6c6f6770, VERSION = 1;
const PAGE_BYTES = 4096;
const MIN_CHUNK_BYTES = 4096, MAX_CHUNK_BYTES = 2 ** 26, MAX_CHUNKS = 4096, MAX_BYTES = 2 ** 30;

/** Sizes of a log. */
export interface LogGeometry {
  /** Number of chunks, 2 to 4096; 64 by default. */
  chunks?: number;
  /** Bytes of each, a multiple of 4096, 64 MiB at most; 1 MiB by default. */
  chunkBytes?: number;
}

/** Word index of a chunk's entry. */
export function entryAt(chunk: number): number {
  return LOG.entries + chunk * ENTRY_WORDS;
}

/** Word index of the queue. */
export function queueAt(chunks: number): number {
  return entryAt(chunks);
}

/** Word index of chunk 0. */
export function chunksAt(chunks: number): number {
  return Math.ceil((queueAt(chunks) + chunks) * 4 / PAGE_BYTES) * PAGE_BYTES / 4;
}

/**
 * Allocates the memory of an empty log, and touches all of it, so that the capture thread meets no page
 * for the first time.
 *
 * @throws {RangeError} for sizes out of range.
 */
export function layLog(
  { chunks = 64, chunkBytes = 2 ** 20 }: LogGeometry,
  interfaceId: number,
): SharedArrayBuffer {
  const isWhole = Number.isInteger(chunks) && chunks >= 2 && chunks <= MAX_CHUNKS &&
    Number.isInteger(chunkBytes / PAGE_BYTES) && chunkBytes >= MIN_CHUNK_BYTES &&
    chunkBytes <= MAX_CHUNK_BYTES;
  if (!isWhole || chunks * chunkBytes > MAX_BYTES) {
    throw new RangeError(
      `Cannot create packet log: ${chunks} chunks of ${chunkBytes} bytes: give 2 to ${MAX_CHUNKS} ` +
        `of a multiple of ${PAGE_BYTES} bytes, 1 GiB altogether`,
    );
  }
  const buffer = new SharedArrayBuffer(chunksAt(chunks) * 4 + chunks * chunkBytes);
  const words = new Int32Array(buffer).fill(0);
  words[LOG.version] = VERSION;
  words[LOG.chunks] = chunks;
  words[LOG.chunkBytes] = chunkBytes;
  words[LOG.interfaceId] = interfaceId;
  Atomics.store(words, LOG.magic, MAGIC);
  return buffer;
}

/**
 * The words of a log that another thread made.
 *
 * @throws {TypeError} where it is none.
 */
export function logWords(buffer: SharedArrayBuffer): Int32Array<SharedArrayBuffer> {
  const words = new Int32Array(buffer);
  if (
    words.length < LOG.entries || Atomics.load(words, LOG.magic) !== MAGIC ||
    words[LOG.version] !== VERSION
  ) {
    throw new TypeError(
      "Cannot attach packet log: no log of this version: pass the buffer of PacketLog.create",
    );
  }
  return words;
}

/** What a log has counted, live; `missed` are all that are in no file: for want of room, or of a disk. */
export interface LogCounts {
  /** Packets in the file. */
  packets: number;
  /** Their bytes, without those of the blocks around them. */
  bytes: number;
  /** Packets that are not in the file. */
  missed: number;
  /** Their bytes. */
  missedBytes: number;
}

/** Reads the counters of a log; `packets + missed` are all that were offered, once it is closed and drained. */
export function logCounts(buffer: SharedArrayBuffer): LogCounts {
  const c = new Float64Array(buffer, 0, LOG_COUNTER.unwrittenBytes + 1);
  return {
    packets: c[LOG_COUNTER.writtenPackets],
    bytes: c[LOG_COUNTER.writtenBytes],
    missed: c[LOG_COUNTER.missedPackets] + c[LOG_COUNTER.unwrittenPackets],
    missedBytes: c[LOG_COUNTER.missedBytes] + c[LOG_COUNTER.unwrittenBytes],
  };
}
