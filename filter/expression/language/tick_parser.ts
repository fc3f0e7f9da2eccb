/**
 * Purpose: reads questions about a tick: "tick.price > 100.5", "instrument in {1, 2, 10-19}".
 */
import { numberOf, quoted, type Token } from "./lexer.ts";
import type { Arithmetic, Primitive, Span } from "./syntax.ts";
import { isRelation, relationOf } from "./arithmetic_parser.ts";
import { TICK_NAMES, type TickField, tickFieldAt } from "./tick_words.ts";
import type { TokenReader } from "./token_reader.ts";

const DECIMAL = /^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
const RANGE = /^([0-9][0-9A-Fa-fxX]*)-([0-9][0-9A-Fa-fxX]*)$/;

/** Whether "in" stands here, which begins a set: a name behind a name can be nothing else. */
export function isIn(reader: TokenReader, further: number): boolean {
  const { kind, text } = reader.peek(further);
  return kind === "name" && text === "in";
}

/** Refuses a decimal number on the left of a comparison. */
export function checkSides(reader: TokenReader): void {
  if (reader.peek().kind !== "ipv4" || !isRelation(reader, 1)) return;
  const { text, at } = reader.peek(2), field = tickFieldAt(reader, 2);
  if (field === "price" || field === "quantity") {
    reader.fail(at, `"${text}" cannot stand on the right`, `write "${text} > 100.5"`);
  }
}

/** Refuses a number that the field never is. */
export function checkNumber(reader: TokenReader, field: string, number: number, at: Span): void {
  const names = TICK_NAMES[field];
  if (names !== undefined && number > largest(names)) {
    reader.fail(at, `${number} is no ${field}`, expectedOf(field));
  }
}

/** Reads what begins with a field that is not part of arithmetic; nothing where it is. */
export function readTickTest(reader: TokenReader): Primitive | undefined {
  const field = tickFieldAt(reader)!;
  if (isIn(reader, 1)) return readSet(reader, field);
  if (field === "price" || field === "quantity") return readAmount(reader, field);
  return undefined;
}

/** Reads the relation's right side where it is a name of what the field on the left can be. */
export function readTickName(reader: TokenReader, left: Arithmetic): Arithmetic | undefined {
  const { kind, at } = reader.peek();
  if (left.kind !== "tick" || kind !== "name" || tickFieldAt(reader) !== undefined) {
    return undefined;
  }
  return { kind: "number", value: named(reader, left.field), at };
}

function readSet(reader: TokenReader, field: TickField): Primitive {
  const { at: { from }, text } = reader.take();
  if (field === "price" || field === "quantity") {
    const remedy = `write two comparisons, as in "${text} >= 1 and ${text} <= 2"`;
    reader.fail({ from, to: from + text.length }, `"${text}" cannot be in a set`, remedy);
  }
  reader.take();
  reader.expect("{", `expected "{", as in "${text} in {0, 1}"`);
  const ranges: [number, number][] = [];
  do ranges.push(readRange(reader, field)); while (reader.accept(","));
  reader.expect("}", 'expected "," or "}"');
  return { kind: "tick set", field, ranges, at: reader.since(from) };
}

function readRange(reader: TokenReader, field: TickField): [number, number] {
  const token = reader.peek(), { kind, text, at } = token;
  const range = kind === "name" || kind === "ethernet" ? RANGE.exec(text) : null;
  if (range !== null) {
    const [from, to] = [numberIn(reader, token, range[1]), numberIn(reader, token, range[2])];
    if (from > to) reader.fail(at, `${quoted(text)} is empty`, `write "${to}-${from}"`);
    checkNumber(reader, field, to, at);
    reader.take();
    return [from, to];
  }
  if (kind === "name") {
    const value = named(reader, field);
    return [value, value];
  }
  if (kind === "ethernet") numberIn(reader, token, text);
  const value = reader.number('expected a number or a range, as in "10-19"');
  checkNumber(reader, field, value, at);
  return [value, value];
}

function numberIn(reader: TokenReader, { at }: Token, text: string): number {
  const value = numberOf(text);
  if (typeof value !== "number") return reader.fail(at, ...value);
  return value;
}

/** Takes a name of what the field can be. */
function named(reader: TokenReader, field: string): number {
  const { text, at } = reader.peek(), names = TICK_NAMES[field] ?? {};
  if (!Object.hasOwn(names, text)) {
    reader.fail(at, `${quoted(text)} is no ${field}`, expectedOf(field));
  }
  reader.take();
  return names[text];
}

function expectedOf(field: string): string {
  const names = TICK_NAMES[field];
  if (names === undefined) return "expected a number";
  const known = Object.keys(names).map((name) => `"${name}"`).join(", ");
  return `expected ${known} or a number up to ${largest(names)}`;
}

function largest(names: Readonly<Record<string, number>>): number {
  return Math.max(...Object.values(names));
}

function readAmount(reader: TokenReader, field: "price" | "quantity"): Primitive {
  const { at: { from }, text } = reader.take();
  const example = `as in "${text} > 100.5"`;
  if (!isRelation(reader)) reader.unexpected(`expected a comparison, ${example}`);
  const relation = relationOf(reader.take());
  const value = readDecimal(reader, field);
  return { kind: "tick amount", field, relation, value, at: reader.since(from) };
}

/** A decimal number, which the lexer takes for a number, an address or an error, as it comes. */
function readDecimal(reader: TokenReader, field: string): number {
  const { text, at } = reader.peek();
  if (!DECIMAL.test(reader.text.slice(at.from, at.to))) noDecimal(reader, field);
  if (!Number.isFinite(Math.fround(Number(text)))) {
    reader.fail(at, `${quoted(text)} is above all prices and quantities`, "give a smaller number");
  }
  reader.take();
  return Number(text);
}

/** Ends with an error about all that stands in one piece: "-5" are two tokens, ".5" has one of no meaning. */
function noDecimal(reader: TokenReader, field: string): never {
  const { from } = reader.peek().at,
    remedy = "expected a decimal number such as 100.5, not negative";
  const [piece] = /^[-+.\w]*/.exec(reader.text.slice(from))!;
  if (piece === "") reader.unexpected(remedy);
  reader.fail({ from, to: from + piece.length }, `${quoted(piece)} is no ${field}`, remedy);
}
