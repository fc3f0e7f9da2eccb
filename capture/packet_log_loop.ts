/**
 * Purpose: compiles the loops that turn packets of a ring into Enhanced Packet Blocks (pcapng, 4.3), for
 * one region and one log; why the arrays are constants of a closure with a text of its own: hot_loop.ts.
 *
 * ```text
 *  word 0  1       2          3          4         5         6        7          7 + n
 *  │ 6   │ bytes │ interface │ time high │ time low │ captured │ length │ packet … │ bytes │
 * ```
 * A packet is copied by 64 bits, at any alignment. One of 192 bytes at most, as nearly all market data is,
 * is copied 64 bytes at a time without a loop: what is read beyond its end is inside the region, what
 * is written there is overwritten by the next block. Larger ones are for a loop of their own; one loop for
 * all costs small packets half as much again, measured with `deno task bench packet_log`.
 *
 * DataView's 64-bit moves make no BigInt once compiled, and cost what those between BigInt64Arrays do, which
 * would want every block padded to 8 bytes; moves by 32 bits cost a third more.
 */
import type { Ring } from "../ffi/layout.ts";
import { LENGTH_AND_MORE } from "./packet_log_layout.ts";
import { offsetMask } from "./plain_loop.ts";

const SMALL_BYTES = 192; // three times 64
const STEP_BYTES = 32; // of a large packet, copied in a round
/** Words that have to be behind `last` in the chunk: a block begins no later, and copies too much. */
export const LOOP_SLACK_WORDS = 60;

/**
 * Writes the packets in the slots `picks[from]` up to `picks[until]` as blocks from word `start` of the log
 * on. It stops before one that is not its own (small or large), is odd (in several slots, longer than its
 * buffer, in another second than `seconds`), or may not end before `last` + LOOP_SLACK_WORDS. Returns
 * where in the picks it stopped; `cursor` gets the next block's word and the packets' bytes.
 *
 * `high` and `low` are the time of all packets, or of the begin of the second where slots carry times.
 */
export type LogLoop = (
  picks: Int32Array,
  from: number,
  until: number,
  start: number,
  last: number,
  seconds: number,
  high: number,
  low: number,
) => number;

/** The loops for a ring. */
export interface LogLoops {
  small: LogLoop;
  large: LogLoop;
}

/** What a loop is compiled for, besides the ring. */
export interface LogTarget {
  /** The log's memory. */
  words: Int32Array<SharedArrayBuffer>;
  interfaceId: number;
  /** Two words. */
  cursor: Int32Array;
}

let compiled = 0;

/** Compiles the loops for a ring. */
export function compileLogLoops(ring: Ring, target: LogTarget): LogLoops {
  if (ring.bytes.byteLength > 0x7fffffff) return { small: nothing, large: nothing }; // beyond int32
  const { words, bytes } = ring;
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new DataView(target.words.buffer);
  const compile = (large: boolean) => {
    const text = `// log ${++compiled}\n${logLoopSource(ring, target.interfaceId, large)}`;
    const factory = new Function("words", "source", "out", "target", "cursor", "originals", text);
    return factory(words, source, target.words, out, target.cursor, ring.originals) as LogLoop;
  };
  return { small: compile(false), large: compile(true) };
}

function nothing(_picks: Int32Array, from: number): number {
  return from;
}

/** The source that is compiled. */
export function logLoopSource(ring: Ring, interfaceId: number, large: boolean): string {
  const { strideBytes, bufferBytes, hasTimes, slotsAt, slotCount } = ring;
  const offset = ring.hasOffsets && !hasTimes ? `(W[s + 2] & ${offsetMask(ring)})` : undefined;
  const longest = Math.min(bufferBytes, large ? 0xffff : SMALL_BYTES);
  const first = (ring.buffersAt - ring.at) * 4, regionBytes = ring.bytes.byteLength;
  const odd = [
    `(like & ${LENGTH_AND_MORE}) > ${longest}`,
    large ? `length <= ${SMALL_BYTES} || w + n > end` : `w > end`,
    `b >>> 0 > ${regionBytes} - ${large ? `length - ${STEP_BYTES}` : SMALL_BYTES}`,
    ...offset === undefined ? [] : [`${offset} >>> 0 > ${bufferBytes} - length`],
    ...hasTimes ? [`W[s + 2] !== seconds`] : [],
  ];
  return `"use strict";
const W = words, S = source, D = out, T = target, C = cursor, O = originals;
return function logLoop(picks, from, until, start, last, seconds, timeHigh, timeLow) {
  const count = until | 0, end = last | 0, high = timeHigh | 0, low = timeLow | 0;
  let i = from | 0, w = start | 0, bytes = 0;
  for (; i < count; i++) {
    const s = picks[i], like = W[s + 1];
    const length = like & 0xffff, n = length + 3 >>> 2;
    const b = ${first} + Math.imul(W[s], ${strideBytes})${offset ? ` + ${offset}` : ""} | 0;
${odd.map((condition) => `    if (${condition}) break;`).join("\n")}
    const t = n + 8 << 2, q = w + 7 << 2;
    D[w] = 6;
    D[w + 1] = t;
    D[w + 2] = ${interfaceId};
${hasTimes ? OWN_TIME : BURST_TIME}
    D[w + 5] = length;
${ring.originals ? ownLength(slotsAt, slotCount) : "    D[w + 6] = length;"}
${large ? LARGE_COPY : SMALL_COPY}
    w = w + n + 8 | 0;
    if ((length & 3) !== 0) D[w - 2] &= -1 >>> (4 - (length & 3) << 3);
    D[w - 1] = t;
    bytes = bytes + length | 0;
  }
  C[0] = w;
  C[1] = bytes;
  return i;
};
`;
}

/** Of a packet that was cut, the length before. Slots of the scratch ring, which warm this up, have none. */
function ownLength(slotsAt: number, slotCount: number): string {
  return `    const o = O[s - ${slotsAt} >> 2 & ${slotCount - 1}];
    D[w + 6] = o > length ? o : length;`;
}

const BURST_TIME = `    D[w + 3] = high;
    D[w + 4] = low;`;

const OWN_TIME = `    const l = low + W[s + 3] | 0;
    D[w + 3] = high + (l >>> 0 < low >>> 0 ? 1 : 0) | 0;
    D[w + 4] = l;`;

const SMALL_COPY = `${moves("b", "q", 0, 64, 4)}
    if (length > 64) {
${moves("b", "q", 64, 128, 6)}
      if (length > 128) {
${moves("b", "q", 128, SMALL_BYTES, 8)}
      }
    }`;

const LARGE_COPY = `    for (let k = 0; k < length; k = k + ${STEP_BYTES} | 0) {
      const f = b + k | 0, g = q + k | 0;
${moves("f", "g", 0, STEP_BYTES, 6)}
    }`;

/** Lines that move the bytes `first` up to `end`, 64 bits each. */
function moves(from: string, to: string, first: number, end: number, indent: number): string {
  return Array.from({ length: (end - first) / 8 }, (_, k) => {
    const at = first + 8 * k, value = `S.getBigInt64(${from} + ${at}, true)`;
    return `${" ".repeat(indent)}T.setBigInt64(${to} + ${at}, ${value}, true);`;
  }).join("\n");
}
