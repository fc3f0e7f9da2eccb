/**
 * Purpose: the three moves by which libpcap's optimiser changes what is read of a packet, and in which order.
 *
 * ```text
 *  past a block      a ─▶ b ═▶ c       b's ways lead to the same place: a leads there, and b reads nothing
 *  past a test       a ─yes▶ … ─▶ a'   a' asks what a asked: what comes before it leads to where a' leads
 *  pull up           src? dst? src'?   src' moves in front of dst?, if src is in the accumulator there
 * ```
 * Shape and ways in are those at the begin of the pass even where ways have been moved since.
 */
import type { Ends } from "./settle_ends.ts";
import { type Shape, type Ways, waysIn } from "./settle_flow.ts";

/** What a pass has done: nothing; only moved; or left blocks out as well. */
export type Done = 0 | 1 | 2;

/** Leads ways past blocks whose outcome makes no difference, or is known. */
export function passBy(ways: Ways, shape: Shape, ends: Ends): Done {
  const { to } = ways, size = to.length / 2, groups = new Map<number, number[]>();
  for (let block = 0; block < size; block++) {
    const group = groups.get(ends.accumulator[block]);
    if (group === undefined) groups.set(ends.accumulator[block], [block]);
    else group.push(block);
  }
  let done: Done = 0;
  for (const level of shape.levels) {
    for (const block of level) {
      for (const way of [2 * block, 2 * block + 1]) {
        const next = to[way];
        if (next < 0) continue;
        if (to[2 * next] === to[2 * next + 1] && keeps(block, to[2 * next])) {
          to[way] = to[2 * next];
          done = 2;
        }
        for (let target; (target = known(way)) !== undefined; done ||= 1) to[way] = target;
      }
    }
  }
  return done;

  /** Whether what looks at the accumulator behind the target finds there what it is to find. */
  function keeps(from: number, target: number): boolean {
    return target < 0 || ends.used[target] === 0 ||
      ends.accumulator[from] === ends.accumulator[target];
  }

  /** Where the block leads that the way leads to, if what was asked before tells; libpcap's first find. */
  function known(way: number): number | undefined {
    const next = to[way];
    if (next < 0) return undefined;
    const group = groups.get(ends.accumulator[next])!;
    for (const no of [0, 1]) {
      for (const block of group) {
        if (ends.jump[block] !== ends.jump[next]) continue;
        const same = ends.operand[block] === ends.operand[next];
        if (!same && (no === 1 || ends.jump[block] !== ends.equal)) continue;
        if (!shape.dominates(size + 2 * block + no, size + way)) continue;
        const target = to[2 * next + (same ? no : 1)]; // equal to another number: not to this one
        if (keeps(way >> 1, target)) return target;
      }
    }
    return undefined;
  }
}

/** Moves up tests of what is in the accumulator already: in a row of "or" (side 0) and of "and" (side 1). */
export function pullUp(ways: Ways, shape: Shape, ends: Ends): Done {
  const into = waysIn(ways, shape.levels);
  let done: Done = 0;
  for (const level of shape.levels) {
    for (const block of level) {
      for (const side of [0, 1] as const) {
        if (pullUpBelow(block, side, ways, shape, ends, into[block])) done = 1;
      }
    }
  }
  return done;
}

/** Blocks of a row lead to the same place on one side, and to the next one on the other. */
function pullUpBelow(
  first: number,
  side: 0 | 1,
  { to }: Ways,
  { dominates }: Shape,
  { accumulator }: Ends,
  into: number[],
): boolean {
  if (into.length === 0) return false;
  const loaded = accumulator[into[0] >> 1], other = 1 - side;
  if (into.some((way) => accumulator[way >> 1] !== loaded)) return false;
  const isInRow = (block: number) =>
    block >= 0 && to[2 * block + side] === to[2 * first + side] && dominates(first, block);

  const begin = into[0] >> 1;
  let different = to[2 * begin] === first ? 2 * begin : 2 * begin + 1, atTop = true;
  for (;; different = 2 * to[different] + other, atTop = false) {
    if (!isInRow(to[different])) return false;
    if (accumulator[to[different]] !== loaded) break;
  }
  let same = 2 * to[different] + other;
  for (;; same = 2 * to[same] + other) {
    if (!isInRow(to[same])) return false;
    if (accumulator[to[same]] === loaded) break;
  }
  const pulled = to[same];
  to[same] = to[2 * pulled + other];
  to[2 * pulled + other] = to[different];
  if (!atTop) to[different] = pulled;
  else {
    for (const way of into) {
      const from = way & ~1; // libpcap looks where the way is now
      to[to[from] === first ? from : from + 1] = pulled;
    }
  }
  return true;
}
