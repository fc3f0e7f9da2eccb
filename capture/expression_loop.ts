/**
 * Purpose: the source of the packet loop for a filter with an expression, or one that decodes nothing.
 *
 * ```text
 *  slot ─▶ expression, as jumps ─no──▶ counted, next packet
 *               │ yes
 *               ├─ nothing to decode ─▶ counted, next packet
 *               └─ plain? ─yes─▶ its tick is stored (hot_loop.ts)
 *                     │ no
 *                     └─▶ the loop stops, for the plain loop to go on
 * ```
 * Traffic that needs an expression is mixed: each packet has a length of its own, and what is rejected never
 * leaves the loop. Four copies in a row, as in the hot loop, take a quarter less time than one. A word of the
 * packet is read through the region itself, whose bounds V8 checks at each read: no read of a packet that
 * ends with the region can be misread.
 */
import { MORE_FRAGMENTS } from "../ffi/layout.ts";
import { toJavaScript } from "../filter/expression/compilers/to_javascript.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";
import { ACCEPT } from "../filter/expression/plan/plan.ts";
import { VERDICT } from "../filter/verdict.ts";
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

const EVERYTHING = { entry: ACCEPT, blocks: [] };
/** Leaves the loop before this packet. */
const STOP = "{ i = STEP; break run; }";
/** The region's words; `b` is where the packet begins. */
const READS = {
  length: "length",
  wireLength: "wire",
  word: (at: string) => `W[b + ${at} | 0]`,
  byte: (at: string) => `(W[b + (${at} >> 2) | 0] >>> ((${at} & 3) << 3) & 0xff)`,
};

/** The source; free in it are the same names as in the hot loop's. */
export function expressionLoopSource(
  filter: PacketFilter,
  shape: RingShape,
  capacity: number,
  picking: boolean,
): string {
  const path = filter.fastPath(), { decodes } = filter;
  const plan = filter.expression?.plan ?? EVERYTHING;
  const accept = decodes ? tickSource(filter, capacity, picking) : countSource(picking);
  const code = toJavaScript(plan, READS, accept, decodes ? "rejected = rejected + 1 | 0;" : "");
  if (!canBePlain(shape, decodes ? path.minimumBytes : 0) || code === undefined) {
    return NOTHING_PLAIN;
  }
  const body = bodySource(shape, code.statements);
  const copies = copiesOf(plan.blocks.length);
  const row = Array.from({ length: copies }, (_, i) => atStep(body, i === 0 ? "i" : `i + ${i}`));
  const rejects = decodes ? path.rejects.map(({ verdict }) => verdict) : [VERDICT.expression];
  const counts = decodes ? [VERDICT.expression, ...rejects.slice(0, -1)] : [];
  const names = ["bytes", ...counts.map(counterName), ...code.variables];
  return `"use strict";
const W = w, OUT = out, PICKS = picks, ORIGINALS = originals;
return function expressionLoop(slotsAt, buffersAt, first, slotsReady, position, tally) {
  const slots = slotsAt | 0, buffers = buffersAt | 0, head = first | 0, count = slotsReady | 0;
  let n = position | 0, i = 0, ${names.map((name) => `${name} = 0`).join(", ")};
  const start = n, last = count - ${copies} | 0${
    picking ? `, picked = tally[${VERDICT.accepted}] - n | 0` : ""
  };
  run: {
    for (; i <= last; i += ${copies}) {
${indent(row.join("\n"), 6)}
    }
    for (; i < count; i++) {
${indent(atStep(body, "i"), 6)}
    }
  }
${indent(tallySource(counts, rejects.at(-1)), 2)}
  return i;
};
`;
}

/** How often the body stands in a row: large ones would outgrow the decoder's cache. */
function copiesOf(blocks: number): number {
  return blocks > 40 ? 1 : blocks > 16 ? 2 : 4;
}

/** One packet, in slot `head + STEP`; one in several slots, or longer than its buffer, is odd. */
function bodySource(shape: RingShape, statements: string): string {
  const wire = /\bwire\b/.test(statements) ? wireSource(shape) : "";
  return `{
  ${packetSource(shape, "STEP")}
  const like = W[s + 1], length = like & 0xffff;
  if ((like & ${hex(MORE_FRAGMENTS << 16 | 0xffff)}) > ${shape.bufferBytes}) ${STOP}
${indent(wire + statements, 2)}
  bytes = bytes + length | 0;
}`;
}

function atStep(body: string, step: string): string {
  return body.replaceAll("STEP", step).replaceAll("i = i;", "");
}

/** An accepted packet that is to carry a tick. */
function tickSource(filter: PacketFilter, capacity: number, picking: boolean): string {
  const path = filter.fastPath(), store = storeSource(path, capacity, picking);
  const plain = plainSource(path), all = [...plain, store].join("\n");
  const used = [...new Set(all.match(/\bw\d+\b/g))];
  const words = used.map((word) => `${word} = W[b + ${word.slice(1)} | 0]`).join(", ");
  return `if (length < ${path.minimumBytes}) ${STOP}
const ${words};
if (!(
  ${plain.join(" &&\n  ")}
)) ${STOP}
${store}`;
}

/** An accepted packet that is only counted. */
function countSource(picking: boolean): string {
  return `${picking ? "PICKS[picked + n | 0] = s;\n" : ""}n = n + 1 | 0;`;
}

/** What a packet had before it was cut, where the port knows. */
function wireSource({ slotCount }: RingShape): string {
  return `const cut = ORIGINALS === undefined ? 0 : ORIGINALS[${
    slotSource(slotCount, "STEP")
  } & ORIGINALS.length - 1];
const wire = cut > length ? cut : length;
`;
}

/** What each verdict got: the last one of the rejects the rest. */
function tallySource(counts: number[], last: number | undefined): string {
  const others = counts.map((verdict) => ` - ${counterName(verdict)}`).join("");
  return [
    `tally[${VERDICT.accepted}] += n - start | 0;`,
    `tally[${TALLY_BYTES}] += bytes;`,
    ...counts.map((verdict) => `tally[${verdict}] += ${counterName(verdict)};`),
    ...(last === undefined ? [] : [`tally[${last}] += i - (n - start | 0)${others};`]),
  ].join("\n");
}

function counterName(verdict: number): string {
  return verdict === VERDICT.expression ? "rejected" : `r${verdict}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
