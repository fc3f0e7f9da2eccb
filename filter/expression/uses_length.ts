/**
 * Purpose: whether a packet's length on the wire has a part in a verdict.
 */
import type { Node, Value } from "./tree.ts";

/** Whether the tree asks for the length. */
export function usesLength(node: Node): boolean {
  switch (node.kind) {
    case "constant":
      return false;
    case "not":
      return usesLength(node.part);
    case "and":
    case "or":
      return node.parts.some(usesLength);
    case "test":
      return valueUsesLength(node.left) || valueUsesLength(node.right);
  }
}

function valueUsesLength(value: Value): boolean {
  switch (value.kind) {
    case "number":
      return false;
    case "length":
      return true;
    case "load":
      return value.base !== undefined && valueUsesLength(value.base);
    case "operation":
      return valueUsesLength(value.left) || valueUsesLength(value.right);
  }
}
