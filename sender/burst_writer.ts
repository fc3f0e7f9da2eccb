/**
 * Purpose: compiles the loop that writes a burst of packets into a transmit ring, for one ring and one
 * template: what `PacketTemplate.write` does for one packet, with the arrays and the header's words as
 * constants in the code (why that is fast: capture/hot_loop.ts).
 *
 * ```text
 *  ticks ──▶ slot's buffer: header words (literals), checksum, tick, padding
 *        ──▶ slot: length
 * ```
 */
import type { Ring } from "../ffi/layout.ts";
import type { PacketTemplate } from "./packet_template.ts";

const COPIES = 2;
const VIEW_MARGIN = 16;
const TICK_WORD = 10; // the first that a tick changes; see PacketTemplate
const PLAIN_WORDS = 14; // of a packet that carries nothing but a tick

/** Writes `count` packets into the slots from `head` on, with the first ticks of the market's burst. */
export type BurstWriter = (head: number, count: number) => void;

let compiled = 0;

/**
 * Compiles the writer for a ring. A packet that is shorter than `packetBytes` is padded with zeros.
 *
 * @param ticks Four words a tick, as of {@linkcode Market.ticks}.
 */
export function compileBurstWriter(
  template: PacketTemplate,
  ring: Ring,
  ticks: Int32Array,
  packetBytes: number,
): BurstWriter {
  if (template.packetWords !== PLAIN_WORDS || ring.bufferBytes % 4 !== 0) {
    return plainWriter(template, ring, ticks, packetBytes);
  }
  const { words } = ring, length = words.length - VIEW_MARGIN;
  const view = (k: number) => new Int32Array(words.buffer, words.byteOffset + k * 4, length);
  const source = `// writer ${++compiled}\n${burstWriterSource(template, ring, packetBytes)}`;
  return new Function("w", "t", "view", source)(words, ticks, view) as BurstWriter;
}

/** The source that is compiled; free in it are `w` (the region), `t` (the ticks) and `view`. */
export function burstWriterSource(
  template: PacketTemplate,
  { slotsAt, buffersAt, slotCount, bufferBytes }: Ring,
  packetBytes: number,
): string {
  const views = Array.from({ length: PLAIN_WORDS + 1 }, (_, k) => `w${k} = view(${k})`).join(", ");
  const isPower = (slotCount & (slotCount - 1)) === 0;
  const slot = (step: string) =>
    isPower ? `(head + ${step} & ${slotCount - 1})` : `((head + ${step}) % ${slotCount})`;
  const header = [...template.words.subarray(0, TICK_WORD)]
    .map((word, k) => `    w${k}[b] = ${word};`).join("\n");
  const body = (step: string) =>
    `  {
    const s = ${slotsAt} + (${slot(step)} << 2) | 0, b = ${buffersAt} + Math.imul(W[s], ${
      bufferBytes / 4
    }) | 0;
    const j = ${step} << 2, instrument = T[j], kind = T[j + 1], price = T[j + 2], quantity = T[j + 3];
    const sum = ${template.partialSum} + (instrument & 0xffff) + (instrument >>> 16) + kind +
      (price & 0xffff) + (price >>> 16) + (quantity & 0xffff) + (quantity >>> 16) | 0;
    const once = (sum & 0xffff) + (sum >>> 16) | 0, checksum = ~(once + (once >>> 16)) & 0xffff;
${header}
    w10[b] = checksum | (checksum - 1 >>> 16) | instrument << 16;
    w11[b] = instrument >>> 16 | kind << 16;
    w12[b] = price;
    w13[b] = quantity;
    w14[b] = 0;
    W[s + 1] = ${packetBytes};
  }`;
  const copies = Array.from({ length: COPIES }, (_, k) => body(k === 0 ? "i" : `(i + ${k})`));
  return `"use strict";
const W = w, T = t;
const ${views}; // wK[b] is word K of the packet that begins at word b
return function writeBurst(first, wanted) {
  const head = first | 0, count = wanted | 0, last = count - ${COPIES} | 0;
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

/** For other payloads and odd buffers. */
function plainWriter(
  template: PacketTemplate,
  { words, slotsAt, buffersAt, slotCount, bufferBytes }: Ring,
  ticks: Int32Array,
  packetBytes: number,
): BurstWriter {
  const bufferWords = bufferBytes >> 2;
  return (head, count) => {
    for (let i = 0; i < count; i++) {
      const s = slotsAt + (head + i) % slotCount * 4, at = buffersAt + words[s] * bufferWords;
      for (let word = template.packetWords; word * 4 < packetBytes; word++) words[at + word] = 0;
      const t = i * 4;
      template.write(words, at, ticks[t], ticks[t + 1], ticks[t + 2], ticks[t + 3]);
      words[s + 1] = packetBytes;
    }
  };
}
