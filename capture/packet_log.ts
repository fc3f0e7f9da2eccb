/**
 * Purpose: the capture thread's side of a packet log: packets of a ring become blocks of a pcapng file in
 * shared memory, for another thread to write. It never waits, and never makes a system call.
 *
 * ```text
 *  ring, picks ─▶ write ─▶ the chunk being filled ─▶ published when it is full, or by flush
 *                   └────▶ missed, counted: there is no free chunk
 * ```
 * The memory: packet_log_layout.ts. The other side: packet_log_reader.ts.
 */
import { bufferByte, MORE_FRAGMENTS, type Ring } from "../ffi/layout.ts";
import {
  BLOCK_BYTES,
  BUSY,
  chunksAt,
  ENTRY,
  entryAt,
  FREE,
  layLog,
  LOG,
  LOG_COUNTER,
  type LogCounts,
  logCounts,
  type LogGeometry,
  logWords,
  queueAt,
} from "./packet_log_layout.ts";
import {
  compileLogLoops,
  type LogLoop,
  type LogLoops,
  LOOP_SLACK_WORDS,
} from "./packet_log_loop.ts";
import { offsetMask } from "./plain_loop.ts";

const NONE = -1;
/** Readers refuse larger ones (Wireshark, WTAP_MAX_PACKET_SIZE_STANDARD); no link has them. */
const LARGEST_PACKET = 262144;
const ENHANCED_PACKET = 6;

/** A log's sizes, and the interface of its packets. */
export interface PacketLogOptions extends LogGeometry {
  /** Index of the packets' interface in the file; 0 by default. */
  interfaceId?: number;
}

/**
 * The producer's side of a packet log; at any time one thread may call `write`, `flush` and `roomFor`.
 *
 * @example Have a capture log all that it accepts
 * ```ts
 * import { BackgroundCapture, PacketLog, TickRing } from "@uspf/uspf";
 *
 * const log = PacketLog.create({ chunks: 8 }), ticks = TickRing.create(256);
 * const options = { port: "soft:doc_log:1", ticks, log: log.buffer, filter: { decode: false } };
 * await using capture = await BackgroundCapture.start(options);
 * await capture.stop();
 * console.assert(log.counts().packets === 0);
 * ```
 */
export class PacketLog {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  readonly #cursor = new Int32Array(2);
  readonly #loops = new Map<Ring, LogLoops>();
  readonly #chunks: number;
  readonly #chunkWords: number;
  readonly #interfaceId: number;
  #ring: Ring | undefined;
  #current: LogLoops | undefined;
  #chunk = NONE;
  #first = 0; // word where the chunk begins, the next block begins, the chunk ends
  #at = 0;
  #end = 0;
  #packets = 0; // in the chunk
  #packetBytes = 0;
  #seconds = 0; // whose begin, in ns since 1970, is #high and #low
  #high = 0;
  #low = 0;

  private constructor(readonly buffer: SharedArrayBuffer) {
    this.#words = logWords(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#counters = new Float64Array(buffer, 0, LOG_COUNTER.unwrittenBytes + 1);
    this.#chunks = this.#words[LOG.chunks];
    this.#chunkWords = this.#words[LOG.chunkBytes] / 4;
    this.#interfaceId = this.#words[LOG.interfaceId];
  }

  /**
   * Makes an empty log.
   *
   * @throws {RangeError} for sizes out of range.
   */
  static create(options: PacketLogOptions = {}): PacketLog {
    return new PacketLog(layLog(options, options.interfaceId ?? 0));
  }

  /**
   * The producer's side of a log that another thread made.
   *
   * @throws {TypeError} where it is none.
   */
  static attach(buffer: SharedArrayBuffer): PacketLog {
    return new PacketLog(buffer);
  }

  /**
   * Logs the packets in the slots at the words `picks[0]` up to `picks[count]` of the ring; of a packet in
   * several slots all pieces are there, one after the other. The time is that of the burst: a ring whose
   * slots carry times has its own. From the first packet that finds no free chunk on, the burst is missed.
   */
  write(
    ring: Ring,
    picks: Int32Array,
    count: number,
    seconds: number,
    nanoseconds: number,
  ): void {
    const { small, large } = ring === this.#ring ? this.#current! : this.#loopsFor(ring);
    let high = 0, low = 0;
    if (!ring.hasTimes) {
      this.#setSecond(seconds);
      low = this.#low + nanoseconds | 0;
      high = this.#high + (low >>> 0 < this.#low >>> 0 ? 1 : 0) | 0;
    }
    for (let i = 0; i < count;) {
      const from = i;
      i = this.#run(small, ring, picks, i, count, high, low);
      if (i < count) i = this.#run(large, ring, picks, i, count, high, low);
      if (i === from) i += this.#writeOdd(ring, picks, i, count, high, low);
    }
  }

  /** As `write`, but forgets the packets again: for warming up (warm_up_log.ts). They must fit one chunk. */
  rehearse(ring: Ring, picks: Int32Array, count: number, seconds: number): void {
    this.flush();
    this.write(ring, picks, count, seconds, 0);
    this.#at = this.#first;
    this.#packets = this.#packetBytes = 0;
  }

  /**
   * Whether so many packets of so many bytes altogether surely find room: for sources that can wait. Also
   * where they never would have it, and where nobody writes the file any more.
   */
  roomFor(packets: number, bytes: number): boolean {
    const need = bytes + packets * (BLOCK_BYTES + 3);
    if (this.#chunk !== NONE && need <= (this.#end - this.#at) * 4) return true;
    // Two chunks in a row hold more than one has room for: what did not fit the first begins the second.
    const wanted = Math.min(Math.ceil(need / (this.#chunkWords * 2)) + 1, this.#chunks);
    const own = this.#chunk === NONE ? 0 : 1;
    let free = own;
    for (let chunk = 0; chunk < this.#chunks && free < wanted; chunk++) {
      if (Atomics.load(this.#words, entryAt(chunk) + ENTRY.state) === FREE) free++;
    }
    return free >= wanted || Atomics.load(this.#words, LOG.abandoned) !== 0;
  }

  /** Publishes what has been logged so far, to be called every 100 ms or so. */
  flush(): void {
    if (this.#packets > 0) this.#publish();
  }

  /** Publishes what has been logged, and says that nothing more will come. */
  close(): void {
    this.flush();
    Atomics.store(this.#words, LOG.closed, 1);
  }

  /** What has been written and missed, live. */
  counts(): LogCounts {
    return logCounts(this.buffer);
  }

  #loopsFor(ring: Ring): LogLoops {
    let loops = this.#loops.get(ring);
    if (loops === undefined) {
      const interfaceId = this.#interfaceId;
      loops = compileLogLoops(ring, { words: this.#words, interfaceId, cursor: this.#cursor });
      this.#loops.set(ring, loops);
    }
    this.#ring = ring;
    this.#current = loops;
    return loops;
  }

  /** Logs as many packets as the loop takes; returns the index of the pick it stopped at. */
  #run(
    loop: LogLoop,
    ring: Ring,
    picks: Int32Array,
    from: number,
    count: number,
    high: number,
    low: number,
  ): number {
    const timed = ring.hasTimes, last = this.#end - LOOP_SLACK_WORDS;
    const secondHigh = timed ? this.#high : high, secondLow = timed ? this.#low : low;
    const to = loop(picks, from, count, this.#at, last, this.#seconds, secondHigh, secondLow);
    if (to > from) {
      this.#at = this.#cursor[0];
      this.#packets += to - from;
      this.#packetBytes += this.#cursor[1];
    }
    return to;
  }

  /** Logs the packet at `picks[from]` in any case, or misses it and all after it; returns the picks used. */
  #writeOdd(
    ring: Ring,
    picks: Int32Array,
    from: number,
    count: number,
    high: number,
    low: number,
  ): number {
    const { words } = ring, slot = picks[from];
    let until = from, length = 0;
    do length += pieceOf(ring, picks[until]).length; while (
      (words[picks[until++] + 1] >>> 16 & MORE_FRAGMENTS) !== 0 && until < count
    );
    const blockWords = BLOCK_BYTES / 4 + (length + 3 >>> 2);
    if (blockWords > this.#chunkWords || length > LARGEST_PACKET) {
      this.#miss(1, length);
      return until - from;
    }
    if (blockWords > this.#end - this.#at && !this.#nextChunk()) {
      return this.#missRest(ring, picks, from, count);
    }
    if (ring.hasTimes) {
      this.#setSecond(words[slot + 2]);
      low = this.#low + words[slot + 3] | 0;
      high = this.#high + (low >>> 0 < this.#low >>> 0 ? 1 : 0) | 0;
    }
    this.#putBlock(ring, picks.subarray(from, until), length, high, low);
    return until - from;
  }

  #putBlock(ring: Ring, picks: Int32Array, length: number, high: number, low: number): void {
    const words = this.#words, at = this.#at, blockWords = BLOCK_BYTES / 4 + (length + 3 >>> 2);
    const original = Math.max(length, originalOf(ring, picks));
    const head = [ENHANCED_PACKET, blockWords * 4, this.#interfaceId, high, low, length, original];
    words[at + blockWords - 2] = 0; // the last bytes, if they are none of the packet's
    words.set(head, at);
    let to = (at + head.length) * 4;
    for (const slot of picks) {
      const piece = pieceOf(ring, slot);
      this.#bytes.set(ring.bytes.subarray(piece.at, piece.at + piece.length), to);
      to += piece.length;
    }
    words[at + blockWords - 1] = blockWords * 4;
    this.#at += blockWords;
    this.#packets++;
    this.#packetBytes += length;
  }

  #missRest(ring: Ring, picks: Int32Array, from: number, count: number): number {
    let packets = 0, bytes = 0, goesOn = false;
    for (let i = from; i < count; i++) {
      const like = ring.words[picks[i] + 1];
      goesOn = (like >>> 16 & MORE_FRAGMENTS) !== 0;
      bytes += like & 0xffff;
      packets += goesOn ? 0 : 1;
    }
    this.#miss(goesOn ? packets + 1 : packets, bytes);
    return count - from;
  }

  #miss(packets: number, bytes: number): void {
    this.#counters[LOG_COUNTER.missedPackets] += packets;
    this.#counters[LOG_COUNTER.missedBytes] += bytes;
  }

  /** Publishes the chunk, if there is one, and begins the first free one; `false` where there is none. */
  #nextChunk(): boolean {
    if (this.#packets > 0) this.#publish();
    if (this.#chunk !== NONE) return true; // it is as empty as can be
    const words = this.#words;
    for (let chunk = 0; chunk < this.#chunks; chunk++) {
      if (Atomics.load(words, entryAt(chunk) + ENTRY.state) === FREE) {
        words[entryAt(chunk) + ENTRY.state] = BUSY;
        this.#chunk = chunk;
        this.#first = this.#at = chunksAt(this.#chunks) + chunk * this.#chunkWords;
        this.#end = this.#first + this.#chunkWords;
        return true;
      }
    }
    return false;
  }

  #publish(): void {
    const words = this.#words, entry = entryAt(this.#chunk), published = words[LOG.published];
    words[entry + ENTRY.used] = (this.#at - this.#first) * 4;
    words[entry + ENTRY.packets] = this.#packets;
    words[entry + ENTRY.bytes] = this.#packetBytes;
    words[queueAt(this.#chunks) + (published >>> 0) % this.#chunks] = this.#chunk;
    Atomics.store(words, LOG.published, published + 1 | 0);
    this.#chunk = NONE;
    this.#at = this.#end = 0;
    this.#packets = this.#packetBytes = 0;
  }

  /** 64-bit ns of a second's begin, in two words and without BigInt. */
  #setSecond(seconds: number): void {
    if (seconds === this.#seconds) return;
    const nsHigh = (seconds >>> 16) * 1e9, nsLow = (seconds & 0xffff) * 1e9;
    const rest = (nsHigh % 0x10000) * 0x10000 + nsLow;
    this.#high = Math.floor(nsHigh / 0x10000) + Math.floor(rest / 2 ** 32) | 0;
    this.#low = rest % 2 ** 32 | 0;
    this.#seconds = seconds;
  }
}

/** Bytes that the packet had before it was cut; 0 where nobody knows. */
function originalOf({ originals, slotsAt, slotCount }: Ring, [slot]: Int32Array): number {
  return originals === undefined ? 0 : originals[slot - slotsAt >> 2 & slotCount - 1];
}

/** Where a slot's bytes lie in `ring.bytes`; never beyond its buffer, or the region. */
function pieceOf(ring: Ring, slot: number): { at: number; length: number } {
  const { words, bufferBytes } = ring;
  const inside = ring.hasOffsets && !ring.hasTimes;
  const offset = inside ? (words[slot + 2] & offsetMask(ring)) >>> 0 : 0;
  const at = bufferByte(ring, slot) + offset;
  const most = Math.min(words[slot + 1] & 0xffff, bufferBytes - offset, ring.bytes.length - at);
  return { at, length: at < 0 ? 0 : Math.max(0, most) };
}
