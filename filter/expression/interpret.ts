/**
 * Purpose: judges a packet by walking the plan, block by block: slow and plain, the oracle of all that is compiled.
 */
import { ACCEPT, type Plan } from "./plan/plan.ts";
import { calculate, compares, type Load, type Value } from "./plan/tree.ts";

/** The packet that is judged, at `bytes[at .. at + length)`. */
interface Packet {
  bytes: Uint8Array;
  at: number;
  length: number;
  wireLength: number;
}

/** Thrown at a read beyond the packet's end and at a division by zero. */
const OUT = Symbol("the packet is rejected");

/**
 * Whether the plan accepts the packet at `bytes[at .. at + length)`, of which nothing beyond is read;
 * `wireLength` is what it had before it was cut.
 */
export function interpret(
  plan: Plan,
  bytes: Uint8Array,
  at: number,
  length: number,
  wireLength: number = length,
): boolean {
  try {
    return accepts(plan, { bytes, at, length, wireLength });
  } catch (error) {
    if (error === OUT) return false;
    throw error;
  }
}

function accepts({ entry, blocks }: Plan, packet: Packet): boolean {
  let at = entry;
  while (at >= 0) {
    const { relation, left, right, yes, no } = blocks[at];
    at = compares(relation, valueOf(left, packet), valueOf(right, packet)) ? yes : no;
  }
  return at === ACCEPT;
}

function valueOf(value: Value, packet: Packet): number {
  switch (value.kind) {
    case "number":
      return value.value;
    case "length":
      return packet.wireLength >>> 0;
    case "load":
      return read(value, packet);
    case "operation": {
      const left = valueOf(value.left, packet), right = valueOf(value.right, packet);
      const result = calculate(value.operator, left, right);
      if (result === undefined) throw OUT;
      return result;
    }
  }
}

function read({ base, offset, bytes, order }: Load, packet: Packet): number {
  const from = (base === undefined ? 0 : valueOf(base, packet)) + offset;
  if (from + bytes > packet.length) throw OUT;
  let value = 0;
  for (let i = 0; i < bytes; i++) {
    const next = order === "little" ? bytes - 1 - i : i;
    value = value * 256 + packet.bytes[packet.at + from + next];
  }
  return value;
}
