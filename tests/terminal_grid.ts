/**
 * A terminal's picture: as much of ECMA-48 and xterm's control sequences as the live view and a shell use.
 * It throws on any other, so that a test cannot pass by what it did not understand.
 */

// deno-lint-ignore-file no-control-regex -- they are what it is about

/** A sequence that has only begun, at the end of a chunk; a sequence, or a character. */
const BEGUN = /\x1b(?:\[[?\d;]*)?$/, NEXT = /\x1b\[([?\d;]*[A-Za-z])|([\s\S])/gu;

/** What a terminal shows. */
export class Grid {
  columns: number;
  rows: number;
  #cells: string[][];
  #main: { cells: string[][]; row: number; column: number } | undefined;
  #row = 0;
  #column = 0;
  #rest = "";
  /** Whether the cursor is seen. */
  cursor = true;
  /** Whether text goes on in the next line. */
  wrap = true;
  /** How often the picture has moved up. */
  scrolled = 0;
  /** How often text has met the right edge while it does not go on. */
  clipped = 0;

  constructor({ columns, rows }: { columns: number; rows: number }) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = this.#blank();
  }

  /** Whether the alternate screen is shown. */
  get alternate(): boolean {
    return this.#main !== undefined;
  }

  /** Lines, without blanks at their ends. */
  get lines(): string[] {
    return this.#cells.map((row) => row.join("").trimEnd());
  }

  /** The picture. */
  toString(): string {
    return this.lines.join("\n");
  }

  /** As xterm does: what is outside is lost, what is new is blank. */
  resize({ columns, rows }: { columns: number; rows: number }): void {
    const fit = (cells: string[][]) =>
      Array.from(
        { length: rows },
        (_, r) => Array.from({ length: columns }, (_, c) => cells[r]?.[c] ?? " "),
      );
    this.columns = columns;
    this.rows = rows;
    this.#cells = fit(this.#cells);
    if (this.#main !== undefined) this.#main.cells = fit(this.#main.cells);
    this.#row = Math.min(this.#row, rows - 1);
    this.#column = Math.min(this.#column, columns - 1);
  }

  /** Shows what a program has sent. */
  play(text: string): void {
    const all = this.#rest + text, begun = all.match(BEGUN)?.[0] ?? "";
    this.#rest = begun;
    const whole = all.slice(0, all.length - begun.length);
    for (const [, code, other] of whole.matchAll(NEXT)) {
      if (code !== undefined) this.#control(code);
      else this.#put(other);
    }
  }

  #put(character: string): void {
    if (character === "\n") this.#down();
    else if (character === "\r") this.#column = 0;
    else if (character === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (character === "\x07") return;
    else if (character < " ") throw new Error(`unknown control ${JSON.stringify(character)}`);
    else {
      if (this.#column >= this.columns) {
        if (this.wrap) {
          this.#column = 0;
          this.#down();
        } else {
          this.#column = this.columns - 1;
          this.clipped++;
        }
      }
      this.#cells[this.#row][this.#column++] = character;
    }
  }

  #down(): void {
    if (++this.#row < this.rows) return;
    this.#row = this.rows - 1;
    this.#cells.shift();
    this.#cells.push(this.#blankRow());
    this.scrolled++;
  }

  #control(code: string): void {
    const numbers = code.slice(0, -1).split(";").map(Number), verb = code.at(-1);
    if (code.startsWith("?")) return this.#mode(code);
    if (verb === "m") return;
    if (verb === "H") {
      this.#row = Math.min(this.rows, numbers[0] || 1) - 1;
      this.#column = Math.min(this.columns, numbers[1] || 1) - 1;
    } else if (code === "K") {
      // A full line leaves the cursor on its last character.
      this.#cells[this.#row].fill(" ", Math.min(this.#column, this.columns - 1));
    } else if (code === "2J") this.#cells = this.#blank();
    else throw new Error(`unknown control ESC[${code}`);
  }

  #mode(code: string): void {
    const on = code.endsWith("h");
    switch (code.slice(1, -1)) {
      case "1049":
        return this.#alternate(on);
      case "25":
        this.cursor = on;
        return;
      case "7":
        this.wrap = on;
        return;
      case "2004": // a shell's: pasted text is marked
      case "2026":
        return;
      default:
        throw new Error(`unknown mode ESC[${code}`);
    }
  }

  #alternate(on: boolean): void {
    if (on && this.#main === undefined) {
      this.#main = { cells: this.#cells, row: this.#row, column: this.#column };
      this.#cells = this.#blank();
    } else if (!on && this.#main !== undefined) {
      ({ cells: this.#cells, row: this.#row, column: this.#column } = this.#main);
      this.#main = undefined;
    }
  }

  #blank(): string[][] {
    return Array.from({ length: this.rows }, () => this.#blankRow());
  }

  #blankRow(): string[] {
    return Array.from({ length: this.columns }, () => " ");
  }
}
