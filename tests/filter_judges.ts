/**
 * Purpose: all that decides by an expression whether a packet is wanted, in one table: what is added here is
 * compared with tcpdump on all packets and expressions of the filter's tests.
 */
import { Expression } from "../filter/expression/expression.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { meaningOf } from "../filter/expression/meaning.ts";
import type { FilterPacket } from "./filter_packets.ts";

/** Something that takes expressions. */
export interface Judge {
  name: string;
  /** A slow one looks at each n-th packet only. */
  every?: number;
  /** What says of a packet whether it is wanted; throws an ExpressionError at what is no expression. */
  make(expression: string): (packet: FilterPacket) => boolean;
}

export const JUDGES: Judge[] = [{
  name: "interpreter of the plan",
  every: 5,
  make(expression) {
    const { plan } = meaningOf(expression);
    return ({ bytes, wireLength }) => interpret(plan, bytes, 0, bytes.length, wireLength);
  },
}, {
  name: "optimised plan as JavaScript",
  make(expression) {
    const { matches } = new Expression(expression);
    return ({ bytes, wireLength }) => matches(bytes, 0, bytes.length, wireLength);
  },
}];
