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

/** The plan with the accumulator's values in the blocks that look at it; `ends`: how each block ends. */
export function withAccumulator({ entry, blocks }: Plan, ends = blocks.map(endOf)): Plan {
  const all = new Interner(), copies = new Map<string, number>(), placed: Block[] = [];
  const waiting: { at: number; before: Value; place: number }[] = [];
  const place = (at: number, before: Value): number => {
    if (at < 0) return at;
    const looks = blocks[at].written === "left behind";
    const key = looks ? `${at} ${all.id(before)}` : `${at}`, known = copies.get(key);
    if (known !== undefined) return known;
    const begun = looks ? withLeft(blocks[at], before) : blocks[at];
    copies.set(key, placed.push(begun) - 1);
    waiting.push({ at, before, place: placed.length - 1 });
    return placed.length - 1;
  };
  const first = place(entry, number(0)); // what a program begins with
  for (let next; (next = waiting.pop()) !== undefined;) {
    const { relation, left, right } = placed[next.place], { yes, no } = blocks[next.at];
    const after = behind(ends[next.at].accumulator, next.before);
    const test = { relation, left, right }; // without how it was written
    placed[next.place] = blockOf(test, place(yes, after), place(no, after));
  }
  return ordered({ entry: first, blocks: placed });
}

function endOf(block: Block): End {
  return draftOf(block).written;
}

function withLeft(block: Block, before: Value): Block {
  return block.left.kind === "operation"
    ? { ...block, left: { ...block.left, left: before } }
    : block;
}
