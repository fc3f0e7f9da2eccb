/**
 * Purpose: from a payload to a tick record, for the plain loop and as source for the hot loop.
 *
 * A tick's payload is malformed where the type or the side is unknown, or the price or the quantity is
 * NaN, infinite or negative. As bits of an f32: not below 0x7f800000 when taken as unsigned, except
 * 0x80000000, which is minus zero and so is neither.
 */
import { PAYLOAD_LENGTH, RECORD_SHIFT } from "../engine/tick.ts";
import { RECORDS_WORD } from "../engine/tick_ring.ts";
import { PLAIN_PAYLOAD_AT } from "../filter/fast_path.ts";

const INFINITY_BITS = 0x7f800000, MINUS_ZERO_BITS = -0x80000000;
const TYPES = 3, SIDES = 2;

/** Bytes of the payload that `decodeTick` reads. */
export const TICK_BYTES = PAYLOAD_LENGTH;

/**
 * Decodes the payload at byte `at` into the record at `position` of the ring's words.
 * Returns whether it is a tick; the record is written in any case, and visible only once published.
 */
export function decodeTick(
  bytes: Uint8Array,
  at: number,
  out: Int32Array,
  position: number,
  mask: number,
): boolean {
  const word = RECORDS_WORD + ((position & mask) << RECORD_SHIFT);
  const type = bytes[at + 4], side = bytes[at + 5];
  const price = le32(bytes, at + 6), quantity = le32(bytes, at + 10);
  out[word] = le32(bytes, at);
  out[word + 1] = type | side << 8;
  out[word + 2] = price;
  out[word + 3] = quantity;
  return type < TYPES && side < SIDES && isAmount(price) && isAmount(quantity);
}

function isAmount(bits: number): boolean {
  return (bits >>> 0) < INFINITY_BITS || bits === MINUS_ZERO_BITS;
}

function le32(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

/** The decoder as source; `w0`, `w1`, … stand for the words of a packet whose payload is at byte 42. */
export interface DecoderSource {
  /** All hold: surely a tick. Otherwise `decodeTick` decides. */
  sure: string[];
  /** The words of the record. */
  record: string[];
}

/** The source of the tick decoder. */
export function tickDecoderSource(): DecoderSource {
  const first = PLAIN_PAYLOAD_AT >> 2; // the payload begins in this word's upper half
  const next = `w${first + 1}`, price = `w${first + 2}`, quantity = `w${first + 3}`;
  return {
    sure: [
      // Side 0 or 1 and no more (bit 8 may be set), type 0, 1 or 2.
      `(${next} >>> 16 & 0xfeff) <= 2`,
      `${price} >>> 0 < ${INFINITY_BITS}`,
      `${quantity} >>> 0 < ${INFINITY_BITS}`,
    ],
    record: [`w${first} >>> 16 | ${next} << 16`, `${next} >>> 16`, price, quantity],
  };
}
