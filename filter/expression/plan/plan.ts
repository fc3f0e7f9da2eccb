/**
 * Purpose: a tree as blocks, each with one test and two ways on: what all compilers start from.
 *
 * ```text
 *  block 0   load 2 at 12 == 0x0800   yes ─▶ 1       no ─▶ reject
 *  block 1   load 1 at 23 == 17       yes ─▶ 2       no ─▶ reject
 *  block 2   load 2 at 36 == 5001     yes ─▶ accept  no ─▶ reject
 * ```
 * Ways lead only to later blocks, so no packet can go round in circles.
 */
import type { Node, Relation, Test, Value, Written } from "./tree.ts";

const MIRRORED = { "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" } as const;

/** Where a way leads that leads to no block. */
export const ACCEPT = -1, REJECT = -2;

/** A test, and which block comes next. */
export interface Block {
  /** How it compares: unsigned. */
  relation: "==" | ">" | ">=";
  /** What is compared. */
  left: Value;
  /** What it is compared with. */
  right: Value;
  /** Index of the block that comes next where the test holds; or ACCEPT, -1; REJECT, -2. */
  yes: number;
  /** Where it does not. */
  no: number;
  /** How libpcap writes it down, where that matters. */
  written?: Written;
}

/** What to do with a packet. */
export interface Plan {
  /** The first block; or ACCEPT, REJECT, where it is the same for every packet. */
  entry: number;
  /** Each leads to later ones only, and can be reached. */
  blocks: Block[];
}

/** The plan of a tree. */
export function planOf(tree: Node): Plan {
  const backwards: Block[] = [];
  const entry = lay(tree, ACCEPT, REJECT, backwards);
  const last = backwards.length - 1, turned = (way: number) => way < 0 ? way : last - way;
  return reachable(renumbered(entry, backwards.reverse(), turned));
}

/** The plan without the blocks that no way leads to. */
export function reachable({ entry, blocks }: Plan): Plan {
  const used = new Set([entry]);
  blocks.forEach(({ yes, no }, i) => {
    if (used.has(i)) used.add(yes).add(no);
  });
  const kept = blocks.map((_, i) => i).filter((i) => used.has(i));
  const place = new Map(kept.map((i, at) => [i, at]));
  return renumbered(entry, kept.map((i) => blocks[i]), (way) => place.get(way)!);
}

function renumbered(entry: number, blocks: Block[], place: (way: number) => number): Plan {
  const to = (way: number) => way === ACCEPT || way === REJECT ? way : place(way);
  return {
    entry: to(entry),
    blocks: blocks.map((block) => ({ ...block, yes: to(block.yes), no: to(block.no) })),
  };
}

/** Lays a node's blocks before those at `yes` and `no`; returns where it begins. */
function lay(node: Node, yes: number, no: number, blocks: Block[]): number {
  switch (node.kind) {
    case "constant":
      return node.value ? yes : no;
    case "not":
      return lay(node.part, no, yes, blocks);
    case "and":
      return node.parts.reduceRight((next, part) => lay(part, next, no, blocks), yes);
    case "or":
      return node.parts.reduceRight((next, part) => lay(part, yes, next, blocks), no);
    case "test":
      return blocks.push(blockOf(node, yes, no)) - 1;
  }
}

/**
 * Of the six relations three, and three with their ways exchanged; a number stands on the right, unless
 * libpcap's way of writing it down has to be kept.
 */
export function blockOf(
  { relation, left, right, written }: Omit<Test, "kind">,
  yes: number,
  no: number,
): Block {
  if (left.kind === "number" && right.kind !== "number" && written === undefined) {
    return blockOf({ relation: MIRRORED[relation], left: right, right: left }, yes, no);
  }
  const same: Partial<Record<Relation, Block["relation"]>> = { "==": "==", ">": ">", ">=": ">=" };
  const opposite = { "!=": "==", "<": ">=", "<=": ">" } as const;
  const straight = same[relation], how = written === undefined ? {} : { written };
  return straight !== undefined ? { relation: straight, left, right, yes, no, ...how } : {
    relation: opposite[relation as keyof typeof opposite],
    left,
    right,
    yes: no,
    no: yes,
    ...how,
  };
}
