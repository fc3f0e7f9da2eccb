/**
 * Purpose: packets that between them go every way through a plan that can be found: to warm its compiled
 * forms up, so that no real packet is the first of its kind.
 *
 * A packet is sent through the plan; where a test came out in a way that has been seen before, the bytes that
 * it reads are changed so that it comes out otherwise, and the packet is sent through again.
 */
import { ACCEPT, type Plan } from "./plan.ts";
import { calculate, compares, type Load, type Operator, type Value } from "./tree.ts";

const MAX_PACKETS = 64, MAX_TESTS = 300_000; // tests, in all trips
const MAX_BYTES = 2048, BLANK_BYTES = 128;
const OUT = -1; // of values: the packet ends before it, or it is divided by zero

/** A packet, and where it went. */
interface Trip {
  packet: Uint8Array;
  accepted: boolean;
  /** Of each test on the way its block, and how it came out. */
  ways: { block: number; outcome: boolean }[];
}

/** How many tests may still be asked, in all trips. */
interface Budget {
  tests: number;
}

/** What is read of a packet. */
interface Sample {
  packet: Uint8Array;
  accepted: boolean;
}

/** A packet to begin with where there is no other: nothing in it but the lengths of headers without options. */
export function blankPacket(): Uint8Array {
  const packet = new Uint8Array(BLANK_BYTES);
  packet[14] = 0x45; // IPv4's version and IHL, in words
  packet[46] = 0x50; // TCP's data offset, in words, behind that
  return packet;
}

/** Packets like `begin` but for what the plan asks; the first is `begin` itself. */
export function samplePackets(plan: Plan, begin: Uint8Array): Sample[] {
  const budget = { tests: MAX_TESTS }, seen = new Set<string>(), kept: Sample[] = [];
  const queue = [trip(plan, begin, budget)];
  while (queue.length > 0 && kept.length < MAX_PACKETS) {
    const { packet, accepted, ways } = queue.shift()!;
    const fresh = ways.filter(({ block, outcome }) => !seen.has(`${block} ${outcome}`));
    if (kept.length > 0 && fresh.length === 0) continue;
    kept.push({ packet, accepted });
    for (const { block, outcome } of fresh) seen.add(`${block} ${outcome}`);
    for (const { block, outcome } of ways) {
      if (budget.tests < 0 || seen.has(`${block} ${!outcome}`)) continue;
      const turned = turn(plan, packet, block, !outcome, budget);
      if (turned !== undefined) queue.push(turned);
    }
  }
  return kept;
}

/** The packet changed so that a test comes out as wished; nothing where that is not found. */
function turn(
  plan: Plan,
  packet: Uint8Array,
  block: number,
  wish: boolean,
  budget: Budget,
): Trip | undefined {
  const { left, right } = plan.blocks[block], wanted = valueOf(right, packet);
  if (wanted === OUT) return undefined;
  for (const value of [wanted, wanted + 1, wanted - 1, 0, 0xffffffff]) {
    const changed = withValue(left, value, packet);
    if (changed === undefined) continue;
    const made = trip(plan, changed, budget);
    if (made.ways.some((way) => way.block === block && way.outcome === wish)) return made;
  }
  return undefined;
}

/** The packet, changed so that a value is as wanted, as far as that can be: of masked bits, only those. */
function withValue(value: Value, wanted: number, packet: Uint8Array): Uint8Array | undefined {
  switch (value.kind) {
    case "number":
      return undefined;
    case "length":
      return wanted < 0 || wanted > MAX_BYTES ? undefined : resized(packet, wanted);
    case "load":
      return withLoad(value, wanted, packet);
    case "operation": {
      const { operator, left, right } = value,
        a = valueOf(left, packet),
        b = valueOf(right, packet);
      if (a === OUT || b === OUT) return undefined;
      return withValue(left, operandOf(operator, wanted, a, b), packet) ??
        withValue(right, wanted, packet);
    }
  }
}

/** What the left one of two numbers has to be, which is `left`, for the result to be as wanted. */
function operandOf(operator: Operator, wanted: number, left: number, right: number): number {
  switch (operator) {
    case "+":
      return wanted - right >>> 0;
    case "-":
      return wanted + right >>> 0;
    case "*":
      return right === 0 ? wanted : Math.floor(wanted / right);
    case "/":
      return Math.imul(wanted, right) >>> 0;
    case "&":
      return (left & ~right | wanted & right) >>> 0;
    case "^":
      return (wanted ^ right) >>> 0;
    case "<<":
      return wanted >>> right;
    case ">>":
      return wanted << right >>> 0;
    case "|":
    case "%":
      return wanted;
  }
}

function withLoad(load: Load, wanted: number, packet: Uint8Array): Uint8Array | undefined {
  const from = placeOf(load, packet);
  if (from === OUT) return undefined;
  const changed = packet.slice();
  for (let i = 0; i < load.bytes; i++) {
    const up = load.order === "little" ? i : load.bytes - 1 - i;
    changed[from + i] = wanted / 2 ** (8 * up);
  }
  return changed;
}

function resized(packet: Uint8Array, length: number): Uint8Array {
  const changed = new Uint8Array(length);
  changed.set(packet.subarray(0, length));
  return changed;
}

function trip(plan: Plan, packet: Uint8Array, budget: Budget): Trip {
  const ways: Trip["ways"] = [];
  let at = plan.entry;
  for (; at >= 0; budget.tests--) {
    const { relation, left, right, yes, no } = plan.blocks[at];
    const a = valueOf(left, packet), b = valueOf(right, packet);
    if (a === OUT || b === OUT) return { packet, accepted: false, ways };
    const outcome = compares(relation, a, b);
    ways.push({ block: at, outcome });
    at = outcome ? yes : no;
  }
  return { packet, accepted: at === ACCEPT, ways };
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
