/**
 * Purpose: where things lie in a region, in 32-bit words. The layout is netmap's own, for every kind
 * of port; ring.h asserts the same numbers in bytes at compile time.
 *
 * ```text
 *  ring header (64 words)                     slot (4 words)
 *  0  buf_ofs low   5 head                    0 buf_idx
 *  1  buf_ofs high  6 cur                     1 len | flags << 16
 *  2  num_slots     7 tail                    2 ptr low
 *  3  nr_buf_size   14 offset_mask low        3 ptr high
 *  4  ringid | dir << 16
 * ```
 *
 * In a receive ring `[head, tail)` holds packets to take; in a transmit ring it is the free slots.
 */

/** Word offsets in a ring header (netmap(4), struct netmap_ring). */
export const RING = {
  bufOfs: 0,
  numSlots: 2,
  bufSize: 3,
  head: 5,
  cur: 6,
  tail: 7,
  offsetMask: 14,
  slots: 64,
} as const;

/** Words in a slot. */
export const SLOT_WORDS = 4;

/** Slot flag: the packet goes on in the next slot (NS_MOREFRAG). */
export const MORE_FRAGMENTS = 0x20;

/** Byte offsets in a netmap_if. */
const INTERFACE = { txRings: 24, rxRings: 28, hostTxRings: 36, hostRxRings: 40, ringOffsets: 56 };

/** One ring in a region, by word indices into `words`. */
export interface Ring {
  /** The region, as words. */
  readonly words: Int32Array;
  /** The same memory from the ring header on, as bytes: byte 0 is word `at`, so that indices stay small. */
  readonly bytes: Uint8Array;
  /** Word index of the ring header. */
  readonly at: number;
  /** Word index of slot 0. */
  readonly slotsAt: number;
  /** Word index of buffer 0. */
  readonly buffersAt: number;
  /** Slots in the ring. */
  readonly slotCount: number;
  /** Bytes of each buffer: the most that a packet has in one slot. */
  readonly bufferBytes: number;
  /** Bytes from where a buffer begins to where the next one does: a slot's `buf_idx` counts in these. */
  readonly strideBytes: number;
  /** Packets may begin inside their buffers: each slot's `ptr` says where. */
  readonly hasOffsets: boolean;
  /** Each slot's `ptr` says when its packet arrived: seconds since 1970 in its low word, ns in its high one. */
  readonly hasTimes: boolean;
  /**
   * By slot: bytes that its packet had before it was cut, where the port knows; what is not above the
   * slot's own length says nothing. A table of its own, since slots have no room for it.
   */
  readonly originals?: Int32Array;
}

/** What a ring's header does not say of it. */
export interface RingMore {
  /** Where buffers lie closer together, or further apart, than their size. */
  strideBytes?: number;
  /** Whether slots carry times. */
  hasTimes?: boolean;
  /** A word for each slot, of a number that is a power of two. */
  originals?: Int32Array;
}

/** Reads the ring whose header begins at byte `offset` of the region. */
export function ringAt(words: Int32Array, offset: number, more: RingMore = {}): Ring {
  const at = offset / 4;
  const bufOfs = (words[at + RING.bufOfs] >>> 0) + words[at + RING.bufOfs + 1] * 2 ** 32;
  return {
    words,
    bytes: new Uint8Array(words.buffer, words.byteOffset + offset),
    at,
    slotsAt: at + RING.slots,
    buffersAt: (offset + bufOfs) / 4,
    slotCount: words[at + RING.numSlots],
    bufferBytes: words[at + RING.bufSize],
    strideBytes: more.strideBytes ?? words[at + RING.bufSize],
    hasOffsets: words[at + RING.offsetMask] !== 0 || words[at + RING.offsetMask + 1] !== 0,
    hasTimes: more.hasTimes ?? false,
    originals: more.originals,
  };
}

/** The rings that a netmap_if at byte `offset` lists; those that are not bound are left out. */
export function ringsOfInterface(
  words: Int32Array,
  offset: number,
  more: RingMore = {},
): { tx: Ring[]; rx: Ring[] } {
  const view = new DataView(words.buffer, words.byteOffset + offset);
  const count = (field: number) => view.getUint32(field, true);
  const txCount = count(INTERFACE.txRings) + count(INTERFACE.hostTxRings);
  const rxCount = count(INTERFACE.rxRings) + count(INTERFACE.hostRxRings);
  const ring = (index: number) => Number(view.getBigInt64(INTERFACE.ringOffsets + 8 * index, true));
  const list = (first: number, length: number) =>
    Array.from({ length }, (_, i) => ring(first + i)).filter((o) => o !== 0)
      .map((o) => ringAt(words, offset + o, more));
  return { tx: list(0, txCount), rx: list(txCount, rxCount) };
}

/** Slots ready in a ring: `[head, tail)`. */
export function slotsReady(ring: Ring): number {
  const ready = ring.words[ring.at + RING.tail] - ring.words[ring.at + RING.head];
  return ready < 0 ? ready + ring.slotCount : ready;
}

/** Gives the first `count` ready slots back (receive) or hands them over (transmit), at the next sync. */
export function advance(ring: Ring, count: number): void {
  let head = ring.words[ring.at + RING.head] + count;
  if (head >= ring.slotCount) head -= ring.slotCount;
  ring.words[ring.at + RING.head] = head;
  ring.words[ring.at + RING.cur] = head;
}

/** Byte in `ring.bytes` where the buffer of a slot begins; `slot` is the word index of the slot. */
export function bufferByte(ring: Ring, slot: number): number {
  return (ring.buffersAt - ring.at) * 4 + ring.words[slot] * ring.strideBytes;
}
