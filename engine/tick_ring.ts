/**
 * The tick ring: one producer thread hands decoded ticks to one consumer thread
 * through shared memory, without locks.
 *
 * ```text
 * byte 0      128          256          384          512
 *      ┌──────┬────────────┬────────────┬────────────┬─────────┬─────────┬──
 *      │header│ tail       │ head       │ parked     │ record 0│ record 1│ …
 *      └──────┴────────────┴────────────┴────────────┴─────────┴─────────┴──
 *  header     producer     consumer     consumer     16 bytes each (tick.ts)
 *  writes     writes       writes       writes
 * ```
 *
 * The header is four words: magic, layout version, capacity, words a record. The
 * indices stand 128 bytes apart, since x86 fetches cache lines in pairs.
 *
 * `tail` and `head` count records and wrap at 2^32; as Int32Array elements they
 * are read as int32, and only `position & mask` and differences `| 0` are ever
 * taken of them. `[head, tail)` is ready, the rest is free:
 *
 * | who      | call         | legal change                     | seen by the other side by  |
 * | -------- | ------------ | -------------------------------- | -------------------------- |
 * | producer | `publish(n)` | tail += n, n <= last `claim`      | one Atomics.store of tail  |
 * | consumer | `release(n)` | head += n, n <= last `take`       | one Atomics.store of head  |
 * | consumer | `park(ms)`   | parked 0 → 1 → 0, while head = tail | Atomics.wait on tail     |
 *
 * A consumer of several rings parks on their doorbell instead (doorbell.ts).
 *
 * Records are written and read straight in {@linkcode TickRing.words}, with plain
 * stores and loads: the Atomics on the indices order them.
 *
 * @module
 */

import type { Doorbell } from "./doorbell.ts";
import { readTick, RECORD_SHIFT, RECORD_WORDS, type Tick } from "./tick.ts";

/** First word of the memory: the bytes "uspf". */
export const RING_MAGIC = 0x66707375;
/** Version of the layout above; attaching demands the same. */
export const RING_VERSION = 1;
/** Word of the tail index. */
export const TAIL_WORD = 32;
/** Word of the head index. */
export const HEAD_WORD = 64;
/** Word of the consumer's parked flag. */
export const PARKED_WORD = 96;
/** Word of the first record in a ring's memory. */
export const RECORDS_WORD = 128;
/** Smallest capacity, in records. */
export const MIN_CAPACITY = 256;
/** Largest capacity, in records: 256 MiB of them. */
export const MAX_CAPACITY = 16_777_216;

const WORD_BYTES = 4;
const MAGIC_WORD = 0;
const VERSION_WORD = 1;
const CAPACITY_WORD = 2;
const RECORD_WORDS_WORD = 3;

/**
 * A single-producer, single-consumer ring of ticks over a SharedArrayBuffer.
 *
 * Every thread makes its own object over the same {@linkcode TickRing.buffer}.
 * At any time at most one thread calls the producer's methods (`claim`,
 * `publish`) and at most one the consumer's (`take`, `release`, `park`,
 * `parkAsync`); this is not checked, and nothing on the way of a tick throws.
 *
 * @example Print what is ready
 * ```ts
 * import { TickRing } from "@uspf/uspf";
 *
 * const ring = TickRing.create(1024), count = ring.take(256);
 * for (let i = 0; i < count; i++) console.log(ring.tickAt(i));
 * ring.release(count);
 * ```
 *
 * @example The words of the record at a position, for hot paths
 * ```ts
 * import { RECORD_SHIFT, RECORDS_WORD, TickRing } from "@uspf/uspf";
 *
 * const ring = TickRing.create(1024);
 * const word = RECORDS_WORD + ((ring.head & ring.mask) << RECORD_SHIFT);
 * const instrument = ring.words[word] >>> 0, price = ring.floats[word + 2];
 * console.log(instrument, price);
 * ```
 */
export class TickRing {
  /** The whole memory as words; records from {@linkcode RECORDS_WORD} on. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The same memory as float32: price and quantity without conversion. */
  readonly floats: Float32Array<SharedArrayBuffer>;
  /** Records in the ring, a power of two. */
  readonly capacity: number;
  /** `capacity - 1`. */
  readonly mask: number;
  #headSeen: number;
  #tailSeen: number;

  private constructor(
    buffer: SharedArrayBuffer,
    /** What wakes a consumer that sleeps on several rings; all threads of a ring have the same. */
    readonly bell?: Doorbell,
  ) {
    this.words = new Int32Array(buffer);
    this.floats = new Float32Array(buffer);
    this.capacity = this.words[CAPACITY_WORD];
    this.mask = this.capacity - 1;
    this.#headSeen = Atomics.load(this.words, HEAD_WORD);
    this.#tailSeen = Atomics.load(this.words, TAIL_WORD);
  }

  /**
   * Allocates an empty ring.
   *
   * @param capacity records, a power of two from 256 to 16,777,216
   * @param startIndex the first position, a u32: tests start just below the wrap
   * @param bell one for all rings of a consumer that sleeps on several
   * @throws {RangeError} if either is out of range
   */
  static create(capacity: number, startIndex = 0, bell?: Doorbell): TickRing {
    checkCapacity(capacity);
    if (startIndex !== startIndex >>> 0) {
      throw new RangeError(
        `Cannot create tick ring: start index is "${startIndex}": pass a whole number from 0 to 4294967295`,
      );
    }
    const length = (RECORDS_WORD + (capacity << RECORD_SHIFT)) * WORD_BYTES;
    const words = new Int32Array(new SharedArrayBuffer(length));
    words[VERSION_WORD] = RING_VERSION;
    words[CAPACITY_WORD] = capacity;
    words[RECORD_WORDS_WORD] = RECORD_WORDS;
    words[TAIL_WORD] = startIndex;
    words[HEAD_WORD] = startIndex;
    Atomics.store(words, MAGIC_WORD, RING_MAGIC);
    return new TickRing(words.buffer, bell);
  }

  /**
   * Joins a ring that another thread created, with its doorbell if it has one.
   *
   * @throws {TypeError} if `buffer` is not the buffer of a ring of this layout
   */
  static attach(buffer: SharedArrayBuffer, bell?: Doorbell): TickRing {
    const fault = faultOf(buffer);
    if (fault !== undefined) {
      throw new TypeError(
        `Cannot attach tick ring: ${fault}: pass the buffer of a ring made by the same version`,
      );
    }
    return new TickRing(buffer, bell);
  }

  /** The memory, to be posted to the other thread. */
  get buffer(): SharedArrayBuffer {
    return this.words.buffer;
  }

  /** Where the producer writes next, an int32. Only the producer may rely on it. */
  get tail(): number {
    return this.words[TAIL_WORD];
  }

  /** Where the consumer reads next, an int32. Only the consumer may rely on it. */
  get head(): number {
    return this.words[HEAD_WORD];
  }

  /** Records ready and not yet released, as any thread sees it: 0 to capacity. */
  get waiting(): number {
    // Head first: it can't pass the tail that is read after it.
    const head = Atomics.load(this.words, HEAD_WORD);
    const waiting = (Atomics.load(this.words, TAIL_WORD) - head) >>> 0;
    return waiting < this.capacity ? waiting : this.capacity;
  }

  /** Producer: how many records from `tail` on may be written, at most `wanted`. */
  claim(wanted: number): number {
    const tail = this.words[TAIL_WORD];
    let free = this.capacity - (tail - this.#headSeen | 0);
    if (free < wanted) {
      this.#headSeen = Atomics.load(this.words, HEAD_WORD);
      free = this.capacity - (tail - this.#headSeen | 0);
    }
    return free < wanted ? free : wanted;
  }

  /** Producer: makes the next `count` written records ready, and wakes a parked consumer. */
  publish(count: number): void {
    const words = this.words;
    Atomics.store(words, TAIL_WORD, words[TAIL_WORD] + count | 0);
    // Only the consumer clears the flag: were it cleared here, the flag of a
    // consumer that has just parked again could be lost.
    if (Atomics.load(words, PARKED_WORD) !== 0) this.#wake();
  }

  #wake(): void {
    Atomics.notify(this.words, TAIL_WORD, 1);
    this.bell?.ring();
  }

  /** Consumer: how many records from `head` on are ready, at most `max`. */
  take(max: number): number {
    const head = this.words[HEAD_WORD];
    let ready = this.#tailSeen - head | 0;
    if (ready < max) {
      this.#tailSeen = Atomics.load(this.words, TAIL_WORD);
      ready = this.#tailSeen - head | 0;
    }
    return ready < max ? ready : max;
  }

  /**
   * Consumer: the record at `index` of those that `take` has found ready, from 0, as an object: for logs and
   * tools, as it allocates.
   */
  tickAt(index: number): Tick {
    const position = this.words[HEAD_WORD] + index & this.mask;
    return readTick(this.words, this.floats, RECORDS_WORD + (position << RECORD_SHIFT));
  }

  /** Consumer: gives the next `count` records back to the producer. */
  release(count: number): void {
    Atomics.store(this.words, HEAD_WORD, this.words[HEAD_WORD] + count | 0);
  }

  /**
   * Consumer: sleeps until a record is ready, on a thread that may block.
   *
   * No wake-up is lost: Atomics.wait sleeps only while the tail still equals
   * `head`, and a producer that moves the tail after that check sees the flag,
   * which was set before it. But it may wake early: a notify can come late, for a
   * record that is already taken.
   *
   * @param timeoutMs longest sleep, in milliseconds
   * @returns whether a record is ready
   */
  park(timeoutMs: number): boolean {
    const words = this.words;
    const head = words[HEAD_WORD];
    if (Atomics.load(words, TAIL_WORD) !== head) return true;
    Atomics.store(words, PARKED_WORD, 1);
    Atomics.wait(words, TAIL_WORD, head, timeoutMs);
    Atomics.store(words, PARKED_WORD, 0);
    return Atomics.load(words, TAIL_WORD) !== head;
  }

  /**
   * Consumer: as {@linkcode TickRing.park}, for a thread whose event loop must
   * go on. Await it before the next `park` or `parkAsync`.
   */
  async parkAsync(timeoutMs: number): Promise<boolean> {
    const words = this.words;
    const head = words[HEAD_WORD];
    if (Atomics.load(words, TAIL_WORD) !== head) return true;
    Atomics.store(words, PARKED_WORD, 1);
    await Atomics.waitAsync(words, TAIL_WORD, head, timeoutMs).value;
    Atomics.store(words, PARKED_WORD, 0);
    return Atomics.load(words, TAIL_WORD) !== head;
  }
}

function isCapacity(capacity: number): boolean {
  return Number.isInteger(capacity) && capacity >= MIN_CAPACITY && capacity <= MAX_CAPACITY &&
    (capacity & capacity - 1) === 0;
}

function checkCapacity(capacity: number): void {
  if (isCapacity(capacity)) return;
  throw new RangeError(
    `Cannot create tick ring: capacity is "${capacity}": pass a power of two from ${MIN_CAPACITY} to ${MAX_CAPACITY}`,
  );
}

/** What is wrong with `buffer` as a ring, or undefined. */
function faultOf(buffer: SharedArrayBuffer): string | undefined {
  if (!(buffer instanceof SharedArrayBuffer)) return "not a SharedArrayBuffer";
  const length = buffer.byteLength;
  if (length < RECORDS_WORD * WORD_BYTES) return `length is "${length}" bytes`;
  const words = new Int32Array(buffer, 0, RECORDS_WORD);
  const magic = Atomics.load(words, MAGIC_WORD);
  if (magic !== RING_MAGIC) return `magic is "0x${(magic >>> 0).toString(16)}"`;
  if (words[VERSION_WORD] !== RING_VERSION) return `version is "${words[VERSION_WORD]}"`;
  if (words[RECORD_WORDS_WORD] !== RECORD_WORDS) {
    return `a record has "${words[RECORD_WORDS_WORD]}" words`;
  }
  const capacity = words[CAPACITY_WORD];
  if (!isCapacity(capacity)) return `capacity is "${capacity}"`;
  if (length !== (RECORDS_WORD + (capacity << RECORD_SHIFT)) * WORD_BYTES) {
    return `length is "${length}" bytes with a capacity of "${capacity}"`;
  }
}
