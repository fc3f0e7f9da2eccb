/**
 * Purpose: reads what stands behind qualifiers: an address, a network, a number, a name.
 */
import { quoted, type Token } from "./lexer.ts";
import type { Identifier } from "./syntax.ts";
import type { TokenReader } from "./token_reader.ts";

type Placeless<I = Identifier> = I extends unknown ? Omit<I, "at"> : never;

const KINDS = ["ipv4", "ipv6", "ethernet", "name"];

/** Whether an identifier other than a number begins here. */
export function beginsIdentifier(reader: TokenReader): boolean {
  return KINDS.includes(reader.peek().kind);
}

/** Reads an identifier other than a number. */
export function readIdentifier(reader: TokenReader): Identifier {
  const { from } = reader.peek().at, id = readPlaceless(reader);
  return { ...id, at: reader.since(from) };
}

function readPlaceless(reader: TokenReader): Placeless {
  const token = reader.take();
  switch (token.kind) {
    case "ipv4":
      return readIpv4(reader, token);
    case "ipv6":
      return {
        kind: "ipv6",
        numbers: ipv6Numbers(reader, token),
        ...readPrefix(reader, 128),
      };
    case "ethernet":
      return { kind: "ethernet", numbers: ethernetNumbers(token.text) };
    default:
      return { kind: "name", text: token.text };
  }
}

function readIpv4(reader: TokenReader, token: Token): Placeless {
  const numbers = dottedNumbers(reader, token);
  if (!reader.accept("mask")) return { kind: "ipv4", numbers, ...readPrefix(reader, 32) };
  if (reader.peek().kind !== "ipv4") reader.unexpected('expected a mask, as in "255.255.0.0"');
  return { kind: "ipv4", numbers, mask: dottedNumbers(reader, reader.take()) };
}

function readPrefix(reader: TokenReader, most: number): { prefix?: number } {
  if (!reader.accept("/")) return {};
  const { at } = reader.peek();
  const prefix = reader.number(`expected the bits of the prefix, 0 to ${most}`);
  if (prefix > most) {
    reader.fail(at, `the prefix has ${prefix} bits`, `give 0 to ${most}`);
  }
  return { prefix };
}

/** Decimal, zeros before them are nothing: libpcap reads so here. Those above 32 bits stay as large. */
function dottedNumbers(reader: TokenReader, { text, at }: Token): number[] {
  const parts = text.split(".");
  if (parts.some((part) => /x/i.test(part))) {
    reader.fail(at, `${quoted(text)} is no IPv4 address`, "write its numbers in decimal");
  }
  return parts.map((part) => Math.min(Number(part), 0xffffffff));
}

/** Of "::ffff:10.0.0.1" eight numbers; what is before and behind "::" is known, and the rest is 0. */
function ipv6Numbers(reader: TokenReader, { text, at }: Token): number[] {
  const colon = text.lastIndexOf(":") + 1, last = text.slice(colon);
  const four = last.includes(".") ? last.split(".") : [];
  // inet_pton(3) takes neither a leading zero nor hexadecimal here.
  if (four.some((part) => !/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255)) {
    const remedy = "its last four numbers are decimal, 0 to 255, without leading zeros";
    reader.fail(at, `${quoted(text)} is no IPv6 address`, remedy);
  }
  const [a, b, c, d] = four.map(Number);
  const end = four.length === 0
    ? last
    : `${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}`;
  const [before, behind] = `${text.slice(0, colon)}${end}`.split("::").map((side) =>
    side === "" ? [] : side.split(":").map((part) => parseInt(part, 16))
  );
  if (behind === undefined) return before;
  return [...before, ...Array(8 - before.length - behind.length).fill(0), ...behind];
}

function ethernetNumbers(text: string): number[] {
  const parts = text.split(/[:.-]/);
  const bytes = parts.length === 6 ? parts : parts.join("").match(/../g)!;
  return bytes.map((byte) => parseInt(byte, 16));
}
