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

/** What comes behind an outcome; `cares`: whether what was left behind makes a difference there. */
interface Way {
  node: (left: Value) => Node;
  cares: boolean;
}

/** What a node can leave behind where it holds, and where not. */
interface Exits {
  yes: Value[];
  no: Value[];
}

/** The tree with what was left behind in its place. */
export function withLeftovers(context: Context, tree: Node): Node {
  let decisions = 0;
  const [yes, no] = [true, false].map((value): Way => ({
    node: () => ({ kind: "constant", value }),
    cares: false,
  }));
  return decide(tree, number(0), yes, no); // the accumulator begins with 0

  function decide(node: Node, left: Value, yes: Way, no: Way): Node {
    if (!asks(context, node)) {
      const exits = exitsOf(context, node, left);
      const isPlain = (way: Way, values: Value[]) => !way.cares || values.length <= 1;
      if (isPlain(yes, exits.yes) && isPlain(no, exits.no)) {
        return choose(node, follow(yes, exits.yes), follow(no, exits.no));
      }
    }
    if (++decisions > MOST_DECISIONS) {
      refuse(context, '"byte" with & or | behind too many tests', "expected ether[…]");
    }
    switch (node.kind) {
      case "constant":
        return (node.value ? yes : no).node(left);
      case "test":
        return decideLeftover(node, left, yes, no);
      case "not":
        return decide(node.part, left, no, yes);
      default: {
        const [part, ...parts] = node.parts;
        if (parts.length === 0) return decide(part, left, yes, no);
        const rest: Node = { kind: node.kind, parts };
        const behind: Way = {
          node: (left) => decide(rest, left, yes, no),
          cares: asks(context, rest) || yes.cares || no.cares,
        };
        return node.kind === "and"
          ? decide(part, left, behind, no)
          : decide(part, left, yes, behind);
      }
    }
  }

  function decideLeftover(node: Test, left: Value, yes: Way, no: Way): Node {
    const { operator, value } = context.leftovers.get(node)!;
    const result = operation(operator, left, number(value));
    if (result.kind === "number") return (result.value !== 0 ? yes : no).node(result);
    return choose(test("!=", result, 0), yes.node(result), no.node(number(0)));
  }
}

/** Whether anything in it looks at what was left behind. */
function asks(context: Context, node: Node): boolean {
  if (node.kind === "not") return asks(context, node.part);
  if (node.kind === "and" || node.kind === "or") {
    return node.parts.some((part) => asks(context, part));
  }
  return node.kind === "test" && context.leftovers.has(node);
}

function exitsOf(context: Context, node: Node, left: Value): Exits {
  switch (node.kind) {
    case "constant":
      return node.value ? { yes: [left], no: [] } : { yes: [], no: [left] };
    case "not": {
      const { yes, no } = exitsOf(context, node.part, left);
      return { yes: no, no: yes };
    }
    case "test": {
      const behind = context.leaves.get(node) ?? node.left;
      const isKnown = node.relation === "==" && behind === node.left;
      return { yes: [isKnown ? node.right : behind], no: [behind] };
    }
    default: {
      const exits = node.parts.map((part) => exitsOf(context, part, left)), last = exits.at(-1)!;
      return node.kind === "and"
        ? { yes: last.yes, no: distinct(exits.flatMap(({ no }) => no)) }
        : { yes: distinct(exits.flatMap(({ yes }) => yes)), no: last.no };
    }
  }
}

function distinct(values: Value[]): Value[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

function follow(way: Way, [first]: Value[]): Node {
  return way.node(first ?? number(0));
}

function choose(condition: Node, yes: Node, no: Node): Node {
  const isYes = (node: Node, value: boolean) => node.kind === "constant" && node.value === value;
  if (isYes(yes, true) && isYes(no, false)) return condition;
  if (isYes(yes, false) && isYes(no, true)) return not(condition);
  if (isYes(no, false)) return and(condition, yes);
  if (isYes(yes, true)) return or(condition, no);
  if (isYes(yes, false)) return and(not(condition), no);
  if (isYes(no, true)) return or(not(condition), yes);
  return or(and(condition, yes), and(not(condition), no));
}
