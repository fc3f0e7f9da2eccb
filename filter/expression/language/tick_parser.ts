/**
 * Purpose: reads questions about a tick: "tick.price > 100.5", "instrument in {1, 2, 10-19}".
 */
import { numberOf, quoted, type Token } from "./lexer.ts";
import type { Arithmetic, Primitive } from "./syntax.ts";
import { isRelation, relationOf } from "./arithmetic_parser.ts";
import { TICK_NAMES, type TickField, tickFieldAt } from "./tick_words.ts";
import { isOneOf, type TokenReader } from "./token_reader.ts";

const DECIMAL = /^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
const RANGE = /^([0-9][0-9A-Fa-fxX]*)-([0-9][0-9A-Fa-fxX]*)$/;

/** Whether "in {" stands here. */
export function isIn(reader: TokenReader, further: number): boolean {
  const { kind, text } = reader.peek(further);
  return kind === "name" && text === "in" && isOneOf(reader.peek(further + 1), ["{"]);
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
  reader.take();
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
    reader.take();
    return [from, to];
  }
  if (kind === "name") {
    const value = named(reader, field);
    return [value, value];
  }
  if (kind === "ethernet") numberIn(reader, token, text);
  const value = reader.number('expected a number or a range, as in "10-19"');
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
    const known = Object.keys(names).map((name) => `"${name}"`).join(", ");
    const remedy = known === "" ? "expected a number" : `expected ${known} or a number`;
    reader.fail(at, `${quoted(text)} is no ${field}`, remedy);
  }
  reader.take();
  return names[text];
}

function readAmount(reader: TokenReader, field: "price" | "quantity"): Primitive {
  const { at: { from }, text } = reader.take();
  const example = `as in "${text} > 100.5"`;
  if (!isRelation(reader)) reader.unexpected(`expected a comparison, ${example}`);
  const relation = relationOf(reader.take());
  const value = readDecimal(reader, `expected a decimal number, ${example}`);
  return { kind: "tick amount", field, relation, value, at: reader.since(from) };
}

/** A decimal number, which the lexer takes for a number, an address or an error, as it comes. */
function readDecimal(reader: TokenReader, remedy: string): number {
  const { text, at } = reader.peek();
  if (!DECIMAL.test(reader.text.slice(at.from, at.to))) reader.unexpected(remedy);
  if (!Number.isFinite(Math.fround(Number(text)))) {
    reader.fail(at, `${quoted(text)} is above all prices and quantities`, "give a smaller number");
  }
  reader.take();
  return Number(text);
}
