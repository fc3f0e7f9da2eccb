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
import { GROWTH, LINK, toEthernet } from "./link_types.ts";

/** The largest packet that any writer writes: MAXIMUM_SNAPLEN of libpcap. A larger one is damage. */
export const MAX_PACKET_BYTES = 262144;
/** The most of a packet that a slot shows; what is longer is cut, and the filter finds it truncated. */
export const MAX_SLOT_BYTES = 65535;
/** What a window must hold besides a chunk: the largest record, its options included. */
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

/** A sentence on damage at the window's position, or `before` it. */
export function damageAt(window: FileWindow, reason: string, before = 0): string {
  return `damaged at byte ${
    window.offset - before
  }: ${reason}: all before it was read, fetch the file anew`;
}

/**
 * Makes a packet an Ethernet packet that begins at a word; returns its length. It begins at the word of
 * `at - GROWTH[kind]` then.
 */
export function settle(
  window: FileWindow,
  at: number,
  captured: number,
  kind: number,
): number {
  const growth = GROWTH[kind], start = at - growth;
  // Not even its own link header is there: nothing can be said of it.
  if (kind !== LINK.ethernet && captured < 14 - growth) return 0;
  if (kind !== LINK.ethernet) toEthernet(window.bytes, at, captured, kind);
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
