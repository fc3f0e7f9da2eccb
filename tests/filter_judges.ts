/**
 * Purpose: all that decides by an expression whether a packet is wanted, in one table: what is added here is
 * compared with tcpdump on all packets and expressions of the filter's tests.
 */
import { expand } from "../filter/expression/expand.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { parseExpression } from "../filter/expression/parser.ts";
import type { FilterPacket } from "./filter_packets.ts";

/** Something that takes expressions. */
export interface Judge {
  name: string;
  /** What says of a packet whether it is wanted; throws an ExpressionError at what is no expression. */
  make(expression: string): (packet: FilterPacket) => boolean;
}

export const JUDGES: Judge[] = [{
  name: "interpreter of the tree",
  make(expression) {
    const syntax = parseExpression(expression);
    if (syntax === undefined) return () => true; // no expression, no condition
    const tree = expand(syntax, expression);
    return ({ bytes, wireLength }) => interpret(tree, bytes, 0, bytes.length, wireLength);
  },
}];
