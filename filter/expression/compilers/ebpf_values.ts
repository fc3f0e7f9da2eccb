/**
 * Purpose: what can be said of values before they are compiled to eBPF: how far they read, how large they
 * can be, and how they are compared without turning their bytes round.
 *
 * ```text
 *  load 2 bytes at 12 == 0x0800        r0 = *(u16 *)(r7 + 12)       as the machine loads it
 *                                      if w0 == 0x8                 the number's bytes are turned, once
 * ```
 */
import type { Block } from "../plan/plan.ts";
import { type Load, number, type Value } from "../plan/tree.ts";

/** MAX_PACKET_OFF: further in no program may read. */
export const MAX_READ = 0xffff;

/** Needs no register but the one that it goes to. */
export type Direct = Exclude<Value, { kind: "operation" | "load" }> | Load & { base?: undefined };

/** What a block asks, as it is compiled. */
export interface Comparison {
  left: Value;
  relation: Block["relation"] | "<" | "<=";
  right: Value;
}

const MIRRORED = { "==": "==", ">": "<", ">=": "<=" } as const;

/** Whether it is one of those. */
export function isDirect(value: Value): value is Direct {
  return value.kind === "load" ? value.base === undefined : value.kind !== "operation";
}

/** Values that a value is made of. */
function partsOf(value: Value): Value[] {
  if (value.kind === "operation") return [value.left, value.right];
  return value.kind === "load" && value.base !== undefined ? [value.base] : [];
}

/** Whether the packet's length is part of it. */
export function hasLength(value: Value): boolean {
  return value.kind === "length" || partsOf(value).some(hasLength);
}

/** Where the reads at fixed places end. */
export function reach(value: Value): number {
  const own = value.kind === "load" && isDirect(value) ? value.offset + value.bytes : 0;
  return Math.max(own, ...partsOf(value).map(reach));
}

/** Where a value leads that no packet has. */
export function doomOf(value: Value): "reject" | "beyond" | undefined {
  if (value.kind === "operation" && (value.operator === "/" || value.operator === "%")) {
    if (value.right.kind === "number" && value.right.value === 0) return "reject";
  }
  if (value.kind === "load" && value.offset + value.bytes > MAX_READ) return "beyond";
  const dooms = partsOf(value).map(doomOf);
  return dooms.find((doom) => doom === "reject") ?? dooms.find((doom) => doom !== undefined);
}

/** The largest number that a value can be, as far as the verifier sees it, too. */
export function most(value: Value): number {
  if (value.kind === "number") return value.value;
  if (value.kind === "load" && value.bytes === 1) return 0xff;
  if (value.kind !== "operation" || value.right.kind !== "number") return 0xffffffff;
  const left = most(value.left), { operator, right } = value;
  let result = 0xffffffff;
  if (operator === "&") result = Math.min(left, right.value);
  else if (operator === "+") result = left + right.value;
  else if (operator === "<<" && right.value < 32) result = left * 2 ** right.value;
  return Math.min(result, 0xffffffff);
}

/** Brings a number to the right, and what is compared for equality into the machine's order of bytes. */
export function comparisonOf({ relation, left, right }: Block): Comparison {
  const mirrored = left.kind === "number";
  const value = mirrored ? right : left, other = mirrored ? left : right;
  if (relation === "==" && other.kind === "number") {
    const bytes = bytesTurned(value);
    if (bytes !== undefined && fits(other.value, bytes)) {
      return { relation, left: turned(value, bytes), right: number(turn(other.value, bytes)) };
    }
  }
  return { relation: mirrored ? MIRRORED[relation] : relation, left: value, right: other };
}

/** How wide a value is that can be calculated with its bytes turned round as well; nothing: it cannot. */
function bytesTurned(value: Value): 2 | 4 | undefined {
  if (value.kind === "load") {
    return value.bytes === 1 || value.order !== undefined ? undefined : value.bytes;
  }
  if (value.kind !== "operation" || value.right.kind !== "number") return undefined;
  const { operator, left, right } = value, bytes = bytesTurned(left);
  if (bytes === undefined || !["&", "|", "^"].includes(operator)) return undefined;
  return operator === "&" || fits(right.value, bytes) ? bytes : undefined;
}

function turned(value: Value, bytes: 2 | 4): Value {
  if (value.kind === "load") return { ...value, order: "little" };
  if (value.kind === "number") return number(turn(value.value, bytes));
  if (value.kind === "length") return value;
  return { ...value, left: turned(value.left, bytes), right: turned(value.right, bytes) };
}

function fits(value: number, bytes: 2 | 4): boolean {
  return value < 256 ** bytes;
}

/** The low bytes of a number, in the other order. */
function turn(value: number, bytes: 2 | 4): number {
  const half = (value & 0xff) << 8 | value >>> 8 & 0xff;
  return bytes === 2 ? half : (half << 16 | (turn(value >>> 16, 2))) >>> 0;
}
