/**
 * Purpose: the words for a tick's fields and for what they can be: ours, not libpcap's, which are names
 * elsewhere.
 */
import type { TokenReader } from "./token_reader.ts";

/** The fields of a tick. */
export type TickField = "instrument" | "type" | "side" | "price" | "quantity";

/** Fields by word; "type" alone is a keyword of wireless links. */
const FIELDS: ReadonlyMap<string, TickField> = new Map([
  ...(["instrument", "type", "side", "price", "quantity"] as const).map((field) =>
    [`tick.${field}`, field] as const
  ),
  ...(["instrument", "side", "price", "quantity"] as const).map((field) => [field, field] as const),
]);

/** What a field's numbers are called: the same as in the engine, which tests check. */
export const TICK_NAMES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  type: { underlying: 0, option: 1, future: 2 },
  side: { bid: 0, ask: 1 },
};

/** All words for fields. */
export const TICK_WORDS: readonly string[] = [...FIELDS.keys()];

/** The field that the next token names, or a later one. */
export function tickFieldAt(reader: TokenReader, further = 0): TickField | undefined {
  const { kind, text, at } = reader.peek(further);
  // With a backslash before it, it is a name and nothing else.
  return kind === "name" && at.to - at.from === text.length ? FIELDS.get(text) : undefined;
}
