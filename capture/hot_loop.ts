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
 * a plain packet's tick is stored in any case, and the position moves on by 0 or 1. At anything that is not
 * plain the loop stops; without a call in it, V8 keeps it in registers. What is not IPv4 is then for the skip
 * loop, all else (options, tags, other sizes) for the plain loop. A filter with an expression has a loop of
 * another shape: expression_loop.ts.
 *
 * What makes it fast, measured with `deno task bench hot_loop`:
 * - The arrays are constants of the closure, so V8 writes their addresses and lengths into the code. This
 *   wants a text of its own for each loop: functions of the same text share one code without constants.
 * - A packet's word `k` is read through a view of its own that begins `k` words later. All have the same
 *   length and are read at the same index, so one bounds check serves them all.
 * - All packets of a run have the same length and flags: one comparison, and nothing to add up.
 * - Four copies: with eight the code outgrows the decoder's cache, with one the counters cost more.
 */
import type { TickRing } from "../engine/tick_ring.ts";
import { MORE_FRAGMENTS, type Ring } from "../ffi/layout.ts";
import type { FastPath } from "../filter/fast_path.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { expressionLoopSource } from "./expression_loop.ts";
import {
  canBePlain,
  indent,
  NOTHING_PLAIN,
  packetSource,
  plainSource,
  type RingShape,
  slotSource,
  storeSource,
} from "./loop_source.ts";
import { TALLY_BYTES } from "./tally.ts";

const COPIES = 4;
const LEAST_BYTES = 16; // of a packet whose word 3 is looked at
const VIEW_MARGIN = 16; // words by which the views are shorter than the region

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

/**
 * Counts packets that are surely rejected at their first field, from slot `head` on, `count` at most; returns
 * how many there are before another one.
 */
export type SkipLoop = (
  slotsAt: number,
  buffersAt: number,
  head: number,
  count: number,
  tally: Int32Array,
) => number;

/** The loop's source, the loop, and what to try where it stops, before the plain loop. */
export interface CompiledLoop {
  source: string;
  run: HotLoop;
  skip: SkipLoop;
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
  const { words, originals } = ring, length = words.length - VIEW_MARGIN;
  const view = (k: number) => new Int32Array(words.buffer, words.byteOffset + k * 4, length);
  const text = `// loop ${++compiled}\n${source}`;
  const factory = new Function("w", "view", "out", "picks", "originals", text);
  const skip = new Function("w", `// loop ${compiled}\n${skipLoopSource(filter, ring)}`);
  return { source, run: factory(words, view, ticks.words, picks, originals), skip: skip(words) };
}

/**
 * The source of the loop over what is not IPv4, of any length: on its own, for as a branch of the hot loop it
 * cost every packet 1 ns. An expression's loop leaves nothing to skip.
 */
function skipLoopSource(filter: PacketFilter, shape: RingShape): string {
  if (filter.expression !== undefined || !filter.decodes || !canBePlain(shape, LEAST_BYTES)) {
    return NOTHING_PLAIN;
  }
  const { verdict, holds } = filter.fastPath().early;
  return `"use strict";
const W = w;
return function skipLoop(slotsAt, buffersAt, first, slotsReady, tally) {
  const slots = slotsAt | 0, buffers = buffersAt | 0, head = first | 0, count = slotsReady | 0;
  let i = 0, bytes = 0;
  for (; i < count; i++) {
    ${packetSource(shape, "i")}
    const like = W[s + 1] & 0x${(MORE_FRAGMENTS << 16 | 0xffff).toString(16)};
    if (like - ${LEAST_BYTES} >>> 0 > ${shape.bufferBytes - LEAST_BYTES}) break;
    const w3 = W[b + 3 | 0];
    if (!(${holds})) break;
    bytes = bytes + like | 0;
  }
  tally[${verdict}] += i;
  tally[${TALLY_BYTES}] += bytes;
  return i;
};
`;
}

/**
 * The source that is compiled; free in it are `w` (the region), `view`, `out` (the tick ring), `picks`, and
 * `originals` (the ring's).
 */
export function hotLoopSource(
  filter: PacketFilter,
  shape: RingShape,
  capacity: number,
  picking = false,
): string {
  if (filter.expression !== undefined || !filter.decodes) {
    return expressionLoopSource(filter, shape, capacity, picking);
  }
  const path = filter.fastPath();
  if (!canBePlain(shape, path.minimumBytes)) return NOTHING_PLAIN;
  const body = bodySource(path, shape, capacity, picking);
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

/** One packet: slot `head + STEP`. */
function bodySource(path: FastPath, shape: RingShape, capacity: number, picking: boolean): string {
  return `{
  ${packetSource(shape, "STEP")}
  if (
    ${[`W[s + 1] === like`, ...plainSource(path)].join(" &&\n    ")}
  ) {
${indent(storeSource(path, capacity, picking), 4)}
  } else {
    i = STEP;
    break run;
  }
}`;
}
