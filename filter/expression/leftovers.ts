/**
 * Purpose: `byte N & M` and `byte N | M`, which in libpcap look at what the test before them left in the
 * accumulator, not at byte N. Which test that was depends on the way that a packet took, so the tree becomes
 * one of decisions, in which each way is known:
 *
 * ```text
 *  (arp or rarp) and byte 0 & 4   ▶   arp ─ yes ▶ 0x0806 & 4 != 0
 *                                      │ no
 *                                     rarp ─ yes ▶ 0x8035 & 4 != 0
 * ```
 */
import { type Context, refuse } from "./context.ts";
import { and, type Node, not, number, operation, or, type Test, test, type Value } from "./tree.ts";

const MOST_DECISIONS = 200; // each can make the tree two levels deeper

type Way = (left: Value) => Node;

/** The tree with what was left behind in its place. */
export function withLeftovers(context: Context, tree: Node): Node {
  let decisions = 0;
  const yes: Way = () => ({ kind: "constant", value: true });
  const no: Way = () => ({ kind: "constant", value: false });
  const first = number(0); // what the accumulator begins with
  return decide(tree, first, yes, no);

  function decide(node: Node, left: Value, yes: Way, no: Way): Node {
    switch (node.kind) {
      case "constant":
        return (node.value ? yes : no)(left);
      case "not":
        return decide(node.part, left, no, yes);
      case "and": {
        const [part, ...rest] = node.parts;
        if (rest.length === 0) return decide(part, left, yes, no);
        const behind: Way = (left) => decide({ kind: "and", parts: rest }, left, yes, no);
        return decide(part, left, behind, no);
      }
      case "or": {
        const [part, ...rest] = node.parts;
        if (rest.length === 0) return decide(part, left, yes, no);
        const behind: Way = (left) => decide({ kind: "or", parts: rest }, left, yes, no);
        return decide(part, left, yes, behind);
      }
      case "test":
        if (++decisions > MOST_DECISIONS) {
          refuse(context, '"byte" with & or | behind too many tests', "expected ether[…]");
        }
        return decideTest(node, left, yes, no);
    }
  }

  function decideTest(node: Test, left: Value, yes: Way, no: Way): Node {
    const leftover = context.leftovers.get(node);
    if (leftover === undefined) {
      const behind = context.leaves.get(node) ?? node.left;
      const isKnown = node.relation === "==" && behind === node.left;
      return choose(node, yes(isKnown ? node.right : behind), no(behind));
    }
    const value = operation(leftover.operator, left, number(leftover.value));
    const found = test("!=", value, 0);
    if (value.kind === "number") return value.value !== 0 ? yes(value) : no(number(0));
    return choose(found, yes(value), no(number(0)));
  }
}

function choose(condition: Test, yes: Node, no: Node): Node {
  const isYes = (node: Node, value: boolean) => node.kind === "constant" && node.value === value;
  if (isYes(yes, true) && isYes(no, false)) return condition;
  if (isYes(yes, false) && isYes(no, true)) return not(condition);
  if (isYes(no, false)) return and(condition, yes);
  if (isYes(yes, true)) return or(condition, no);
  if (isYes(yes, false)) return and(not(condition), no);
  if (isYes(no, true)) return or(not(condition), yes);
  return or(and(condition, yes), and(not(condition), no));
}
