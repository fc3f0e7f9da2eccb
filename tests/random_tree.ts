/**
 * Purpose: seeded random trees, and packets for them on which their tests fall out either way: to compare
 * compiled filters with `interpret`.
 */
import {
  headerBytes,
  loadAt,
  type Node,
  not,
  number,
  type Operator,
  type Relation,
  test,
  type Value,
} from "../filter/expression/plan/tree.ts";

/** Gives random u32s: see `seededRandom`. */
export type Random = () => number;

/** What random trees may hold beyond loads, numbers and tests; everything by default. */
export interface TreeLimits {
  /** Largest nesting of and, or, not; 4 by default. */
  nodeDepth?: number;
  /** Largest nesting of operations and places; 4 by default. */
  valueDepth?: number;
}

const OPERATORS: Operator[] = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
const RELATIONS: Relation[] = ["==", "==", "!=", "<", "<=", ">", ">="];
const SIZES = [1, 1, 2, 2, 4] as const;
/** Where things lie in most packets: EtherType, IHL, protocol, addresses, ports, payload. */
const PLACES = [12, 14, 20, 23, 26, 30, 34, 36, 42, 0, 1, 6];
const ODD_NUMBERS = [0, 1, 31, 32, 33, 255, 256, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** A random tree. */
export function randomTree(
  random: Random,
  { nodeDepth = 4, valueDepth = 4 }: TreeLimits = {},
): Node {
  const choice = nodeDepth === 0 ? 9 : random() % 10;
  const deeper = () => randomTree(random, { nodeDepth: nodeDepth - 1, valueDepth });
  if (choice < 4) {
    // Unlike `and` and `or` it leaves them nested as they fall.
    const parts = Array.from({ length: 1 + random() % 4 }, deeper);
    return { kind: choice < 2 ? "and" : "or", parts };
  }
  if (choice === 4) return not(deeper());
  if (choice === 5 && random() % 4 === 0) return { kind: "constant", value: random() % 2 === 0 };
  return randomTest(random, valueDepth);
}

/** A random number of the packet. */
export function randomValue(random: Random, depth: number): Value {
  const choice = random() % 16;
  if (choice === 0) return { kind: "length" };
  if (choice < 3) return number(randomNumber(random));
  if (choice < 8 || depth === 0) return randomLoad(random, 0);
  if (choice < 11) return randomLoad(random, depth);
  const right = randomValue(random, depth - 1);
  return {
    kind: "operation",
    operator: pick(random, OPERATORS),
    left: randomValue(random, depth - 1),
    right: random() % 2 === 0 ? number(randomNumber(random)) : right,
  };
}

/**
 * A random packet of 0 to 99 bytes, of which a quarter are cut; of few different bytes, so that numbers
 * meet; mostly with the begin of an IPv4 header.
 */
export function randomPacketOf(random: Random): Uint8Array {
  const packet = new Uint8Array(random() % 4 === 0 ? random() % 100 : 60 + random() % 40);
  for (let i = 0; i < packet.length; i++) packet[i] = randomByte(random);
  const header = [8, 0, pick(random, [0x45, 0x45, 0x46, 0x4f, 0x40])];
  if (random() % 4 !== 0 && packet.length > 14) packet.set(header, 12);
  return packet;
}

function randomTest(random: Random, depth: number): Node {
  const left = randomValue(random, depth), choice = random() % 8;
  const relation = pick(random, RELATIONS);
  if (choice === 0) return test(relation, left, randomValue(random, depth));
  if (choice === 1) return test(relation, number(randomNumber(random)), left);
  if (choice < 4) {
    const mask = number(pick(random, [1, 2, 15, 0x1fff, 0x80, 0xff]));
    const masked: Value = { kind: "operation", operator: "&", left, right: mask };
    return test(relation, masked, random() % 2 === 0 ? 0 : randomNumber(random));
  }
  return test(relation, left, randomNumber(random));
}

function randomLoad(random: Random, depth: number): Value {
  const bytes = pick(random, SIZES);
  const offset = random() % 40 === 0
    ? pick(random, ODD_NUMBERS)
    : random() % 2 === 0
    ? pick(random, PLACES)
    : random() % 64;
  const base = depth === 0 ? undefined : randomBase(random, depth);
  const load = loadAt(offset, bytes, base);
  return random() % 5 === 0 ? { ...load, kind: "load", order: "little" } : load;
}

/** Mostly one that leads into the packet. */
function randomBase(random: Random, depth: number): Value {
  const choice = random() % 8;
  if (choice < 4) return headerBytes(14);
  if (choice === 4) return headerBytes(random() % 40, loadAt(random() % 40, 1));
  if (choice === 5) return randomValue(random, depth - 1);
  const small: Value = {
    kind: "operation",
    operator: "&",
    left: randomValue(random, depth - 1),
    right: number(15),
  };
  return choice === 6
    ? small
    : { kind: "operation", operator: "+", left: small, right: number(random() % 20) };
}

function randomNumber(random: Random): number {
  const choice = random() % 8;
  if (choice === 0) return random();
  if (choice === 1) return pick(random, ODD_NUMBERS);
  if (choice === 2) return pick(random, [0x0800, 0x0045, 0x4508, 60, 20]);
  return choice < 5 ? randomByte(random) : random() % 5;
}

function randomByte(random: Random): number {
  const choice = random() % 8;
  if (choice === 0) return random() & 255;
  return choice < 4 ? 0 : pick(random, [1, 2, 4, 8, 17, 0x45, 0x80, 0xff]);
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random() % values.length];
}
