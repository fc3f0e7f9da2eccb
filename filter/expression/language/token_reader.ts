/**
 * Purpose: the tokens of an expression one after the other, its errors, and its limits.
 */
import { ExpressionError } from "../expression_error.ts";
import { quoted, type Token, tokenAt } from "./lexer.ts";
import { nearest, REFUSED } from "./names.ts";
import type { Span } from "./syntax.ts";
import { TICK_WORDS } from "./tick_words.ts";

/** Longest expression, in characters. */
export const MAX_CHARACTERS = 65_536;
/** Deepest nesting that can be written; what it means may nest deeper, up to MAX_DEPTH of the tree. */
export const MAX_NESTING = 200;

/** Reads an expression. */
export class TokenReader {
  readonly text: string;
  readonly #ahead: Token[] = [];
  readonly #depths = new WeakMap<object, number>();
  #nesting = 0;
  #next = 0;
  #end = 0;
  #last?: Token;

  /** @throws {ExpressionError} for too long a text. */
  constructor(text: string) {
    this.text = text;
    if (text.length > MAX_CHARACTERS) {
      const at = { from: MAX_CHARACTERS, to: MAX_CHARACTERS + 1 };
      const state = `the expression has ${text.length} characters`;
      this.fail(at, state, `write at most ${MAX_CHARACTERS}`);
    }
  }

  /** Where the last token that was taken ended. */
  get end(): number {
    return this.#end;
  }

  /** The next token, or a later one; it stays. */
  peek(further = 0): Token {
    while (this.#ahead.length <= further) {
      const token = tokenAt(this.text, this.#next);
      this.#next = token.at.to;
      this.#ahead.push(token);
    }
    return this.#ahead[further];
  }

  /** Takes the next token. */
  take(): Token {
    const token = this.peek();
    this.#ahead.shift();
    this.#end = token.at.to;
    this.#last = token;
    return token;
  }

  /** Whether the next token is one of these keywords or operators. */
  is(...texts: string[]): boolean {
    return isOneOf(this.peek(), texts);
  }

  /** Takes the next token if it is this keyword or operator. */
  accept(text: string): boolean {
    const there = this.is(text);
    if (there) this.take();
    return there;
  }

  /** Takes a keyword or operator that must be there. */
  expect(text: string, remedy = `expected "${text}"`): Token {
    return this.is(text) ? this.take() : this.unexpected(remedy);
  }

  /** Takes a number that must be there. */
  number(remedy: string): number {
    return this.peek().kind === "number" ? this.take().value : this.unexpected(remedy);
  }

  /** The place from `from` to the last token that was taken. */
  since(from: number): Span {
    return { from, to: this.#end };
  }

  /** Ends with an error at the next token. */
  unexpected(remedy: string): never {
    const token = this.peek(), { kind, text, problem, at } = token;
    if (this.#last !== undefined) this.#checkAddress(this.#last, at);
    if (problem !== undefined) this.fail(at, ...problem);
    if (kind === "end") this.fail(at, "the expression ends", remedy);
    const word = quoted(this.text.slice(at.from, at.to));
    const refused = kind === "word" ? REFUSED.get(text) : undefined;
    if (refused !== undefined) this.fail(at, `${word} ${refused[0]}`, refused[1]);
    if (kind === "name") this.#unexpectedName(token, word);
    // Of "udp dst prot 5001" the name is an address, until a number follows it.
    if (this.#last !== undefined) this.checkKeyword(this.#last);
    this.fail(at, `${word} cannot stand here`, remedy);
  }

  /** Ends with an error. */
  fail(at: Span, state: string, remedy: string): never {
    throw new ExpressionError(this.text, at, state, remedy);
  }

  /** Reads something nested, which begins with the last token that was taken. */
  nested<T>(read: () => T): T {
    if (++this.#nesting > MAX_NESTING) this.#tooDeep({ from: this.#end - 1, to: this.#end });
    const result = read();
    this.#nesting--;
    return result;
  }

  /** Notes that a node has these parts, which are noted already or have none. */
  node<T extends object>(node: T, at: Span, ...parts: object[]): T {
    let depth = this.#depths.get(node) ?? 1;
    for (const part of parts) depth = Math.max(depth, (this.#depths.get(part) ?? 1) + 1);
    if (depth > MAX_NESTING) this.#tooDeep(at);
    this.#depths.set(node, depth);
    return node;
  }

  /** Ends with an error at a name that is nearly a keyword. */
  checkKeyword({ kind, text, at }: Token): void {
    if (kind !== "name" || at.to - at.from !== text.length) return; // with a backslash it is meant as a name
    const near = nearest(text, TICK_WORDS);
    if (near !== undefined) this.fail(at, `${quoted(text)} is no keyword`, `expected "${near}"`);
  }

  /** Ends with an error if it is plain what was meant. */
  #unexpectedName(token: Token, word: string): void {
    this.checkKeyword(token);
    const { text, at } = token;
    if (text.startsWith("tick.")) {
      const fields = TICK_WORDS.filter((field) => field.startsWith("tick.")).join(", ");
      this.fail(at, `${word} is no field of a tick`, `expected one of ${fields}`);
    }
    if (/^(?:len|length|[0-9]+)-/.test(text)) {
      this.fail(at, `${word} is one word`, 'write spaces around "-" to subtract');
    }
  }

  /** Ends with an error at an address that goes on where its longest match ended. */
  #checkAddress({ kind, at: { from, to } }: Token, at: Span): void {
    const [rest] = /^[0-9A-Fa-f:.]*/.exec(this.text.slice(to))!;
    if (kind !== "ipv6" || at.from !== to || rest === "") return;
    const all = { from, to: to + rest.length }, word = quoted(this.text.slice(from, all.to));
    this.fail(all, `${word} is no IPv6 address`, 'expected eight numbers, or fewer and "::" once');
  }

  #tooDeep(at: Span): never {
    const remedy = 'write it flatter; parentheses, "not", and each operator behind another count';
    this.fail(at, `here the expression has more than ${MAX_NESTING} levels`, remedy);
  }
}

/** Whether a token is one of these keywords or operators. */
export function isOneOf({ kind, text }: Token, texts: readonly string[]): boolean {
  return (kind === "word" || kind === "operator") && texts.includes(text);
}
