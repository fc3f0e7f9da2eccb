/**
 * Purpose: keeps what is said on standard error while a terminal shows something else, and says it
 * afterwards.
 */

const LIMIT = 200; // the newest are kept

/** Messages that wait. */
export class HeldMessages {
  readonly #say = console.error;
  #kept: unknown[][] = [];
  #left = 0;

  /** Holds them back from now on. Where standard error is no terminal, they are said at once all the same. */
  hold(): void {
    const through = !Deno.stderr.isTerminal();
    console.error = (...words) => {
      if (through) this.#say(...words);
      this.#kept.push(words);
      if (this.#kept.length > LIMIT) this.#left += this.#kept.splice(0, 1).length;
    };
  }

  /** The last one. */
  get last(): string | undefined {
    return this.#kept.at(-1)?.map((word) => word instanceof Error ? word.message : String(word))
      .join(" ");
  }

  /** Says what was held back, and holds nothing any longer. */
  release(): void {
    if (console.error === this.#say) return;
    console.error = this.#say;
    if (!Deno.stderr.isTerminal()) return;
    if (this.#left > 0) console.error(`${this.#left} messages before these are left out`);
    for (const words of this.#kept) console.error(...words);
  }
}
