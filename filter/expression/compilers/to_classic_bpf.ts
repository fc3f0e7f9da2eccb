/**
 * Purpose: a plan as classic BPF, for the kernel's sockets.
 *
 * ```text
 *  block of the plan                  instructions
 *  2 bytes at 16 + headerBytes(14)    ldxb 4*([14]&0xf)     not where X is known to hold it already,
 *    == 5001                          ldh  [x + 16]         whatever way led here; nor where A holds this
 *  yes ─▶ accept  no ─▶ reject        jeq  #0x1389          jt accept  jf reject
 * ```
 * The kernel itself rejects at a read beyond the packet's end and at a division by zero. What it does
 * otherwise than the tree means is put right here: places that it would take for its own data (from 2^31 on,
 * also by wrapping), and shifts by 32 or more.
 */
import { BpfAssembler, type Label } from "./bpf_assembler.ts";
import {
  BPF,
  BPF_OPERATION,
  bpfBytes,
  KEEP_BYTES,
  LOAD_BYTES,
  MEMORY_WORDS,
} from "./bpf_instruction.ts";
import { LARGEST_PLACE, type LoadTerm, type OperationTerm, type Term, Terms } from "./bpf_terms.ts";
import { bpfText } from "./bpf_text.ts";
import { CannotPush } from "./cannot_push.ts";
import { ACCEPT, type Block, type Plan, REJECT } from "../plan/plan.ts";
import { compares } from "../plan/tree.ts";

const JUMP = { "==": BPF.jeq, ">": BPF.jgt, ">=": BPF.jge } as const;
const BYTE_PAIRS = 0xff00ff;

/** A program of classic BPF. */
export interface ClassicBpf {
  /** `struct sock_filter`s, 8 bytes each. */
  bytes: Uint8Array<ArrayBuffer>;
  /** For people, in the form of `tcpdump -d`. */
  text: string;
}

/**
 * Compiles a plan. Loads may have negative offsets, of the kernel's special areas (linux/filter.h: SKF_AD_OFF,
 * SKF_NET_OFF), where they have no base.
 *
 * @throws {CannotPush} where it takes more instructions or memory than the kernel allows.
 *
 * @example A program as tcpdump -d shows it
 * ```ts
 * import { Expression, toClassicBpf } from "@uspf/uspf";
 *
 * const { bytes, text } = toClassicBpf(new Expression("udp dst port 5001").plan);
 * console.log(text); // (000) ldh [12] …
 * console.assert(bytes.length % 8 === 0);
 * ```
 */
export function toClassicBpf(plan: Plan): ClassicBpf {
  const program = new Compiler(plan).compile();
  return { bytes: bpfBytes(program), text: bpfText(program) };
}

/** What is known of the registers at a place, whatever way led there. */
interface Known {
  a: Term | undefined;
  x: Term | undefined;
  /** Bases of which it has been tested that they are at most LARGEST_PLACE. */
  small: Set<Term>;
}

/** A block, of terms. */
interface Step {
  relation: Block["relation"];
  left: Term;
  right: Term;
  yes: number;
  no: number;
}

class Compiler {
  readonly #terms = new Terms();
  readonly #code = new BpfAssembler();
  readonly #entry: number;
  readonly #steps: Step[];
  /** Where each block begins, and by ACCEPT and REJECT the program's two ends. */
  readonly #labels = new Map<number, Label>();
  /** What is known where a block begins; nothing as long as no way leads there. */
  readonly #knownAt = new Map<number, Known>();
  #known: Known = { a: undefined, x: undefined, small: new Set() };
  #memoryUsed = 0;

  constructor(plan: Plan) {
    this.#steps = plan.blocks.map((block) => this.#stepOf(block));
    this.#entry = shorten(plan.entry, this.#steps);
    for (let i = REJECT; i < this.#steps.length; i++) this.#labels.set(i, this.#code.label());
  }

  compile() {
    if (this.#entry >= 0) this.#knownAt.set(this.#entry, this.#known);
    this.#steps.forEach((step, i) => this.#compileStep(step, i));
    const used = this.#entry >= 0;
    if (used || this.#entry === ACCEPT) this.#compileEnd(ACCEPT, KEEP_BYTES);
    if (used || this.#entry === REJECT) this.#compileEnd(REJECT, 0);
    return this.#code.finish();
  }

  #compileEnd(end: number, bytes: number): void {
    this.#code.place(this.#labels.get(end)!);
    this.#code.add(BPF.ret, bytes);
  }

  #compileStep(step: Step, index: number): void {
    const known = this.#knownAt.get(index);
    if (known === undefined) return;
    this.#known = { ...known, small: new Set(known.small) };
    this.#code.place(this.#labels.get(index)!);
    const { left, right } = step,
      [yes, no] = [step.yes, step.no].map((way) => this.#labels.get(way)!);
    if (right.kind !== "number") {
      this.#loadOperands(left, right, step.relation === "==");
      this.#code.jump(JUMP[step.relation] | BPF.withX, 0, yes, no);
    } else if (!this.#testBits(left, right.value, step, yes, no)) {
      this.#loadA(left);
      this.#code.jump(JUMP[step.relation], right.value, yes, no);
    }
    for (const way of [step.yes, step.no]) if (way >= 0) this.#reach(way);
  }

  /** "x & 6 == 0" in one instruction, which leaves x in A. */
  #testBits(left: Term, value: number, { relation }: Step, yes: Label, no: Label): boolean {
    const zero = relation === "==" && value === 0;
    if (!zero || this.#known.a === left || left.kind !== "operation") return false;
    const { operator, left: bits, right: mask } = left;
    if (operator !== "&" || mask.kind !== "number") return false;
    this.#loadA(bits);
    this.#code.jump(BPF.jset, mask.value, no, yes);
    return true;
  }

  /** A way leads from here to that block: known there is what is known on all ways. */
  #reach(block: number): void {
    const { a, x, small } = this.#known, there = this.#knownAt.get(block);
    this.#knownAt.set(
      block,
      there === undefined ? { a, x, small: new Set(small) } : {
        a: there.a === a ? a : undefined,
        x: there.x === x ? x : undefined,
        small: there.small.intersection(small),
      },
    );
  }

  // Into registers.

  #loadA(term: Term): void {
    if (this.#known.a === term) return;
    if (this.#known.x === term) this.#code.add(BPF.txa);
    else if (term.kind === "number") this.#code.add(BPF.ldNumber, term.value);
    else if (term.kind === "length") this.#code.add(BPF.ldLength);
    else if (term.kind === "load") this.#load(term);
    else this.#operate(term);
    this.#known.a = term;
  }

  #loadX(term: Term): void {
    if (this.#known.x === term) return;
    if (this.#known.a === term) this.#code.add(BPF.tax);
    else if (!this.#loadXAlone(term)) {
      this.#loadA(term);
      this.#code.add(BPF.tax);
    }
    this.#known.x = term;
  }

  /** What X can have without A. */
  #loadXAlone(term: Term): boolean {
    if (this.#known.a === term) return false;
    if (term.kind === "number") this.#code.add(BPF.ldxNumber, term.value);
    else if (term.kind === "length") this.#code.add(BPF.ldxLength);
    else if (term.kind === "operation" && term.headerAt !== undefined) {
      this.#code.add(BPF.ldxHeader, term.headerAt);
    } else return false;
    this.#known.x = term;
    return true;
  }

  /** The left one into A, the right one into X; or exchanged, where that may be and is shorter. */
  #loadOperands(left: Term, right: Term, mayExchange: boolean): void {
    const { a, x } = this.#known;
    if (mayExchange && (a === left || x === left) && a !== right && x !== right) {
      return this.#loadOperands(right, left, false);
    }
    const keepsRight = left.inX === "nothing" || left.inX === right;
    if (x === right && keepsRight) return this.#loadA(left);
    if (isAlone(right)) {
      this.#loadA(left);
      return this.#loadX(right);
    }
    if (keepsRight) {
      this.#loadX(right);
      return this.#loadA(left);
    }
    this.#loadA(right);
    const word = this.#keepA();
    this.#loadA(left);
    this.#restoreX(word, right);
  }

  /** Puts A into memory. */
  #keepA(): number {
    if (this.#memoryUsed === MEMORY_WORDS) {
      throw new CannotPush(
        `its arithmetic takes more than the ${MEMORY_WORDS} words of classic BPF's memory`,
      );
    }
    this.#code.add(BPF.st, this.#memoryUsed);
    return this.#memoryUsed++;
  }

  /** Puts what was kept last into X. */
  #restoreX(word: number, term: Term | undefined): void {
    this.#code.add(BPF.ldxMemory, word);
    this.#known.x = term;
    this.#memoryUsed = word;
  }

  // Reads.

  #load(term: LoadTerm): void {
    if (term.little) return this.#loadLittle(term);
    const { base, offset, bytes } = term;
    if (base === undefined) {
      this.#code.add(BPF.ldAbsolute | LOAD_BYTES[bytes], offset);
    } else {
      if (base.max > LARGEST_PLACE && !this.#known.small.has(base)) this.#testSmall(base);
      this.#loadX(base);
      this.#code.add(BPF.ldIndirect | LOAD_BYTES[bytes], offset);
    }
  }

  #testSmall(base: Term): void {
    this.#loadA(base);
    const next = this.#code.label();
    this.#code.jump(BPF.jgt, LARGEST_PLACE, this.#labels.get(REJECT)!, next);
    this.#code.place(next);
    this.#known.small.add(base);
  }

  /** Read in network order, then turned round. */
  #loadLittle(term: LoadTerm): void {
    this.#loadA(this.#terms.big(term));
    this.#known.a = undefined;
    if (term.bytes === 2) {
      // ab, doubled to abab, has ba in its middle.
      this.#code.add(BPF_OPERATION["*"], 0x10001);
      this.#code.add(BPF_OPERATION[">>"], 8);
      this.#code.add(BPF_OPERATION["&"], 0xffff);
    } else {
      this.#swapHalves(8, BYTE_PAIRS); // abcd, badc, dcba
      this.#swapHalves(16, 0xffff);
    }
  }

  /** Exchanges each `bits` of A with the next ones; `mask` has the lower ones of each pair. */
  #swapHalves(bits: number, mask: number): void {
    this.#code.add(BPF.tax);
    this.#code.add(BPF_OPERATION[">>"], bits);
    this.#code.add(BPF_OPERATION["&"], mask);
    const word = this.#keepA();
    this.#code.add(BPF.txa);
    this.#code.add(BPF_OPERATION["&"], mask);
    this.#code.add(BPF_OPERATION["<<"], bits);
    this.#restoreX(word, undefined);
    this.#code.add(BPF_OPERATION["|"] | BPF.withX);
  }

  // Operations.

  #operate(term: OperationTerm): void {
    const { operator, left, right } = term;
    const isShift = operator === "<<" || operator === ">>";
    if (right.kind === "number") {
      this.#loadA(left);
      // The kernel refuses a shift by more than 31; the left side may still reject.
      if (isShift && right.value > 31) this.#code.add(BPF_OPERATION["&"], 0);
      else this.#code.add(BPF_OPERATION[operator], right.value);
    } else if (isShift && right.max > 31) {
      this.#shift(operator, left, right);
    } else {
      this.#loadOperands(left, right, "+*&|^".includes(operator));
      this.#code.add(BPF_OPERATION[operator] | BPF.withX);
    }
  }

  /** A shift by a variable number: the kernel heeds only its low 5 bits. */
  #shift(operator: "<<" | ">>", left: Term, right: Term): void {
    const code = this.#code, [zero, shift, end] = [code.label(), code.label(), code.label()];
    this.#loadOperands(left, right, false);
    const word = this.#keepA();
    code.add(BPF.txa);
    code.jump(BPF.jgt, 31, zero, shift);
    code.place(shift);
    code.add(BPF.ldMemory, word);
    code.add(BPF_OPERATION[operator] | BPF.withX);
    code.always(end);
    code.place(zero);
    code.add(BPF.ldNumber, 0);
    code.place(end);
    this.#memoryUsed = word;
  }

  // The plan, of terms.

  /** With a constant on the right, and in the packet's own order of bytes, where that may be. */
  #stepOf({ relation, left, right, yes, no }: Block): Step {
    const [l, r] = [this.#terms.of(left), this.#terms.of(right)];
    if (l.kind === "number" && r.kind !== "number") {
      if (relation === "==") return this.#turnLittle({ relation, left: r, right: l, yes, no });
      const opposite = relation === ">" ? ">=" : ">";
      return { relation: opposite, left: r, right: l, yes: no, no: yes };
    }
    return this.#turnLittle({ relation, left: l, right: r, yes, no });
  }

  #turnLittle(step: Step): Step {
    const { relation, left, right } = step;
    if (relation !== "==" || right.kind !== "number") return step;
    const masked = left.kind === "operation" && left.operator === "&" &&
      left.right.kind === "number";
    const load = masked ? left.left : left;
    if (load.kind !== "load" || !load.little || right.value > load.max) return step;
    const swapped = (value: number) => this.#terms.number(swap(value & load.max, load.bytes));
    const big = this.#terms.big(load);
    const turned = masked && left.right.kind === "number"
      ? this.#terms.operation("&", big, swapped(left.right.value))
      : big;
    return { ...step, left: turned, right: swapped(right.value) };
  }
}

/** Whether X can have it without A. */
function isAlone(term: Term): boolean {
  return term.kind === "number" || term.kind === "length" ||
    term.kind === "operation" && term.headerAt !== undefined;
}

/** Has ways lead past blocks that fall out the same for every packet; returns where `entry` leads. */
function shorten(entry: number, steps: Step[]): number {
  const ends: number[] = [];
  const endOf = (way: number) => way < 0 ? way : ends[way];
  for (let i = steps.length - 1; i >= 0; i--) {
    const step = steps[i], { relation, left, right } = step;
    step.yes = endOf(step.yes);
    step.no = endOf(step.no);
    ends[i] = i;
    if (left.rejects || right.rejects || step.yes === REJECT && step.no === REJECT) {
      ends[i] = REJECT;
    } else if (left.kind === "number" && right.kind === "number") {
      ends[i] = compares(relation, left.value, right.value) ? step.yes : step.no;
    }
  }
  return endOf(entry);
}

/** The number whose bytes are those of `value` the other way round. */
function swap(value: number, bytes: number): number {
  let turned = 0;
  for (let i = 0; i < bytes; i++) turned = turned * 256 + (value >>> 8 * i & 255);
  return turned;
}
