/**
 * Purpose: what plans for the filters of packet: and udp: sockets have in common: a test before all others.
 */
import { ACCEPT, type Plan } from "../plan/plan.ts";
import { number } from "../plan/tree.ts";

/** The plan, but accepting what is longer than so many bytes without another question. */
export function acceptLonger(plan: Plan, bytes: number): Plan {
  const { entry, blocks } = behindOne(plan);
  const left = { kind: "length" } as const, right = number(bytes);
  return {
    entry: 0,
    blocks: [{ relation: ">", left, right, yes: ACCEPT, no: entry }, ...blocks],
  };
}

/** The plan with its blocks' places one up: the first one is free. */
export function behindOne({ entry, blocks }: Plan): Plan {
  const up = (way: number) => way < 0 ? way : way + 1;
  return {
    entry: up(entry),
    blocks: blocks.map((block) => ({ ...block, yes: up(block.yes), no: up(block.no) })),
  };
}
