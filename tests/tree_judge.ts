/** Purpose: judges packets by trees, as the interpreter judges them by the plans of these. */
import { interpret } from "../filter/expression/interpret.ts";
import { type Plan, planOf } from "../filter/expression/plan/plan.ts";
import type { Node } from "../filter/expression/plan/tree.ts";

const plans = new WeakMap<Node, Plan>();

/** Whether the tree holds for a packet. */
export function holds(
  tree: Node,
  bytes: Uint8Array,
  at: number,
  length: number,
  wireLength?: number,
): boolean {
  const plan = plans.get(tree) ?? planOf(tree);
  plans.set(tree, plan);
  return interpret(plan, bytes, at, length, wireLength);
}
