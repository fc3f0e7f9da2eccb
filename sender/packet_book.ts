/**
 * Purpose: the packets of a sender, made once: of each only the four words in which packets differ.
 *
 * ```text
 *  word 0  UDP checksum (low half) | instrument, low half      = word 10 of the packet
 *  word 1  instrument, high half   | type | side                      11
 *  word 2  price                                                      12
 *  word 3  quantity                                                   13
 * ```
 * The market's first ticks are repeated for ever: enough of them that each instrument comes many times,
 * few enough to stay in a cache. To send one is then to store its words, nothing to compute.
 */
import type { Market } from "./market.ts";
import type { PacketTemplate } from "./packet_template.ts";

/** Words of a packet in the book. */
export const BOOK_WORDS = 4;

const LEAST_PACKETS = 16384, TICKS_AN_INSTRUMENT = 16;
const TICK_WORD = 10;

/** How many packets a book has for so many instruments: a power of two. */
export function bookSize(instruments: number): number {
  const wanted = Math.max(LEAST_PACKETS, instruments * TICKS_AN_INSTRUMENT);
  return 2 ** Math.ceil(Math.log2(wanted));
}

/** Makes `packets` packets from the market's next ticks. */
export function makeBook(template: PacketTemplate, market: Market, packets: number): Int32Array {
  const book = new Int32Array(packets * BOOK_WORDS), packet = new Int32Array(template.packetWords);
  for (let at = 0; at < packets;) {
    const count = market.fill(packets - at);
    for (let i = 0; i < count; i++, at++) {
      const { ticks } = market, t = i * 4;
      template.write(packet, 0, ticks[t], ticks[t + 1], ticks[t + 2], ticks[t + 3]);
      book.set(packet.subarray(TICK_WORD, TICK_WORD + BOOK_WORDS), at * BOOK_WORDS);
    }
  }
  return book;
}
