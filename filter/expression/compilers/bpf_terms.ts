/**
 * Purpose: the numbers of a plan, each distinct one once, with what a compiler to classic BPF wants to know
 * of it. The same number is the same object.
 *
 * ```text
 *  2 bytes at 16 + (8 + headerBytes(14))   ─▶   2 bytes at 24 + headerBytes(14), which is 60 at most
 * ```
 */
import { calculate, type Load, type Operator, type Value } from "../plan/tree.ts";

/** No packet is so large: what lies further is no part of it. */
export const LARGEST_PLACE = 0x3fffffff;

const LARGEST = 0xffffffff, COMMUTATIVE = "+*&|^";

/** What is known of a number. */
interface Facts {
  /** What it is at most. */
  max: number;
  /** It rejects every packet: a division by zero, or a read where no packet has anything. */
  rejects: boolean;
  /**
   * What computing it does to X: nothing; leaves a number there that is not computed anew where it is there
   * before; or anything.
   */
  inX: "nothing" | "anything" | Term;
}

/** A number of a plan; where one side of an operation is a constant, it is the right one if that may be. */
export type Term =
  & Facts
  & (
    | { kind: "number"; value: number }
    | { kind: "length" }
    | { kind: "load"; base?: Term; offset: number; bytes: 1 | 2 | 4; little: boolean }
    | {
      kind: "operation";
      operator: Operator;
      left: Term;
      right: Term;
      /** It is the length of an IPv4 header, which BPF loads into X at once; the header's offset. */
      headerAt?: number;
    }
  );

/** A load of the packet. */
export type LoadTerm = Term & { kind: "load" };
/** An operation. */
export type OperationTerm = Term & { kind: "operation" };

/** Makes terms. */
export class Terms {
  readonly #byKey = new Map<string, Term>();
  readonly #byValue = new Map<Value, Term>();
  readonly #ids = new Map<Term, number>();

  /** The term of a value. */
  of(value: Value): Term {
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    const term = this.#make(value);
    this.#byValue.set(value, term);
    return term;
  }

  /** What of a base is constant goes into the offset, as far as the sum cannot wrap. */
  place(base: Value | undefined, offset: number): { base?: Value; offset: number } {
    if (base?.kind === "number") return { offset: offset + base.value };
    if (base?.kind !== "operation" || base.operator !== "+") return { base, offset };
    const [fixed, rest] = base.left.kind === "number"
      ? [base.left, base.right]
      : [base.right, base.left];
    if (fixed.kind !== "number" || this.of(rest).max + fixed.value > LARGEST) {
      return { base, offset };
    }
    return this.place(rest, offset + fixed.value);
  }

  /** A constant. */
  number(value: number): Term {
    const fixed = { kind: "number", value, max: value, rejects: false, inX: "nothing" } as const;
    return this.#keep(`${value}`, fixed);
  }

  /** A load of the same bytes in network order. */
  big(load: LoadTerm): LoadTerm {
    return this.#load(load.base, load.offset, load.bytes, false);
  }

  /** An operation. */
  operation(operator: Operator, left: Term, right: Term): Term {
    if (left.kind === "number") {
      if (right.kind === "number") {
        const result = calculate(operator, left.value, right.value);
        if (result !== undefined) return this.number(result);
      } else if (COMMUTATIVE.includes(operator)) {
        return this.operation(operator, right, left);
      }
    }
    const rejects = left.rejects || right.rejects ||
      "/%".includes(operator) && right.kind === "number" && right.value === 0;
    const inX = right.kind === "number" ? left.inX : "anything";
    const max = largest(operator, left, right), headerAt = headerOf(operator, left, right);
    const key = `${operator} ${this.#idOf(left)} ${this.#idOf(right)}`;
    return this.#keep(key, {
      kind: "operation",
      operator,
      left,
      right,
      headerAt,
      max,
      rejects,
      inX,
    });
  }

  #make(value: Value): Term {
    switch (value.kind) {
      case "number":
        return this.number(value.value);
      case "length":
        return this.#keep("length", {
          kind: "length",
          max: LARGEST,
          rejects: false,
          inX: "nothing",
        });
      case "load":
        return this.#place(value);
      case "operation":
        return this.operation(value.operator, this.of(value.left), this.of(value.right));
    }
  }

  #place(load: Load): Term {
    const { base, offset } = this.place(load.base, load.offset);
    const little = load.order === "little" && load.bytes > 1;
    return this.#load(base && this.of(base), offset, load.bytes, little);
  }

  #load(base: Term | undefined, offset: number, bytes: 1 | 2 | 4, little: boolean): LoadTerm {
    const key = `${little ? "little" : "load"} ${bytes} ${offset} ${base && this.#idOf(base)}`;
    const rejects = offset + bytes > LARGEST_PLACE || base !== undefined && base.rejects;
    const inX = little && bytes === 4 ? "anything" : base ?? "nothing";
    const max = 256 ** bytes - 1;
    const load = { kind: "load", base, offset, bytes, little, max, rejects, inX } as const;
    return this.#keep(key, load) as LoadTerm;
  }

  #keep(key: string, term: Term): Term {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    this.#byKey.set(key, term);
    this.#ids.set(term, this.#ids.size);
    return term;
  }

  #idOf(term: Term): number {
    return this.#ids.get(term)!;
  }
}

/** What an operation gives at most. */
function largest(operator: Operator, left: Term, right: Term): number {
  const fixed = right.kind === "number" ? right.value : undefined;
  const fits = (value: number) => value <= LARGEST ? value : LARGEST;
  switch (operator) {
    case "+":
      return fits(left.max + right.max);
    case "-":
      return fixed === 0 ? left.max : LARGEST;
    case "*":
      return fits(left.max * right.max);
    case "/":
      return fixed ? Math.floor(left.max / fixed) : left.max;
    case "%":
      return Math.min(left.max, Math.max(right.max - 1, 0));
    case "&":
      return Math.min(left.max, right.max);
    case "|":
    case "^":
      return 2 ** (32 - Math.min(Math.clz32(left.max), Math.clz32(right.max))) - 1;
    case "<<":
      return fixed === undefined ? LARGEST : fits(left.max * 2 ** Math.min(fixed, 32));
    case ">>":
      return fixed === undefined ? left.max : calculate(">>", left.max, fixed)!;
  }
}

/** Where the IPv4 header begins whose length this is; `headerBytes` of tree.ts makes it. */
function headerOf(operator: Operator, left: Term, right: Term): number | undefined {
  const times4 = right.kind === "number" &&
    (operator === "<<" && right.value === 2 || operator === "*" && right.value === 4);
  if (!times4 || left.kind !== "operation" || left.operator !== "&") return undefined;
  const { left: byte, right: mask } = left;
  if (mask.kind !== "number" || mask.value !== 15) return undefined;
  return byte.kind === "load" && byte.bytes === 1 && !byte.base ? byte.offset : undefined;
}
