/**
 * Purpose: reads an expression: the language of pcap-filter(7) as libpcap 1.10.3 reads it, and our tick's
 * fields.
 *
 * What may stand at a place depends on what is before it:
 *
 * ```text
 *  place    what may stand there           in "(" there  behind "not"  where
 *  test     a test                         test          test          at the begin
 *  any      a test or a value              group         any           behind "and" and "or"
 *  group    the same                       test          any           behind "(" at any
 *  value    a value                        list          value         behind qualifiers
 *  list     the same                       number        value         behind "(" at value
 *  number   a number                       number                      behind "(" at list
 * ```
 * A value is a number, a name or an address. It has the qualifiers before it or takes over those of the
 * last test: in "tcp port 80 or 443" of "tcp port 80". A test without qualifiers ("tcp", "len > 64") leaves
 * none to take over; one in parentheses leaves those from before the parentheses. "and" and "or" bind
 * alike, from the left; "not" binds one test or value. A chain of values in parentheses takes only values.
 * Whether "(" begins a test or arithmetic is known behind its ")": both are read alike.
 */
import {
  beginsArithmetic,
  goesOnFrom,
  goOn,
  isRelation,
  readArithmetic,
  relationOf,
} from "./arithmetic_parser.ts";
import { beginsIdentifier, readIdentifier } from "./identifiers.ts";
import { quoted, type TokenKind } from "./lexer.ts";
import { readPrimitive } from "./primitives.ts";
import type { Arithmetic, Qualifiers, Syntax } from "./syntax.ts";
import { checkNumber, checkSides, isIn, readTickName, readTickTest } from "./tick_parser.ts";
import { tickFieldAt } from "./tick_words.ts";
import { TokenReader } from "./token_reader.ts";

type Place = "test" | "any" | "group" | "value" | "list" | "number";

const INSIDE: Record<Place, Place> = {
  ...{ test: "test", any: "group", group: "test", value: "list", list: "number", number: "number" },
};
const BEHIND_NOT: Record<Place, Place> = {
  ...{ test: "test", any: "any", group: "any", value: "value", list: "value", number: "number" },
};
const VALUE = 'expected an address, a number or a name, as in "host 10.0.0.1" or "port 443"';
const COMPARISON = 'expected a comparison, as in "len > 64"';

const MISSING: Partial<Record<TokenKind, string>> = {
  ipv4: 'write "host" or "net" before it',
  ipv6: 'write "host" or "net" before it',
  ethernet: 'write "ether host" before it',
};

/** What was read: a test or a value, with the qualifiers that it leaves; or what may become one. */
type Item =
  | { kind: "test" | "value"; syntax: Syntax; qualifiers?: Qualifiers }
  | { kind: "arithmetic"; value: Arithmetic };

/**
 * Reads an expression; nothing where it is empty, which accepts every packet.
 *
 * @throws {ExpressionError} where it is none, is longer than 65,536 characters, or nests deeper than 200
 * levels.
 */
export function parseExpression(text: string): Syntax | undefined {
  const reader = new TokenReader(text);
  if (reader.peek().kind === "end") return undefined;
  const item = readChain(reader, "test");
  if (item.kind === "arithmetic") return reader.unexpected(remedyFor(item.value));
  if (reader.peek().kind !== "end") reader.unexpected('expected "and", "or" or the end');
  return item.syntax;
}

/** Reads items joined by and, or. Arithmetic comes back where it stands alone before ")". */
function readChain(reader: TokenReader, place: Place, before?: Qualifiers): Item {
  let item = readItem(reader, place, before);
  if (!reader.is("and", "or") || place === "number") return item;
  let left = settled(reader, item, place, before), own: Syntax | undefined;
  while (reader.is("and", "or")) {
    const kind = reader.take().text as "and" | "or";
    const next: Place = left.kind === "test" ? "any" : "value";
    item = settled(reader, readItem(reader, next, left.qualifiers), next, left.qualifiers);
    own = joined(reader, kind, left.syntax, item.syntax, own);
    left = { ...item, kind: left.kind, syntax: own };
  }
  return left;
}

/** Joins two; `own` is the left one where this chain made it, so that it can grow. */
function joined(
  reader: TokenReader,
  kind: "and" | "or",
  left: Syntax,
  right: Syntax,
  own?: Syntax,
): Syntax {
  const at = { from: reader.end - 1, to: reader.end };
  if (own?.kind !== kind) return reader.node({ kind, parts: [left, right] }, at, left, right);
  own.parts.push(right);
  return reader.node(own, at, right);
}

/** A number becomes a value where one may stand; other arithmetic lacks a comparison. */
function settled(reader: TokenReader, item: Item, place: Place, before?: Qualifiers) {
  if (item.kind !== "arithmetic") return item;
  if (place === "test" || item.value.kind !== "number") {
    return reader.unexpected(remedyFor(item.value));
  }
  return numberValue(reader, item.value, before);
}

function remedyFor(value: Arithmetic): string {
  return value.kind === "number"
    ? `${COMPARISON}, or before the number a qualifier, as in "port ${value.value}"`
    : COMPARISON;
}

/** Reads one test or value; or arithmetic without a comparison, a number for example. */
function readItem(reader: TokenReader, place: Place, before?: Qualifiers): Item {
  if (reader.is("not") && place !== "number") return readNot(reader, place, before);
  if (reader.is("(")) return readGroup(reader, place, before);
  checkSides(reader);
  if (place === "value" || place === "list" || place === "number") {
    return readValue(reader, place, before);
  }
  if (isTickWord(reader, place)) {
    const test = readTickTest(reader);
    return test === undefined ? readRelation(reader) : { kind: "test", syntax: test };
  }
  if (beginsArithmetic(reader)) return readRelation(reader);
  if (place !== "test" && beginsIdentifier(reader)) return readValue(reader, place, before);
  return readTest(reader);
}

function readNot(reader: TokenReader, place: Place, before?: Qualifiers): Item {
  reader.take();
  const { at } = reader.peek(), inner = BEHIND_NOT[place];
  const read = () => readItem(reader, inner, before);
  const part = settled(reader, reader.nested(read), inner, before);
  return { ...part, syntax: reader.node({ kind: "not", part: part.syntax }, at, part.syntax) };
}

function readGroup(reader: TokenReader, place: Place, before?: Qualifiers): Item {
  reader.take();
  const item = reader.nested(() => readChain(reader, INSIDE[place], before));
  if (item.kind === "arithmetic") {
    reader.expect(")", item.value.kind === "number" ? 'expected ")"' : COMPARISON);
    const alone = place === "value" || place === "list" || place === "number";
    return alone ? item : compared(reader, goOn(reader, item.value));
  }
  reader.expect(")", 'expected "and", "or" or ")"');
  return item.kind === "test" ? { ...item, qualifiers: before } : item;
}

/** Whether one of our fields stands here, and no name, which could follow "and" as a value. */
function isTickWord(reader: TokenReader, place: Place): boolean {
  if (tickFieldAt(reader) === undefined) return false;
  return place === "test" || isIn(reader, 1) || goesOnFrom(reader, 1);
}

/** Reads arithmetic, and its comparison if there is one. */
function readRelation(reader: TokenReader): Item {
  return compared(reader, readArithmetic(reader));
}

function compared(reader: TokenReader, left: Arithmetic): Item {
  if (!isRelation(reader)) return { kind: "arithmetic", value: left };
  const sign = reader.take(), relation = relationOf(sign);
  const right = readTickName(reader, left) ?? readArithmetic(reader);
  if (relation === "==") {
    for (const [a, b] of [[left, right], [right, left]]) {
      if (a.kind === "tick" && b.kind === "number") checkNumber(reader, a.field, b.value, b.at);
    }
  }
  const at = { from: left.at.from, to: right.at.to };
  const syntax: Syntax = { kind: "relation", relation, left, right, at };
  return { kind: "test", syntax: reader.node(syntax, sign.at, left, right) };
}

/** Reads a keyword's test, and the value behind qualifiers. */
function readTest(reader: TokenReader): Item {
  const missing = MISSING[reader.peek().kind];
  if (missing !== undefined) reader.unexpected(missing);
  const { from } = reader.peek().at, begun = readPrimitive(reader);
  if ("test" in begun) return { kind: "test", syntax: begun.test };
  const { qualifiers } = begun;
  const item = settled(reader, readItem(reader, "value", qualifiers), "value", qualifiers);
  if (item.syntax.kind === "address") item.syntax.at = reader.since(from);
  return { ...item, kind: "test" };
}

/** Reads an address or a name; a number as arithmetic, for it may be some. */
function readValue(reader: TokenReader, place: Place, before?: Qualifiers): Item {
  const { kind, value, at } = reader.peek();
  if (kind === "number") {
    reader.take();
    if (reader.is("/")) reader.unexpected('write networks with dots, as in "10.0.0.0/8"');
    return { kind: "arithmetic", value: { kind: "number", value, at } };
  }
  if (place === "number" || !beginsIdentifier(reader)) return reader.unexpected(VALUE);
  if (before === undefined) reader.checkKeyword(reader.peek());
  const qualifiers = before ?? unqualified(reader);
  const id = readIdentifier(reader);
  const syntax: Syntax = { kind: "address", qualifiers, id, at: reader.since(at.from) };
  return { kind: "value", syntax, qualifiers };
}

function numberValue(
  reader: TokenReader,
  { value, at }: Arithmetic & { kind: "number" },
  before?: Qualifiers,
): Item & { kind: "test" | "value" } {
  const qualifiers = before ?? unqualified(reader, at);
  const syntax: Syntax = { kind: "address", qualifiers, id: { kind: "number", value, at }, at };
  return { kind: "value", syntax, qualifiers };
}

function unqualified(reader: TokenReader, at = reader.peek().at): never {
  const word = quoted(reader.text.slice(at.from, at.to));
  const state = `${word} has no qualifier, and none to take over from the test before it`;
  return reader.fail(at, state, 'write one before it, as in "port 80"');
}
