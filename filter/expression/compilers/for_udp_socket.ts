/**
 * Purpose: the plan that a UDP socket's filter runs, in place of one of whole packets. A udp: port makes up
 * the headers before the payload (ffi/udp_port.ts); the kernel shows its filter the UDP header at byte 0,
 * and the IPv4 header in an area of its own.
 *
 * ```text
 *  our packet   │ Ethernet 14 │ IPv4 20 │ UDP 8 │ payload     a byte from 34 on is 34 further in front
 *  the kernel's                │ ....    │ UDP 8 │ payload     from SKF_NET_OFF on: the addresses
 * ```
 * What always is the same in our headers becomes a number, and with it most of the tests before the payload.
 * The filter may let through too much, never too little: all that comes is judged again.
 */
import { Terms } from "./bpf_terms.ts";
import { CannotPush } from "./cannot_push.ts";
import { ordered } from "../plan/order.ts";
import type { Plan } from "../plan/plan.ts";
import { acceptLonger } from "./socket_plan.ts";
import { calculate, compares, type Load, loadAt, number, type Operator } from "../plan/tree.ts";
import type { Value } from "../plan/tree.ts";
import { usesLength } from "../plan/uses_length.ts";

const NETWORK = -0x100000; // SKF_NET_OFF (linux/filter.h): the IPv4 header
const MADE_UP = 34; // bytes of ours before the UDP header
const PAYLOAD = 42;
const SHOWN_BYTES = 2048 - MADE_UP; // a buffer's, from the UDP header on: UDP_BUFFER_BYTES in ffi/udp.h
const LENGTH: Value = { kind: "length" }; // to the kernel: of UDP header and payload

/** A run of our packet: what stands for it in the kernel. */
interface Field {
  at: number;
  bytes: number;
  /** A number, a computed value, a place in the kernel's packet; or what it is that cannot be known. */
  is: number | Value | { place: number } | string;
}

/**
 * What the filter of a udp: port's socket has to ask, for `toClassicBpf`; `port` is the port's number.
 *
 * @throws {CannotPush} where the plan reads what the kernel cannot tell, for instance a checksum.
 */
export function forUdpSocket(plan: Plan, port: number): Plan {
  const pushed = new UdpPlan(port).plan(plan);
  // A datagram that does not fit into a buffer is shorter for us than for the kernel.
  return usesLength(plan) && pushed.entry >= 0 ? acceptLonger(pushed, SHOWN_BYTES) : pushed;
}

class UdpPlan {
  readonly #terms = new Terms(); // of the new plan
  readonly #done = new Map<Value, Value>();
  readonly #fields: Field[];

  constructor(port: number) {
    this.#fields = [
      { at: 0, bytes: 6, is: "the destination's Ethernet address" },
      { at: 6, bytes: 2, is: 0x0200 },
      { at: 8, bytes: 4, is: { place: NETWORK + 12 } }, // made from the source's IPv4 address
      { at: 12, bytes: 4, is: 0x0800_4500 },
      { at: 16, bytes: 2, is: combine("+", LENGTH, number(20)) },
      { at: 18, bytes: 2, is: 0 },
      { at: 20, bytes: 4, is: 0x4000_4011 }, // not to be fragmented, TTL 64, UDP
      { at: 24, bytes: 2, is: "the IPv4 checksum" },
      { at: 26, bytes: 8, is: { place: NETWORK + 12 } },
      { at: 34, bytes: 2, is: { place: 0 } },
      { at: 36, bytes: 2, is: port },
      { at: 38, bytes: 2, is: LENGTH },
      { at: 40, bytes: 2, is: 0 }, // the checksum, which is not told
      { at: PAYLOAD, bytes: Infinity, is: { place: PAYLOAD - MADE_UP } },
    ];
  }

  /** The plan, with what is the same for every packet decided. */
  plan({ entry, blocks }: Plan): Plan {
    const comes = blocks.map((_, i) => i === entry), stands = [...blocks.keys()];
    const pushed = blocks.map((block, i) => {
      if (!comes[i]) return block; // it may ask for what the kernel cannot tell
      const left = this.#value(block.left), right = this.#value(block.right);
      const way = left.kind !== "number" || right.kind !== "number"
        ? undefined
        : compares(block.relation, left.value, right.value)
        ? block.yes
        : block.no;
      if (way !== undefined) stands[i] = way;
      for (const next of way === undefined ? [block.yes, block.no] : [way]) {
        if (next >= 0) comes[next] = true;
      }
      return { ...block, left, right };
    });
    const to = (way: number): number => {
      while (way >= 0 && stands[way] !== way) way = stands[way];
      return way;
    };
    return ordered({
      entry: to(entry),
      blocks: pushed.map((block) => ({ ...block, yes: to(block.yes), no: to(block.no) })),
    });
  }

  #value(value: Value): Value {
    const known = this.#done.get(value);
    if (known !== undefined) return known;
    const pushed = this.#push(value);
    this.#done.set(value, pushed);
    return pushed;
  }

  #push(value: Value): Value {
    switch (value.kind) {
      case "number":
        return value;
      case "length":
        return combine("+", LENGTH, number(MADE_UP));
      case "operation":
        return combine(value.operator, this.#value(value.left), this.#value(value.right));
      case "load":
        return this.#load(value);
    }
  }

  #load({ base, offset, bytes, order }: Load): Value {
    const place = this.#terms.place(base && this.#value(base), offset);
    if (place.base === undefined) return this.#read(place.offset, bytes, order);
    if (place.offset < PAYLOAD) {
      throw new CannotPush("it reads the headers at a place that is not the same for every packet");
    }
    return inOrder(loadAt(place.offset - MADE_UP, bytes, place.base), order);
  }

  #read(offset: number, bytes: 1 | 2 | 4, order?: "little"): Value {
    const field = this.#fieldAt(offset), { at, is } = field;
    const isInside = offset + bytes <= at + field.bytes;
    if (isInside && typeof is === "object" && "place" in is) {
      return inOrder(loadAt(is.place + offset - at, bytes), order);
    }
    if (offset === at && bytes === field.bytes && order === undefined) {
      if (typeof is === "number") return number(is);
      if (typeof is === "object" && "kind" in is) return is;
    }
    return this.#readBytes(offset, bytes, order);
  }

  #readBytes(offset: number, bytes: number, order?: "little"): Value {
    let sum = number(0);
    for (let i = 0; i < bytes; i++) {
      const shift = 8 * (order === "little" ? i : bytes - 1 - i);
      const byte = shifted("<<", this.#readByte(offset + i), shift);
      sum = isZero(sum) ? byte : isZero(byte) ? sum : combine("|", sum, byte);
    }
    return sum;
  }

  #readByte(offset: number): Value {
    const { at, bytes, is } = this.#fieldAt(offset);
    if (typeof is === "string") {
      throw new CannotPush(`it reads ${is}, which the kernel does not know as a udp port shows it`);
    }
    if (typeof is === "object" && "place" in is) return loadAt(is.place + offset - at, 1);
    const whole = typeof is === "number" ? number(is) : is;
    return combine("&", shifted(">>", whole, 8 * (at + bytes - 1 - offset)), number(255));
  }

  #fieldAt(offset: number): Field {
    return this.#fields.findLast(({ at }) => at <= offset)!;
  }
}

/** Unlike `operation` it keeps each read, for one beyond the packet's end must reject. */
function combine(operator: Operator, left: Value, right: Value): Value {
  const result = left.kind === "number" && right.kind === "number"
    ? calculate(operator, left.value, right.value)
    : undefined;
  return result === undefined ? { kind: "operation", operator, left, right } : number(result);
}

function inOrder(load: Load, order?: "little"): Load {
  return order === undefined ? load : { ...load, order };
}

function shifted(operator: "<<" | ">>", value: Value, bits: number): Value {
  return bits === 0 ? value : combine(operator, value, number(bits));
}

function isZero(value: Value): boolean {
  return value.kind === "number" && value.value === 0;
}
