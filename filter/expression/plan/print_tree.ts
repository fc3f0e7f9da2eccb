/**
 * Purpose: a tree for people.
 *
 * ```text
 *  and
 *    load 2 at 12 == 0x800
 *    load 1 at 23 == 17
 *    or
 *      load 2 at 14 + ((load 1 at 14 & 15) << 2) == 0x35
 *      length > 0x100
 * ```
 * Numbers below 256 are decimal, larger ones hexadecimal, as packets are shown.
 */
import { ACCEPT, type Plan } from "./plan.ts";
import type { Node, Test, Value } from "./tree.ts";

const MAX_LINES = 1000;

/**
 * The tree, a test a line, without a newline at the end; of a very large one the first lines.
 *
 * @example What an expression asks for
 * ```ts
 * import { Expression, printTree } from "@uspf/uspf";
 *
 * console.log(printTree(new Expression("udp or arp").tree));
 * ```
 */
export function printTree(tree: Node): string {
  const lines: string[] = [];
  let left = 0;
  const put = (depth: number, text: () => string) => {
    if (lines.length < MAX_LINES) lines.push("  ".repeat(depth) + text());
    else left++;
  };
  walk(tree, 0, put);
  return [...lines, ...(left > 0 ? [`… ${left} more lines`] : [])].join("\n");
}

/** How many tests a plan has, and for people. */
export function planSize({ entry, blocks }: Plan): string {
  if (entry < 0) return entry === ACCEPT ? "no test: every packet" : "no test: no packet";
  return blocks.length === 1 ? "1 test" : `${blocks.length} tests`;
}

function walk(node: Node, depth: number, put: (depth: number, text: () => string) => void): void {
  switch (node.kind) {
    case "constant":
      return put(depth, () => node.value ? "every packet" : "no packet");
    case "not":
      put(depth, () => "not");
      return walk(node.part, depth + 1, put);
    case "and":
    case "or":
      put(depth, () => node.kind);
      return node.parts.forEach((part) => walk(part, depth + 1, put));
    case "test":
      return put(depth, () => testText(node));
  }
}

function testText({ relation, left, right }: Test): string {
  return `${outer(left)} ${relation} ${outer(right)}`;
}

/** An operation needs no brackets where nothing stands around it but a relation. */
function outer(value: Value): string {
  return value.kind === "operation" ? operationText(value) : valueText(value);
}

function valueText(value: Value): string {
  switch (value.kind) {
    case "number":
      return numberText(value.value);
    case "length":
      return "length";
    case "load": {
      const order = value.order === "little" ? " little-endian" : "";
      const base = value.base === undefined ? "" : ` + ${valueText(value.base)}`;
      return `load ${value.bytes}${order} at ${value.offset}${base}`;
    }
    case "operation":
      return `(${operationText(value)})`;
  }
}

function operationText({ operator, left, right }: Extract<Value, { kind: "operation" }>): string {
  return `${valueText(left)} ${operator} ${valueText(right)}`;
}

function numberText(value: number): string {
  return value < 256 ? String(value) : `0x${value.toString(16)}`;
}
