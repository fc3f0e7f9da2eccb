/**
 * Purpose: what libpcap's optimiser looks at in each block: which jump it ends with, what is in the
 * accumulator there, and what that is compared with. Two blocks ask the same only if all three are the same;
 * that they mean the same is not enough.
 *
 * ```text
 *  ip[0] = 4    as written   A = ip[0] - 4, == 0         simplified   A = ip[0], == 4
 *  net 0/8      as written   A = word & 0xff000000       simplified   A = word, bits 0xff000000?
 *  byte 0 & 4   as written   A = what was there & 4      simplified   A = what was there, bits 4?
 * ```
 * A block is simplified as soon as nobody looks at its accumulator behind it, as `byte 0 & 4` does.
 */
import type { Block } from "./plan.ts";
import { loadAt, number, type Value } from "./tree.ts";

/** How a block ends. */
export interface End {
  /** Against a number, or against what is in the index register X. */
  jump: Block["relation"] | "bits" | `${Block["relation"]} X`;
  accumulator: Value;
  operand: Value;
}

/** How a block ends before and after it is simplified. */
export interface Draft {
  written: End;
  /** Nothing: it stays as it is. */
  simple?: End;
  /** Whether the jump for the simplified test is the opposite one, its ways exchanged. */
  turns: boolean;
  /** It looks at what is in the accumulator before, for which `BEFORE` stands in its end. */
  asks: boolean;
}

/** Stand for what is in the accumulator when a block begins, and for what differs by the way to it. */
export const BEFORE: Value = loadAt(-1, 1), UNKNOWN: Value = loadAt(-2, 1);

/** How libpcap's block for this one ends. */
export function draftOf(block: Block): Draft {
  const { left, right, relation, written } = block;
  if (written === "calculated") return calculated(block);
  if (written === "left behind") return leftBehind(block);
  const plain: End = { jump: relation, accumulator: left, operand: right };
  const bits = bitsOf(block);
  if (bits === undefined) return { written: plain, turns: false, asks: false };
  const end: End = { jump: "bits", accumulator: bits.of, operand: number(bits.mask) };
  if (written === "bits") return { written: end, turns: false, asks: false };
  return { written: plain, simple: end, turns: true, asks: false };
}

/** What a block asks for that is "value & mask == 0". */
export function bitsOf({ left, right, relation }: Block): { of: Value; mask: number } | undefined {
  const isZero = right.kind === "number" && right.value === 0;
  if (relation !== "==" || !isZero || left.kind !== "operation" || left.operator !== "&") return;
  return left.right.kind === "number" ? { of: left.left, mask: left.right.value } : undefined;
}

/** The value with another in the place of what is in the accumulator before. */
export function behind(value: Value, before: Value): Value {
  if (value === BEFORE) return before;
  return value.kind === "operation" && value.left === BEFORE ? { ...value, left: before } : value;
}

function leftBehind({ left }: Block): Draft {
  if (left.kind !== "operation") throw new TypeError("no operation with what was left behind");
  const accumulator: Value = { ...left, left: BEFORE };
  const written: End = { jump: "==", accumulator, operand: number(0) };
  if (left.operator !== "&") return { written, turns: false, asks: true };
  const simple: End = { jump: "bits", accumulator: BEFORE, operand: left.right };
  return { written, simple, turns: true, asks: true };
}

/** A comparison of two calculated numbers: to see whether they are equal it subtracts them. */
function calculated({ left, right, relation }: Block): Draft {
  const isNumber = right.kind === "number";
  const simple: End = {
    jump: isNumber ? relation : `${relation} X`,
    accumulator: left,
    operand: right,
  };
  if (relation !== "==") return { written: simple, turns: false, asks: false };
  const accumulator: Value = { kind: "operation", operator: "-", left, right };
  const end: End = { jump: "==", accumulator, operand: number(0) };
  return { written: end, simple, turns: false, asks: false };
}
