/**
 * Purpose: compiles the loop that turns packets of a ring into Enhanced Packet Blocks (pcapng, 4.3), for
 * one region and one log; why the arrays are constants of a closure with a text of its own: hot_loop.ts.
 *
 * ```text
 *  word 0  1       2          3          4         5         6        7          7 + n
 *  │ 6   │ bytes │ interface │ time high │ time low │ captured │ length │ packet … │ bytes │
 * ```
 * A packet is copied by 64 bits, at any alignment: 64 bytes in any case, which is all of most market
 * data, then what is left. What is read beyond its end is inside the region, what is written there is
 * overwritten by the next block. Measured with `deno task bench packet_log`: DataView's 64-bit moves make
 * no BigInt once compiled, and cost what those between BigInt64Arrays do, which would want every block to
 * be padded to 8 bytes; moves by 32 bits cost a third more.
 */
import type { Ring } from "../ffi/layout.ts";
import { LENGTH_AND_MORE } from "./packet_log_layout.ts";
import { offsetMask } from "./plain_loop.ts";

const BLOCK_BYTES = 64; // copied in any case
const LOOP_BYTES = 32; // copied in a round thereafter
/** Words behind `at + words of the packet` that the loop may write to: it stops before that is beyond the chunk. */
export const LOOP_SLACK_WORDS = 24;

/**
 * Writes the packets in the slots `picks[from]` up to `picks[until]` as blocks from word `at` of the log
 * on. It stops before one that is odd (in several slots, longer than its buffer, in another second than
 * `seconds`), or would begin so late that it may not end before `end` + LOOP_SLACK_WORDS. Returns the
 * picks used; `cursor` gets the next block's word and the packets' bytes.
 *
 * `high` and `low` are the time of all packets, or of the begin of the second where slots carry times.
 */
export type LogLoop = (
  picks: Int32Array,
  from: number,
  until: number,
  at: number,
  end: number,
  seconds: number,
  high: number,
  low: number,
) => number;

/** What a loop is compiled for, besides the ring. */
export interface LogTarget {
  /** The log's memory. */
  words: Int32Array<SharedArrayBuffer>;
  interfaceId: number;
  /** Two words. */
  cursor: Int32Array;
}

let compiled = 0;

/** Compiles the loop for a ring. */
export function compileLogLoop(ring: Ring, target: LogTarget): LogLoop {
  if (ring.bytes.byteLength > 0x7fffffff) return (_, from) => from; // int32 would not do
  const { words, bytes } = ring;
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const factory = new Function(
    "words",
    "source",
    "out",
    "target",
    "cursor",
    `// log ${++compiled}\n${logLoopSource(ring, target.interfaceId)}`,
  );
  const out = new DataView(target.words.buffer);
  return factory(words, source, target.words, out, target.cursor) as LogLoop;
}

/** The source that is compiled. */
export function logLoopSource(ring: Ring, interfaceId: number): string {
  const { strideBytes, bufferBytes, hasTimes } = ring;
  const hasOffsets = ring.hasOffsets && !hasTimes, mask = offsetMask(ring);
  const longest = Math.min(bufferBytes, 0xffff), first = (ring.buffersAt - ring.at) * 4;
  const inside = hasOffsets ? ` + (W[s + 2] & ${mask})` : "";
  const quads = (from: string, to: string, bytes: number) =>
    Array.from(
      { length: bytes / 8 },
      (_, k) => `T.setBigInt64(${to} + ${8 * k}, S.getBigInt64(${from} + ${8 * k}, true), true);`,
    );
  const lines = (list: string[], by: number) =>
    list.map((line) => `${" ".repeat(by)}${line}`).join("\n");
  return `"use strict";
const W = words, S = source, D = out, T = target, C = cursor;
return function logLoop(picks, from, until, start, last, seconds, timeHigh, timeLow) {
  const count = until | 0, end = last | 0, high = timeHigh | 0, low = timeLow | 0;
  let i = from | 0, w = start | 0, bytes = 0;
  for (; i < count; i++) {
    const s = picks[i], like = W[s + 1];
    if ((like & ${LENGTH_AND_MORE}) > ${longest}) break;
    const length = like & 0xffff, n = length + 3 >>> 2;
    const b = ${first} + Math.imul(W[s], ${strideBytes})${inside} | 0;
    if (w + n > end) break;
    if (b >>> 0 > ${ring.bytes.byteLength} - (length < 57 ? 64 : length + ${LOOP_BYTES})) break;
${hasOffsets ? `    if ((W[s + 2] & ${mask}) >>> 0 > ${bufferBytes} - length) break;\n` : ""}${
    hasTimes
      ? `    if (W[s + 2] !== seconds) break;
    const l = low + W[s + 3] | 0, h = high + (l >>> 0 < low >>> 0 ? 1 : 0) | 0;`
      : `    const l = low, h = high;`
  }
    const t = n + 8 << 2, q = w + 7 << 2;
    D[w] = 6;
    D[w + 1] = t;
    D[w + 2] = ${interfaceId};
    D[w + 3] = h;
    D[w + 4] = l;
    D[w + 5] = length;
    D[w + 6] = length;
${lines(quads("b", "q", BLOCK_BYTES), 4)}
    for (let k = ${BLOCK_BYTES}; k < length; k = k + ${LOOP_BYTES} | 0) {
      const f = b + k | 0, g = q + k | 0;
${lines(quads("f", "g", LOOP_BYTES), 6)}
    }
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
