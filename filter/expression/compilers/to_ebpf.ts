/**
 * Purpose: a plan as eBPF: the piece of an XDP program that judges a packet before the kernel's stack does.
 *
 * ```text
 *  r6 = context ─▶ r7 = begin, r8 = end  ─▶ block ─▶ block ─▶ … ─▶ accept: r0 = 1 ─┐
 *                  r9 = length, if asked      │ no     │                            ├─▶ (behind the piece)
 *                                             └────────┴─▶ reject: r0 = 0 ─────────┘
 * ```
 * The kernel lets a program read only where it has proved, on every way there, that the packet has the
 * bytes. So each block compares the packet's end with the last byte that it reads at a fixed place, unless
 * all ways to it have; places that are calculated are compared each time.
 *
 * A read beyond the end rejects the packet, but of a packet in several pieces (Linux 5.18) only the first
 * lies between begin and end: such a packet is accepted, unjudged, and a PacketCapture counts it as malformed
 * (`split`), as it does without an early filter. So it is with one of more than 65535 bytes, of which the
 * kernel lets no program read the rest.
 *
 * Bytes are loaded as a little-endian machine has them.
 */
import { CannotPush } from "./cannot_push.ts";
import { type AluOperator, type Ebpf, EbpfAssembler, type Register } from "./ebpf_assembler.ts";
import {
  comparisonOf,
  type Direct,
  doomOf,
  hasLength,
  isDirect,
  MAX_READ,
  most,
  reach,
} from "./ebpf_values.ts";
import { ACCEPT, type Block, type Plan } from "../plan/plan.ts";
import { compares, type Load, type Value } from "../plan/tree.ts";

/** Jumps reach 32767 instructions; the rest of the XDP program wants some. */
const MAX_INSTRUCTIONS = 32_000;
/** The verifier keeps a branch for each on a way: BPF_COMPLEXITY_LIMIT_JMP_SEQ, 8192. */
const MAX_BRANCHES = 8_000;
/** Of an instruction's offset. */
const MAX_OFFSET = 0x7fff;
/** bpf_xdp_get_buff_len, of Linux 5.18; see xdp_hook.c for older ones. */
const GET_LENGTH = 188;
/** Where struct xdp_md has the packet's begin and end. */
const CONTEXT = { data: 0, dataEnd: 4 };

const RESULT = "r0",
  OTHER = "r1",
  POINTER = "r2",
  KEPT = "r6",
  BEGIN = "r7",
  END = "r8",
  LENGTH = "r9";

/** What is known wherever a block is entered. */
interface Known {
  /** The packet has so many bytes. */
  bytes: number;
  /** Which value r0 has; as JSON, for comparison. */
  held?: string;
}

/**
 * Compiles a plan: a piece that is entered with the context in r6, and keeps that; it ends by falling off
 * its end, with r0 = 1 where the packet is accepted, else 0. It may use all other registers and the stack.
 *
 * @throws {CannotPush} where it would be larger than the kernel would have it.
 *
 * @example A program, one line an instruction
 * ```ts
 * import { Expression, toEbpf } from "@uspf/uspf";
 *
 * console.log(toEbpf(new Expression("udp dst port 5001").plan).text);
 * ```
 */
export function toEbpf(plan: Plan): Ebpf {
  return new Compiler(plan).compile();
}

class Compiler {
  readonly #code = new EbpfAssembler();
  readonly #known: (Known | undefined)[];
  readonly #slots = new Map<Value, number>();
  #spilled = 0;

  constructor(readonly plan: Plan) {
    this.#known = plan.blocks.map(() => undefined);
  }

  compile(): Ebpf {
    const { entry, blocks } = this.plan;
    if (entry < 0) {
      this.#code.alu(64, RESULT, "=", entry === ACCEPT ? 1 : 0);
      return this.#code.finish();
    }
    this.#begin();
    this.#meet(entry, { bytes: 0 });
    blocks.forEach((block, i) => {
      const known = this.#known[i];
      if (known === undefined) return; // only blocks before it led here that come to no end
      this.#code.label(labelOf(i));
      this.#block(block, i, { ...known });
      this.#checkSize();
    });
    this.#end();
    return this.#code.finish();
  }

  #begin(): void {
    this.#code.load(BEGIN, 4, KEPT, CONTEXT.data);
    this.#code.load(END, 4, KEPT, CONTEXT.dataEnd);
    if (!this.plan.blocks.some(({ left, right }) => hasLength(left) || hasLength(right))) return;
    this.#length();
    this.#code.alu(64, LENGTH, "=", RESULT);
  }

  /** Bytes of the packet, of all its pieces. */
  #length(): void {
    this.#code.alu(64, OTHER, "=", KEPT);
    this.#code.call(GET_LENGTH);
  }

  #end(): void {
    const code = this.#code;
    if (code.isUsed("beyond")) {
      code.label("beyond");
      this.#length();
      code.jump(64, RESULT, ">", MAX_READ, "accept");
      // Loaded again, so that what the verifier knows of them needs not be the same on all ways here.
      code.load(OTHER, 4, KEPT, CONTEXT.data);
      code.load(POINTER, 4, KEPT, CONTEXT.dataEnd);
      code.alu(64, OTHER, "+=", RESULT);
      code.jump(64, OTHER, ">", POINTER, "accept");
      code.goto("reject");
    }
    if (code.isUsed("reject")) {
      code.label("reject");
      code.alu(64, RESULT, "=", 0);
      code.goto("end");
    }
    if (code.isUsed("accept")) {
      code.label("accept");
      code.alu(64, RESULT, "=", 1);
    }
    code.label("end");
  }

  #checkSize(): void {
    const { count, branches } = this.#code;
    const says = (what: string, limit: number) =>
      new CannotPush(`as eBPF it has more than ${limit} ${what}`);
    if (count > MAX_INSTRUCTIONS) throw says("instructions", MAX_INSTRUCTIONS);
    if (branches > MAX_BRANCHES) throw says("branches", MAX_BRANCHES);
  }

  /** Notes what is known on one more way to a block; it counts what is known on all. */
  #meet(way: number, known: Known): void {
    if (way < 0) return;
    const before = this.#known[way];
    this.#known[way] = before === undefined ? { ...known } : {
      bytes: Math.min(before.bytes, known.bytes),
      held: before.held === known.held ? known.held : undefined,
    };
  }

  #block(block: Block, index: number, known: Known): void {
    const { yes, no } = block, { left, relation, right } = comparisonOf(block);
    const doom = doomOf(left) ?? doomOf(right);
    if (doom !== undefined) return this.#code.goto(doom);
    if (left.kind === "number" && right.kind === "number") {
      const way = compares(relation, left.value, right.value) ? yes : no;
      this.#code.goto(labelOf(way));
      return this.#meet(way, known);
    }
    this.#checkRoom(Math.max(reach(left), reach(right)), known);
    const operand = this.#operands(left, right, known);
    // The way to the next block falls off this one's end.
    if (yes === index + 1) {
      this.#code.jump(32, RESULT, OPPOSITE[relation], operand, labelOf(no));
      this.#code.goto(labelOf(yes));
    } else {
      this.#code.jump(32, RESULT, relation, operand, labelOf(yes));
      this.#code.goto(labelOf(no));
    }
    this.#meet(yes, known);
    this.#meet(no, known);
  }

  /** Leaves the left side in r0; returns the right one's register or number. */
  #operands(left: Value, right: Value, known: Known): Register | number {
    if (right.kind !== "number") {
      known.held = undefined;
      this.#both(left, right);
      return OTHER;
    }
    const held = JSON.stringify(left);
    if (known.held !== held) this.#evaluate(left);
    known.held = held;
    return right.value;
  }

  #checkRoom(bytes: number, known: Known): void {
    if (bytes <= known.bytes) return;
    this.#code.alu(64, POINTER, "=", BEGIN);
    this.#code.alu(64, POINTER, "+=", bytes);
    this.#code.jump(64, POINTER, ">", END, "beyond");
    known.bytes = bytes;
  }

  /** Leaves a value in r0. */
  #evaluate(value: Value): void {
    if (isDirect(value)) return this.#direct(value, RESULT);
    if (value.kind === "load") return this.#loadAnywhere(value, value.base!);
    const { operator, left, right } = value;
    if (right.kind !== "number") {
      this.#both(left, right);
      this.#calculate(`${operator}=`);
      return;
    }
    this.#evaluate(left);
    if ((operator === "<<" || operator === ">>") && right.value > 31) {
      this.#code.alu(32, RESULT, "=", 0);
    } else this.#code.alu(32, RESULT, `${operator}=`, right.value);
  }

  /** r0 by r1, into r0. */
  #calculate(operator: AluOperator): void {
    if (operator === "/=" || operator === "%=") {
      this.#code.jump(32, OTHER, "==", 0, "reject");
    } else if (operator === "<<=" || operator === ">>=") {
      // The instruction looks at the low 5 bits alone; nothing shifted by anything is nothing.
      const small = `small${this.#code.count}`;
      this.#code.jump(32, OTHER, "<=", 31, small);
      this.#code.alu(32, RESULT, "=", 0);
      this.#code.label(small);
    }
    this.#code.alu(32, RESULT, operator, OTHER);
  }

  /** Leaves `left` in r0 and `right` in r1; what needs more of the stack comes first. */
  #both(left: Value, right: Value): void {
    if (isDirect(right)) {
      this.#evaluate(left);
      this.#direct(right, OTHER);
    } else if (isDirect(left)) {
      this.#evaluate(right);
      this.#code.alu(32, OTHER, "=", RESULT);
      this.#direct(left, RESULT);
    } else if (this.#slotsOf(right) >= this.#slotsOf(left)) {
      this.#evaluateBeside(right, left);
      this.#code.load(OTHER, 8, "r10", -8 * (this.#spilled + 1));
    } else {
      this.#evaluateBeside(left, right);
      this.#code.alu(32, OTHER, "=", RESULT);
      this.#code.load(RESULT, 8, "r10", -8 * (this.#spilled + 1));
    }
  }

  /** Leaves `first` in the next slot of the stack, `second` in r0. */
  #evaluateBeside(first: Value, second: Value): void {
    this.#evaluate(first);
    this.#spilled++;
    this.#code.store("r10", -8 * this.#spilled, RESULT);
    this.#evaluate(second);
    this.#spilled--;
  }

  /**
   * Slots of the stack that a value needs: of n loads no more than the binary logarithm of n (Sethi and
   * Ullman, 1970), so that the 64 there are suffice.
   */
  #slotsOf(value: Value): number {
    if (isDirect(value)) return 0;
    let slots = this.#slots.get(value);
    if (slots !== undefined) return slots;
    if (value.kind === "load") slots = this.#slotsOf(value.base!);
    else {
      const left = this.#slotsOf(value.left), right = this.#slotsOf(value.right);
      const beside = isDirect(value.left) || isDirect(value.right) ? 0 : 1;
      slots = Math.max(left, right, Math.min(left, right) + beside);
    }
    this.#slots.set(value, slots);
    return slots;
  }

  /** A value that needs no register but the one that it goes to. */
  #direct(value: Direct, target: Register): void {
    if (value.kind === "number") return this.#code.alu(32, target, "=", value.value);
    if (value.kind === "length") return this.#code.alu(32, target, "=", LENGTH);
    if (value.offset <= MAX_OFFSET) this.#code.load(target, value.bytes, BEGIN, value.offset);
    else {
      this.#code.alu(64, POINTER, "=", BEGIN);
      this.#code.alu(64, POINTER, "+=", value.offset + value.bytes);
      this.#code.load(target, value.bytes, POINTER, -value.bytes);
    }
    this.#turn(value, target);
  }

  /** Loads from a place that is calculated; the verifier wants it bounded before it is a pointer's. */
  #loadAnywhere(load: Load, base: Value): void {
    const end = load.offset + load.bytes, room = MAX_READ - end;
    this.#evaluate(base);
    if (most(base) > room) this.#code.jump(64, RESULT, ">", room, "beyond");
    this.#code.alu(64, POINTER, "=", BEGIN);
    this.#code.alu(64, POINTER, "+=", RESULT);
    this.#code.alu(64, POINTER, "+=", end);
    this.#code.jump(64, POINTER, ">", END, "beyond");
    this.#code.load(RESULT, load.bytes, POINTER, -load.bytes);
    this.#turn(load, RESULT);
  }

  #turn({ bytes, order }: Load, target: Register): void {
    if (bytes !== 1 && order === undefined) this.#code.bigEndian(target, bytes);
  }
}

const OPPOSITE = { "==": "!=", ">": "<=", ">=": "<", "<": ">=", "<=": ">" } as const;

function labelOf(way: number): string {
  return way >= 0 ? `block${way}` : way === ACCEPT ? "accept" : "reject";
}
