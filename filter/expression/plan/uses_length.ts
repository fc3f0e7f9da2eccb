/**
 * Purpose: whether a packet's length on the wire has a part in a verdict.
 */
import type { Plan } from "./plan.ts";
import type { Value } from "./tree.ts";

/** Whether the plan asks for the length. */
export function usesLength({ blocks }: Plan): boolean {
  return blocks.some(({ left, right }) => valueUsesLength(left) || valueUsesLength(right));
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
