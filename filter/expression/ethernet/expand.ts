/**
 * Purpose: what an expression means on Ethernet: its syntax becomes a tree of tests.
 *
 * ```text
 *  udp dst port 5001    ▶    IPv6 and UDP and port        (link_layer.ts, network_layer.ts,
 *                            or IPv4 and UDP and           transport_layer.ts)
 *                               first fragment and port
 * ```
 * The facts are those of libpcap 1.10, so that a packet is judged as tcpdump -r judges it: also the order of
 * the tests and of the reads, which a short packet tells apart, and what looks strange.
 */
import { address } from "./address.ts";
import { compare } from "./arithmetic.ts";
import { type Context, ethernetHeaders, readAt } from "./context.ts";
import { geneve, mpls, pppoed, pppoes, vlan } from "./encapsulation.ts";
import { llc } from "./link_layer.ts";
import { tickAmount, tickSet } from "./market_data.ts";
import { broadcast, isOf, multicast } from "./network_layer.ts";
import type { Arithmetic, Primitive, Span, Syntax } from "../language/syntax.ts";
import { and, type Node, not, number, or, test, type Value } from "../plan/tree.ts";

/**
 * The tree of an expression; `text` is quoted in errors. `asWritten`: as libpcap writes it down, before its
 * optimiser works on it, with all that it reads and repeats; possible where the expression `settles`.
 *
 * @throws {ExpressionError} where qualifiers do not fit, a value is out of range, or a name is not known
 */
export function expand(syntax: Syntax, text: string, asWritten = false): Node {
  const primitives = [...primitivesOf(syntax)];
  const context: Context = {
    text,
    at: primitives[0].at,
    valueAt: primitives[0].at,
    headers: ethernetHeaders(),
    folds: !asWritten && !primitives.some(isGeneve),
    exact: asWritten || primitives.some(isLeftover),
    asWritten,
  };
  return walk(context, syntax);
}

/** Whether libpcap's optimiser works on the expression: it is off where "geneve" is in it, and knows no ticks. */
export function settles(syntax: Syntax): boolean {
  return !primitivesOf(syntax).some((primitive) => isGeneve(primitive) || asksForTick(primitive));
}

/** The primitives of an expression, from the left to the right. */
export function* primitivesOf(syntax: Syntax): Generator<Primitive> {
  switch (syntax.kind) {
    case "and":
    case "or":
      for (const part of syntax.parts) yield* primitivesOf(part);
      break;
    case "not":
      yield* primitivesOf(syntax.part);
      break;
    default:
      yield syntax;
  }
}

/** From the left to the right, since primitives move the headers for those that follow. */
function walk(context: Context, syntax: Syntax): Node {
  switch (syntax.kind) {
    case "and":
      return and(...syntax.parts.map((part) => walk(context, part)));
    case "or":
      return or(...syntax.parts.map((part) => walk(context, part)));
    case "not":
      return not(walk(context, syntax.part));
    default:
      context.at = syntax.at;
      context.valueAt = valueAt(syntax);
      return primitive(context, syntax);
  }
}

function primitive(context: Context, syntax: Primitive): Node {
  switch (syntax.kind) {
    case "protocol":
      return isOf(context, syntax.protocol);
    case "address":
      return address(context, syntax.qualifiers, syntax.id);
    case "relation":
      return compare(context, syntax);
    case "broadcast":
      return broadcast(context, syntax.protocol);
    case "multicast":
      return multicast(context, syntax.protocol);
    case "less":
      return not(test(">", { kind: "length" }, syntax.bytes));
    case "greater":
      return test(">=", { kind: "length" }, syntax.bytes);
    case "byte":
      return byte(context, syntax);
    case "vlan":
      return vlan(context, syntax.number);
    case "mpls":
      return mpls(context, syntax.number);
    case "pppoed":
      return pppoed(context);
    case "pppoes":
      return pppoes(context, syntax.number);
    case "geneve":
      return geneve(context, syntax.number);
    case "llc":
      return llc(context, syntax.type);
    case "tick amount":
      return tickAmount(context, syntax);
    case "tick set":
      return tickSet(context, syntax);
  }
}

type Byte = Extract<Primitive, { kind: "byte" }>;

/** "byte 0 & 1" and "byte 0 | 1" do not look at the byte in libpcap, but at what the test before them read. */
function byte(context: Context, { offset, operator, value }: Byte): Node {
  const read = readAt(context.headers.linkHeader, offset, 1);
  switch (operator) {
    case "=":
      return test("==", read, value);
    case "<":
      return not(test(">=", read, value));
    case ">":
      return test(">", read, value);
    default: {
      const left: Value = { kind: "operation", operator, left: read, right: number(value) };
      return { ...test("!=", left, 0), written: "left behind" };
    }
  }
}

function valueAt(syntax: Primitive): Span {
  if (syntax.kind === "address") return syntax.id.at;
  return "numberAt" in syntax && syntax.numberAt !== undefined ? syntax.numberAt : syntax.at;
}

function isGeneve({ kind }: Primitive): boolean {
  return kind === "geneve";
}

function asksForTick(primitive: Primitive): boolean {
  if (primitive.kind === "relation") return hasTick(primitive.left) || hasTick(primitive.right);
  return primitive.kind === "tick amount" || primitive.kind === "tick set";
}

function hasTick(value: Arithmetic): boolean {
  switch (value.kind) {
    case "tick":
      return true;
    case "field":
      return hasTick(value.index);
    case "negative":
      return hasTick(value.of);
    case "operation":
      return hasTick(value.left) || hasTick(value.right);
    default:
      return false;
  }
}

/** Whether it looks at what the test before it left behind. */
export function isLeftover(syntax: Primitive): boolean {
  return syntax.kind === "byte" && (syntax.operator === "&" || syntax.operator === "|");
}
