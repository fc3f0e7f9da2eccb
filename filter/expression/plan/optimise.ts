/**
 * Purpose: a plan without what is known already: of a packet that is IPv4 nobody asks again whether it is.
 *
 * ```text
 *  before   type == IPv6? ─no▶ type == IPv4? ─yes▶ … port? ─yes▶ type == IPv4? ─yes▶ address?
 *  after    type == IPv6? ─no▶ type == IPv4? ─yes▶ … port? ─yes───────────────────▶ address?
 * ```
 * What is known at the begin of a block is what all ways to it have in common; on its ways out that, and the
 * outcome of its test. A way that leads to a block whose outcome is known there goes on to where that leads.
 * Only what has been read before is known, so that no read is lost that could reject the packet.
 */
import { Interner } from "./intern.ts";
import { type Lists, ordered, searched } from "./order.ts";
import { type Block, type Plan, REJECT } from "./plan.ts";
import { calculate, compares, type Value } from "./tree.ts";

const MAX_PASSES = 8, MAX_WORK = 200_000; // blocks looked at, in all passes
const MAX_STEPS = 500; // along one way, in one pass
const MAX_FACTS = 24, MAX_NOT = 12, MAX_ONLY = 8; // of more than these the latest are forgotten

/** What a value is known to be: within both, none of these, and, where that is known, one of those. */
interface Range {
  low: number;
  high: number;
  not: readonly number[];
  only?: readonly number[];
}

const ANYTHING: Range = { low: 0, high: 0xffffffff, not: [] };

/** Of values by their number. */
type Facts = ReadonlyMap<number, Range>;

/** The same plan with fewer blocks, and ways that pass fewer of them; verdicts stay the same for any packet. */
export function optimise(plan: Plan, lists?: Lists): Plan {
  let best = interned(plan);
  for (let pass = 0, work = 0; pass < MAX_PASSES && work < MAX_WORK; pass++) {
    work += best.blocks.length;
    const next = shared(ordered(threaded(best)));
    if (sameShape(next, best)) break;
    best = next;
  }
  return searched(best, lists);
}

/** With one object for each value. */
function interned({ entry, blocks }: Plan): Plan {
  const all = new Interner();
  return {
    entry,
    blocks: blocks.map((block) => ({
      ...block,
      left: all.one(block.left),
      right: all.one(block.right),
    })),
  };
}

/** With ways that lead past what is known. */
function threaded({ entry, blocks }: Plan): Plan {
  const all = new Interner();
  const known: (Facts | undefined)[] = blocks.map(() => undefined);
  const next = blocks.map((block) => ({ ...block })), nothing: Facts = new Map();
  const instead = blocks.map((_, i) => i);
  const first = follow(entry, nothing, next, all);
  if (first >= 0) known[first] = nothing;
  next.forEach((block, i) => {
    const facts = known[i];
    if (facts === undefined) return; // nobody comes here any longer
    const holds = learnt(facts, block, true, all), fails = learnt(facts, block, false, all);
    block.yes = follow(block.yes, holds, next, all);
    block.no = follow(block.no, fails, next, all);
    if (block.yes >= 0) known[block.yes] = common(known[block.yes], holds);
    if (block.no >= 0) known[block.no] = common(known[block.no], fails);
    // A test is not needed where the next one of the same value would lead to the same place; unless that
    // place is the next one itself, and the number that this one compares with has to be read.
    const asks = (way: number, facts: Facts, target: number) =>
      way >= 0 && next[way].left === block.left && follow(way, facts, next, all, 2) === target &&
      (way !== target || block.right.kind === "number");
    const leaveOut = (way: number) => {
      instead[i] = way;
      known[way] = common(known[way], facts); // who comes there now has not been through this test
    };
    if (block.yes === block.no && isRead(block, facts, all)) instead[i] = block.yes;
    else if (asks(block.no, holds, block.yes)) leaveOut(block.no);
    else if (asks(block.yes, fails, block.no)) leaveOut(block.yes);
  });
  const to = (way: number): number => {
    while (way >= 0 && instead[way] !== way) way = instead[way];
    return way;
  };
  return {
    entry: to(first),
    blocks: next.map((block) => ({ ...block, yes: to(block.yes), no: to(block.no) })),
  };
}

/** Where a way leads in the end, or after so many blocks. */
function follow(
  to: number,
  facts: Facts,
  blocks: readonly Block[],
  all: Interner,
  steps = MAX_STEPS,
): number {
  for (; to >= 0 && steps > 0; steps--) {
    const outcome = decided(blocks[to], facts, all);
    if (outcome === undefined) return to;
    to = outcome ? blocks[to].yes : blocks[to].no;
  }
  return to;
}

/** What comes out of a test, if that is known. */
function decided({ relation, left, right }: Block, facts: Facts, all: Interner) {
  const a = rangeOf(left, facts, all), b = rangeOf(right, facts, all);
  if (a === undefined || b === undefined) {
    const before = facts.get(testId({ relation, left, right }, all));
    if (before === undefined || before.low !== before.high) return undefined; // or both ways led here
    return before.low === 1;
  }
  if (a.low === a.high && b.low === b.high) return compares(relation, a.low, b.low);
  if (relation === "==") {
    const apart = a.high < b.low || b.high < a.low || b.low === b.high && isNot(a, b.low);
    return apart ? false : undefined;
  }
  const more = relation === ">" ? a.low > b.high : a.low >= b.high;
  const less = relation === ">" ? a.high <= b.low : a.high < b.low;
  return more ? true : less ? false : undefined;
}

/** Whether both sides of a test have been read, so that nothing is lost without it. */
function isRead({ left, right }: Block, facts: Facts, all: Interner): boolean {
  return rangeOf(left, facts, all) !== undefined && rangeOf(right, facts, all) !== undefined;
}

/** What is known of a value that has been read. */
function rangeOf(value: Value, facts: Facts, all: Interner): Range | undefined {
  if (value.kind === "number") return { low: value.value, high: value.value, not: [] };
  const known = facts.get(all.id(value));
  if (known !== undefined || value.kind !== "operation") return known;
  const left = rangeOf(value.left, facts, all), right = rangeOf(value.right, facts, all);
  if (left?.low !== left?.high || right?.low !== right?.high || !left || !right) return undefined;
  const exact = calculate(value.operator, left.low, right.low);
  return exact === undefined ? undefined : { low: exact, high: exact, not: [] };
}

/** What is known behind a test. */
function learnt(facts: Facts, block: Block, outcome: boolean, all: Interner): Facts {
  const { left, right, relation } = block;
  const add = (id: number, range: Range) =>
    facts.size < MAX_FACTS || facts.has(id) ? new Map(facts).set(id, range) : facts;
  if (right.kind !== "number") {
    const bit = outcome ? 1 : 0;
    return add(testId(block, all), { low: bit, high: bit, not: [] });
  }
  const id = all.id(left), before = facts.get(id);
  const after = narrowed(before ?? ANYTHING, relation, right.value, outcome);
  return after === before ? facts : add(id, after);
}

function narrowed(before: Range, relation: Block["relation"], value: number, outcome: boolean) {
  const { low, high, not } = before;
  const only = valuesOf(before)?.filter((one) => compares(relation, one, value) === outcome);
  if (only !== undefined && only.length > 0) return oneOf(only);
  if (relation === "==") {
    if (outcome) return { low: value, high: value, not: [] };
    return not.length < MAX_NOT ? { low, high, not: [...not, value] } : before;
  }
  const least = relation === ">" ? value + 1 : value; // of those for which it holds
  return outcome
    ? { low: Math.max(low, least), high, not }
    : { low, high: Math.min(high, least - 1), not };
}

/** A test of two values that are both read has a number of its own, below 0. */
function testId(
  { relation, left, right }: Pick<Block, "relation" | "left" | "right">,
  all: Interner,
) {
  const order = ["==", ">", ">="].indexOf(relation);
  return -1 - ((all.id(left) * 2 ** 24 + all.id(right)) * 3 + order);
}

/** What holds on both ways. */
function common(a: Facts | undefined, b: Facts): Facts {
  if (a === undefined || a === b) return b;
  const both = new Map<number, Range>();
  for (const [id, x] of a) {
    const y = b.get(id);
    if (y === undefined) continue;
    const values = new Set([...valuesOf(x) ?? [], ...valuesOf(y) ?? []]);
    if (valuesOf(x) !== undefined && valuesOf(y) !== undefined && values.size <= MAX_ONLY) {
      both.set(id, oneOf([...values]));
      continue;
    }
    both.set(id, {
      low: Math.min(x.low, y.low),
      high: Math.max(x.high, y.high),
      not: x.not.filter((value) => isNot(y, value)).concat(
        y.not.filter((v) => !x.not.includes(v) && isNot(x, v)),
      ),
    });
  }
  return both;
}

function oneOf(values: readonly number[]): Range {
  return { low: Math.min(...values), high: Math.max(...values), not: [], only: values };
}

/** All that it can be, where these are few. */
function valuesOf({ low, high, only }: Range): readonly number[] | undefined {
  return low === high ? [low] : only;
}

function isNot({ low, high, not, only }: Range, value: number): boolean {
  return value < low || value > high || not.includes(value) || only?.includes(value) === false;
}

/** With one block where several ask the same and go on to the same. */
function shared({ entry, blocks }: Plan): Plan {
  const all = new Interner(), byText = new Map<string, number>(), stands: number[] = [];
  const to = (way: number) => way < 0 ? way : stands[way];
  const merged = blocks.map((block) => ({ ...block }));
  for (let i = blocks.length - 1; i >= 0; i--) {
    const block = merged[i];
    block.yes = to(block.yes);
    block.no = to(block.no);
    const text = `${block.relation} ${all.id(block.left)} ${
      all.id(block.right)
    } ${block.yes} ${block.no}`;
    // Where both ways reject, so does a read beyond the end.
    const useless = block.yes === REJECT && block.no === REJECT;
    stands[i] = useless ? REJECT : byText.get(text) ?? i;
    byText.set(text, stands[i]);
  }
  return ordered({ entry: to(entry), blocks: merged });
}

function sameShape(a: Plan, b: Plan): boolean {
  return a.entry === b.entry && a.blocks.length === b.blocks.length &&
    a.blocks.every(({ yes, no }, i) => yes === b.blocks[i].yes && no === b.blocks[i].no);
}
