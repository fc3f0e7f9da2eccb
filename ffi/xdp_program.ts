/**
 * Purpose: the program that the kernel runs on an interface's packets: what is wanted goes to our sockets,
 * all else on to the kernel's network stack. Assembled here, so that no compiler is needed at run time.
 *
 * ```text
 *  packet ─▶ expression? ─▶ IPv4 behind up to two tags? ─▶ UDP, no fragment? ─▶ address? port? size?
 *               │ no           │ no                           │ no                  │ no       │
 *               └──────────────┴───────────────▶ count ◀──────┴─────────────────────┘      map[queue]
 *                                                  ▼                                         │ nobody has it
 *                                                 pass ◀─────────────────────────────────────┘
 * ```
 * Counted is by receive queue, so that ports, which have queues of their own, need not share a number.
 *
 * It takes all that the filter can accept, and no well-formed packet else; what claims to be wanted, but is
 * malformed further on (its length, say), is taken, too: the filter counts it, and the stack would only
 * discard it. Of a packet in several pieces (Linux 5.18) it reads the first one; the expression is compiled
 * so that it lets through what it would have to read further on (to_ebpf.ts). Nobody judges what it lets
 * through so: a PacketCapture counts all packets in several pieces as malformed (`split`).
 *
 * An instruction is 8 bytes: code, registers, offset, immediate (Linux, instruction-set.rst). The kernel
 * checks every read against the packet's end before it runs the program: so must the program.
 */
import type { Wanted } from "./port.ts";

/** Codes of instructions; they work on 64 bits but for the one that says 32. */
const CODE = {
  loadByte: 0x71,
  loadHalf: 0x69,
  loadWord: 0x61,
  loadDouble: 0x79,
  storeWord: 0x63,
  storeDouble: 0x7b,
  loadMap: 0x18,
  move: 0xbf,
  moveValue: 0xb7,
  add: 0x0f,
  addValue: 0x07,
  andValue: 0x57,
  shiftLeft: 0x67,
  shiftRight: 0x77,
  jumpEqual: 0x15,
  jumpNotEqual: 0x55,
  jumpNotEqual32: 0x56,
  jumpLess: 0xa5,
  jumpGreater: 0x2d,
  call: 0x85,
  exit: 0x95,
} as const;

/** Marks the immediate of `loadMap` as a map's descriptor; the native library puts it in. */
const PSEUDO_MAP_FD = 1;
/** Which map: of sockets, of counts; xdp_hook.c reads it. */
const SOCKETS = 0, COUNTS = 1;
const LOOK_UP = 1, REDIRECT_MAP = 51; // bpf_map_lookup_elem, bpf_redirect_map
const XDP_PASS = 2;
/** Where struct xdp_md has the packet's begin and end, and the receive queue. */
const CONTEXT = { data: 0, dataEnd: 4, queue: 16 };
const ETHERNET_BYTES = 14, TAG_BYTES = 4, IPV4_BYTES = 20, UDP_BYTES = 8, MAX_TAGS = 2;

// What each register holds.
const VALUE = 0, MAP = 1, DATA = 2, END = 3, AT = 4, FIELD = 5, CONTEXT_KEPT = 6, STACK_END = 10;

/**
 * The program, 8 bytes an instruction: it takes what is wanted and what the expression accepts, a piece of
 * program that is entered with the context in r6, keeps that, and leaves 0 in r0 where it rejects. Without
 * both it takes every packet.
 */
export function xdpProgram(wanted?: Wanted, expression?: Uint8Array): Uint8Array {
  const program = new Assembler();
  program.put(CODE.move, CONTEXT_KEPT, 1); // r6 = context
  if (expression !== undefined) {
    program.append(expression);
    program.jump(CODE.jumpEqual, VALUE, 0, "pass", 0); // if r0 == 0 goto pass
  }
  if (wanted !== undefined) {
    findIpv4(program);
    checkIpv4(program, wanted);
    checkUdp(program, wanted);
  }
  redirect(program);
  if (program.uses("pass")) pass(program); // else nothing goes there, which the kernel would not have
  return program.bytes();
}

/** Leaves with AT at the IPv4 header. */
function findIpv4(program: Assembler): void {
  program.put(CODE.loadWord, DATA, CONTEXT_KEPT, CONTEXT.data); // r2 = context->data
  program.put(CODE.loadWord, END, CONTEXT_KEPT, CONTEXT.dataEnd); // r3 = context->data_end
  program.put(CODE.move, AT, DATA); // r4 = r2
  program.put(CODE.addValue, AT, 0, 0, ETHERNET_BYTES); // r4 += 14
  program.jump(CODE.jumpGreater, AT, END, "pass"); // if r4 > r3 goto pass
  program.put(CODE.loadHalf, FIELD, DATA, 12); // r5 = *(u16 *)(r2 + 12)
  for (let tag = 0; tag < MAX_TAGS; tag++) {
    program.jump(CODE.jumpEqual, FIELD, 0, `tag${tag}`, be16(0x8100)); // if r5 == 802.1Q goto tag
    program.jump(CODE.jumpNotEqual, FIELD, 0, "type", be16(0x88a8)); // if r5 != 802.1ad goto type
    program.label(`tag${tag}`);
    checkRoom(program, TAG_BYTES);
    program.put(CODE.loadHalf, FIELD, AT, 2); // r5 = *(u16 *)(r4 + 2)
    program.put(CODE.addValue, AT, 0, 0, TAG_BYTES); // r4 += 4
  }
  program.label("type");
  program.jump(CODE.jumpNotEqual, FIELD, 0, "pass", be16(0x0800)); // if r5 != IPv4 goto pass
}

/** Leaves with AT at the UDP header. */
function checkIpv4(program: Assembler, { destinationAddress }: Wanted): void {
  checkRoom(program, IPV4_BYTES);
  program.put(CODE.loadByte, FIELD, AT, 0); // r5 = *(u8 *)(r4 + 0)
  program.put(CODE.move, VALUE, FIELD); // r0 = r5
  program.put(CODE.shiftRight, VALUE, 0, 0, 4); // r0 >>= 4
  program.jump(CODE.jumpNotEqual, VALUE, 0, "pass", 4); // if r0 != 4 goto pass
  program.put(CODE.andValue, FIELD, 0, 0, 15); // r5 &= 15
  program.jump(CODE.jumpLess, FIELD, 0, "pass", IPV4_BYTES / 4); // if r5 < 5 goto pass
  program.put(CODE.shiftLeft, FIELD, 0, 0, 2); // r5 <<= 2
  program.put(CODE.loadByte, VALUE, AT, 9); // r0 = *(u8 *)(r4 + 9)
  program.jump(CODE.jumpNotEqual, VALUE, 0, "pass", 17); // if r0 != UDP goto pass
  program.put(CODE.loadHalf, VALUE, AT, 6); // r0 = *(u16 *)(r4 + 6)
  program.put(CODE.andValue, VALUE, 0, 0, be16(0x3fff)); // r0 &= more fragments, offset
  program.jump(CODE.jumpNotEqual, VALUE, 0, "pass", 0); // if r0 != 0 goto pass
  if (destinationAddress !== undefined) {
    program.put(CODE.loadWord, VALUE, AT, 16); // r0 = *(u32 *)(r4 + 16)
    program.jump(CODE.jumpNotEqual32, VALUE, 0, "pass", be32(destinationAddress)); // if w0 != address goto pass
  }
  program.put(CODE.add, AT, FIELD); // r4 += r5
}

function checkUdp(program: Assembler, { destinationPort = 0, payloadBytes }: Wanted): void {
  checkRoom(program, UDP_BYTES);
  if (destinationPort !== 0) {
    program.put(CODE.loadHalf, VALUE, AT, 2); // r0 = *(u16 *)(r4 + 2)
    program.jump(CODE.jumpNotEqual, VALUE, 0, "pass", be16(destinationPort)); // if r0 != port goto pass
  }
  if (payloadBytes !== undefined) {
    program.put(CODE.loadHalf, VALUE, AT, 4); // r0 = *(u16 *)(r4 + 4)
    program.jump(CODE.jumpNotEqual, VALUE, 0, "pass", be16(UDP_BYTES + payloadBytes)); // if r0 != size goto pass
  }
}

function redirect(program: Assembler): void {
  program.put(CODE.loadWord, 2, CONTEXT_KEPT, CONTEXT.queue); // r2 = context->rx_queue_index
  program.put(CODE.loadMap, MAP, PSEUDO_MAP_FD, 0, SOCKETS); // r1 = sockets
  program.put(0, 0, 0); // (its upper half)
  program.put(CODE.moveValue, 3, 0, 0, XDP_PASS); // r3 = XDP_PASS, where nobody has the queue
  program.put(CODE.call, 0, 0, 0, REDIRECT_MAP); // r0 = bpf_redirect_map(r1, r2, r3)
  program.put(CODE.exit, 0, 0); // return r0
}

/** Counts the packet, each CPU for itself, and passes it. */
function pass(program: Assembler): void {
  program.label("pass");
  program.put(CODE.loadWord, VALUE, CONTEXT_KEPT, CONTEXT.queue); // r0 = context->rx_queue_index
  program.put(CODE.storeWord, STACK_END, VALUE, -4); // *(u32 *)(r10 - 4) = r0
  program.put(CODE.loadMap, MAP, PSEUDO_MAP_FD, 0, COUNTS); // r1 = counts
  program.put(0, 0, 0); // (its upper half)
  program.put(CODE.move, 2, STACK_END); // r2 = r10
  program.put(CODE.addValue, 2, 0, 0, -4); // r2 += -4
  program.put(CODE.call, 0, 0, 0, LOOK_UP); // r0 = bpf_map_lookup_elem(r1, r2)
  program.jump(CODE.jumpEqual, VALUE, 0, "uncounted", 0); // if r0 == 0 goto uncounted
  program.put(CODE.loadDouble, 1, VALUE, 0); // r1 = *(u64 *)(r0 + 0)
  program.put(CODE.addValue, 1, 0, 0, 1); // r1 += 1
  program.put(CODE.storeDouble, VALUE, 1, 0); // *(u64 *)(r0 + 0) = r1
  program.label("uncounted");
  program.put(CODE.moveValue, VALUE, 0, 0, XDP_PASS); // r0 = XDP_PASS
  program.put(CODE.exit, 0, 0); // return r0
}

/** Passes the packet where fewer than `bytes` are left of it at AT. */
function checkRoom(program: Assembler, bytes: number): void {
  program.put(CODE.move, VALUE, AT); // r0 = r4
  program.put(CODE.addValue, VALUE, 0, 0, bytes); // r0 += bytes
  program.jump(CODE.jumpGreater, VALUE, END, "pass"); // if r0 > r3 goto pass
}

/** A field's value as a little-endian machine reads it from the packet. */
function be16(value: number): number {
  return (value & 0xff) << 8 | value >>> 8;
}

function be32(value: number): number {
  return value << 24 | (value & 0xff00) << 8 | value >>> 8 & 0xff00 | value >>> 24;
}

interface Instruction {
  code: number;
  target: number;
  source: number;
  offset: number;
  value: number;
  /** Where a jump goes. */
  label?: string;
}

/** Instructions in a row; jumps go to labels further on. */
class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels = new Map<string, number>();

  put(code: number, target: number, source: number, offset = 0, value = 0): void {
    this.#instructions.push({ code, target, source, offset, value });
  }

  jump(code: number, target: number, source: number, label: string, value = 0): void {
    this.#instructions.push({ code, target, source, offset: 0, value, label });
  }

  label(name: string): void {
    this.#labels.set(name, this.#instructions.length);
  }

  /** Adds instructions whose jumps are among themselves, or to just behind them. */
  append(piece: Uint8Array): void {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let at = 0; at < piece.length; at += 8) {
      const code = view.getUint8(at), registers = view.getUint8(at + 1);
      const offset = view.getInt16(at + 2, true), value = view.getInt32(at + 4, true);
      this.put(code, registers & 15, registers >> 4, offset, value);
    }
  }

  /** Whether any jump goes to `label`. */
  uses(label: string): boolean {
    return this.#instructions.some((instruction) => instruction.label === label);
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#instructions.length * 8), view = new DataView(bytes.buffer);
    this.#instructions.forEach(({ code, target, source, offset, value, label }, i) => {
      const to = label === undefined ? offset : this.#labels.get(label)! - i - 1;
      view.setUint8(i * 8, code);
      view.setUint8(i * 8 + 1, target | source << 4);
      view.setInt16(i * 8 + 2, to, true);
      view.setInt32(i * 8 + 4, value, true);
    });
    return bytes;
  }
}
