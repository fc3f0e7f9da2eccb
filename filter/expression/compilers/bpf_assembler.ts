/**
 * Purpose: lays instructions out: labels become distances. All jumps lead forward.
 *
 * A conditional jump reaches 255 instructions; for a way that leads further a `ja` stands behind it:
 * ```text
 *      jeq #17   jt far  jf 1          jeq #17   jt 0  jf 2
 *                                ─▶    ja  far
 * ```
 */
import { BPF, type BpfInstruction, MAX_INSTRUCTIONS } from "./bpf_instruction.ts";
import { CannotPush } from "./cannot_push.ts";

const REACH = 255 - 2; // as far as it goes with two `ja` behind it

/** A place in the program, which may not be known yet. */
export type Label = number;

interface Item {
  code: number;
  k: number;
  yes?: Label;
  no?: Label;
}

/** Collects a program. */
export class BpfAssembler {
  readonly #items: Item[] = [];
  /** For each label the index of the item it stands before. */
  readonly #places: number[] = [];

  /** A new label, for `place`. */
  label(): Label {
    return this.#places.push(NaN) - 1;
  }

  /** Puts a label here. */
  place(label: Label): void {
    this.#places[label] = this.#items.length;
  }

  /** An instruction that does not jump. */
  add(code: number, k = 0): void {
    this.#push({ code, k: k >>> 0 });
  }

  /** A conditional jump. */
  jump(code: number, k: number, yes: Label, no: Label): void {
    this.#push({ code, k: k >>> 0, yes, no });
  }

  /** A jump. */
  always(to: Label): void {
    this.#push({ code: BPF.ja, k: 0, yes: to });
  }

  /** The program. @throws {CannotPush} where it is too long. */
  finish(): BpfInstruction[] {
    const backwards: BpfInstruction[] = [];
    const fromEnd: number[] = []; // of each item, how many instructions there are from it on
    const distance = (label: Label) => backwards.length - fromEnd[this.#places[label]];
    for (let i = this.#items.length - 1; i >= 0; i--) {
      this.#layItem(this.#items[i], backwards, distance);
      fromEnd[i] = backwards.length;
    }
    if (backwards.length > MAX_INSTRUCTIONS) throw tooLong();
    return backwards.reverse();
  }

  #layItem(
    { code, k, yes, no }: Item,
    backwards: BpfInstruction[],
    distance: (label: Label) => number,
  ): void {
    const ja = (to: Label) => backwards.push({ code: BPF.ja, jt: 0, jf: 0, k: distance(to) });
    if (yes === undefined) {
      backwards.push({ code, jt: 0, jf: 0, k });
    } else if (no === undefined) {
      ja(yes);
    } else {
      const noAt = distance(no) > REACH ? ja(no) : undefined;
      const yesAt = distance(yes) > REACH ? ja(yes) : undefined;
      const jt = yesAt === undefined ? distance(yes) : 0;
      const jf = noAt === undefined ? distance(no) : backwards.length - noAt;
      backwards.push({ code, jt, jf, k });
    }
  }

  #push(item: Item): void {
    if (this.#items.length === MAX_INSTRUCTIONS) throw tooLong();
    this.#items.push(item);
  }
}

function tooLong(): CannotPush {
  return new CannotPush(`it takes more than ${MAX_INSTRUCTIONS} instructions of classic BPF`);
}
