/**
 * Purpose: reads what is asked of a packet by keyword: qualifiers, and all that takes no qualifiers.
 */
import { LLC_TYPES, PROTOCOLS, QUALIFIERS } from "./names.ts";
import type { AddressType, Direction, Primitive, Protocol, Qualifiers, Span } from "./syntax.ts";
import type { TokenReader } from "./token_reader.ts";

const TYPES = ["host", "net", "port", "portrange"] as const;
const OPERATORS = ["&", "|", "<", ">", "="] as const;
const PRIMITIVE = 'expected a test, as in "tcp", "host 10.0.0.1" or "udp dst port 5001"';

/** What a keyword begins: a whole test, or qualifiers, which a value follows. */
export type Begun = { test: Primitive } | { qualifiers: Qualifiers };

/** Reads a test, or the qualifiers before a value. */
export function readPrimitive(reader: TokenReader): Begun {
  const { kind, text, at: { from } } = reader.peek();
  const protocol = kind === "word" ? PROTOCOLS.get(text) : undefined;
  if (protocol !== undefined) reader.take();
  if (reader.is(...QUALIFIERS)) return { qualifiers: readQualifiers(reader, protocol) };
  if (reader.is("broadcast", "multicast")) {
    const cast = reader.take().text as "broadcast" | "multicast";
    const at = reader.since(from);
    return { test: protocol === undefined ? { kind: cast, at } : { kind: cast, protocol, at } };
  }
  if (protocol !== undefined) {
    return { test: { kind: "protocol", protocol, at: reader.since(from) } };
  }
  const test = kind === "word" ? readTest(reader) : undefined;
  if (test === undefined) return reader.unexpected(PRIMITIVE);
  return { test: { ...test, at: reader.since(from) } as Primitive };
}

function readQualifiers(reader: TokenReader, protocol?: Protocol): Qualifiers {
  const qualifiers: Qualifiers = protocol === undefined ? {} : { protocol };
  if (reader.is("src", "dst")) qualifiers.direction = readDirection(reader);
  else if (reader.accept("proto")) return { ...qualifiers, type: "proto" };
  if (reader.is(...TYPES)) qualifiers.type = reader.take().text as AddressType;
  return qualifiers;
}

function readDirection(reader: TokenReader): Direction {
  const first = reader.take().text as "src" | "dst";
  if (!reader.is("and", "or")) return first;
  const joint = reader.take().text as "and" | "or";
  reader.expect(first === "src" ? "dst" : "src");
  return `src ${joint} dst`;
}

/** A primitive whose place is not yet known. */
type Test = Placeless<Primitive>;
type Placeless<P> = P extends unknown ? Omit<P, "at"> : never;

function readTest(reader: TokenReader): Test | undefined {
  const { text } = reader.peek();
  switch (text) {
    case "less":
    case "greater":
      reader.take();
      return { kind: text, bytes: reader.number(`expected bytes, as in "${text} 64"`) };
    case "byte":
      return readByte(reader);
    case "pppoed":
      reader.take();
      return { kind: text };
    case "vlan":
    case "mpls":
    case "pppoes":
    case "geneve":
      reader.take();
      return { kind: text, ...readOptionalNumber(reader) };
    case "llc":
      return readLlc(reader);
  }
  return undefined;
}

function readByte(reader: TokenReader): Test {
  reader.take();
  const remedy = 'expected an offset, as in "byte 12 = 8"';
  const offset = reader.number(remedy);
  if (!reader.is(...OPERATORS)) reader.unexpected('expected "=", "<", ">", "&" or "|"');
  const operator = reader.take().text as typeof OPERATORS[number];
  return { kind: "byte", offset, operator, value: reader.number("expected a number") };
}

/** A number, in parentheses as well. */
function readOptionalNumber(reader: TokenReader): { number?: number; numberAt?: Span } {
  if (!reader.is("(") && reader.peek().kind !== "number") return {};
  const { from } = reader.peek().at, number = readNumber(reader);
  return { number, numberAt: reader.since(from) };
}

function readNumber(reader: TokenReader): number {
  if (!reader.accept("(")) return reader.number("expected a number");
  const value = reader.nested(() => readNumber(reader));
  reader.expect(")");
  return value;
}

function readLlc(reader: TokenReader): Test {
  reader.take();
  const { kind, text } = reader.peek();
  // "rnr" is a keyword, and "rulenum" the same one.
  if (reader.is("rnr", "rulenum")) reader.take();
  else if (kind !== "name") return { kind: "llc" };
  const type = kind === "name" ? text.toLowerCase() : "rnr";
  if (!LLC_TYPES.includes(type)) reader.unexpected(`expected one of ${LLC_TYPES.join(", ")}`);
  if (kind === "name") reader.take();
  return { kind: "llc", type };
}
