/**
 * Purpose: small pictures of numbers, from block characters, or from plain ASCII where the terminal may
 * know no others.
 */

const BLOCKS = [..."▁▂▃▄▅▆▇█"], PLAIN = [..."_.:-=+*#"];
const LEVELS = BLOCKS.length;

/** Characters that pictures are made of. */
export interface Glyphs {
  /** An eighth of a cell, two eighths, … */
  readonly levels: readonly string[];
  readonly full: string;
  readonly empty: string;
}

/** The pictures of a terminal that knows Unicode, or does not. */
export function glyphsFor(unicode: boolean): Glyphs {
  return unicode
    ? { levels: BLOCKS, full: "█", empty: "·" }
    : { levels: PLAIN, full: "#", empty: "." };
}

/** The newest `width` of `values`, one a column, the newest at the right; `top` is full height. */
export function sparkline(
  values: readonly number[],
  width: number,
  top: number,
  glyphs: Glyphs,
): string {
  return chart(values.slice(-width), 1, top, glyphs)[0].padStart(width);
}

/** Columns of `height` rows, from the top row down; whatever is above nothing can be seen. */
export function chart(
  values: readonly number[],
  height: number,
  top: number,
  { levels }: Glyphs,
): string[] {
  const eighths = values.map((value) =>
    value > 0 && top > 0
      ? Math.max(1, Math.min(height * LEVELS, Math.round(value / top * height * LEVELS)))
      : 0
  );
  return Array.from({ length: height }, (_, row) => {
    const below = (height - 1 - row) * LEVELS;
    return eighths.map((size) => size <= below ? " " : levels[Math.min(LEVELS, size - below) - 1])
      .join("");
  });
}

/** A bar that is full at 1; what is above nothing has a cell. */
export function bar(share: number, width: number, { full, empty }: Glyphs): string {
  const cells = share > 0 ? Math.max(1, Math.min(width, Math.round(share * width))) : 0;
  return full.repeat(cells) + empty.repeat(width - cells);
}

/** The next of 1, 2, 5, 10, 20, … from `value` on: a scale that seldom changes. */
export function niceTop(value: number): number {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((digit) => digit * power).find((top) => top >= value * (1 - 1e-9))!;
}
