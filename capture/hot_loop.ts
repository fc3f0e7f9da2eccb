/**
 * Purpose: compiles the packet loop from the filter's and the decoder's source, for one region and one
 * tick ring.
 *
 * ```text
 *  filter.fastPath() ─┐
 *  decoder source ────┼─▶ one body ─▶ 4 copies in a row, then a loop for the rest ─▶ new Function
 *  region, tick ring ─┘
 * ```
 * A body reads a packet by whole words and has one branch, which market data takes always the same way:
 * a plain packet's tick is stored in any case, and the position moves on by 0 or 1. At anything that is
 * not plain (options, tags, other sizes) the loop stops, for the plain loop to go on; without a call in
 * it, V8 keeps it in registers.
 *
 * What makes it fast, measured with `deno task bench hot_loop`:
 * - The arrays are constants of the closure, so V8 writes their addresses and lengths into the code. This
 *   wants a text of its own for each loop: functions of the same text share one code without constants.
 * - A packet's word `k` is read through a view of its own that begins `k` words later. All have the same
 *   length and are read at the same index, so one bounds check serves them all.
 * - All packets of a run have the same length and flags: one comparison, and nothing to add up.
 * - Four copies: with eight the code outgrows the decoder's cache, with one the counters cost more.
 */
import { RECORDS_WORD, type TickRing } from "../engine/tick_ring.ts";
import { MORE_FRAGMENTS, type Ring } from "../ffi/layout.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { TALLY_BYTES } from "./tally.ts";
import { tickDecoderSource } from "./tick_decoder.ts";

const COPIES = 4;
const VIEW_MARGIN = 16; // words by which the views are shorter than the region

/** What of a ring is written into the code as literals. */
export type RingShape = Pick<Ring, "slotCount" | "bufferBytes" | "strideBytes" | "hasOffsets">;

/**
 * Handles `count` slots of the ring whose slots and buffers are at these words, from `head` on; ticks go
 * to the tick ring from `position` on, where there is room. Returns the slots used: it stops before a
 * packet that is not plain.
 */
export type HotLoop = (
  slotsAt: number,
  buffersAt: number,
  head: number,
  count: number,
  position: number,
  tally: Int32Array,
) => number;

/** The loop's source, and the loop. */
export interface CompiledLoop {
  source: string;
  run: HotLoop;
}

let compiled = 0;

/**
 * Compiles the loop for the rings of a region that have this ring's shape. With `picks` it also notes
 * there, by its index among those accepted since the tally was cleared, the slot of each packet accepted.
 */
export function compileHotLoop(
  filter: PacketFilter,
  ring: Ring,
  ticks: TickRing,
  picks?: Int32Array,
): CompiledLoop {
  const source = hotLoopSource(filter, ring, ticks.capacity, picks !== undefined);
  const { words } = ring, length = words.length - VIEW_MARGIN;
  const view = (k: number) => new Int32Array(words.buffer, words.byteOffset + k * 4, length);
  const factory = new Function("w", "view", "out", "picks", `// loop ${++compiled}\n${source}`);
  return { source, run: factory(words, view, ticks.words, picks) as HotLoop };
}

/** The source that is compiled; free in it are `w` (the region), `view`, `out` (the tick ring) and `picks`. */
export function hotLoopSource(
  filter: PacketFilter,
  shape: RingShape,
  capacity: number,
  picking = false,
): string {
  const path = filter.fastPath();
  if (!canBePlain(shape, path.minimumBytes)) return NOTHING_PLAIN;
  const body = bodySource(filter, shape, capacity, picking);
  const words = [...new Set(body.match(/\bw\d+\b/g))].sort((a, b) =>
    Number(a.slice(1)) - Number(b.slice(1))
  );
  const views = words.map((word) => `${word} = view(${word.slice(1)})`).join(", ");
  const at = (step: string) => body.replaceAll("STEP", step).replace(/\bw\d+\b/g, "$&[b]");
  const copies = Array.from({ length: COPIES }, (_, i) => at(i === 0 ? "i" : `i + ${i}`));
  const counted = path.rejects.slice(0, -1).map(({ verdict }) => verdict);
  const last = path.rejects.at(-1)?.verdict;
  return `"use strict";
const W = w, OUT = out${picking ? ", PICKS = picks" : ""};
const ${views}; // wK[b] is word K of the packet that begins at word b
return function hotLoop(slotsAt, buffersAt, first, slotsReady, position, tally) {
  const slots = slotsAt | 0, buffers = buffersAt | 0, head = first | 0, count = slotsReady | 0;
  if (count === 0) return 0;
  const like = W[slots + (${
    slotSource(shape.slotCount, "0")
  } << 2) + 1 | 0]; // the first packet's length and flags
  if ((like & 0x${(MORE_FRAGMENTS << 16 | 0xffff).toString(16)}) - ${path.minimumBytes} >>> 0 > ${
    shape.bufferBytes - path.minimumBytes
  }) return 0;
  let n = position | 0, i = 0${counted.map((verdict) => `, r${verdict} = 0`).join("")};
  const start = n, last = count - ${COPIES} | 0;${
    picking ? `\n  const picked = tally[${VERDICT.accepted}] - n | 0;` : ""
  }
  run: {
    for (; i <= last; i += ${COPIES}) {
${indent(copies.join("\n"), 6)}
    }
    for (; i < count; i++) {
${indent(at("i"), 6)}
    }
  }
  tally[${VERDICT.accepted}] += n - start | 0;
  tally[${TALLY_BYTES}] += Math.imul(i, like & 0xffff);
${counted.map((verdict) => `  tally[${verdict}] += r${verdict};\n`).join("")}${
    last === undefined
      ? ""
      : `  tally[${last}] += i - (n - start | 0)${
        counted.map((verdict) => ` - r${verdict}`).join("")
      };\n`
  }  return i;
};
`;
}

/** Where packets begin inside their buffers, or on no whole word, all goes the plain way. */
const NOTHING_PLAIN = `return () => 0;\n`;

function canBePlain(shape: RingShape, minimumBytes: number): boolean {
  return !shape.hasOffsets && shape.strideBytes % 4 === 0 && shape.bufferBytes >= minimumBytes;
}

/** One packet: slot `head + STEP`. */
function bodySource(
  filter: PacketFilter,
  shape: RingShape,
  capacity: number,
  picking: boolean,
): string {
  const { slotCount, strideBytes } = shape;
  const path = filter.fastPath(), decoder = tickDecoderSource();
  const words = strideBytes / 4;
  const buffer = isPower(words) ? `(W[s] << ${Math.log2(words)})` : `Math.imul(W[s], ${words})`;
  const plain = [
    `W[s + 1] === like`,
    ...path.plain,
    ...decoder.sure,
  ];
  return `{
  const s = slots + (${slotSource(slotCount, "STEP")} << 2) | 0, b = buffers + ${buffer} | 0;
  if (
    ${plain.join(" &&\n    ")}
  ) {
${path.rejects.map(({ verdict, differs }) => `    const d${verdict} = ${differs};\n`).join("")}\
    const ${decoder.record.map((word, i) => `x${i} = ${word}`).join(", ")};
    const o = ${RECORDS_WORD} + ((n & ${capacity - 1}) << 2);
${decoder.record.map((_, i) => `    OUT[o${i ? ` + ${i}` : ""}] = x${i};`).join("\n")}${
    picking ? "\n    PICKS[picked + n | 0] = s;" : ""
  }
${indent(decideSource(path.rejects.map(({ verdict }) => verdict)), 4)}
  } else {
    i = STEP;
    break run;
  }
}`;
}

/** Index of the slot `step` behind the head; of the flags only "more fragments" matters. */
function slotSource(slotCount: number, step: string): string {
  return isPower(slotCount)
    ? `(head + ${step} & ${slotCount - 1})`
    : `((head + ${step}) % ${slotCount})`;
}

function isPower(value: number): boolean {
  return (value & (value - 1)) === 0;
}

/** Moves the position on where nothing differs, and counts the first that does; without a branch. */
function decideSource(verdicts: number[]): string {
  if (verdicts.length === 0) return `n = n + 1 | 0;`;
  const lines: string[] = [];
  verdicts.slice(0, -1).forEach((verdict, i) => {
    const before = verdicts.slice(0, i).map((v) => `d${v}`).join(" | ");
    const first = before === "" ? "" : ` & ((${before}) - 1 >>> 31)`;
    lines.push(`r${verdict} = r${verdict} + (0 - d${verdict} >>> 31${first}) | 0;`);
  });
  lines.push(`n = n + ((${verdicts.map((v) => `d${v}`).join(" | ")}) - 1 >>> 31) | 0;`);
  return lines.join("\n");
}

function indent(text: string, by: number): string {
  return text.split("\n").map((line) => line === "" ? line : " ".repeat(by) + line).join("\n");
}
