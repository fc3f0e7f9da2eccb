/**
 * Purpose: a block with what libpcap's optimiser calculates in its second round, in which no way is moved any
 * more: what is not needed for a value is not read, and a test that comes out the same for every packet
 * leads to one place, but still reads.
 */
import type { Block, Plan } from "./plan.ts";
import { bitsOf } from "./settle_drafts.ts";
import { compares, folded } from "./tree.ts";

const ALL_BITS = 0xffffffff;

/** The plan with all of its blocks calculated; `isSimple`: and simplified. */
export function withCalculated({ entry, blocks }: Plan, isSimple: boolean): Plan {
  return { entry, blocks: blocks.map((block) => calculated(block, isSimple)) };
}

/** The block, calculated, and `isSimple`: simplified; one that looks at what was left behind only when that stands in it. */
export function calculated(block: Block, isSimple: boolean): Block {
  if (block.written === "left behind") return block;
  const left = folded(block.left), right = folded(block.right), { relation, yes, no } = block;
  const plain: Block = { relation, left, right, yes, no };
  if (left.kind === "number" && right.kind === "number") {
    const way = compares(relation, left.value, right.value) ? yes : no;
    return { ...plain, yes: way, no: way };
  }
  // All bits are a test of any bit for libpcap, if it simplifies the block, and that is always true.
  const bits = isSimple ? bitsOf(plain) : undefined;
  return bits?.mask === ALL_BITS ? { ...plain, left: bits.of, yes: no } : plain;
}
