/**
 * Purpose: a plan's blocks in an order in which one of the ways out of a block mostly leads to the one below,
 * and long lists of numbers as searches.
 *
 * ```text
 *  host a or b or … z     src == a? dst == a? src == b? dst == b? …   all the same way on "yes"
 *  becomes                src == a? dst == a? then: src >= m? … a tree of comparisons; then the same for dst
 * ```
 * The first test of each value stays where it is, for its read may reject the packet; between such tests
 * all values are known to be there, and their tests may come in any order.
 */
import { Interner } from "./intern.ts";
import type { Block, Plan } from "./plan.ts";
import { number, type Value } from "./tree.ts";

const LEAST = 8; // tests of a value that are worth a search
const LEAF = 3; // tests in a row at its end

/** How the tests of a long list stand: as a search, which is quick, or in a row, which has fewer of them. */
export type Lists = "searched" | "in a row";

/** The same plan, its lists searched; or in a row, value by value. */
export function searched({ entry, blocks }: Plan, lists: Lists = "searched"): Plan {
  const next = blocks.map((block) => ({ ...block })), waysTo = countWays(entry, blocks);
  const all = new Interner(), done = new Set<number>();
  for (let i = 0; i < blocks.length; i++) {
    if (done.has(i)) continue;
    const chain = chainFrom(i, blocks, waysTo);
    for (const at of chain) done.add(at);
    if (chain.length > LEAST) regroup(chain, next, all, lists);
  }
  return ordered({ entry, blocks: next });
}

/** Tests for equality, each where the one before fails, that go the same way where they hold. */
function chainFrom(first: number, blocks: readonly Block[], waysTo: number[]): number[] {
  const chain = [first], { yes } = blocks[first];
  const isList = ({ relation, right }: Block) => relation === "==" && right.kind === "number";
  if (!isList(blocks[first])) return chain;
  for (let at = blocks[first].no; at >= 0 && waysTo[at] === 1; at = blocks[at].no) {
    if (!isList(blocks[at]) || blocks[at].yes !== yes) break;
    chain.push(at);
  }
  return chain;
}

/** Puts searches in the place of a chain's tests, from one first test of a value to the next. */
function regroup(chain: number[], blocks: Block[], all: Interner, lists: Lists): void {
  const seen = new Set<Value>(), parts: number[][] = [];
  for (const at of chain) {
    const value = all.one(blocks[at].left);
    if (seen.has(value)) parts.at(-1)!.push(at);
    else parts.push([at], []);
    seen.add(value);
  }
  let behind = blocks[chain.at(-1)!].no;
  for (const part of parts.reverse()) {
    const byValue = Map.groupBy(part, (at) => all.one(blocks[at].left));
    for (const tests of [...byValue.values()].reverse()) {
      behind = tests.length < LEAST || lists === "in a row"
        ? inARow(tests, blocks, behind)
        : search(
          blocks[tests[0]].left,
          valuesOf(tests, blocks),
          blocks[tests[0]].yes,
          behind,
          blocks,
        );
    }
  }
}

function valuesOf(tests: number[], blocks: Block[]): number[] {
  const values = tests.map((at) => blocks[at].right.kind === "number" ? blocks[at].right.value : 0);
  return [...new Set(values)].sort((a, b) => a - b);
}

/** Links tests, the last one to `behind`; returns the first. */
function inARow(tests: number[], blocks: Block[], behind: number): number {
  tests.forEach((at, i) => blocks[at] = { ...blocks[at], no: tests[i + 1] ?? behind });
  return tests[0];
}

/** Blocks that find a value among sorted numbers; returns the first. */
function search(left: Value, values: number[], yes: number, no: number, blocks: Block[]): number {
  if (values.length <= LEAF) {
    return values.reduceRight(
      (next, value) =>
        blocks.push({ relation: "==", left, right: number(value), yes, no: next }) - 1,
      no,
    );
  }
  const middle = values.length >> 1;
  const above = search(left, values.slice(middle), yes, no, blocks);
  const below = search(left, values.slice(0, middle), yes, no, blocks);
  const right = number(values[middle]);
  return blocks.push({ relation: ">=", left, right, yes: above, no: below }) - 1;
}

function countWays(entry: number, blocks: readonly Block[]): number[] {
  const ways = blocks.map((_, i) => i === entry ? 1 : 0);
  for (const { yes, no } of blocks) for (const way of [yes, no]) if (way >= 0) ways[way]++;
  return ways;
}

/** Blocks that can be reached, each above those that it leads to, its "no" next where that is possible. */
export function ordered({ entry, blocks }: Plan): Plan {
  const finished: number[] = [], state = new Uint8Array(blocks.length); // 1: begun, 2: finished
  const stack = entry < 0 ? [] : [entry];
  while (stack.length > 0) {
    const at = stack.at(-1)!, { yes, no } = blocks[at];
    if (state[at] === 0) {
      state[at] = 1;
      for (const way of [no, yes]) if (way >= 0 && state[way] === 0) stack.push(way);
      continue;
    }
    stack.pop();
    if (state[at] === 1) finished.push(at);
    state[at] = 2;
  }
  const places = new Map(finished.reverse().map((at, place) => [at, place]));
  const to = (way: number) => way < 0 ? way : places.get(way)!;
  return {
    entry: to(entry),
    blocks: finished.map((at) => ({
      ...blocks[at],
      yes: to(blocks[at].yes),
      no: to(blocks[at].no),
    })),
  };
}
