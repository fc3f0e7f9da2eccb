/**
 * Runs an XDP program as the kernel would, as far as uspf's programs go: a naive interpreter, and the
 * oracle of what the kernel does. Registers are numbers; a pointer into the packet is PACKET plus an
 * offset, so that a read outside it is seen.
 */

const PACKET = 2 ** 40, CONTEXT = 2 ** 41, MAP = 2 ** 42;
const LIMIT = 1000;

/** What a program decided: to redirect to `queue`'s socket, or to pass. */
export type Decision = "redirect" | "pass";

/** Runs `program` on a packet that came by receive queue `queue`. */
export function runProgram(program: Uint8Array, packet: Uint8Array, queue = 0): Decision {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const r = new Float64Array(11);
  let redirected: number | undefined;
  r[1] = CONTEXT;
  for (let pc = 0, steps = 0; steps < LIMIT; steps++, pc++) {
    const code = view.getUint8(pc * 8), registers = view.getUint8(pc * 8 + 1);
    const d = registers & 15, s = registers >> 4;
    const offset = view.getInt16(pc * 8 + 2, true), value = view.getInt32(pc * 8 + 4, true);
    const width = { 0x71: 1, 0x69: 2, 0x61: 4 }[code];
    if (width) r[d] = load(packet, queue, r[s] + offset, width);
    else if (code === 0xbf) r[d] = r[s];
    else if (code === 0xb7) r[d] = value;
    else if (code === 0x0f) r[d] += r[s];
    else if (code === 0x07) r[d] += value;
    else if (code === 0x57) r[d] &= value;
    else if (code === 0x67) r[d] *= 2 ** value;
    else if (code === 0x77) r[d] = Math.floor(r[d] / 2 ** value);
    else if (code === 0x15) pc += r[d] === value ? offset : 0;
    else if (code === 0x55) pc += r[d] !== value ? offset : 0;
    else if (code === 0x56) pc += r[d] !== value >>> 0 ? offset : 0;
    else if (code === 0xa5) pc += r[d] < value ? offset : 0;
    else if (code === 0x2d) pc += r[d] > r[s] ? offset : 0;
    else if (code === 0x18 && s === 1) r[d] = (pc++, MAP);
    else if (code === 0x85 && value === 51 && r[1] === MAP && r[3] === 2) redirected = r[0] = r[2];
    else if (code === 0x95) return decide(redirected, r[0], queue);
    else throw new Error(`instruction ${pc}: unknown code ${code.toString(16)}`);
  }
  throw new Error(`no end after ${LIMIT} instructions`);
}

function decide(redirected: number | undefined, result: number, queue: number): Decision {
  if (redirected === undefined && result === 2) return "pass";
  if (redirected === queue) return "redirect";
  throw new Error(`the program returned ${result}, redirected to ${redirected}`);
}

function load(packet: Uint8Array, queue: number, address: number, width: number): number {
  if (address >= CONTEXT) {
    const field = { 0: PACKET, 4: PACKET + packet.length, 16: queue }[address - CONTEXT];
    if (field === undefined || width !== 4) throw new Error(`a read of context ${address}`);
    return field;
  }
  const at = address - PACKET;
  if (!(at >= 0 && at + width <= packet.length)) {
    throw new Error(`a read of ${width} bytes at ${at} of a packet of ${packet.length}`);
  }
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + packet[at + i];
  return value;
}
