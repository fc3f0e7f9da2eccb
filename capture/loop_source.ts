/**
 * Purpose: the pieces of source that the packet loops are made of: where a slot's packet begins, which
 * packets are plain, what becomes of a plain one.
 *
 * Free in them are `W`, the region; `OUT`, the tick ring; `PICKS`; `s` and `b`, the words where the slot and
 * its packet begin; `n`, the position in the tick ring; and `w0`, `w1`, … for the packet's words.
 */
import { RECORDS_WORD } from "../engine/tick_ring.ts";
import type { Ring } from "../ffi/layout.ts";
import type { FastPath } from "../filter/fast_path.ts";
import { tickDecoderSource } from "./tick_decoder.ts";

/** What of a ring is written into the code as literals. */
export type RingShape = Pick<Ring, "slotCount" | "bufferBytes" | "strideBytes" | "hasOffsets">;

/** Index of the slot `step` behind the head. */
export function slotSource(slotCount: number, step: string): string {
  return isPower(slotCount)
    ? `(head + ${step} & ${slotCount - 1})`
    : `((head + ${step}) % ${slotCount})`;
}

/** The words where the slot `step` behind the head, and its packet, begin. */
export function packetSource({ slotCount, strideBytes }: RingShape, step: string): string {
  const words = strideBytes / 4;
  const buffer = isPower(words) ? `(W[s] << ${Math.log2(words)})` : `Math.imul(W[s], ${words})`;
  return `const s = slots + (${
    slotSource(slotCount, step)
  } << 2) | 0, b = buffers + ${buffer} | 0;`;
}

/** Whether a packet is plain and surely a tick. */
export function plainSource({ plain }: FastPath): string[] {
  return [...plain, ...tickDecoderSource().sure];
}

/** What becomes of a plain packet: its tick is stored in any case, and the position moves on, or a reject is counted. */
export function storeSource({ rejects }: FastPath, capacity: number, picking: boolean): string {
  const { record } = tickDecoderSource();
  return [
    ...rejects.map(({ verdict, differs }) => `const d${verdict} = ${differs};`),
    `const ${record.map((word, i) => `x${i} = ${word}`).join(", ")};`,
    `const o = ${RECORDS_WORD} + ((n & ${capacity - 1}) << 2);`,
    ...record.map((_, i) => `OUT[o${i ? ` + ${i}` : ""}] = x${i};`),
    ...(picking ? ["PICKS[picked + n | 0] = s;"] : []),
    ...decideSource(rejects.map(({ verdict }) => verdict)),
  ].join("\n");
}

/** Whether packets can be read by whole words where they lie, and are large enough. */
export function canBePlain(shape: RingShape, minimumBytes: number): boolean {
  return !shape.hasOffsets && shape.strideBytes % 4 === 0 && shape.bufferBytes >= minimumBytes;
}

/** The loop for rings whose packets begin on no whole word: all goes the plain way. */
export const NOTHING_PLAIN = `return () => 0;\n`;

/** The text, each line further in by so many spaces. */
export function indent(text: string, by: number): string {
  return text.split("\n").map((line) => line === "" ? line : " ".repeat(by) + line).join("\n");
}

/** Moves the position on where nothing differs, and counts the first that does, but not the last; without a branch. */
function decideSource(verdicts: number[]): string[] {
  if (verdicts.length === 0) return [`n = n + 1 | 0;`];
  const lines: string[] = [];
  verdicts.slice(0, -1).forEach((verdict, i) => {
    const before = verdicts.slice(0, i).map((v) => `d${v}`).join(" | ");
    const first = before === "" ? "" : ` & ((${before}) - 1 >>> 31)`;
    lines.push(`r${verdict} = r${verdict} + (0 - d${verdict} >>> 31${first}) | 0;`);
  });
  lines.push(`n = n + ((${verdicts.map((v) => `d${v}`).join(" | ")}) - 1 >>> 31) | 0;`);
  return lines;
}

function isPower(value: number): boolean {
  return (value & (value - 1)) === 0;
}
