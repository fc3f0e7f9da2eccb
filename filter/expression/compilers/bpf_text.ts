/**
 * Purpose: classic BPF for people, in the form of `tcpdump -d`.
 */
import { BPF, type BpfInstruction } from "./bpf_instruction.ts";

const CLASS = 0x07, MODE = 0xe0, SIZE = 0x18, OPERATION = 0xf0;
const LD = 0, LDX = 1, ST = 2, STX = 3, ALU = 4, JMP = 5, RET = 6;
const OPERATIONS: Record<number, string> = {
  0x00: "add",
  0x10: "sub",
  0x20: "mul",
  0x30: "div",
  0x40: "or",
  0x50: "and",
  0x60: "lsh",
  0x70: "rsh",
  0x80: "neg",
  0x90: "mod",
  0xa0: "xor",
};
const JUMPS: Record<number, string> = { 0x10: "jeq", 0x20: "jgt", 0x30: "jge", 0x40: "jset" };
const NEGATED = 0x80, IN_HEX = ["and", "or", "xor"];
/** linux/filter.h: SKF_AD_OFF and what lies there, by tcpdump's names. */
const KERNEL_FIELDS: Record<number, string> = {
  [-0x1000 + 44]: "vlan_tci",
  [-0x1000 + 48]: "vlanp",
};

/** The program, an instruction a line, without a newline at the end. */
export function bpfText(program: readonly BpfInstruction[]): string {
  return program.map(line).join("\n");
}

function line(instruction: BpfInstruction, index: number): string {
  const { code, jt, jf, k } = instruction, place = `(${String(index).padStart(3, "0")})`;
  const [name, operand] = words(instruction);
  const begin = `${place} ${name.padEnd(8)} `, next = index + 1;
  if ((code & CLASS) !== JMP) return begin + operand;
  if (code === BPF.ja) return `${begin}${next + k}`;
  return `${begin}${operand.padEnd(16)} jt ${next + jt}\tjf ${next + jf}`;
}

function words({ code, k }: BpfInstruction): [name: string, operand: string] {
  switch (code & CLASS) {
    case LD:
      return ["ld" + suffix(code), source(code, k)];
    case LDX:
      return ["ldx" + suffix(code), source(code, k)];
    case ST:
      return ["st", `M[${k}]`];
    case STX:
      return ["stx", `M[${k}]`];
    case ALU:
      return operation(code, k);
    case JMP:
      return code === BPF.ja ? ["ja", ""] : [JUMPS[code & OPERATION], value(code, k, true)];
    case RET:
      return ["ret", (code & 0x18) === 0x10 ? "" : `#${k}`];
    default:
      return [code === BPF.txa ? "txa" : "tax", ""];
  }
}

function operation(code: number, k: number): [string, string] {
  const name = OPERATIONS[code & OPERATION];
  return [name, (code & OPERATION) === NEGATED ? "" : value(code, k, IN_HEX.includes(name))];
}

function suffix(code: number): string {
  return { 0x10: "b", 0x08: "h" }[code & SIZE] ?? "";
}

function value(code: number, k: number, inHex: boolean): string {
  if ((code & BPF.withX) !== 0) return "x";
  return inHex ? `#0x${k.toString(16)}` : `#${k | 0}`;
}

function source(code: number, k: number): string {
  switch (code & MODE) {
    case 0x00:
      return `#0x${k.toString(16)}`;
    case 0x20:
      return `[${KERNEL_FIELDS[k | 0] ?? k | 0}]`;
    case 0x40:
      return `[x + ${k | 0}]`;
    case 0x60:
      return `M[${k}]`;
    case 0x80:
      return "#pktlen";
    default:
      return `4*([${k}]&0xf)`;
  }
}
