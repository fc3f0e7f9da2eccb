/**
 * Purpose: what the formats of capture files share: from a record in the window to a packet in a slot.
 *
 * ```text
 *  window   │ record header  │ packet         │ record header │ packet ...
 *  settled  │ record head │ packet         │    moved down by 0 to 3 bytes, over its own record header
 *                         ▲ begins at a word: slot.buf_idx
 * ```
 */
import type { FileWindow } from "./file_window.ts";
import type { Ring } from "./layout.ts";
import { GROWTH, LINK, toEthernet } from "./link_types.ts";

/** The largest packet that any writer writes: MAXIMUM_SNAPLEN of libpcap. A larger one is damage. */
export const MAX_PACKET_BYTES = 262144;
/** The most of a packet that a slot shows; what is longer is cut, and the filter finds it truncated. */
export const MAX_SLOT_BYTES = 65535;
/** What a window must hold besides a chunk: the largest packet with what is around it. */
export const MAX_RECORD_BYTES = 2 * MAX_PACKET_BYTES;

/** A capture file, of whatever format, from its first record on. */
export interface CaptureFile {
  /** Format, for people. */
  readonly mode: string;
  /** Why there can be no more packets, with the remedy; `take` has shown all before. */
  readonly failure: string | undefined;
  /**
   * Puts the next packets of the window into the slots from `first` on, `count` at most; returns how many.
   * 0: the window must be refilled, or `failure` says why. All slots must have been released.
   */
  take(first: number, count: number): number;
  /** What is left in the window at the end of the file, if it is not whole. */
  cutOff(): string | undefined;
}

/** A sentence on a record at the window's position that is too large to be read. */
export function tooLargeAt(window: FileWindow, bytes: number, most: number): string {
  return `a block of ${bytes} bytes at byte ${window.offset}, where ${most} are the most: ` +
    "all before it was read, look whether the file is damaged";
}

/** A sentence on damage at the window's position, or `before` it. */
export function damageAt(window: FileWindow, reason: string, before = 0): string {
  return `damaged at byte ${
    window.offset - before
  }: ${reason}: all before it was read, fetch the file anew`;
}

/**
 * What a parser leaves in a slot's second word where its packet is not yet as it must be: the bytes
 * captured, the kind of its link type, and how many bytes behind `buf_idx` it begins.
 */
const CAPTURED_MASK = 0xfffff;
export const KIND_SHIFT = 20, BEHIND_SHIFT = 24;

/**
 * Makes the packets of `count` slots Ethernet packets that begin at words; returns how many of them could
 * be: a header that grows may want the last byte of the packet before, which must be released first.
 */
export function settle(window: FileWindow, ring: Ring, first: number, count: number): number {
  const { words } = window, { slotsAt, buffersAt } = ring, mask = ring.slotCount - 1;
  for (let i = 0, floor = 0; i < count; i++) {
    const slot = slotsAt + ((first + i & mask) << 2), word = words[slot + 1];
    const begin = words[slot] + buffersAt << 2;
    if (word >>> 16 === 0) {
      floor = begin + word;
      continue;
    }
    const kind = word >>> KIND_SHIFT & 7, start = begin + (word >>> BEHIND_SHIFT) - GROWTH[kind];
    if (start - (start & 3) < floor) return i;
    const length = settled(window, start, word & CAPTURED_MASK, kind);
    words[slot] = (start >> 2) - buffersAt;
    words[slot + 1] = length;
    floor = start - (start & 3) + length;
  }
  return count;
}

/** Writes the Ethernet header of a packet that then begins at `start`, and moves it down; returns its length. */
function settled(window: FileWindow, start: number, captured: number, kind: number): number {
  const growth = GROWTH[kind];
  if (kind !== LINK.ethernet) {
    // Not even its own link header is there: nothing can be said of it.
    if (captured < 14 - growth) return 0;
    toEthernet(window.bytes, start + growth, captured, kind);
  }
  const grown = captured + growth, length = grown < MAX_SLOT_BYTES ? grown : MAX_SLOT_BYTES;
  if ((start & 3) !== 0) moveDown(window.words, window.bytes, start, length);
  return length;
}

/** Moves `length` bytes from `from` to the beginning of its word; writes nothing behind them. */
function moveDown(words: Int32Array, bytes: Uint8Array, from: number, length: number): void {
  const right = (from & 3) << 3, left = 32 - right, first = from >> 2, last = first + (length >> 2);
  let low = words[first];
  for (let k = first; k < last; k++) {
    const high = words[k + 1];
    words[k] = low >>> right | high << left;
    low = high;
  }
  const shift = from & 3;
  for (let b = last << 2, end = (first << 2) + length; b < end; b++) bytes[b] = bytes[b + shift];
}

/** Of the original packet the last bytes are the FCS; it is not part of the packet. */
export function withoutFcs(captured: number, original: number, fcsBytes: number): number {
  const most = (original >>> 0) - fcsBytes;
  return most < captured ? (most > 0 ? most : 0) : captured;
}

/** What is to be added to a packet's original length, since its header grows and its FCS is left out. */
export function lengthChange(kind: number, fcsBytes: number): number {
  return GROWTH[kind] - fcsBytes;
}

/** A word in the other byte order. */
export function swap(value: number): number {
  return value << 24 | (value & 0xff00) << 8 | value >>> 8 & 0xff00 | value >>> 24;
}
