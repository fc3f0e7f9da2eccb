/**
 * Purpose: how the blocks end in each pass of settle.ts, by numbers that are the same for what libpcap's
 * optimiser takes for the same.
 *
 * In a pass the accumulators are looked at first, as they were left by the pass before, from the top to the
 * bottom; then blocks are simplified, which the moves of the same pass see in the jumps, but not yet in the
 * accumulators.
 */
import { Interner } from "./intern.ts";
import type { Block } from "./plan.ts";
import { behind, type Draft, draftOf, type End, UNKNOWN } from "./settle_drafts.ts";
import { type Shape, type Ways, waysIn } from "./settle_flow.ts";
import { compares, type Value } from "./tree.ts";

const ALL_BITS = 0xffffffff;

/** The ends of a plan's blocks, while it is settled. */
export class Ends {
  /** By block: numbers of the jump, of the accumulator's value behind it, and of what it is compared with. */
  readonly jump: Int32Array;
  readonly accumulator: Int32Array;
  readonly operand: Int32Array;
  /** The number of the jump that compares for equality with a number. */
  readonly equal: number;
  /** Whether a block can come next that looks at the accumulator; not kept up to date within a pass. */
  readonly used: Uint8Array;
  readonly #drafts: Draft[];
  readonly #isSimple: Uint8Array;
  readonly #all = new Interner();
  readonly #values: Value[] = []; // by their numbers
  readonly #jumps = new Map<string, number>();
  readonly #asks: boolean;

  constructor(blocks: readonly Block[]) {
    const size = blocks.length;
    this.#drafts = blocks.map(draftOf);
    this.#asks = this.#drafts.some(({ asks }) => asks);
    this.#isSimple = new Uint8Array(size);
    this.jump = new Int32Array(size);
    this.accumulator = new Int32Array(size);
    this.operand = new Int32Array(size);
    this.used = new Uint8Array(size);
    this.equal = this.#jumpId("==");
    this.#drafts.forEach((draft, at) => {
      this.#setJump(at, draft.written);
      this.accumulator[at] = this.#id(draft.written.accumulator);
    });
  }

  /** How a block ends now. */
  end(at: number): End {
    return this.#isSimple[at] ? this.#drafts[at].simple! : this.#drafts[at].written;
  }

  /** Begins a pass: true where a block was simplified, or turned out to lead to one place only. */
  begin(ways: Ways, { levels }: Shape): boolean {
    if (this.#asks) this.#findUses(ways);
    this.#follow(ways, levels);
    let done = false;
    for (const level of levels) {
      for (const at of level) {
        if (this.#simplify(at, ways)) done = true;
        if (this.#decide(at, ways)) done = true;
      }
    }
    return done;
  }

  #findUses({ to }: Ways): void {
    this.used.forEach((_, at) => {
      const asks = [to[2 * at], to[2 * at + 1]].some((way) => way >= 0 && this.#drafts[way].asks);
      this.used[at] = asks ? 1 : 0;
    });
  }

  #simplify(at: number, { to }: Ways): boolean {
    const { simple, turns } = this.#drafts[at];
    if (simple === undefined || this.#isSimple[at] || this.used[at]) return false;
    this.#isSimple[at] = 1;
    this.#setJump(at, simple);
    if (turns) [to[2 * at], to[2 * at + 1]] = [to[2 * at + 1], to[2 * at]];
    return true;
  }

  /** What the accumulators hold, from the top to the bottom. */
  #follow(ways: Ways, levels: Shape["levels"]): void {
    const into = this.#asks ? waysIn(ways, levels) : [];
    for (const level of levels.toReversed()) {
      for (const at of level) {
        const { accumulator } = this.end(at);
        if (!this.#drafts[at].asks) this.accumulator[at] = this.#id(accumulator);
        else this.accumulator[at] = this.#id(behind(accumulator, this.#before(into[at])));
      }
    }
  }

  #before(into: number[]): Value {
    const ids = into.map((way) => this.accumulator[way >> 1]);
    return ids.length > 0 && ids.every((id) => id === ids[0]) ? this.#values[ids[0]] : UNKNOWN;
  }

  /** Where no packet is needed to know the outcome, both ways become that one's. */
  #decide(at: number, { to }: Ways): boolean {
    const { jump, operand } = this.end(at), value = this.#values[this.accumulator[at]];
    if (operand.kind !== "number" || jump.endsWith("X")) return false;
    let outcome: boolean | undefined;
    if (jump === "bits") {
      if (operand.value === 0) outcome = false;
      else if (operand.value === ALL_BITS) outcome = true; // libpcap has it so
      else if (value.kind === "number") outcome = (value.value & operand.value) !== 0;
    } else if (value.kind === "number") {
      outcome = compares(jump as Block["relation"], value.value, operand.value);
    }
    if (outcome === undefined || to[2 * at] === to[2 * at + 1]) return false;
    to.fill(to[2 * at + (outcome ? 0 : 1)], 2 * at, 2 * at + 2);
    return true;
  }

  #setJump(at: number, { jump, operand }: End): void {
    this.jump[at] = this.#jumpId(jump);
    this.operand[at] = this.#id(operand);
  }

  #jumpId(jump: string): number {
    const known = this.#jumps.get(jump) ?? this.#jumps.size;
    this.#jumps.set(jump, known);
    return known;
  }

  #id(value: Value): number {
    const id = this.#all.id(value);
    this.#values[id] = value;
    return id;
  }
}
