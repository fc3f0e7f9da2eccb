/**
 * Purpose: instructions of eBPF, their bytes and how they are written, in the style of kernel and llvm.
 *
 * ```text
 *  0        1             2        4          8
 *  │ code   │ dst │ src   │ offset │ value    │      little-endian
 * ```
 * Codes are those of Linux, Documentation/bpf/standardization/instruction-set.rst.
 */

/** A program, or a piece of one. */
export interface Ebpf {
  /** 8 bytes an instruction. */
  bytes: Uint8Array<ArrayBuffer>;
  /** One line an instruction. */
  text: string;
}

/** A register; r10 is the end of the stack. */
export type Register = `r${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10}`;
/** Bits that an instruction works on; with 32, the upper ones of its result are 0. */
export type Width = 32 | 64;

/** What is done to a register. */
export type AluOperator = keyof typeof ALU;
/** How a jump compares: unsigned. */
export type JumpRelation = keyof typeof JUMP;

const ALU = {
  "+=": 0x00,
  "-=": 0x10,
  "*=": 0x20,
  "/=": 0x30,
  "|=": 0x40,
  "&=": 0x50,
  "<<=": 0x60,
  ">>=": 0x70,
  "%=": 0x90,
  "^=": 0xa0,
  "=": 0xb0,
} as const;
const JUMP = { "==": 0x10, ">": 0x20, ">=": 0x30, "!=": 0x50, "<": 0xa0, "<=": 0xb0 } as const;
const ALU_CLASS = { 32: 0x04, 64: 0x07 }, JUMP_CLASS = { 32: 0x06, 64: 0x05 };
const BY_REGISTER = 0x08;
const LOAD = { 1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79 } as const, STORE_8 = 0x7b;
const TO_BIG_ENDIAN = 0xdc, GOTO = 0x05, CALL = 0x85;

interface Instruction {
  code: number;
  target: number;
  source: number;
  offset: number;
  value: number;
  text: string;
  /** Where a jump goes. */
  label?: string;
}

/** Instructions in a row; jumps go to labels further on. */
export class EbpfAssembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();
  readonly #used = new Set<string>();
  #branches = 0;

  /** Instructions so far. */
  get count(): number {
    return this.#instructions.length;
  }

  /** Of these, jumps that depend on something. */
  get branches(): number {
    return this.#branches;
  }

  /** Reads memory; numbers are unsigned. */
  load(target: Register, bytes: 1 | 2 | 4 | 8, pointer: Register, offset: number): void {
    const text = `${target} = *(u${bytes * 8} *)(${at(pointer, offset)})`;
    this.#put(LOAD[bytes], target, pointer, offset, 0, text);
  }

  /** Writes a whole register. */
  store(pointer: Register, offset: number, source: Register): void {
    this.#put(STORE_8, pointer, source, offset, 0, `*(u64 *)(${at(pointer, offset)}) = ${source}`);
  }

  /** Calculates with a register, or with a number of 32 bits. */
  alu(width: Width, target: Register, operator: AluOperator, operand: Register | number): void {
    const code = ALU_CLASS[width] | ALU[operator];
    const text = `${shown(width, target)} ${operator} ${shown(width, operand)}`;
    if (typeof operand === "number") this.#put(code, target, "r0", 0, operand | 0, text);
    else this.#put(code | BY_REGISTER, target, operand, 0, 0, text);
  }

  /** Turns the low 2 or 4 bytes round, and clears the others. */
  bigEndian(target: Register, bytes: 2 | 4): void {
    this.#put(TO_BIG_ENDIAN, target, "r0", 0, bytes * 8, `${target} = be${bytes * 8} ${target}`);
  }

  /** Calls a helper of the kernel: arguments in r1 to r5, which it spoils, result in r0. */
  call(helper: number): void {
    this.#put(CALL, "r0", "r0", 0, helper, `call ${helper}`);
  }

  /** Goes to `label` where the relation holds. */
  jump(
    width: Width,
    left: Register,
    relation: JumpRelation,
    right: Register | number,
    label: string,
  ): void {
    const code = JUMP_CLASS[width] | JUMP[relation],
      by = typeof right === "number" ? 0 : BY_REGISTER;
    const operand = typeof right === "number" ? `0x${right.toString(16)}` : shown(width, right);
    const text = `if ${shown(width, left)} ${relation} ${operand} goto`;
    const [source, value] = typeof right === "number" ? ["r0" as const, right | 0] : [right, 0];
    this.#put(code | by, left, source, 0, value, text, label);
    this.#branches++;
  }

  /** Goes to `label`. */
  goto(label: string): void {
    this.#put(GOTO, "r0", "r0", 0, 0, "goto", label);
  }

  /** Names the place of the next instruction; a `goto` there right before is not needed. */
  label(name: string): void {
    const last = this.#instructions.at(-1);
    if (last?.code === GOTO && last.label === name) this.#instructions.pop();
    this.#labels.set(name, this.#instructions.length);
  }

  /** Whether anything goes to `label`. */
  isUsed(label: string): boolean {
    return this.#used.has(label);
  }

  /** The whole. */
  finish(): Ebpf {
    const bytes = new Uint8Array(this.#instructions.length * 8), view = new DataView(bytes.buffer);
    const lines = this.#instructions.map((instruction, i) => {
      const { code, target, source, value, text, label } = instruction;
      const way = label === undefined ? undefined : this.#labels.get(label)! - i - 1;
      view.setUint8(i * 8, code);
      view.setUint8(i * 8 + 1, target | source << 4);
      view.setInt16(i * 8 + 2, way ?? instruction.offset, true);
      view.setInt32(i * 8 + 4, value, true);
      return `${i}: ${text}${way === undefined ? "" : ` ${way < 0 ? "" : "+"}${way}`}`;
    });
    return { bytes, text: lines.join("\n") };
  }

  #put(
    code: number,
    target: Register,
    source: Register,
    offset: number,
    value: number,
    text: string,
    label?: string,
  ): void {
    if (label !== undefined) this.#used.add(label);
    const [to, from] = [target, source].map((register) => Number(register.slice(1)));
    this.#instructions.push({ code, target: to, source: from, offset, value, text, label });
  }
}

function at(pointer: Register, offset: number): string {
  return `${pointer} ${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`;
}

/** A register's half of 32 bits is written w. */
function shown(width: Width, operand: Register | number): string {
  if (typeof operand === "number") return String(operand);
  return width === 32 ? operand.replace("r", "w") : operand;
}
