/**
 * Purpose: lines as what a terminal has to be sent, and only those that differ from what it shows.
 *
 * ```text
 *  lines ──▶ ESC[?2026h  ESC[row;1H text ESC[K …  ESC[H ESC[?2026l ──▶ one write
 *            hold the      lines that are new        show it
 *            picture
 * ```
 * ESC[?2026h is passed over by terminals that do not know it.
 */
import { type Line, type Style, textOf, widthOf } from "./line.ts";
import type { Size } from "./view.ts";

const BEGIN = "\x1b[?2026h", END = "\x1b[H\x1b[?2026l"; // the cursor waits where echoed keys do least harm
const NORMAL = "\x1b[0m", CLEAR = "\x1b[0m\x1b[2J", TO_END = "\x1b[K";
/** Select graphic rendition (ECMA-48): bold, faint, red, yellow. */
const COLOURED: Record<Style, string> = { strong: "1", faint: "2", warning: "33", bad: "1;31" };
const PLAIN: Record<Style, string> = { strong: "1", faint: "0", warning: "0", bad: "1" };

/** What a terminal shows. */
export class Screen {
  #shown: string[] = [];
  #size: Size = { columns: 0, rows: 0 };

  constructor(readonly colours: boolean) {}

  /** What to send so that these lines are shown; `size` is the terminal's, and they fit. */
  draw(lines: readonly Line[], size: Size): string {
    const whole = size.columns !== this.#size.columns || size.rows !== this.#size.rows;
    if (whole) this.#shown = [];
    const next = Array.from({ length: size.rows }, (_, row) => this.#code(lines[row] ?? [], size));
    const changes = next.map((code, row) =>
      code === (this.#shown[row] ?? (whole ? TO_END : undefined)) ? "" : `\x1b[${row + 1};1H${code}`
    ).join("");
    this.#shown = next;
    this.#size = size;
    return changes === "" && !whole ? "" : `${BEGIN}${whole ? CLEAR : ""}${changes}${END}`;
  }

  /** Draws all lines the next time, over what others have written there; after `clear` the screen is cleared before. */
  forget(clear: boolean): void {
    this.#shown = [];
    if (clear) this.#size = { columns: 0, rows: 0 };
  }

  #code(line: Line, { columns }: Size): string {
    const pieces = line.map((piece) => {
      const style = typeof piece === "string" ? undefined : piece.style, text = textOf(piece);
      const code = style && (this.colours ? COLOURED : PLAIN)[style];
      return code === undefined || code === "0" ? text : `\x1b[${code}m${text}${NORMAL}`;
    });
    // Behind a full line the cursor stands on its last character, which would be erased.
    return pieces.join("") + (widthOf(line) < columns ? TO_END : "");
  }
}
