/**
 * Purpose: runs classic BPF on a packet as the kernel does: written from McCanne and Jacobson (1993) and
 * Documentation/networking/filter.rst, to test the compiler with.
 *
 * A packet stands at places below 2^31; a sum of places wraps, and what is negative then is the kernel's
 * own data, which `special` gives.
 */
import type { BpfInstruction } from "../filter/expression/compilers/bpf_instruction.ts";
import { calculate, type Operator } from "../filter/expression/plan/tree.ts";

/** What is thrown at what the kernel's check of a program refuses. */
export class InvalidProgram extends Error {}

const OPERATORS: Operator[] = ["+", "-", "*", "/", "|", "&", "<<", ">>"];
const ENDLESS = 1e6;

/** The kernel's own data at a negative place; nothing: there is none, which rejects. */
export type Special = (place: number, bytes: number) => number | undefined;

/** What the program returns: 0 rejects. @throws {InvalidProgram} where the kernel would not run it. */
export function runBpf(
  program: readonly BpfInstruction[],
  packet: Uint8Array,
  wireLength: number = packet.length,
  special: Special = () => {
    throw new InvalidProgram("it reads the kernel's own data");
  },
): number {
  const memory = new Map<number, number>();
  let a = 0, x = 0, i = 0;
  const read = (place: number, bytes: number): number | undefined => {
    if ((place | 0) < 0) return special(place | 0, bytes);
    if (place + bytes > packet.length) return undefined;
    return packet.subarray(place, place + bytes).reduce((value, byte) => value * 256 + byte, 0);
  };
  const recall = (word: number) => {
    const value = memory.get(word);
    if (value === undefined) throw new InvalidProgram(`M[${word}] is read before it is written`);
    return value;
  };
  for (let steps = 0; steps < ENDLESS; steps++) {
    if (i >= program.length) throw new InvalidProgram("it runs beyond its end");
    const { code, jt, jf, k } = program[i++];
    const operand = (code & 8) !== 0 ? x : k;
    switch (code & 7) {
      case 0: { // ld
        const bytes = { 0x00: 4, 0x08: 2, 0x10: 1 }[code & 0x18]!, mode = code & 0xe0;
        const value = mode === 0x00
          ? k
          : mode === 0x20
          ? read(k, bytes)
          : mode === 0x40
          ? read((x + k) >>> 0, bytes)
          : mode === 0x60
          ? recall(k)
          : wireLength;
        if (value === undefined) return 0;
        a = value;
        break;
      }
      case 1: { // ldx
        const mode = code & 0xe0, byte = mode === 0xa0 ? read(k, 1) : 0;
        if (byte === undefined) return 0;
        x = mode === 0x00
          ? k
          : mode === 0x60
          ? recall(k)
          : mode === 0x80
          ? wireLength
          : (byte & 15) * 4;
        break;
      }
      case 2: // st
        if (k > 15) throw new InvalidProgram(`there is no M[${k}]`);
        memory.set(k, a);
        break;
      case 4: { // operation
        const which = (code & 0xf0) >> 4;
        const operator = which === 9 ? "%" : which === 10 ? "^" : OPERATORS[which];
        const shift = operator === "<<" || operator === ">>";
        if (shift && (code & 8) === 0 && k > 31) throw new InvalidProgram(`shift by ${k}`);
        if ((operator === "/" || operator === "%") && (code & 8) === 0 && k === 0) {
          throw new InvalidProgram("division by 0");
        }
        const result = calculate(operator, a, shift ? operand & 31 : operand);
        if (result === undefined) return 0;
        a = result;
        break;
      }
      case 5: { // jump
        const which = code & 0xf0;
        const holds = which === 0x10
          ? a === operand
          : which === 0x20
          ? a > operand
          : which === 0x30
          ? a >= operand
          : (a & operand) !== 0;
        i += which === 0 ? k : holds ? jt : jf;
        break;
      }
      case 6:
        return k;
      case 7:
        if (code === 0x87) a = x;
        else x = a;
        break;
      default:
        throw new InvalidProgram(`code ${code}`);
    }
  }
  throw new InvalidProgram("it does not end");
}
