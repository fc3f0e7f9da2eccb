/**
 * Purpose: a plan whose reads happen as in the program that libpcap's optimiser makes of it.
 *
 * A read beyond the packet's end rejects the packet: what is read, and in which order, is a part of what an
 * expression means. Of `tcp or not vlan 7` the tag's number is never read by tcpdump, for neither outcome
 * makes a difference; `port 80 or 443` tests both sources before the destinations. The passes here move ways
 * as libpcap's do, so that short packets are judged as tcpdump judges them; what our own optimiser does
 * behind changes no verdict.
 *
 * ```text
 *  plan as written ─▶ ways moved, pass by pass (settle_moves.ts) ─▶ calculated (settle_calculated.ts) ─▶ plan
 *                       by how blocks end (settle_drafts.ts, settle_ends.ts)
 *                       and the shape of the ways (settle_flow.ts)
 * ```
 */
import { withAccumulator } from "./accumulator.ts";
import type { Block, Plan } from "./plan.ts";
import { calculated, withCalculated } from "./settle_calculated.ts";
import { Ends } from "./settle_ends.ts";
import { shapeOf, type Ways, waysOf } from "./settle_flow.ts";
import { type Done, passBy, pullUp } from "./settle_moves.ts";

const MAX_SHUFFLES = 100; // passes in a row that only move ways: libpcap gives up there

/**
 * The plan of what libpcap's optimised program does; its blocks as `expand` has them written. Nothing where it
 * would be too large.
 */
export function settle(plan: Plan): Plan | undefined {
  if (plan.entry < 0) return plan;
  const ways = waysOf({ ...plan, blocks: plan.blocks.map(forBits) });
  const blocks = ways.order.map((at) => plan.blocks[at]), ends = new Ends(blocks);
  move(ways, ends);
  const settled = blocks.map((block, i) => {
    const [yes, no] = ways.to.subarray(2 * i, 2 * i + 2);
    const { accumulator, jump } = ends.end(i), isSimple = ends.used[i] === 0;
    if (jump !== "bits") return calculated({ ...block, yes, no }, isSimple);
    // None of no bits is set, but the value is read: the mask is not a part of it any more.
    const keepsRead = yes === no && block.written !== "left behind";
    const left = keepsRead ? accumulator : block.left;
    return calculated({ ...block, left, yes: no, no: yes }, isSimple);
  });
  const begun = atRoot(settled, ways.entry);
  const whole = withAccumulator(begun, blocks.map((_, i) => ends.end(i)));
  return whole && withCalculated(whole, false);
}

/** What asks for bits leads by "yes" where one is set. */
function forBits(block: Block): Block {
  return block.written === "bits" ? { ...block, yes: block.no, no: block.yes } : block;
}

/** Passes until one changes nothing. */
function move(ways: Ways, ends: Ends): void {
  for (let shuffles = 0; shuffles < MAX_SHUFFLES;) {
    const shape = shapeOf(ways), begun: Done = ends.begin(ways, shape) ? 2 : 0;
    const done = Math.max(begun, passBy(ways, shape, ends), pullUp(ways, shape, ends));
    if (done === 0) return;
    shuffles = done === 2 ? 0 : shuffles + 1;
  }
}

/** Of blocks at the begin that lead on in any case only the first one reads, and only for what comes then. */
function atRoot(blocks: Block[], entry: number): Plan {
  const isOpen = (at: number) => at >= 0 && blocks[at].yes === blocks[at].no;
  let at = entry;
  while (isOpen(at)) at = blocks[at].yes;
  if (at < 0 || at === entry) return { entry: at, blocks };
  blocks[entry] = { ...blocks[entry], yes: at, no: at };
  return { entry, blocks };
}
