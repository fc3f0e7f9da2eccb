/**
 * Purpose: an expression, compiled: from text to a function that judges packets.
 *
 * ```text
 *  text ─ language/ ─▶ syntax ─ ethernet/ ─▶ tree ─ plan/ ─▶ plan ─ compilers/ ─┬▶ JavaScript: a function, the hot loop
 *        parser.ts            expand.ts          settle.ts,  │                   ├▶ classic BPF: packet: and udp: sockets
 *                                                optimise.ts │                   └▶ eBPF: xdp: ports
 *                                                            └▶ interpret.ts, the oracle
 * ```
 */
import { interpret } from "./interpret.ts";
import { optimise } from "./plan/optimise.ts";
import { meaningOf } from "./meaning.ts";
import type { Plan } from "./plan/plan.ts";
import { toJavaScript } from "./compilers/to_javascript.ts";
import type { Node } from "./plan/tree.ts";

/**
 * Whether a packet, at `bytes[at .. at + length)`, is wanted; `wireLength` is what it had before it was cut.
 * Nothing beyond the packet is read.
 */
export type Matches = (
  bytes: Uint8Array,
  at: number,
  length: number,
  wireLength: number,
) => boolean;

/**
 * An expression of pcap-filter(7), with uspf's extras.
 *
 * @example Judge a packet
 * ```ts
 * import { Expression } from "@uspf/uspf";
 *
 * const arp = new Expression("arp"), packet = new Uint8Array(60);
 * packet[12] = 0x08;
 * packet[13] = 0x06;
 * console.assert(arp.matches(packet, 0, packet.length, packet.length));
 * ```
 */
export class Expression {
  /** As it was given. */
  readonly text: string;
  /** What it asks for, as libpcap writes it down. */
  readonly tree: Node;
  /** The same as tests in the order in which they are asked: what all else has to agree with. */
  readonly meaning: Plan;
  /** The same without repetitions. */
  readonly plan: Plan;
  /** Judges a packet. */
  readonly matches: Matches;

  /**
   * Compiles an expression.
   *
   * @throws {ExpressionError} for what is no expression.
   */
  constructor(text: string) {
    const { tree, plan } = meaningOf(text);
    this.text = text;
    this.tree = tree;
    this.meaning = plan;
    this.plan = optimise(plan);
    this.matches = compileMatches(this.plan) ??
      ((bytes, at, length, wireLength) => interpret(this.plan, bytes, at, length, wireLength));
  }
}

let compiled = 0;

/** A plan as a function; nothing where it is too large. */
export function compileMatches(plan: Plan): Matches | undefined {
  const reads = {
    length: "length",
    wireLength: "wireLength",
    byte: (at: string) => `bytes[at + ${at}]`,
  };
  const code = toJavaScript(plan, reads, "return true;", "return false;");
  if (code === undefined) return undefined;
  const variables = code.variables.length === 0 ? "" : `let ${code.variables.join(", ")};\n`;
  const body = `"use strict"; // expression ${++compiled}\n${variables}${code.statements}`;
  return new Function("bytes", "at", "length", "wireLength", body) as Matches;
}
