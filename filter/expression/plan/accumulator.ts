/**
 * Purpose: `byte N & M` and `byte N | M`, which in libpcap look at what the test before them left in the
 * accumulator, not at byte N. Which test that was depends on the way that a packet took, so that there is a
 * block for each value that can be there:
 *
 * ```text
 *  (arp or rarp) and byte 0 & 4    type == arp ─ yes ▶ type & 4 != 0
 *  ip src 1.2.3.4 or byte 0 & 4    type == ip  ─ no ─▶ type & 4 != 0
 *                                      └ yes ▶ word == 1.2.3.4 ─ no ▶ word & 4 != 0
 * ```
 * What is put there has been read on that way already.
 */
import { Interner } from "./intern.ts";
import { ordered } from "./order.ts";
import { type Block, blockOf, type Plan } from "./plan.ts";
import { behind, draftOf, type End } from "./settle_drafts.ts";
import { number, type Value } from "./tree.ts";

/** So many blocks are at most made: values times blocks that look at them. */
const MOST_BLOCKS = 50_000;
const ALL_BITS = 0xffffffff;

/**
 * The plan with the accumulator's values in the blocks that look at it; `ends`: how each block ends.
 * Nothing where it would be too large.
 */
export function withAccumulator(
  { entry, blocks }: Plan,
  ends = blocks.map(endOf),
): Plan | undefined {
  if (!blocks.some(looksBehind)) return ordered({ entry, blocks: blocks.map(plain) });
  const all = new Interner(), copies = new Map<string, number>(), placed: Block[] = [];
  const waiting: { at: number; before: Value; place: number }[] = [];
  const place = (at: number, before: Value): number => {
    if (at < 0) return at;
    const looks = looksBehind(blocks[at]);
    const key = looks ? `${at} ${all.id(before)}` : `${at}`, known = copies.get(key);
    if (known !== undefined) return known;
    copies.set(key, placed.push(looks ? withLeft(blocks[at], before) : blocks[at]) - 1);
    waiting.push({ at, before, place: placed.length - 1 });
    return placed.length - 1;
  };
  const first = place(entry, number(0)); // what a program begins with
  for (let next; (next = waiting.pop()) !== undefined;) {
    if (placed.length > MOST_BLOCKS) return undefined;
    const { yes, no } = blocks[next.at];
    const after = joined(behind(ends[next.at].accumulator, next.before));
    placed[next.place] = plain({
      ...placed[next.place],
      yes: place(yes, after),
      no: place(no, after),
    });
  }
  return ordered({ entry: first, blocks: placed });
}

function endOf(block: Block): End {
  return draftOf(block).written;
}

function looksBehind({ written }: Block): boolean {
  return written === "left behind";
}

/** Without how it is written. */
function plain({ relation, left, right, yes, no }: Block): Block {
  return blockOf({ relation, left, right }, yes, no);
}

function withLeft(block: Block, before: Value): Block {
  return block.left.kind === "operation"
    ? { ...block, left: joined({ ...block.left, left: before }) }
    : block;
}

/** Of `& M` and `| N` in a row one of each, so that no value grows with their number. */
function joined(value: Value): Value {
  const { of, and, or } = bitsIn(value);
  const some = and === ALL_BITS ? of : operation("&", of, and);
  return or === 0 ? some : operation("|", some, or);
}

function bitsIn(value: Value): { of: Value; and: number; or: number } {
  const nothing = { of: value, and: ALL_BITS, or: 0 };
  if (value.kind !== "operation" || value.right.kind !== "number") return nothing;
  const { operator, right: { value: bits } } = value;
  if (operator !== "&" && operator !== "|") return nothing;
  const { of, and, or } = bitsIn(value.left);
  return operator === "|"
    ? { of, and, or: (or | bits) >>> 0 }
    : { of, and: (and & bits) >>> 0, or: (or & bits) >>> 0 };
}

/** As it is: what is read for it is read. */
function operation(operator: "&" | "|", left: Value, bits: number): Value {
  return { kind: "operation", operator, left, right: number(bits) };
}
