/**
 * Purpose: a line of the live view: pieces of text with styles. Styles are kept apart from the text, so
 * that a line's width is its number of characters.
 */

/** How a piece of text stands out; `bad` also where there are no colours. */
export type Style = "strong" | "faint" | "warning" | "bad";

/** Text, which holds no control characters and nothing wide. */
export type Piece = string | { readonly text: string; readonly style?: Style };

/** Pieces, from left to right. */
export type Line = readonly Piece[];

/** The text of a piece. */
export function textOf(piece: Piece): string {
  return typeof piece === "string" ? piece : piece.text;
}

/** Columns that a line takes. */
export function widthOf(line: Line): number {
  return line.reduce((width, piece) => width + textOf(piece).length, 0);
}

/** At most `columns` of a line; where something is missing, its last column says so. */
export function cut(line: Line, columns: number): Line {
  if (widthOf(line) <= columns) return line;
  const pieces: Piece[] = [];
  let room = columns - 1;
  for (const piece of line) {
    const text = textOf(piece).slice(0, Math.max(0, room));
    if (text !== "") pieces.push(typeof piece === "string" ? text : { ...piece, text });
    room -= text.length;
  }
  return columns > 0 ? [...pieces, ">"] : [];
}

/** A line of exactly `columns`. */
export function fill(line: Line, columns: number): Line {
  const short = cut(line, columns);
  return [...short, " ".repeat(columns - widthOf(short))];
}

/** A line with `left` at its begin and `right` at its end; where both do not fit, `left` is cut. */
export function spread(left: Line, right: Line, columns: number): Line {
  const room = columns - widthOf(right) - 1;
  return room < 1 ? cut(right, columns) : [...fill(left, room), " ", ...right];
}

/** As many of `items`, the most important first, as fit whole, two spaces between them. */
export function fitting(items: readonly Line[], columns: number): Line {
  const line: Piece[] = [];
  for (const item of items) {
    const gap = line.length === 0 ? "" : "  ";
    if (widthOf(line) + gap.length + widthOf(item) <= columns) line.push(gap, ...item);
  }
  return line;
}

/** What others wrote (a port's name, a message), with nothing in it that could move the cursor or be wide. */
export function printable(text: string, unicode: boolean): string {
  const known = unicode ? /[^ -~\u00a1-\u00ac\u00ae-\u02ff\u2026]/gu : /[^ -~]/gu;
  return text.replace(/\s+/g, " ").replace(known, "?");
}
