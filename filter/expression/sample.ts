/**
 * Purpose: packets that between them go every way through a plan that can be found: to warm its compiled
 * forms up, so that no real packet is the first of its kind.
 *
 * A packet is sent through the plan; where a test came out in a way that has been seen before, the bytes that
 * it reads are changed so that it comes out otherwise, and the packet is sent through again.
 */
import { ACCEPT, type Plan } from "./plan.ts";
import { calculate, compares, type Load, type Value } from "./tree.ts";

const MAX_PACKETS = 64, MAX_WORK = 300_000; // tests, in all trips
const LEAST_BYTES = 14, MOST_BYTES = 1514;
const OUT = -1; // of values: the packet ends before it, or it is divided by zero

/** A packet, and where it went. */
interface Trip {
  packet: Uint8Array;
  accepted: boolean;
  /** Of each test on the way its block, and how it came out. */
  ways: { block: number; outcome: boolean }[];
}

/** What is read of a packet. */
interface Sample {
  packet: Uint8Array;
  accepted: boolean;
}

/** Packets like `begin` but for what the plan asks; the first is `begin` itself. */
export function samplePackets(plan: Plan, begin: Uint8Array): Sample[] {
  const seen = new Set<string>(), queue = [trip(plan, begin)], kept: Sample[] = [];
  for (let work = 0; queue.length > 0 && work < MAX_WORK && kept.length < MAX_PACKETS;) {
    const { packet, accepted, ways } = queue.shift()!;
    const fresh = ways.filter(({ block, outcome }) => !seen.has(`${block} ${outcome}`));
    if (kept.length > 0 && fresh.length === 0) continue;
    kept.push({ packet, accepted });
    for (const { block, outcome } of fresh) seen.add(`${block} ${outcome}`);
    for (const { block, outcome } of ways) {
      if (work > MAX_WORK || seen.has(`${block} ${!outcome}`)) continue;
      const turned = turn(plan, packet, block, !outcome);
      work += ways.length;
      if (turned !== undefined) queue.push(turned);
    }
  }
  return kept;
}

/** The packet changed so that a test comes out as wished; nothing where that is not found. */
function turn(plan: Plan, packet: Uint8Array, block: number, wish: boolean): Trip | undefined {
  const { relation, left, right } = plan.blocks[block], wanted = valueOf(right, packet);
  if (wanted === OUT) return undefined;
  for (const value of [wanted, wanted + 1, wanted - 1, 0, 0xffffffff]) {
    const changed = withValue(left, value, packet);
    if (changed === undefined) return undefined;
    if (compares(relation, valueOf(left, changed), wanted) !== wish) continue;
    const made = trip(plan, changed);
    if (made.ways.some((way) => way.block === block && way.outcome === wish)) return made;
  }
  return undefined;
}

/** The packet with other bytes where a value is read first; or with another length. */
function withValue(left: Value, value: number, packet: Uint8Array): Uint8Array | undefined {
  if (left.kind === "length") {
    const changed = new Uint8Array(Math.max(LEAST_BYTES, Math.min(value, MOST_BYTES)));
    changed.set(packet.subarray(0, changed.length));
    return changed;
  }
  const load = loadOf(left), from = load === undefined ? OUT : placeOf(load, packet);
  if (load === undefined || from === OUT) return undefined;
  const changed = packet.slice();
  for (let i = 0; i < load.bytes; i++) {
    const up = load.order === "little" ? i : load.bytes - 1 - i;
    changed[from + i] = value / 2 ** (8 * up);
  }
  return changed;
}

function trip(plan: Plan, packet: Uint8Array): Trip {
  const ways: Trip["ways"] = [];
  let at = plan.entry;
  while (at >= 0) {
    const { relation, left, right, yes, no } = plan.blocks[at];
    const a = valueOf(left, packet), b = valueOf(right, packet);
    if (a === OUT || b === OUT) return { packet, accepted: false, ways };
    const outcome = compares(relation, a, b);
    ways.push({ block: at, outcome });
    at = outcome ? yes : no;
  }
  return { packet, accepted: at === ACCEPT, ways };
}

/** The load whose bytes decide a value. */
function loadOf(value: Value): Load | undefined {
  if (value.kind === "load") return value;
  return value.kind === "operation" ? loadOf(value.left) ?? loadOf(value.right) : undefined;
}

function placeOf({ base, offset, bytes }: Load, packet: Uint8Array): number {
  const from = base === undefined ? 0 : valueOf(base, packet);
  return from === OUT || from + offset + bytes > packet.length ? OUT : from + offset;
}

function valueOf(value: Value, packet: Uint8Array): number {
  switch (value.kind) {
    case "number":
      return value.value;
    case "length":
      return packet.length;
    case "load": {
      const from = placeOf(value, packet);
      if (from === OUT) return OUT;
      const bytes = packet.slice(from, from + value.bytes);
      if (value.order === "little") bytes.reverse();
      return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    }
    case "operation": {
      const left = valueOf(value.left, packet), right = valueOf(value.right, packet);
      if (left === OUT || right === OUT) return OUT;
      return calculate(value.operator, left, right) ?? OUT;
    }
  }
}
