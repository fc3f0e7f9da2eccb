/**
 * Purpose: what an expression means: which tests are made of a packet, and in which order. This is what all
 * that is compiled, and the interpreter, have to agree with.
 *
 * ```text
 *  text ─ parser ─▶ syntax ─ expand ─▶ tree ─ planOf ─▶ plan as written ─ settle ─▶ plan
 * ```
 */
import { withAccumulator } from "./plan/accumulator.ts";
import { expand, isLeftover, primitivesOf, settles } from "./ethernet/expand.ts";
import { ExpressionError } from "./expression_error.ts";
import { parseExpression } from "./language/parser.ts";
import { type Plan, planOf } from "./plan/plan.ts";
import { settle } from "./plan/settle.ts";
import { withCalculated } from "./plan/settle_calculated.ts";
import type { Syntax } from "./language/syntax.ts";
import type { Node } from "./plan/tree.ts";

/**
 * Blocks up to which libpcap's optimiser is followed, whose work grows with their number's square. In larger
 * plans a packet is still judged as by libpcap unless it ends within its headers.
 */
const MOST_BLOCKS = 3000;

/** An expression's meaning. */
export interface Meaning {
  tree: Node;
  plan: Plan;
}

/**
 * The meaning of an expression.
 *
 * @throws {ExpressionError} for what is no expression.
 */
export function meaningOf(text: string): Meaning {
  const syntax = parseExpression(text);
  if (syntax === undefined) { // no expression, no condition
    const tree: Node = { kind: "constant", value: true };
    return { tree, plan: planOf(tree) };
  }
  const primitives = [...primitivesOf(syntax)].length; // a block each, or more
  const isSettled = settles(syntax);
  if (isSettled && primitives <= MOST_BLOCKS) {
    const tree = expand(syntax, text, true), plan = planOf(tree);
    if (plan.blocks.length <= MOST_BLOCKS) {
      return { tree, plan: settle(plan) ?? refuse(syntax, text) };
    }
  }
  const tree = expand(syntax, text), plan = withAccumulator(planOf(tree)) ?? refuse(syntax, text);
  return { tree, plan: isSettled ? withCalculated(plan, true) : plan };
}

function refuse(syntax: Syntax, text: string): never {
  const { at } = primitivesOf(syntax).find(isLeftover)!;
  const state = '"byte" with & or | behind too many tests';
  throw new ExpressionError(text, at, state, "expected ether[…]");
}
