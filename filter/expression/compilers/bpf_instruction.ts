/**
 * Purpose: the instructions of classic BPF (McCanne and Jacobson, 1993; linux/bpf_common.h), as numbers and
 * as bytes for the kernel.
 *
 * ```text
 *  struct sock_filter   │ code 2 │ jt 1 │ jf 1 │ k 4 │   little-endian, as the machines are that we run on
 * ```
 * A is the accumulator, X the index register, M sixteen words of memory.
 */

/** An instruction; `jt` and `jf` count the instructions to pass over. */
export interface BpfInstruction {
  code: number;
  jt: number;
  jf: number;
  /** Unsigned, of 32 bits. */
  k: number;
}

/** Codes; those of loads of a size are to be added to LOAD_BYTES. */
export const BPF = {
  ldAbsolute: 0x20,
  ldIndirect: 0x40,
  ldNumber: 0x00,
  ldLength: 0x80,
  ldMemory: 0x60,
  ldxNumber: 0x01,
  ldxLength: 0x81,
  ldxMemory: 0x61,
  ldxHeader: 0xb1, // 4 * (byte at k & 15)
  st: 0x02,
  ja: 0x05,
  jeq: 0x15,
  jgt: 0x25,
  jge: 0x35,
  jset: 0x45,
  ret: 0x06,
  tax: 0x07,
  txa: 0x87,
  /** Added to a jump or an operation: with X in place of k. */
  withX: 0x08,
} as const;

/** Of ldAbsolute and ldIndirect: BPF_B, BPF_H, BPF_W. */
export const LOAD_BYTES = { 1: 0x10, 2: 0x08, 4: 0x00 } as const;

/** Of operations on A and k. */
export const BPF_OPERATION = {
  "+": 0x04,
  "-": 0x14,
  "*": 0x24,
  "/": 0x34,
  "|": 0x44,
  "&": 0x54,
  "<<": 0x64,
  ">>": 0x74,
  "%": 0x94,
  "^": 0xa4,
} as const;

/** Instructions of a program at most: BPF_MAXINSNS. */
export const MAX_INSTRUCTIONS = 4096;
/** Words of memory: BPF_MEMWORDS. */
export const MEMORY_WORDS = 16;
/** What a program returns that keeps a packet: so many bytes of it, as tcpdump has it. */
export const KEEP_BYTES = 0x40000;

/** The program as `struct sock_filter`s. */
export function bpfBytes(program: readonly BpfInstruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(program.length * 8), view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  });
  return bytes;
}

/** The instructions of `struct sock_filter`s. */
export function bpfInstructions(bytes: Uint8Array): BpfInstruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, i) => ({
    code: view.getUint16(i * 8, true),
    jt: view.getUint8(i * 8 + 2),
    jf: view.getUint8(i * 8 + 3),
    k: view.getUint32(i * 8 + 4, true),
  }));
}
