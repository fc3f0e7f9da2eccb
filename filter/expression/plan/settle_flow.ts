/**
 * Purpose: the ways between a plan's blocks while settle.ts moves them, and what follows from their shape:
 * levels, ways in, and what lies on all ways to a place.
 *
 * ```text
 *  way 2 b      from block b where its test holds          level 2   block 0
 *  way 2 b + 1  from block b where it does not             level 1   block 1, block 2   lead to an end
 * ```
 * The order within a level, and of the ways in, is libpcap's: what is moved first decides what can be moved
 * after it.
 */
import type { Plan } from "./plan.ts";

/** Where each way leads: to a block, or below 0 to an end. */
export interface Ways {
  readonly entry: number;
  readonly to: Int32Array;
}

/** What the ways were when it was made; it is not kept up to date while they are moved. */
export interface Shape {
  /** Blocks that can be reached, by the longest way from there to an end: one step, two, … */
  readonly levels: readonly (readonly number[])[];
  /** Whether all ways to `later` pass `earlier`; both are blocks, or ways plus the number of blocks. */
  dominates(earlier: number, later: number): boolean;
}

/** The plan's blocks in the order in which one comes to them, "yes" first; and their ways. */
export function waysOf({ entry, blocks }: Plan): Ways & { order: number[] } {
  const order: number[] = [], places = new Int32Array(blocks.length).fill(-1), stack = [entry];
  for (let at; (at = stack.pop()) !== undefined;) {
    if (at < 0 || places[at] >= 0) continue;
    places[at] = order.push(at) - 1;
    stack.push(blocks[at].no, blocks[at].yes);
  }
  const to = new Int32Array(2 * order.length),
    turned = (way: number) => way < 0 ? way : places[way];
  order.forEach((at, place) => {
    to[2 * place] = turned(blocks[at].yes);
    to[2 * place + 1] = turned(blocks[at].no);
  });
  return { entry: turned(entry), to, order };
}

/** The shape of ways that begin at a block. */
export function shapeOf(ways: Ways): Shape {
  const levels = levelsOf(ways);
  return { levels, dominates: dominators(ways, levels) };
}

/** The ways that lead to each block, the one that is looked at first in front. */
export function waysIn({ to }: Ways, levels: Shape["levels"]): number[][] {
  const ways: number[][] = Array.from({ length: to.length / 2 }, () => []);
  for (const level of levels) {
    for (let i = level.length - 1; i >= 0; i--) {
      for (const way of [2 * level[i] + 1, 2 * level[i]]) if (to[way] >= 0) ways[to[way]].push(way);
    }
  }
  return ways;
}

function levelsOf({ entry, to }: Ways): number[][] {
  const levelOf = new Int32Array(to.length / 2), levels: number[][] = []; // 0: not known yet
  const stack = [entry];
  for (let at; (at = stack.at(-1)) !== undefined;) {
    const next = [to[2 * at], to[2 * at + 1]].find((way) => way >= 0 && levelOf[way] === 0);
    if (next !== undefined && levelOf[at] === 0) {
      stack.push(next);
      continue;
    }
    stack.pop();
    if (levelOf[at] !== 0) continue;
    const below = [to[2 * at], to[2 * at + 1]].map((way) => way < 0 ? 0 : levelOf[way]);
    levelOf[at] = 1 + Math.max(...below);
    (levels[levelOf[at] - 1] ??= []).push(at);
  }
  return levels.map((level) => level.reverse());
}

/** By the tree in which each place stands below the last one that all ways to it pass. */
function dominators({ to, entry }: Ways, levels: number[][]): Shape["dominates"] {
  const size = to.length / 2, above = new Int32Array(3 * size).fill(-1);
  const depth = new Int32Array(3 * size);
  const join = (a: number, b: number) => {
    while (a !== b) {
      if (depth[a] >= depth[b]) a = above[a];
      else b = above[b];
    }
    return a;
  };
  const order: number[] = [];
  for (const block of levels.toReversed().flat()) {
    if (block !== entry) depth[block] = depth[above[block]] + 1;
    order.push(block, size + 2 * block, size + 2 * block + 1);
    for (const way of [2 * block, 2 * block + 1]) {
      above[size + way] = block;
      depth[size + way] = depth[block] + 1;
      const next = to[way];
      if (next >= 0) above[next] = above[next] < 0 ? size + way : join(above[next], size + way);
    }
  }
  return within(order, above);
}

/** Whether one place is above another in the tree, or the same. */
function within(order: number[], above: Int32Array): Shape["dominates"] {
  const count = new Int32Array(above.length), begin = new Int32Array(above.length);
  for (const place of order.toReversed()) {
    count[place]++;
    if (above[place] >= 0) count[above[place]] += count[place];
  }
  const next = new Int32Array(above.length);
  for (const place of order) {
    if (above[place] >= 0) {
      begin[place] = next[above[place]];
      next[above[place]] += count[place];
    }
    next[place] = begin[place] + 1;
  }
  return (earlier, later) =>
    count[later] > 0 && begin[later] >= begin[earlier] &&
    begin[later] < begin[earlier] + count[earlier];
}
