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
 *  plan as written ─▶ ways moved, pass by pass (settle_moves.ts) ─▶ values folded ─▶ plan
 *                       by what blocks end with (settle_drafts.ts)
 *                       and the shape of the ways (settle_flow.ts)
 * ```
 */
import { Interner } from "./intern.ts";
import { ordered } from "./order.ts";
import { type Block, blockOf, type Plan } from "./plan.ts";
import { bitsOf, type Draft, draftOf } from "./settle_drafts.ts";
import { shapeOf, type Ways, waysOf } from "./settle_flow.ts";
import { type Done, type Ends, passBy, pullUp } from "./settle_moves.ts";
import { compares, folded, type Value } from "./tree.ts";

const MAX_SHUFFLES = 100; // passes in a row that only move ways: libpcap gives up there
const ALL_BITS = 0xffffffff;

/** The plan of what libpcap's optimised program does; its blocks as `expand` has them written. */
export function settle(plan: Plan): Plan {
  if (plan.entry < 0) return plan;
  const ways = waysOf({ ...plan, blocks: plan.blocks.map(forBits) });
  const blocks = ways.order.map((at) => plan.blocks[at]);
  const all = new Interner(), drafts = blocks.map((block) => draftOf(block, all));
  move(ways, drafts);
  const settled = blocks.map((block, i) => {
    const [yes, no] = ways.to.subarray(2 * i, 2 * i + 2);
    return drafts[i].jump === "bits" ? finished(block, no, yes) : finished(block, yes, no);
  });
  return ordered(atRoot(settled, ways.entry));
}

/** What asks for bits leads by "yes" where one is set. */
function forBits(block: Block): Block {
  return block.written === "bits" ? { ...block, yes: block.no, no: block.yes } : block;
}

/** Passes until one changes nothing. */
function move(ways: Ways, drafts: Draft[]): void {
  const first = endsOf(drafts, "first"), later = endsOf(drafts, "later");
  let shuffles = 0;
  for (let pass = 0; shuffles < MAX_SHUFFLES; pass++) {
    const shape = shapeOf(ways);
    let done: Done = pass === 0 ? 2 : 0;
    drafts.forEach((draft, i) => {
      if (pass === 0 && draft.turns) turn(ways, i);
      if (draft.outcome === undefined || draft.seen === "later" && pass === 0) return;
      const way = ways.to[2 * i + (draft.outcome ? 0 : 1)];
      if (ways.to[2 * i] !== ways.to[2 * i + 1]) done = 2;
      ways.to.fill(way, 2 * i, 2 * i + 2);
    });
    const ends = pass === 0 ? first : later;
    const passed = passBy(ways, shape, ends), pulled = pullUp(ways, shape, ends);
    done = Math.max(done, passed, pulled) as Done;
    if (done === 0) return;
    shuffles = done === 2 ? 0 : shuffles + 1;
  }
}

function endsOf(drafts: Draft[], pass: "first" | "later"): Ends {
  const jumps = new Map<string, number>();
  const jumpId = (jump: string) => jumps.get(jump) ?? jumps.set(jump, jumps.size).size - 1;
  return {
    equal: jumpId("=="),
    jump: Int32Array.from(drafts, ({ jump }) => jumpId(jump)),
    accumulator: Int32Array.from(drafts, (draft) => draft[pass]),
    operand: Int32Array.from(drafts, ({ operand }) => operand),
  };
}

function turn({ to }: Ways, block: number): void {
  const yes = to[2 * block];
  to[2 * block] = to[2 * block + 1];
  to[2 * block + 1] = yes;
}

/** With what libpcap calculates in its second round, in which no way is moved any more. */
function finished(block: Block, yes: number, no: number): Block {
  const left = folded(block.left), right = folded(block.right);
  const finish = (value: Value, yes: number, no: number) =>
    blockOf({ relation: block.relation, left: value, right }, yes, no);
  if (left.kind === "number" && right.kind === "number") {
    const way = compares(block.relation, left.value, right.value) ? yes : no;
    return finish(left, way, way);
  }
  // All bits are a test of any bit for libpcap, and that is always true.
  const bits = bitsOf({ ...block, left, right });
  return bits?.mask === ALL_BITS ? finish(bits.of, no, no) : finish(left, yes, no);
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
