/**
 * Purpose: what libpcap's optimiser looks at in each block: which jump it ends with, what is in the
 * accumulator there, and what that is compared with. Two blocks ask the same only if all three are the same;
 * that they mean the same is not enough.
 *
 * ```text
 *  ip[0] = 4    first pass   A = ip[0] - 4, == 0         the next ones   A = ip[0], == 4
 *  net 0/8      first pass   A = word & 0xff000000       the next ones   A = word, bits 0xff000000?
 * ```
 * The first pass simplifies the ends of blocks, but sees the accumulator as it was before.
 */
import type { Interner } from "./intern.ts";
import type { Block } from "./plan.ts";
import { compares, number, type Value } from "./tree.ts";

/** How a block ends. */
export interface Draft {
  /** Against a number, or against what is in the index register X. */
  jump: Block["relation"] | "bits" | `${Block["relation"]} X`;
  /** Numbers of the values that are compared: of the accumulator's in the first pass and later, and the other. */
  first: number;
  later: number;
  operand: number;
  /** Whether the first pass makes the opposite of the test, and exchanges its ways. */
  turns: boolean;
  /** Whether the test holds, where that needs no packet; and whether that is seen in the first pass already. */
  outcome?: boolean;
  seen: "first" | "later";
}

/** How libpcap's block for this one ends. */
export function draftOf(block: Block, all: Interner): Draft {
  const { left, right, relation, written } = block, operand = all.id(right);
  if (written === "calculated") return calculated(block, all);
  const plain: Draft = {
    jump: relation,
    first: all.id(left),
    later: all.id(left),
    operand,
    turns: false,
    seen: "first",
  };
  const bits = bitsOf(block);
  if (bits === undefined) return plain;
  return {
    ...plain,
    jump: "bits",
    first: written === "bits" ? all.id(bits.of) : plain.first,
    later: all.id(bits.of),
    operand: all.id(number(bits.mask)),
    turns: written !== "bits",
    outcome: bits.mask === 0 ? false : undefined,
  };
}

/** A comparison of two calculated numbers: the first pass subtracts them to see whether they are equal. */
function calculated({ left, right, relation }: Block, all: Interner): Draft {
  const later = all.id(left), isNumber = right.kind === "number";
  const difference: Value = { kind: "operation", operator: "-", left, right };
  const both = left.kind === "number" && isNumber;
  return {
    jump: isNumber ? relation : `${relation} X`,
    first: relation === "==" ? all.id(difference) : later,
    later,
    operand: all.id(right),
    turns: false,
    outcome: both ? compares(relation, left.value, right.value) : undefined,
    seen: relation === "==" ? "later" : "first",
  };
}

/** What a block asks for that is "value & mask == 0". */
export function bitsOf({ left, right, relation }: Block): { of: Value; mask: number } | undefined {
  const isZero = right.kind === "number" && right.value === 0;
  if (relation !== "==" || !isZero || left.kind !== "operation" || left.operator !== "&") return;
  return left.right.kind === "number" ? { of: left.left, mask: left.right.value } : undefined;
}
