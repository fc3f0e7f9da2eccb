/**
 * Purpose: the extras for market data: tests of the tick that a packet carries.
 *
 * ```text
 *  payload of UDP, 14 bytes, little-endian:
 *   0           4      5      6          10
 *  ├───────────┼──────┼──────┼──────────┼──────────┤
 *  │ instrument│ type │ side │ price    │ quantity │
 *  └ u32 ──────┴ u8 ──┴ u8 ──┴ f32 ─────┴ f32 ─────┘
 * ```
 * Amounts are compared by their bits, which sort as the amounts do. Not valid are those that are not numbers,
 * infinite, or below 0: no comparison of them holds, "!=" neither.
 */
import type { Computed } from "./arithmetic.ts";
import { type Context, readAt, readNetwork, refuse } from "./context.ts";
import { carries, ETHERTYPE } from "./link_layer.ts";
import type { Primitive } from "../language/syntax.ts";
import { transportPlace } from "./transport_layer.ts";
import { and, type Load, type Node, not, number, operation, or, test } from "../plan/tree.ts";

const UDP = 17, UDP_HEADER = 8, TICK = 14;
const NOT_WHOLE = 0x3fff; // of the fragment field: more fragments, and the offset
const INFINITE = 0x7f800000, MINUS_ZERO = 0x80000000; // bits of an f32
const IN_A_ROW = 4; // ranges tested one after another; of more, halves are left out

/** Where the fields lie. */
const FIELDS = {
  instrument: { offset: 0, bytes: 4 },
  type: { offset: 4, bytes: 1 },
  side: { offset: 5, bytes: 1 },
  price: { offset: 6, bytes: 4 },
  quantity: { offset: 10, bytes: 4 },
} as const;

type Field = keyof typeof FIELDS;
type Amount = Extract<Primitive, { kind: "tick amount" }>;
type Set = Extract<Primitive, { kind: "tick set" }>;
type Range = [from: number, to: number];

/** A field as a number, and what must hold before it is read. */
export function tickField(context: Context, field: Field): Computed {
  const ip = carries(context, ETHERTYPE.IP), udp = transportPlace(context, 4);
  return {
    value: readField(context, field),
    tests: [
      ip,
      test("==", readNetwork(context, 9, 1), UDP),
      test("==", operation("&", readNetwork(context, 6, 2), number(NOT_WHOLE)), 0),
      test("==", readAt(udp, 4, 2), UDP_HEADER + TICK),
    ],
  };
}

/** A comparison of the price or the quantity. */
export function tickAmount(context: Context, { field, relation, value }: Amount): Node {
  const { tests } = tickField(context, field), bits = readField(context, field);
  const compared = compareAmount(bits, relation, Math.fround(value));
  return compared.kind === "constant" ? compared : and(...tests, compared);
}

/** Whether a field is in one of the ranges. */
export function tickSet(context: Context, { field, ranges }: Set): Node {
  const { tests } = tickField(context, field), load = readField(context, field);
  const most = 2 ** (8 * FIELDS[field].bytes) - 1;
  for (const [from, to] of ranges) {
    if (from > to) refuse(context, `the range ${from}-${to}`, `expected ${to}-${from}`);
    if (to > most) refuse(context, `${field} ${to}`, `expected at most ${most}`);
  }
  const merged = merge(ranges);
  if (merged.length === 0) return { kind: "constant", value: false };
  return and(...tests, isIn(load, merged, most));
}

function readField(context: Context, field: Field): Load {
  const { offset, bytes } = FIELDS[field];
  const load = readAt(transportPlace(context, 4), UDP_HEADER + offset, bytes);
  return bytes === 1 ? load : { ...load, order: "little" };
}

function compareAmount(load: Load, relation: Amount["relation"], amount: number): Node {
  const never: Node = { kind: "constant", value: false };
  const finite = test("<", load, INFINITE), isValid = or(finite, test("==", load, MINUS_ZERO));
  const orMinusZero = (node: Node) => or(node, test("==", load, MINUS_ZERO));
  const isZero = test("==", operation("<<", load, number(1)), 0); // without the sign
  if (Number.isNaN(amount)) return never;
  if (amount < 0) return [">", ">=", "!="].includes(relation) ? isValid : never;
  if (amount === Infinity) return ["<", "<=", "!="].includes(relation) ? isValid : never;
  const bits = bitsOf(amount);
  switch (relation) {
    case "==":
      return bits === 0 ? isZero : test("==", load, bits);
    case "!=":
      if (bits === 0) return and(test("!=", load, 0), finite);
      return and(test("!=", load, bits), isValid);
    case ">":
      return and(test(">", load, bits), finite);
    case ">=":
      return bits === 0 ? isValid : and(test(">=", load, bits), finite);
    case "<":
      return bits === 0 ? never : orMinusZero(test("<", load, bits));
    case "<=":
      return bits === 0 ? isZero : orMinusZero(test("<=", load, bits));
  }
}

/** Sorted, and as few as can be. */
function merge(ranges: Range[]): Range[] {
  const merged: Range[] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** Few ranges one after another; of more, the half that cannot hold the value is passed over. */
function isIn(load: Load, ranges: Range[], most: number): Node {
  if (ranges.length <= IN_A_ROW) return or(...ranges.map((range) => inRange(load, range, most)));
  const half = ranges.length >> 1, isBelow = test("<", load, ranges[half][0]);
  return or(
    and(isBelow, isIn(load, ranges.slice(0, half), most)),
    and(not(isBelow), isIn(load, ranges.slice(half), most)),
  );
}

function inRange(load: Load, [from, to]: Range, most: number): Node {
  if (from === to) return test("==", load, from);
  const tests = [];
  if (from > 0) tests.push(test(">=", load, from));
  if (to < most || tests.length === 0) tests.push(test("<=", load, to));
  return and(...tests);
}

function bitsOf(amount: number): number {
  return amount === 0 ? 0 : new Uint32Array(Float32Array.of(amount).buffer)[0];
}
