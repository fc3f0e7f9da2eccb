/**
 * Purpose: values as JavaScript text. A value's text is an int32; where it is compared as larger or
 * smaller and may have its upper bit set, `>>> 0` makes it unsigned.
 *
 * ```text
 *  load 2 at 36, whole words    word 9 of the packet, lower half, bytes exchanged     (k9 & 0xffff)
 *  load 2 at 36, bytes          byte 36 << 8 | byte 37
 * ```
 * Words are little-endian, as the machine is. A comparison with a number exchanges the number's bytes,
 * once, instead of the packet's, each time.
 */
import type { Interner } from "../plan/intern.ts";
import type { Load, Operator, Value } from "../plan/tree.ts";

/** How the text reads a packet. */
export interface JavaScriptReads {
  /** The packet's captured length, by name. */
  length: string;
  /** Its length on the wire, by name: any number of 32 bits, signed or not. */
  wireLength: string;
  /** The byte at a place of the packet, which is text of a number. */
  byte(at: string): string;
  /** The int32 at a word of the packet; where there is none, packets may begin at any byte. */
  word?(at: string): string;
}

/** What is known on all ways to a place in the text. */
export interface Known {
  /** Variables that have been set. */
  variables: Set<string>;
  /** By variable of a base, or "" for none: bytes behind it that the packet surely has. */
  extents: Map<string, number>;
}

/** A comparison of a word's bits with a number. */
export interface WordTest {
  load: Load;
  /** Which word, behind the load's base, and its variable. */
  at: number;
  word: string;
  mask: number;
  value: number;
}

/** Writes values; what has to be done before they can be used goes to `before`. */
export class ValueWriter {
  /** All variables in the text. */
  readonly variables: Set<string> = new Set();
  /** Statements so far. */
  before: string[] = [];
  /** What is known behind them. */
  known: Known = { variables: new Set(), extents: new Map() };

  constructor(readonly reads: JavaScriptReads, readonly interner: Interner) {}

  /** An int32. */
  text(value: Value): string {
    switch (value.kind) {
      case "number":
        return `${value.value | 0}`;
      case "length":
        return `(${this.reads.wireLength} | 0)`;
      case "load":
        return this.#load(value);
      case "operation":
        return this.#operation(value.operator, value.left, value.right);
    }
  }

  /** A number of 0 to 2^32 - 1. */
  unsigned(value: Value): string {
    if (value.kind === "number") return `${value.value}`;
    if (value.kind === "length") return `(${this.reads.wireLength} >>> 0)`;
    const text = this.text(value);
    return atMost(value) < 2 ** 31 ? text : `(${text} >>> 0)`;
  }

  /** `value == number` as a comparison within one word, if it is one; see `take`. */
  wordTest(value: Value, wanted: number): WordTest | undefined {
    const bits = this.#bitTest(value, wanted);
    if (bits === undefined) return undefined;
    const { load, mask } = bits, shift = (load.offset & 3) * 8;
    const above = shift === 0 ? 0 : mask >>> 32 - shift; // bits in the next word
    if (above !== 0 && mask << shift !== 0) return undefined;
    const at = (load.offset >>> 2) + (above === 0 ? 0 : 1);
    const place = (n: number) => above === 0 ? n << shift : n >>> 32 - shift;
    return {
      load,
      at,
      word: this.#wordName(load, at),
      mask: place(mask),
      value: place(bits.value),
    };
  }

  /** Reads the word of a test. */
  take({ load, at }: WordTest): void {
    this.#reach(load);
    this.#word(load, at);
  }

  /** Both sides of `value == number`, of which each has its bytes in the packet's order if that is quicker. */
  sides(value: Value, wanted: number): [string, string] {
    const bits = this.#bitTest(value, wanted);
    if (bits === undefined) return [this.text(value), `${wanted | 0}`];
    const { load, mask } = bits, every = -1 >>> 32 - load.bytes * 8 | 0;
    this.#reach(load);
    const raw = this.#raw(load);
    return [mask === every ? raw : `(${raw} & ${hex(mask)})`, hex(bits.value)];
  }

  /** Whether a read is known to be within the packet. */
  reaches(load: Load): boolean {
    return (this.known.extents.get(this.#nameOf(load.base)) ?? 0) >= load.offset + load.bytes;
  }

  #load(load: Load): string {
    this.#reach(load);
    const aligned = this.reads.word !== undefined && isAligned(load);
    const name = `value${this.interner.id(load)}`;
    this.#set(name, () => aligned ? this.#fromWords(load) : this.#fromBytes(load));
    return name;
  }

  /** `value == number` where the value is bits of a read by whole words: both as they lie in memory. */
  #bitTest(value: Value, wanted: number): { load: Load; mask: number; value: number } | undefined {
    const { load, mask } = masked(value);
    if (load === undefined || this.reads.word === undefined || !isAligned(load)) return undefined;
    const bits = load.bytes * 8;
    if ((wanted & ~mask) !== 0 || wanted >= 2 ** bits) return undefined;
    const place = (n: number) => load.order === "little" ? n : swap(n, load.bytes);
    return { load, mask: place(mask & -1 >>> 32 - bits), value: place(wanted) };
  }

  #fromWords(load: Load): string {
    const { bytes, order } = load;
    if (order === "little" || bytes === 1) return this.#rawText(load);
    const raw = this.#raw(load);
    return bytes === 2
      ? `(${raw} & 0xff) << 8 | ${raw} >>> 8`
      : `${raw} << 24 | (${raw} & 0xff00) << 8 | ${raw} >>> 8 & 0xff00 | ${raw} >>> 24`;
  }

  /** The variable of a load's bytes as they lie in memory. */
  #raw(load: Load): string {
    const name = `raw${this.interner.id(load)}`;
    this.#set(name, () => this.#rawText(load));
    return name;
  }

  #rawText(load: Load): string {
    const { bytes, offset } = load, shift = (offset & 3) * 8, bits = bytes * 8;
    const low = this.#word(load, offset >>> 2);
    if (shift + bits <= 32) {
      const down = shift === 0 ? low : `${low} >>> ${shift}`;
      return shift + bits === 32 ? down : `${down} & ${hex(2 ** bits - 1)}`;
    }
    const both = `${low} >>> ${shift} | ${this.#word(load, (offset >>> 2) + 1)} << ${32 - shift}`;
    return bits === 32 ? both : `(${both}) & ${hex(2 ** bits - 1)}`;
  }

  #fromBytes({ base, bytes, offset, order }: Load): string {
    const from = base === undefined ? "" : `${this.#baseName(base)} + `;
    return Array.from({ length: bytes }, (_, i) => {
      const up = (order === "little" ? i : bytes - 1 - i) * 8;
      const byte = this.reads.byte(`${from}${offset + i}`);
      return up === 0 ? byte : `${byte} << ${up}`;
    }).join(" | ");
  }

  #operation(operator: Operator, left: Value, right: Value): string {
    const a = this.text(left);
    if (right.kind === "number" && "<<>>".includes(operator)) {
      if (right.value > 31) return "0";
      return operator === "<<" ? `(${a} << ${right.value})` : `(${a} >>> ${right.value} | 0)`;
    }
    switch (operator) {
      case "*":
        return `Math.imul(${a}, ${this.text(right)})`;
      case "/":
      case "%":
        return `(${this.unsigned(left)} ${operator} ${this.#notZero(right)} | 0)`;
      case "<<":
      case ">>": {
        const by = this.#named(right), sign = operator === "<<" ? "<<" : ">>>";
        return `(${by} >>> 0 > 31 ? 0 : ${a} ${sign} ${by} | 0)`;
      }
      default:
        return `(${a} ${operator} ${this.text(right)}${"+-".includes(operator) ? " | 0" : ""})`;
    }
  }

  /** A divisor; where it is 0, the packet is rejected. */
  #notZero(divisor: Value): string {
    if (divisor.kind === "number" && divisor.value !== 0) return `${divisor.value}`;
    const name = this.#named(divisor);
    this.before.push(`if (${name} === 0) break rejected;`);
    return `(${name} >>> 0)`;
  }

  #named(value: Value): string {
    const text = this.text(value);
    if (/^-?\w+$/.test(text)) return text;
    const name = `value${this.interner.id(value)}`;
    this.#set(name, () => text);
    return name;
  }

  /** Rejects the packet where it ends before what is read. */
  #reach({ base, offset, bytes }: Load): void {
    const end = offset + bytes, { length } = this.reads, name = this.#nameOf(base);
    if (base !== undefined) this.#baseName(base);
    if ((this.known.extents.get(name) ?? 0) >= end) return;
    if (base === undefined) this.before.push(`if (${length} < ${end}) break rejected;`);
    else {
      const from = atMost(base) < 2 ** 30 ? name : `(${name} >>> 0)`;
      this.before.push(`if (${from} + ${end} > ${length}) break rejected;`);
    }
    this.known.extents.set(name, end);
  }

  #nameOf(base: Value | undefined): string {
    return base === undefined ? "" : `base${this.interner.id(base)}`;
  }

  #wordName({ base }: Load, k: number): string {
    return `${this.#nameOf(base)}word${k}`;
  }

  /** The variable of a load's base, in bytes. */
  #baseName(base: Value): string {
    const name = this.#nameOf(base);
    this.#set(name, () => this.text(base));
    return name;
  }

  /** The variable of word `k` behind a load's base. */
  #word(load: Load, k: number): string {
    const from = load.base === undefined ? "" : this.#baseName(load.base);
    const name = this.#wordName(load, k);
    this.#set(name, () => this.reads.word!(from === "" ? `${k}` : `(${from} >> 2) + ${k}`));
    return name;
  }

  /** Sets a variable where it has not been set on all ways here. */
  #set(name: string, text: () => string): void {
    if (this.known.variables.has(name)) return;
    const value = text();
    this.variables.add(name);
    this.known.variables.add(name);
    this.before.push(`${name} = ${value};`);
  }
}

function isAligned({ base }: Load): boolean {
  return base === undefined || isMultipleOf4(base);
}

/** A load, and which of its bits are looked at. */
function masked(value: Value): { load?: Load; mask: number } {
  if (value.kind === "load") return { load: value, mask: -1 };
  if (value.kind === "operation" && value.operator === "&" && value.left.kind === "load") {
    if (value.right.kind === "number") return { load: value.left, mask: value.right.value };
  }
  return { mask: 0 };
}

function isMultipleOf4(value: Value): boolean {
  switch (value.kind) {
    case "number":
      return value.value % 4 === 0;
    case "operation": {
      const { operator, left, right } = value;
      if (operator === "<<" && right.kind === "number" && right.value > 1) return true;
      if (operator === "+") return isMultipleOf4(left) && isMultipleOf4(right);
      return "&*".includes(operator) && (isMultipleOf4(left) || isMultipleOf4(right));
    }
    default:
      return false;
  }
}

/** The largest that a value can be. */
export function atMost(value: Value): number {
  const most = 2 ** 32 - 1;
  switch (value.kind) {
    case "number":
      return value.value;
    case "length":
      return most;
    case "load":
      return 2 ** (8 * value.bytes) - 1;
    case "operation": {
      const a = atMost(value.left), b = atMost(value.right);
      const by = value.right.kind === "number" ? value.right.value : 0;
      switch (value.operator) {
        case "&":
          return Math.min(a, b);
        case "+":
          return a + b > most ? most : a + b;
        case "*":
          return a * b > most ? most : a * b;
        case "<<":
          return value.right.kind === "number" && a * 2 ** by <= most ? a * 2 ** by : most;
        case ">>":
          return Math.floor(a / 2 ** Math.min(by, 32));
        case "/":
          return a;
        case "%":
          return Math.min(a, Math.max(0, b - 1));
        case "|":
        case "^":
          return 2 ** (32 - Math.min(Math.clz32(a), Math.clz32(b))) - 1;
        case "-":
          return most;
      }
    }
  }
}

/** A number with its bytes in the other order. */
function swap(value: number, bytes: number): number {
  let swapped = 0;
  for (let i = 0; i < bytes; i++) swapped = swapped << 8 | value >>> 8 * i & 0xff;
  return swapped;
}

/** A number as it stands in masks. */
export function hex(value: number): string {
  return value < 0 || value > 0x7fffffff ? `${value | 0}` : `0x${value.toString(16)}`;
}
