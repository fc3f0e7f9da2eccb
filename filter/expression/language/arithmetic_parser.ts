/**
 * Purpose: reads arithmetic: what is computed from a packet, as in "tcp[tcpflags] & tcp-syn".
 *
 * ```text
 *  binds    operators
 *  1        |            "1 | 2 & 3"  is  1 | (2 & 3)
 *  2        &
 *  3        << >>
 *  4        + -
 *  5        * /          "-1 * 2"     is  (-1) * 2
 *  6        - before     "-1 % 2"     is  -(1 % 2)
 *  always   % ^          "1 * 2 % 3 + 4"  is  1 * (2 % (3 + 4))
 * ```
 * That "%" and "^" bind what is before them more tightly than anything, and what is behind them less, is
 * how libpcap reads them: its grammar gives them no precedence.
 */
import type { Token } from "./lexer.ts";
import { PROTOCOLS } from "./names.ts";
import type { Arithmetic, SyntaxRelation } from "./syntax.ts";
import { tickFieldAt } from "./tick_words.ts";
import { isOneOf, type TokenReader } from "./token_reader.ts";

const BINDS: Readonly<Record<string, number>> = {
  ...{ "|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5 },
};
const MINUS = 6;
const ALWAYS = ["%", "^"];
const OPERATORS = [...Object.keys(BINDS), ...ALWAYS];
const RELATIONS = ["=", "!=", "<", "<=", ">", ">="];
const TERM = 'expected a number, "len", or bytes of a header, as in "tcp[13]"';

type Operator = Extract<Arithmetic, { kind: "operation" }>["operator"];

/** Whether arithmetic begins here, other than with "(" or a field of a tick. */
export function beginsArithmetic(reader: TokenReader): boolean {
  const { kind, text } = reader.peek();
  if (kind === "number" || reader.is("-", "len", "length")) return true;
  return kind === "word" && PROTOCOLS.has(text) && isOneOf(reader.peek(1), ["["]);
}

/** Whether the token `further` ahead can stand behind arithmetic only. */
export function goesOnFrom(reader: TokenReader, further = 0): boolean {
  return isOneOf(reader.peek(further), OPERATORS) || isOneOf(reader.peek(further), RELATIONS);
}

/** Whether the next token compares, or a later one. */
export function isRelation(reader: TokenReader, further = 0): boolean {
  return isOneOf(reader.peek(further), RELATIONS);
}

/** A token that compares as the relation that it is. */
export function relationOf({ text }: Token): SyntaxRelation {
  return text === "=" ? "==" : text as SyntaxRelation;
}

/** Reads arithmetic. */
export function readArithmetic(reader: TokenReader): Arithmetic {
  return goOn(reader, readOperand(reader));
}

/** Reads what stands behind an operand: all that binds at least so tightly. */
export function goOn(reader: TokenReader, operand: Arithmetic, binds = 0): Arithmetic {
  let left = operand;
  for (;;) {
    const always = reader.is(...ALWAYS);
    if (!always && !(reader.is(...OPERATORS) && BINDS[reader.peek().text] >= binds)) return left;
    const { text, at: { from } } = reader.take(), operator = text as Operator;
    const right = always
      ? reader.nested(() => readArithmetic(reader))
      : goOn(reader, readOperand(reader), BINDS[operator] + 1);
    const at = { from: left.at.from, to: right.at.to };
    left = reader.node(
      { kind: "operation", operator, left, right, at },
      { from, to: right.at.to },
      left,
      right,
    );
  }
}

function readOperand(reader: TokenReader): Arithmetic {
  const { kind, text, value, at } = reader.peek();
  if (kind === "number") {
    reader.take();
    return { kind: "number", value, at };
  }
  if (reader.is("len", "length")) return { kind: "length", at: reader.take().at };
  if (reader.is("-")) return readNegative(reader);
  if (reader.is("(")) return readGroup(reader);
  if (kind === "word" && PROTOCOLS.has(text)) return readField(reader);
  return readTickField(reader) ?? reader.unexpected(TERM);
}

function readNegative(reader: TokenReader): Arithmetic {
  const { from } = reader.take().at;
  const of = reader.nested(() => goOn(reader, readOperand(reader), MINUS));
  const at = { from, to: of.at.to };
  return reader.node({ kind: "negative", of, at }, at, of);
}

function readGroup(reader: TokenReader): Arithmetic {
  reader.take();
  const inner = reader.nested(() => readArithmetic(reader));
  reader.expect(")");
  return inner;
}

function readField(reader: TokenReader): Arithmetic {
  const { text, at: { from } } = reader.take(), protocol = PROTOCOLS.get(text)!;
  reader.expect("[", `expected "[", as in "${text}[0]"`);
  const index = reader.nested(() => readArithmetic(reader));
  const isSized = reader.accept(":"), bytesAt = reader.peek().at;
  const bytes = isSized ? reader.number("expected how many bytes: 1, 2 or 4") : 1;
  reader.expect("]");
  const at = reader.since(from);
  return reader.node({ kind: "field", protocol, index, bytes, bytesAt, at }, at, index);
}

function readTickField(reader: TokenReader): Arithmetic | undefined {
  const field = tickFieldAt(reader);
  if (field === undefined) return undefined;
  const { text, at } = reader.peek();
  if (field === "price" || field === "quantity") {
    const remedy = `compare it alone, on the left, as in "${text} > 100.5"`;
    reader.fail(at, `"${text}" is no whole number, which cannot be computed with`, remedy);
  }
  reader.take();
  return { kind: "tick", field, at };
}
