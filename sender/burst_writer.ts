/**
 * Purpose: compiles the loop that writes a burst of packets from the book into a transmit ring, for one
 * ring and one template, with the arrays and the header's words as constants in the code (why that is
 * fast: capture/hot_loop.ts).
 *
 * ```text
 *  template ──▶ header words (literals) ─┐
 *  book ──────▶ four words of a packet ──┼─▶ slot's buffer; slot: length
 *               zeros up to 60 bytes ────┘
 * ```
 */
import type { Ring } from "../ffi/layout.ts";
import { BOOK_WORDS } from "./packet_book.ts";
import type { PacketTemplate } from "./packet_template.ts";

const COPIES = 2;
const QUADS = 8; // a plain packet, padded to a cache line
const BOOK_QUAD = 5; // word 10, the first that a tick changes; see PacketTemplate
const PLAIN_WORDS = 14; // of a packet that carries nothing but a tick
const TICK_WORD = 10;

/** Writes `count` packets into the slots from `head` on: those from `from` on in the book, which must not end before. */
export type BurstWriter = (head: number, from: number, count: number) => void;

let compiled = 0;

/** Compiles the writer for a ring. A packet that is shorter than `packetBytes` is padded with zeros. */
export function compileBurstWriter(
  template: PacketTemplate,
  ring: Ring,
  book: Int32Array,
  packetBytes: number,
): BurstWriter {
  const odd = ring.strideBytes % 8 !== 0 || ring.buffersAt % 2 !== 0;
  if (template.packetWords !== PLAIN_WORDS || odd) {
    return plainWriter(template, ring, book, packetBytes);
  }
  const { words } = ring, header = new Int32Array(QUADS * 2);
  header.set(template.words);
  const quads = (array: Int32Array) =>
    new BigInt64Array(array.buffer, array.byteOffset, array.length >> 1);
  const source = `// writer ${++compiled}\n${burstWriterSource(ring, packetBytes)}`;
  const factory = new Function("w", "q", "h", "p", source);
  return factory(words, quads(words), quads(header), quads(book)) as BurstWriter;
}

/**
 * The source that is compiled; free in it are `w` (the region), `q` (the same by 64 bits), `h` (the
 * template) and `p` (the book). The 64-bit moves make no BigInt once compiled.
 */
export function burstWriterSource(ring: Ring, packetBytes: number): string {
  const { slotsAt, buffersAt, slotCount, strideBytes } = ring;
  const isPower = (slotCount & (slotCount - 1)) === 0;
  const slot = (step: string) =>
    isPower ? `(head + ${step} & ${slotCount - 1})` : `((head + ${step}) % ${slotCount})`;
  const place = (step: string) =>
    `const s = ${slotsAt} + (${slot(step)} << 2) | 0, ` +
    `b = ${buffersAt / 2} + Math.imul(W[s], ${strideBytes / 8}) | 0;`;
  const moves = Array.from({ length: QUADS }, (_, k) => {
    const fromBook = k === BOOK_QUAD || k === BOOK_QUAD + 1;
    return `  Q[b + ${k}] = ${fromBook ? `P[j + ${k - BOOK_QUAD}]` : `H[${k}]`};`;
  }).join("\n");
  const body = (step: string) =>
    `{
  ${place(step)}
  const j = from + ${step} << 1;
${moves}
  W[s + 1] = ${packetBytes};
}`;
  const copies = Array.from({ length: COPIES }, (_, k) => body(k === 0 ? "i" : `i + ${k}`));
  return `"use strict";
const W = w, Q = q, H = h, P = p;
return function writeBurst(first, start, wanted) {
  const head = first | 0, from = start | 0, count = wanted | 0, last = count - ${COPIES} | 0;
  let i = 0;
  for (; i <= last; i += ${COPIES}) {
${copies.join("\n")}
  }
  for (; i < count; i++) {
${body("i")}
  }
};
`;
}

/** For other payloads and odd buffers: the packet once with `write`, its four words from the book. */
function plainWriter(
  template: PacketTemplate,
  { words, slotsAt, buffersAt, slotCount, strideBytes }: Ring,
  book: Int32Array,
  packetBytes: number,
): BurstWriter {
  const bufferWords = strideBytes >> 2;
  return (head, from, count) => {
    for (let i = 0; i < count; i++) {
      const s = slotsAt + (head + i) % slotCount * 4, at = buffersAt + words[s] * bufferWords;
      words.fill(0, at, at + Math.ceil(packetBytes / 4));
      words.set(template.words, at);
      words.set(
        book.subarray((from + i) * BOOK_WORDS, (from + i + 1) * BOOK_WORDS),
        at + TICK_WORD,
      );
      words[s + 1] = packetBytes;
    }
  };
}
