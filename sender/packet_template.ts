/**
 * A packet that is built once and of which only the tick changes.
 *
 * The packet is kept as 32-bit words, as a little-endian host reads them. The
 * payload starts in the middle of a word, so its fields meet the words so:
 *
 * ```
 * word 10   UDP checksum (low half) | instrument, low half
 * word 11   instrument, high half   | type | side
 * word 12   price, f32 bits
 * word 13   quantity, f32 bits
 * ```
 *
 * The one's complement sum does not care for byte order (RFC 1071, section 2),
 * so it is taken over the halves of these words and stored as it comes out.
 *
 * The writer is generated source with the constant words as literals.
 *
 * @module
 */

import { buildPacket, MAX_PAYLOAD_BYTES, type PacketFields } from "./build_packet.ts";

/** A tick on the wire: u32, u8, u8, f32, f32. */
const TICK_BYTES = 14;

/** The first word that a tick changes, and the first that none reaches. */
const FIRST_TICK_WORD = 10;
const PADDING_WORD = 14;

/**
 * What a packet has unless told: from 02:00:00:00:00:01, 10.0.0.1:5000 to everybody, 10.0.0.2:5001. The
 * Ethernet address is a locally administered one (IEEE 802), the others are of a private network (RFC 1918).
 */
const DEFAULT_FIELDS: Required<PacketTemplateFields> = {
  sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1),
  destinationMac: new Uint8Array(6).fill(0xff),
  sourceAddress: 0x0a000001,
  destinationAddress: 0x0a000002,
  sourcePort: 5000,
  destinationPort: 5001,
  ttl: 64,
  payloadBytes: TICK_BYTES,
};

/** The template's fields: a packet's, and how long its payload is; by default those of `deno task send`. */
export interface PacketTemplateFields extends Partial<PacketFields> {
  /** From 14, a tick and the default, to 1472; what exceeds the tick is zeros. */
  payloadBytes?: number;
}

/**
 * Writes one whole packet, zero-padded to `packetWords`, at a word index.
 *
 * The caller sees to it that the words fit behind `at`, as each buffer of a
 * ring is large enough for any packet.
 *
 * @param typeAndSide The type in bits 0 to 7, the side in bits 8 to 15, the
 * rest 0.
 * @param priceBits The bits of an f32.
 * @param quantityBits The bits of an f32.
 */
export type WritePacket = (
  words: Int32Array,
  at: number,
  instrument: number,
  typeAndSide: number,
  priceBits: number,
  quantityBits: number,
) => void;

/**
 * Builds the constant part of a packet once, and a writer for the rest.
 *
 * @example A packet with a tick
 * ```ts
 * import { Market, PacketTemplate } from "@uspf/uspf";
 *
 * const template = new PacketTemplate({ destinationPort: 5002 }), market = new Market();
 * const words = new Int32Array(template.packetWords), { ticks } = market;
 * market.fill(1);
 * template.write(words, 0, ticks[0], ticks[1], ticks[2], ticks[3]);
 * const packet = new Uint8Array(words.buffer, 0, template.packetBytes);
 * console.assert(packet[36] * 256 + packet[37] === 5002);
 * ```
 */
export class PacketTemplate {
  /** The packet's length on the wire, without the Ethernet checksum. */
  readonly packetBytes: number;
  /** How many words {@linkcode write} writes. */
  readonly packetWords: number;
  /** The packet with a tick of zeros, as words; its UDP checksum is that of such a tick. */
  readonly words: Int32Array;
  /** The one's complement sum over what the UDP checksum covers but the tick. */
  readonly partialSum: number;
  /** The source of {@linkcode write}, to be read by people. */
  readonly source: string;
  /** Writes the packet with one tick in it; never throws, never allocates. */
  readonly write: WritePacket;
  /**
   * Changes the tick and the checksum alone, where this template's packet
   * already stands: for ports whose buffers stay in their ring.
   */
  readonly patch: WritePacket;

  /**
   * Builds the packet and compiles its writers.
   *
   * @throws {RangeError} If a field is out of range.
   */
  constructor(fields: PacketTemplateFields = {}) {
    const all = { ...DEFAULT_FIELDS, ...fields };
    checkPayload(all.payloadBytes);
    const packet = buildPacket(all, new Uint8Array(all.payloadBytes));
    const words = wordsOf(packet);
    const partial = partialSum(words, packet.length);
    this.words = words;
    this.partialSum = partial;
    this.packetBytes = packet.length;
    this.packetWords = words.length;
    this.source = writerSource("writePacket", partial, constantStores(words));
    this.write = compile(this.source);
    this.patch = compile(writerSource("patchPacket", partial, ""));
  }
}

function compile(source: string): WritePacket {
  return new Function(source)() as WritePacket;
}

function checkPayload(bytes: number): void {
  const inRange = bytes >= TICK_BYTES && bytes <= MAX_PAYLOAD_BYTES;
  if (Number.isInteger(bytes) && inRange) return;
  throw new RangeError(
    `Cannot build a packet: payload length is "${bytes}": ` +
      `it must be an integer from ${TICK_BYTES} to ${MAX_PAYLOAD_BYTES}`,
  );
}

function wordsOf(packet: Uint8Array): Int32Array {
  const padded = new Uint8Array(Math.ceil(packet.length / 4) * 4);
  padded.set(packet);
  return new Int32Array(padded.buffer);
}

/**
 * The sum over all that the UDP checksum covers but the tick: source and
 * destination address, protocol, length (RFC 768), and the UDP header.
 */
function partialSum(words: Int32Array, packetBytes: number): number {
  const halves = new Uint16Array(words.buffer);
  const udpBytes = packetBytes - 34;
  let sum = (17 << 8) + ((udpBytes & 0xff) << 8) + (udpBytes >>> 8);
  for (let half = 13; half < 20; half++) sum += halves[half];
  return (sum & 0xffff) + (sum >>> 16);
}

function writerSource(name: string, partial: number, stores: string): string {
  return `"use strict";
return function ${name}(
  words, at, instrument, typeAndSide, priceBits, quantityBits,
) {
  let sum = ${partial} + (instrument & 0xffff) + (instrument >>> 16) +
    (typeAndSide & 0xffff) + (priceBits & 0xffff) + (priceBits >>> 16) +
    (quantityBits & 0xffff) + (quantityBits >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~(sum + (sum >>> 16)) & 0xffff;
${stores}  // A checksum of 0 borrows from above and becomes 0xffff.
  words[at + 10] = checksum | ((checksum - 1) >>> 16) | (instrument << 16);
  words[at + 11] = (instrument >>> 16) | (typeAndSide << 16);
  words[at + 12] = priceBits;
  words[at + 13] = quantityBits;
};
`;
}

function constantStores(words: Int32Array): string {
  const header = Array.from(
    words.subarray(0, FIRST_TICK_WORD),
    (word, index) => `  words[at + ${index}] = ${word};\n`,
  );
  const padding = words.length > PADDING_WORD
    ? `  words.fill(0, at + ${PADDING_WORD}, at + ${words.length});\n`
    : "";
  return header.join("") + padding;
}
