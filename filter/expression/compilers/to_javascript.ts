/**
 * Purpose: a plan as JavaScript statements, to be put into a loop or a function.
 *
 * ```text
 *  packet: {
 *    rejected: {
 *      accepted: {
 *        b2: {
 *          … if (!(test of block 0)) break b2;
 *          … if (test of block 1) break accepted;
 *        }
 *        … if (!(test of block 2)) break rejected;
 *      }
 *      what happens to an accepted packet
 *      break packet;
 *    }
 *    what happens to a rejected one
 *  }
 * ```
 * A way on is a `break` out of the statement that ends where the next block begins; if that is the one below,
 * it is nothing. On any way a word is read once, and once asked whether the packet is long enough. Tests
 * of the same word one behind the other become one.
 */
import { Interner } from "../plan/intern.ts";
import {
  hex,
  type JavaScriptReads,
  type Known,
  ValueWriter,
  type WordTest,
} from "./javascript_values.ts";
import { ACCEPT, type Block, type Plan, REJECT } from "../plan/plan.ts";

/** Statements that stand inside each other: V8 descends into them on its stack. */
const MAX_NESTING = 1000; // it manages 2000
const MAX_BLOCKS = 60_000;
const MAX_KNOWN = 256; // variables and lengths at a time

/** Statements, and the variables that they want: to be declared before, once for all packets. */
export interface JavaScriptCode {
  variables: string[];
  statements: string;
}

/**
 * The statements for one packet; they run `accept` or `reject`, which are statements, too. Nothing where the
 * plan is too large for V8 to compile.
 */
export function toJavaScript(
  plan: Plan,
  reads: JavaScriptReads,
  accept: string,
  reject: string,
): JavaScriptCode | undefined {
  if (plan.entry < 0) {
    return { variables: [], statements: plan.entry === ACCEPT ? accept : reject };
  }
  if (plan.blocks.length > MAX_BLOCKS) return undefined;
  const writer = new BlockWriter(plan, reads);
  const body = nested(writer.write(), writer.firstJumps);
  if (body === undefined) return undefined;
  const head = ["packet: {", "rejected: {", "accepted: {"];
  // In braces: their names are no business of the tests above.
  const tail = ["}", "{", accept, "}", "break packet;", "}", "{", reject, "}", "}"];
  return {
    variables: [...writer.values.variables],
    statements: [...head, ...body, ...tail].filter((line) => line !== "").join("\n"),
  };
}

/**
 * The blocks' lines, with the labelled statements that jumps lead out of: one begins at the first jump to the
 * block behind its end, or before that where another one would end inside it.
 */
function nested(blocks: string[][], firstJumps: ReadonlyMap<number, number>): string[] | undefined {
  const begins = new Map<number, number[]>(), open: { begin: number; end: number }[] = [];
  for (const end of [...firstJumps.keys()].sort((a, b) => a - b)) {
    let begin = firstJumps.get(end)!;
    // Those that are still open where this one begins end before it: it has to begin before them.
    while (open.length > 0 && open.at(-1)!.begin >= begin) open.pop();
    while (open.length > 0 && open.at(-1)!.end > begin) begin = open.pop()!.begin;
    open.push({ begin, end });
    begins.set(begin, [end, ...(begins.get(begin) ?? [])]);
  }
  let depth = 0, deepest = 0;
  const lines = blocks.flatMap((block, i) => {
    const ends = firstJumps.has(i) ? ["}"] : [], labels = begins.get(i) ?? [];
    depth += labels.length - ends.length;
    deepest = Math.max(deepest, depth);
    return [...ends, ...labels.map((label) => `b${label}: {`), ...block];
  });
  return deepest > MAX_NESTING ? undefined : lines;
}

/** A copy of what is known, without the oldest of very much: it is read anew. */
function latest({ variables, extents }: Known): Known {
  return {
    variables: new Set([...variables].slice(-MAX_KNOWN)),
    extents: new Map([...extents].slice(-MAX_KNOWN)),
  };
}

/** Writes blocks in their order. */
class BlockWriter {
  readonly values: ValueWriter;
  /** Of each block that is jumped to, the first block from where. */
  readonly firstJumps = new Map<number, number>();
  readonly #blocks: readonly Block[];
  readonly #known: (Known | undefined)[];
  readonly #taken = new Set<number>(); // blocks whose test another one does, too
  readonly #waysTo: number[];

  constructor(plan: Plan, reads: JavaScriptReads) {
    this.values = new ValueWriter(reads, new Interner());
    this.#blocks = plan.blocks;
    this.#known = plan.blocks.map(() => undefined);
    this.#known[plan.entry] = { variables: new Set(), extents: new Map() };
    this.#waysTo = plan.blocks.map(() => 0);
    for (const { yes, no } of plan.blocks) {
      for (const way of [yes, no]) if (way >= 0) this.#waysTo[way]++;
    }
  }

  /** The lines of each block. */
  write(): string[][] {
    return this.#blocks.map((_, i) => this.#taken.has(i) ? [] : this.#block(i));
  }

  #block(i: number): string[] {
    const { values } = this, block = this.#blocks[i];
    values.before = [];
    values.known = latest(this.#known[i]!);
    this.#known[i] = undefined;
    const first = block.relation === "==" && block.right.kind === "number"
      ? values.wordTest(block.left, block.right.value)
      : undefined;
    const { yes, no } = block;
    if (yes === no) { // only its reads matter: they may lie beyond the end
      this.#condition(block, true);
      return [...values.before, ...this.#go(i, yes)];
    }
    if (first === undefined) {
      const texts = [this.#condition(block, true), this.#condition(block, false)];
      return [...values.before, ...this.#ways(i, texts, yes, no)];
    }
    const { test, yes: on } = this.#withNext(block, first);
    const left = test.mask === -1 ? test.word : `(${test.word} & ${hex(test.mask)})`;
    const texts = ["===", "!=="].map((sign) => `${left} ${sign} ${hex(test.value)}`);
    return [...values.before, ...this.#ways(i, texts, on, no)];
  }

  /** Takes tests of the same word into a test, as long as the next block is one and nobody else comes there. */
  #withNext({ yes, no }: Block, test: WordTest): { test: WordTest; yes: number } {
    this.values.take(test);
    while (yes >= 0 && this.#waysTo[yes] === 1) {
      const { relation, left, right, ...next } = this.#blocks[yes];
      if (relation !== "==" || right.kind !== "number" || next.no !== no) break;
      const more = this.values.wordTest(left, right.value);
      if (more === undefined || more.word !== test.word) break;
      if (((more.value ^ test.value) & more.mask & test.mask) !== 0) break;
      // A read beyond the end rejects, which must not come before a "no" that leads elsewhere.
      if (no !== REJECT && !this.values.reaches(more.load)) break;
      this.values.take(more);
      this.#taken.add(yes);
      test = { ...test, mask: more.mask | test.mask, value: more.value | test.value };
      yes = next.yes;
    }
    return { test, yes };
  }

  #condition({ relation, left, right }: Block, outcome: boolean): string {
    if (relation === "==") {
      const [a, b] = right.kind === "number"
        ? this.values.sides(left, right.value)
        : [this.values.text(left), this.values.text(right)];
      return `${a} ${outcome ? "===" : "!=="} ${b}`;
    }
    const sign = outcome ? relation : { ">": "<=", ">=": "<" }[relation];
    return `${this.values.unsigned(left)} ${sign} ${this.values.unsigned(right)}`;
  }

  /** The jumps behind a test; of its two texts the second is the opposite. */
  #ways(i: number, [holds, not]: string[], yes: number, no: number): string[] {
    const next = this.#next(i);
    if (yes === next) return [`if (${not}) ${this.#jump(i, no)}`, ...this.#go(i, yes)];
    return [`if (${holds}) ${this.#jump(i, yes)}`, ...this.#go(i, no)];
  }

  #go(i: number, to: number): string[] {
    if (to !== this.#next(i)) return [this.#jump(i, to)];
    this.#reached(to);
    return [];
  }

  /** What is written below block `i`. */
  #next(i: number): number {
    do i++; while (this.#taken.has(i));
    return i < this.#blocks.length ? i : ACCEPT;
  }

  #jump(from: number, to: number): string {
    if (to === ACCEPT) return "break accepted;";
    if (to === REJECT) return "break rejected;";
    this.#reached(to);
    if (!this.firstJumps.has(to)) this.firstJumps.set(to, from);
    return `break b${to};`;
  }

  /** Of what is known at `to` stays what is known here, too. */
  #reached(to: number): void {
    if (to < 0) return;
    const { known } = this.values, there = this.#known[to];
    const extents = there === undefined ? known.extents : new Map(
      [...there.extents].filter(([name]) => known.extents.has(name))
        .map(([name, end]) => [name, Math.min(end, known.extents.get(name)!)]),
    );
    const variables = there === undefined
      ? known.variables
      : there.variables.intersection(known.variables);
    this.#known[to] = { variables, extents };
  }
}
