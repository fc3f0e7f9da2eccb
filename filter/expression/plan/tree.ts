/**
 * Purpose: the tree that an expression means: tests of numbers read from the packet, joined by and, or, not.
 *
 * ```text
 *  "tcp[tcpflags] & tcp-syn != 0" and the like        and
 *                                                    ┌─┴────────────┐
 *        test ==                               … is it TCP?       test !=
 *        ├── load 2 bytes at 12                                   ├── operation &
 *        └── number 0x0800                                        │   ├── load 1 byte at 27 + (load at 14 & 15) * 4
 *                                                                 │   └── number 2
 *                                                                 └── number 0
 * ```
 * A tree is judged from the left, and only as far as needed. A read beyond the packet's end, or a division
 * by zero, rejects the packet, whatever stands around it, "not" as well: as BPF has it (McCanne and
 * Jacobson, 1993). All numbers are unsigned, of 32 bits, and wrap.
 */

/** What is done to two numbers. Division by zero rejects the packet; shifting by 32 or more gives 0. */
export type Operator = "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "<<" | ">>";

/** A read of the packet. */
export interface Load {
  /** Always "load". */
  kind: "load";
  /** Added to the offset, without wrapping; nothing: 0. */
  base?: Value;
  /** Bytes from the begin of the packet, 0 or more. */
  offset: number;
  /** How many it takes. */
  bytes: 1 | 2 | 4;
  /** The order of its bytes; big-endian, as networks have it, by default. */
  order?: "little";
}

/** An unsigned number of 32 bits. */
export type Value =
  | { kind: "number"; value: number }
  /** Bytes of the packet on the wire, of which fewer may have been captured. */
  | { kind: "length" }
  | Load
  | { kind: "operation"; operator: Operator; left: Value; right: Value };

/** How a test compares: unsigned. */
export type Relation = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** A test of numbers. */
export interface Test {
  /** Always "test". */
  kind: "test";
  /** How it compares. */
  relation: Relation;
  /** What is compared. */
  left: Value;
  /** What it is compared with. */
  right: Value;
  /** How libpcap writes it down, where that matters. */
  written?: Written;
}

/**
 * How libpcap writes a test down, where the test itself does not tell: both sides calculated, the right one
 * in a register; one for bits that are set; or one of what the test before it left in the accumulator, instead
 * of the value that is operated on. settle.ts asks for the first two; accumulator.ts puts in what was left.
 */
export type Written = "calculated" | "bits" | "left behind";

/** What is true or false of a packet. */
export type Node =
  | Test
  /** At least one part. */
  | { kind: "and" | "or"; parts: Node[] }
  | { kind: "not"; part: Node }
  | { kind: "constant"; value: boolean };

/** Deepest nesting of values and nodes: every walk over a tree may recurse. */
export const MAX_DEPTH = 500;

/** A number; of more than 32 bits its low ones. */
export function number(value: number): Value {
  return { kind: "number", value: value >>> 0 };
}

/** A read at a fixed place. */
export function loadAt(offset: number, bytes: 1 | 2 | 4, base?: Value): Load {
  return base === undefined
    ? { kind: "load", offset, bytes }
    : { kind: "load", base, offset, bytes };
}

/**
 * An operation. What comes out the same for every packet is a number at once: also what is 0 whatever one
 * side is, so that the other is not read, as in libpcap.
 */
export function operation(operator: Operator, left: Value, right: Value): Value {
  if (left.kind === "number" && right.kind === "number") {
    const result = calculate(operator, left.value, right.value);
    if (result !== undefined) return number(result);
  }
  const zero = "*&".includes(operator) && isZero(right) ||
    ["*", "&", "/", "%", "<<", ">>"].includes(operator) && isZero(left);
  return zero ? number(0) : { kind: "operation", operator, left, right };
}

/** A value with all that comes out the same for every packet calculated. */
export function folded(value: Value): Value {
  if (value.kind === "operation") {
    return operation(value.operator, folded(value.left), folded(value.right));
  }
  if (value.kind !== "load" || value.base === undefined) return value;
  const { base: _, ...load } = value, base = folded(value.base);
  if (base.kind === "number") return { ...load, offset: (load.offset + base.value) >>> 0 };
  // A number that something is added to becomes part of the offset; one that is added to something does not.
  return base.kind === "operation" && base.operator === "+" && base.left.kind === "number"
    ? { ...load, base: base.right, offset: (load.offset + base.left.value) >>> 0 }
    : { ...load, base };
}

/** Bytes of the IPv4 header that begins at byte `offset`: four times its IHL. */
export function headerBytes(offset: number, base?: Value): Value {
  return operation("<<", operation("&", loadAt(offset, 1, base), number(15)), number(2));
}

/** A test. */
export function test(relation: Relation, left: Value, right: Value | number): Test {
  return { kind: "test", relation, left, right: typeof right === "number" ? number(right) : right };
}

/** All of these, asked in this order. */
export function and(...parts: Node[]): Node {
  return join("and", parts);
}

/** One of these, asked in this order. */
export function or(...parts: Node[]): Node {
  return join("or", parts);
}

/** The opposite. */
export function not(part: Node): Node {
  return part.kind === "not" ? part.part : { kind: "not", part };
}

/** What an operation gives; nothing where it divides by zero. */
export function calculate(operator: Operator, left: number, right: number): number | undefined {
  switch (operator) {
    case "+":
      return (left + right) >>> 0;
    case "-":
      return (left - right) >>> 0;
    case "*":
      return Math.imul(left, right) >>> 0;
    case "/":
      return right === 0 ? undefined : Math.floor(left / right);
    case "%":
      return right === 0 ? undefined : left % right;
    case "&":
      return (left & right) >>> 0;
    case "|":
      return (left | right) >>> 0;
    case "^":
      return (left ^ right) >>> 0;
    case "<<":
      return right > 31 ? 0 : (left << right) >>> 0;
    case ">>":
      return right > 31 ? 0 : left >>> right;
  }
}

/** What a test says of two numbers. */
export function compares(relation: Relation, left: number, right: number): boolean {
  switch (relation) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}

/** Parts of the same kind become parts of the whole. */
function join(kind: "and" | "or", parts: Node[]): Node {
  const flat = parts.flatMap((part) => part.kind === kind ? part.parts : [part]);
  return flat.length === 1 ? flat[0] : { kind, parts: flat };
}

function isZero(value: Value): boolean {
  return value.kind === "number" && value.value === 0;
}
