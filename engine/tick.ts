/**
 * The tick: one decoded market update, as it is on the wire and as it is in the
 * tick ring.
 *
 * On the wire, a UDP payload of exactly 14 bytes, little-endian (seed.md):
 *
 * ```text
 *  0               4    5    6               10              14
 * ┌───────────────┬────┬────┬───────────────┬───────────────┐
 * │ instrument u32│type│side│ price f32     │ quantity f32  │
 * └───────────────┴────┴────┴───────────────┴───────────────┘
 * ```
 *
 * In the ring, a record of four 32-bit words, so that it never straddles a
 * cache line and is written with four whole-word stores:
 *
 * ```text
 *  word 0          1                  2               3
 * ┌───────────────┬──────────────────┬───────────────┬───────────────┐
 * │ instrument u32│ type | side << 8 │ price f32     │ quantity f32  │
 * └───────────────┴──────────────────┴───────────────┴───────────────┘
 *                   upper 16 bits: 0
 * ```
 *
 * Whoever writes a record has checked it: the type and the side are known, the
 * price and the quantity are finite and not negative.
 *
 * @module
 */

/** Length of the wire payload, in bytes. */
export const PAYLOAD_LENGTH = 14;
/** Offset of the instrument (u32) in the payload. */
export const PAYLOAD_INSTRUMENT_OFFSET = 0;
/** Offset of the instrument type (u8) in the payload. */
export const PAYLOAD_TYPE_OFFSET = 4;
/** Offset of the side (u8) in the payload. */
export const PAYLOAD_SIDE_OFFSET = 5;
/** Offset of the price (f32) in the payload. */
export const PAYLOAD_PRICE_OFFSET = 6;
/** Offset of the quantity (f32) in the payload. */
export const PAYLOAD_QUANTITY_OFFSET = 10;

/** Words in a record: a power of two, so that a position is shifted, not multiplied. */
export const RECORD_WORDS = 4;
/** By how much a position is shifted to give its record's first word, counted from the first record. */
export const RECORD_SHIFT = 2;
/** Word of the instrument in a record. */
export const INSTRUMENT_WORD = 0;
/** Word of the instrument type and the side in a record. */
export const KIND_WORD = 1;
/** Word of the price in a record: the bits of a float32. */
export const PRICE_WORD = 2;
/** Word of the quantity in a record: the bits of a float32. */
export const QUANTITY_WORD = 3;
/** Bits by which the side stands above the instrument type in {@linkcode KIND_WORD}. */
export const SIDE_SHIFT = 8;

/** The instrument types; the numbers are the wire's. */
export const InstrumentType = { underlying: 0, option: 1, future: 2 } as const;
/** A number of {@linkcode InstrumentType}. */
export type InstrumentType = typeof InstrumentType[keyof typeof InstrumentType];

/** The sides; the numbers are the wire's. An order to buy is a bid, to sell an ask. */
export const Side = { bid: 0, ask: 1 } as const;
/** A number of {@linkcode Side}. */
export type Side = typeof Side[keyof typeof Side];

/** A tick as an object: for tests, logs and tools, never for the hot path. */
export interface Tick {
  /** Identifier of the instrument, any u32. */
  instrument: number;
  /** What the instrument is. */
  type: InstrumentType;
  /** Which side of the market was updated. */
  side: Side;
  /** Price in the venue's currency; a float32, finite, not negative. */
  price: number;
  /** Quantity on offer at the price; a float32, finite, not negative. */
  quantity: number;
}

/**
 * Reads the record at `word` into an object.
 *
 * @param words the ring's memory as words
 * @param floats the same memory as float32
 * @param word index of the record's first word
 *
 * @example What has been written
 * ```ts
 * import { InstrumentType, readTick, Side, writeTick } from "@uspf/uspf";
 *
 * const words = new Int32Array(4), floats = new Float32Array(words.buffer);
 * const tick = { instrument: 7, type: InstrumentType.option, side: Side.ask, price: 1.5, quantity: 3 };
 * writeTick(words, floats, 0, tick);
 * console.assert(readTick(words, floats, 0).price === 1.5);
 * ```
 */
export function readTick(words: Int32Array, floats: Float32Array, word: number): Tick {
  const kind = words[word + KIND_WORD];
  return {
    instrument: words[word + INSTRUMENT_WORD] >>> 0,
    type: (kind & 0xff) as InstrumentType,
    side: (kind >>> SIDE_SHIFT & 0xff) as Side,
    price: floats[word + PRICE_WORD],
    quantity: floats[word + QUANTITY_WORD],
  };
}

/**
 * Writes `tick` as the record at `word`, unchecked; price and quantity are
 * rounded to float32.
 *
 * @param words the ring's memory as words
 * @param floats the same memory as float32
 * @param word index of the record's first word
 *
 * @example A producer of a ring
 * ```ts
 * import { InstrumentType, RECORD_SHIFT, RECORDS_WORD, Side, TickRing, writeTick } from "@uspf/uspf";
 *
 * const ring = TickRing.create(256), { words, floats, tail, mask } = ring;
 * if (ring.claim(1) === 1) {
 *   const tick = { instrument: 7, type: InstrumentType.future, side: Side.bid, price: 9, quantity: 1 };
 *   writeTick(words, floats, RECORDS_WORD + ((tail & mask) << RECORD_SHIFT), tick);
 *   ring.publish(1);
 * }
 * console.assert(ring.take(1) === 1 && ring.tickAt(0).instrument === 7);
 * ```
 */
export function writeTick(words: Int32Array, floats: Float32Array, word: number, tick: Tick): void {
  words[word + INSTRUMENT_WORD] = tick.instrument;
  words[word + KIND_WORD] = tick.type | tick.side << SIDE_SHIFT;
  floats[word + PRICE_WORD] = tick.price;
  floats[word + QUANTITY_WORD] = tick.quantity;
}
