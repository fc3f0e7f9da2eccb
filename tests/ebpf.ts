/**
 * Runs eBPF as the kernel would, as far as uspf's programs go: a naive interpreter, and the oracle of what
 * the kernel does. Registers are numbers; a pointer is where its memory begins, far from all others, plus an
 * offset, so that a read outside it is seen.
 */

const PACKET = 2 ** 40, CONTEXT = 2 ** 41, MAP = 2 ** 42, STACK = 2 ** 43, COUNT = 2 ** 44;
const STACK_BYTES = 512;
/** Of a load or store, by two bits of its code. */
const WIDTHS = [4, 2, 1, 8];
const LIMIT = 100_000;

/** What a program decided: to redirect to `queue`'s socket, or to pass. */
export type Decision = "redirect" | "pass";

/** How a packet comes. */
export interface Arrival {
  /** The receive queue; 0 by default. */
  queue?: number;
  /** Bytes of all its pieces, of which the program reads the first; by default it is the only one. */
  totalBytes?: number;
}

/** What came of a run. */
interface Run {
  result: number;
  /** By its own exit, not off its end. */
  exits: boolean;
  redirected?: number;
  /** What was added to the queue's count. */
  counted: number;
}

/** Runs `program` on a packet that came by receive queue `queue`; what passes must have been counted. */
export function runProgram(program: Uint8Array, packet: Uint8Array, queue = 0): Decision {
  const { result, exits, redirected, counted } = new Machine(program, packet, { queue }).run();
  if (!exits) throw new Error("the program has no end");
  if (redirected === undefined && result === 2 && counted === 1) return "pass";
  if (redirected === queue && counted === 0) return "redirect";
  throw new Error(
    `the program returned ${result}, redirected to ${redirected}, counted ${counted}`,
  );
}

/** Whether a piece as of `toEbpf` accepts a packet. */
export function runPiece(piece: Uint8Array, packet: Uint8Array, arrival: Arrival = {}): boolean {
  const { result, exits } = new Machine(piece, packet, arrival).run();
  if (exits) throw new Error("the piece does not end by falling off its end");
  if (result !== 0 && result !== 1) throw new Error(`the piece ended with r0 = ${result}`);
  return result === 1;
}

class Machine {
  readonly #code: DataView;
  readonly #stack = new Map<number, number>();
  readonly #r = new Float64Array(11);
  readonly #run: Run = { result: NaN, exits: false, counted: 0 };
  #pc = 0;

  constructor(
    program: Uint8Array,
    readonly packet: Uint8Array,
    readonly arrival: Arrival,
  ) {
    this.#code = new DataView(program.buffer, program.byteOffset, program.byteLength);
    this.#r.fill(NaN); // a register that nothing was written to
    this.#r[1] = this.#r[6] = CONTEXT;
    this.#r[10] = STACK + STACK_BYTES;
  }

  /** To the exit, or off the end. */
  run(): Run {
    for (let steps = 0; steps < LIMIT; steps++) {
      const off = this.#pc * 8 === this.#code.byteLength;
      if (off || this.#step()) return { ...this.#run, result: this.#r[0], exits: !off };
    }
    throw new Error(`no end after ${LIMIT} instructions`);
  }

  /** Whether that was the exit. */
  #step(): boolean {
    const at = this.#pc++ * 8, code = this.#code.getUint8(at), r = this.#r;
    const d = this.#code.getUint8(at + 1) & 15, s = this.#code.getUint8(at + 1) >> 4;
    const offset = this.#code.getInt16(at + 2, true), value = this.#code.getInt32(at + 4, true);
    const operand = (code & 8) !== 0 ? r[s] : value, bytes = WIDTHS[code >> 3 & 3];
    if (code === 0x95) return true;
    if (code === 0x18 && s === 1) r[d] = (this.#pc++, MAP + value);
    else if (code === 0x85) this.#call(value);
    else if (code === 0xdc) r[d] = turn(r[d], value / 8);
    else if (code === 0x05) this.#pc += offset;
    else if ((code & 0xe7) === 0x61) r[d] = this.#load(r[s] + offset, bytes);
    else if ((code & 0xe7) === 0x63) this.#store(r[d] + offset, bytes, r[s]);
    else if ((code & 7) === 7) r[d] = calculate64(code & 0xf0, r[d], operand);
    else if ((code & 7) === 4) r[d] = calculate32(code & 0xf0, r[d], operand);
    else if ((code & 7) === 5) this.#pc += holds(code & 0xf0, r[d], operand) ? offset : 0;
    else if ((code & 7) === 6) {
      this.#pc += holds(code & 0xf0, number32(r[d]), number32(operand)) ? offset : 0;
    } else throw new Error(`instruction ${this.#pc - 1}: unknown code ${code.toString(16)}`);
    return false;
  }

  /** The kernel's helpers spoil r1 to r5. */
  #call(helper: number): void {
    const r = this.#r, { queue = 0, totalBytes = this.packet.length } = this.arrival;
    if (helper === 188 && r[1] === CONTEXT) r[0] = totalBytes;
    else if (helper === 51 && r[1] === MAP && r[3] === 2) this.#run.redirected = r[0] = r[2];
    else if (helper === 1 && r[1] === MAP + 1 && this.#load(r[2], 4) === queue) r[0] = COUNT;
    else throw new Error(`a call of helper ${helper}`);
    r.fill(NaN, 1, 6);
  }

  #load(address: number, bytes: number): number {
    if (address === COUNT && bytes === 8) return this.#run.counted;
    if (address >= STACK) {
      const value = this.#stack.get(address * 16 + bytes);
      if (value === undefined) throw new Error(`a read of the stack at ${address - STACK}`);
      return value;
    }
    if (address >= CONTEXT) {
      const field = {
        0: PACKET,
        4: PACKET + this.packet.length,
        16: this.arrival.queue ?? 0,
      }[address - CONTEXT];
      if (field === undefined || bytes !== 4) throw new Error(`a read of context ${address}`);
      return field;
    }
    return this.#loadPacket(address - PACKET, bytes);
  }

  #loadPacket(at: number, bytes: number): number {
    if (!(at >= 0 && at + bytes <= this.packet.length)) {
      throw new Error(`a read of ${bytes} bytes at ${at} of a packet of ${this.packet.length}`);
    }
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.packet[at + i];
    return value;
  }

  #store(address: number, bytes: number, value: number): void {
    if (Number.isNaN(value)) throw new Error("a write of what was never set");
    if (address === COUNT && bytes === 8) this.#run.counted = value;
    else if (address >= STACK && address + bytes <= STACK + STACK_BYTES) {
      this.#stack.set(address * 16 + bytes, value);
    } else throw new Error(`a write to ${address}`);
  }
}

/** Numbers that are pointers, or small: they stay exact. */
function calculate64(operation: number, left: number, right: number): number {
  if (operation === 0xb0) return right;
  if (Number.isNaN(left + right)) throw new Error("a read of what was never set");
  if (operation === 0x00) return left + right;
  if (operation === 0x10) return left - right;
  if (operation === 0x50) return left & right;
  if (operation === 0x60) return left * 2 ** right;
  if (operation === 0x70) return Math.floor(left / 2 ** right);
  throw new Error(`operation ${operation} with 64 bits`);
}

function calculate32(operation: number, from: number, by: number): number {
  const right = number32(by);
  if (operation === 0xb0) return right;
  const left = number32(from);
  if ((operation === 0x30 || operation === 0x90) && right === 0) throw new Error("division by 0");
  const results: Record<number, () => number> = {
    0x00: () => left + right,
    0x10: () => left - right,
    0x20: () => Math.imul(left, right),
    0x30: () => Math.floor(left / right),
    0x40: () => left | right,
    0x50: () => left & right,
    0x60: () => left << (right & 31),
    0x70: () => left >>> (right & 31),
    0x90: () => left % right,
    0xa0: () => left ^ right,
  };
  if (results[operation] === undefined) throw new Error(`operation ${operation} with 32 bits`);
  return results[operation]() >>> 0;
}

/** Comparisons are unsigned, which the numbers of 64 bits here are in any case, unless negative. */
function holds(relation: number, left: number, right: number): boolean {
  if (Number.isNaN(left + right) || left < 0 || right < 0) throw new Error("a strange comparison");
  if (relation === 0x10) return left === right;
  if (relation === 0x20) return left > right;
  if (relation === 0x30) return left >= right;
  if (relation === 0x50) return left !== right;
  if (relation === 0xa0) return left < right;
  if (relation === 0xb0) return left <= right;
  throw new Error(`relation ${relation}`);
}

/** The low half of a register. */
function number32(value: number): number {
  if (Number.isNaN(value)) throw new Error("a read of what was never set");
  return value >>> 0;
}

/** The low bytes, in the other order. */
function turn(value: number, bytes: number): number {
  let result = 0, rest = number32(value);
  for (let i = 0; i < bytes; i++, rest >>>= 8) result = result * 256 + (rest & 255);
  return result;
}
