/**
 * Purpose: what the expansion of an expression knows while it goes from left to right: where the headers lie
 * that the next primitive looks at.
 *
 * ```text
 *             linkHeader       type payload                  Ethernet: 0, 12 and 14
 *             ▼                ▼    ▼
 *            ┌────────────────┬────┬─────────┬──────────────┐
 *  … outer … │ addresses      │    │ tags    │ IPv4, IPv6 … │
 *            └────────────────┴────┴─────────┴──────────────┘
 *                                            ▲
 *                                            payload + network
 * ```
 * "vlan", "mpls", "pppoes" and "geneve" move them for all that stands to the right, whatever and, or, not
 * stand between: as pcap-filter(7) has it.
 */
import { ExpressionError } from "../expression_error.ts";
import type { Span } from "../language/syntax.ts";
import { calculate, type Load, loadAt, number, operation, type Operator } from "../plan/tree.ts";
import type { Node, Value } from "../plan/tree.ts";

/** Somewhere in the packet: `offset` bytes behind `base`, or from its begin. */
export interface Place {
  base?: Value;
  offset: number;
}

/** Where the headers lie. */
export interface Headers {
  link: "ethernet" | "ppp";
  linkHeader: Place;
  /** The EtherType, or the protocol of PPP. */
  type: Place;
  payload: Place;
  /** Bytes from the payload's begin to the network header; the second behind an LLC header without SNAP. */
  network: number;
  networkBehindLlc: number;
  /** MPLS labels so far: above 0 only the version field tells IPv4 from IPv6. */
  labels: number;
  /** In Geneve: whether an Ethernet header is inside. */
  ethernetInside?: Node;
  /** Geneve headers so far. */
  geneves: number;
}

/** What the parts of the expansion share. */
export interface Context {
  readonly text: string;
  /** The primitive that is expanded. */
  at: Span;
  /** The primitive's value, where it has one, or the whole. */
  valueAt: Span;
  headers: Headers;
  /**
   * Whether reads are left out whose value does not matter. libpcap's optimiser does so; it is off for the
   * whole expression where "geneve" is in it.
   */
  readonly folds: boolean;
  /**
   * Whether the tree is to be libpcap's program before its optimiser works on it, for settle.ts: nothing
   * folded, nothing left out.
   */
  readonly asWritten: boolean;
  /**
   * Whether the tests must be libpcap's one by one and say how they are written: asWritten, or since
   * `byte N & M` looks at what the last one read.
   */
  readonly exact: boolean;
}

/** The headers of an Ethernet packet from its begin on. */
export function ethernetHeaders(): Headers {
  return {
    link: "ethernet",
    linkHeader: { offset: 0 },
    type: { offset: 12 },
    payload: { offset: 14 },
    network: 0,
    networkBehindLlc: 3,
    labels: 0,
    geneves: 0,
  };
}

/** Refuses the primitive, or what stands at a place of it. */
export function refuse(context: Context, state: string, remedy: string, at = context.at): never {
  throw new ExpressionError(context.text, at, state, remedy);
}

/** Refuses the primitive's value. */
export function refuseValue(context: Context, state: string, remedy: string): never {
  refuse(context, state, remedy, context.valueAt);
}

/** A read some bytes behind a place; the sum wraps at 32 bits, as libpcap's does. */
export function readAt({ base, offset }: Place, behind: number, bytes: 1 | 2 | 4): Load {
  return loadAt((offset + behind) >>> 0, bytes, base);
}

/** A read in the network header. */
export function readNetwork({ headers }: Context, behind: number, bytes: 1 | 2 | 4): Load {
  return readAt(headers.payload, headers.network + behind, bytes);
}

/** An operation, folded if the expression's are. */
export function operate(context: Context, operator: Operator, left: Value, right: Value): Value {
  if (context.folds) return operation(operator, left, right);
  const constant = !context.asWritten && left.kind === "number" && right.kind === "number"
    ? calculate(operator, left.value, right.value)
    : undefined;
  return constant === undefined ? { kind: "operation", operator, left, right } : number(constant);
}

/** A value and a mask; the mask of all bits does nothing. */
export function masked(context: Context, value: Value, mask: number): Value {
  return mask >>> 0 === 0xffffffff ? value : operate(context, "&", value, number(mask));
}
