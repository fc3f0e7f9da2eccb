/**
 * Purpose: leaves out of a tree what libpcap's optimiser leaves out of its program, since it changes what is
 * read of short packets:
 *
 * - `1 = 2` and what stands before it: neither way from there makes a difference.
 * - What can be computed only in its later round, as `len & 0 = 1`, is gone itself, and what stands behind it
 *   if that is never reached; what stands before is still asked.
 */
import { and, compares, type Node, not, or } from "./tree.ts";

/** The tree without constants, unless it is one as a whole. */
export function withoutConstants(node: Node): Node {
  switch (node.kind) {
    case "not": {
      const part = withoutConstants(node.part);
      return part.kind === "constant" ? { kind: "constant", value: !part.value } : not(part);
    }
    case "and":
    case "or":
      return join(node.kind, node.parts.map(withoutConstants));
    default:
      return node;
  }
}

/** What the tree says of every packet, if that is known from its begin on; tests in `settled` are known. */
export function verdictOf(node: Node, settled: ReadonlySet<Node>): boolean | undefined {
  switch (node.kind) {
    case "constant":
      return node.value;
    case "test":
      return settled.has(node) ? true : late(node);
    case "not": {
      const verdict = verdictOf(node.part, settled);
      return verdict === undefined ? undefined : !verdict;
    }
    default: {
      const goesOn = node.kind === "and";
      for (const part of node.parts) {
        const verdict = verdictOf(part, settled);
        if (verdict !== goesOn) return verdict;
      }
      return goesOn;
    }
  }
}

/** Of "and": a false one is all; true ones are nothing. Of "or" the other way round. */
function join(kind: "and" | "or", parts: Node[]): Node {
  const all = kind === "and";
  if (parts.some((part) => part.kind === "constant" && part.value !== all)) {
    return { kind: "constant", value: !all };
  }
  const kept: Node[] = [];
  for (const part of parts) {
    if (part.kind === "constant" || late(part) === all) continue;
    kept.push(part);
    if (late(part) === !all) break;
  }
  if (kept.length > 0) return all ? and(...kept) : or(...kept);
  return parts.find((part) => part.kind !== "constant") ?? { kind: "constant", value: all };
}

/** The outcome of a test of two numbers. */
function late(node: Node): boolean | undefined {
  if (node.kind === "not") {
    const outcome = late(node.part);
    return outcome === undefined ? undefined : !outcome;
  }
  if (node.kind !== "test" || node.left.kind !== "number" || node.right.kind !== "number") {
    return undefined;
  }
  return compares(node.relation, node.left.value, node.right.value);
}
