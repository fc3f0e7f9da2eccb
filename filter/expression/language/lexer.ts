/**
 * Purpose: the text of an expression as tokens, split as libpcap does: at each place the longest token
 * wins, and of equally long ones the first in the list below.
 *
 * ```text
 *  tcp port 8000-8080 and ether host 2:0:0:0:0:1 && len>=64
 *  word word name     word word word ethernet    word word operator number
 * ```
 * So "8000-8080" and "len-14" are names, "123456789012" is an Ethernet address, and "1.2.3.4.com" a name.
 */
import { KEYWORDS, NAMED_NUMBERS } from "./names.ts";
import type { Span } from "./syntax.ts";

/** What a token is; "word": a keyword; "name": any other word. */
export type TokenKind =
  | "word"
  | "operator"
  | "number"
  | "ipv4"
  | "ipv6"
  | "ethernet"
  | "name"
  | "error"
  | "end";

/** A piece of the text. */
export interface Token {
  kind: TokenKind;
  /** As written, but "and" for "&&", "or" for "||", "not" for "!", "=" for "==", a name without its backslash. */
  text: string;
  /** Of a number. */
  value: number;
  /** Of an error: what is wrong, and what to do. */
  problem?: readonly [state: string, remedy: string];
  at: Span;
}

type Found = Omit<Token, "at">;

const REST = /[0-9A-Fa-f:]*/y; // of what is no address: its last number, which has no colon behind it
const SPACE = /[ \r\n\t]*/y;
const N = "(?:0[xX][0-9A-Fa-f]+|[0-9]+)", W = "[0-9A-Fa-f]{1,4}", B = "[0-9A-Fa-f]{1,2}";
const FOUR = `${N}\\.${N}\\.${N}\\.${N}`;
const BEGINS_IPV6 = /[0-9A-Fa-f]{0,4}:/y;
const IPV6 = ipv6Patterns();
const SAME: Record<string, string> = { "&&": "and", "||": "or", "!": "not", "==": "=" };

/** In the order that decides between equally long ones; keywords and named numbers are found among the names. */
const PATTERNS: [RegExp, (text: string) => Found][] = [
  [/&&|\|\||>=|<=|!=|==|<<|>>|[-+*/%:[\]!<>()&|^={},]/y, operator],
  [new RegExp(`\\$${B}`, "y"), arcnet],
  [macPattern(), (text) => plain("ethernet", text)],
  [new RegExp(N, "y"), number],
  [new RegExp(`${N}\\.${N}(?:\\.${N}){0,2}`, "y"), (text) => plain("ipv4", text)],
  [/[0-9A-Fa-f]{1,2}:+(?:[0-9A-Fa-f]{1,2}:+)+/y, bogus],
  [/[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y, word],
  [/\\[^ !()\n\t]+/y, (text) => plain("name", text.slice(1))],
];

/** The token that begins at `from`, or behind the spaces there. */
export function tokenAt(text: string, from: number): Token {
  SPACE.lastIndex = from;
  SPACE.test(text);
  const begin = SPACE.lastIndex;
  if (begin >= text.length) {
    return { kind: "end", text: "", value: 0, at: { from: text.length, to: text.length } };
  }
  const ipv6 = ipv6Length(text, begin);
  let longest = 0, make = strange;
  for (const [pattern, maker] of PATTERNS) {
    pattern.lastIndex = begin;
    const length = pattern.test(text) ? pattern.lastIndex - begin : 0;
    if (length > longest) [longest, make] = [length, maker];
  }
  // The only one as long as an IPv6 address can be is the bogus Ethernet address, which stands behind it.
  if (ipv6 > 0 && ipv6 >= longest) [longest, make] = [ipv6, (piece) => plain("ipv6", piece)];
  if (make === bogus) {
    REST.lastIndex = begin + longest;
    REST.test(text);
    longest = REST.lastIndex - begin;
  }
  const to = longest > 0
    ? begin + longest
    : begin + String.fromCodePoint(text.codePointAt(begin)!).length;
  return { ...make(text.slice(begin, to)), at: { from: begin, to } };
}

/** A number as written: decimal, 0x hexadecimal, or 0 octal; or what is wrong with it. */
export function numberOf(text: string): number | readonly [state: string, remedy: string] {
  const octal = /^0[0-9]/.test(text);
  if (octal && /[89]/.test(text)) {
    return [
      `${quoted(text)} begins with 0, so it is octal, and has a digit above 7`,
      "write it without the 0",
    ];
  }
  const value = octal ? parseInt(text, 8) : Number(text);
  return value <= 0xffffffff
    ? value
    : [`${quoted(text)} needs more than 32 bits`, "give a number up to 4294967295"];
}

/** A piece of the text in quotes, a long one shortened. */
export function quoted(text: string): string {
  return `"${text.length <= 40 ? text : `${text.slice(0, 39)}…`}"`;
}

function plain(kind: TokenKind, text: string): Found {
  return { kind, text, value: 0 };
}

function error(text: string, state: string, remedy: string): Found {
  return { kind: "error", text, value: 0, problem: [state, remedy] };
}

function operator(text: string): Found {
  const same = SAME[text] ?? text;
  return plain(KEYWORDS.has(same) ? "word" : "operator", same);
}

function number(text: string): Found {
  const value = numberOf(text);
  return typeof value === "number" ? { kind: "number", text, value } : error(text, ...value);
}

function word(text: string): Found {
  if (KEYWORDS.has(text)) return plain("word", text);
  const value = NAMED_NUMBERS.get(text);
  return value === undefined ? plain("name", text) : { kind: "number", text, value };
}

function bogus(text: string): Found {
  const remedy = "six numbers of up to two digits, as in 02:00:00:00:00:01";
  return error(text, `${quoted(text)} is no Ethernet address`, remedy);
}

function arcnet(text: string): Found {
  return error(
    text,
    `${quoted(text)} is an address of ARCnet`,
    "give one of IPv4, IPv6 or Ethernet",
  );
}

function strange(text: string): Found {
  return error(text, `${JSON.stringify(text)} has no meaning here`, "leave it out");
}

function macPattern(): RegExp {
  const forms = [":", "-", "\\."].map((between) => `${B}(?:${between}${B}){5}`);
  return new RegExp(
    [...forms, "[0-9A-Fa-f]{4}(?:\\.[0-9A-Fa-f]{4}){2}", "[0-9A-Fa-f]{12}"].join("|"),
    "y",
  );
}

/**
 * Eight numbers, or seven at most with "::" at any place; or six, five at most, before an IPv4 address.
 * Each pattern finds its longest match.
 */
function ipv6Patterns(): RegExp[] {
  const patterns = [`${W}(?::${W}){7}`, `(?:${W}:){6}${FOUR}`];
  for (let left = 0; left <= 7; left++) {
    const head = left === 0 ? "::" : `${W}(?::${W}){${left - 1}}::`;
    patterns.push(left === 7 ? head : `${head}(?:${W}(?::${W}){0,${6 - left}})?`);
    if (left <= 5) patterns.push(`${head}(?:${W}:){0,${5 - left}}${FOUR}`);
  }
  return patterns.map((pattern) => new RegExp(pattern, "y"));
}

function ipv6Length(text: string, begin: number): number {
  BEGINS_IPV6.lastIndex = begin;
  if (!BEGINS_IPV6.test(text)) return 0;
  return Math.max(...IPV6.map((pattern) => {
    pattern.lastIndex = begin;
    return pattern.test(text) ? pattern.lastIndex - begin : 0;
  }));
}
