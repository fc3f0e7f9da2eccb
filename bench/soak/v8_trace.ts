/**
 * Purpose: what V8 says with `--trace-gc,--trace-deopt`: which collections and deoptimisations there were.
 *
 * ```text
 *  [PID:ISOLATE]  38 ms: Scavenge 3.2 (4.2) -> 2.8 (5.0) MB, …, 6.87 / 0.00 ms (…) allocation failure;
 *  [marking dependent code ADDRESS <Code …> (…) for deoptimization, reason: REASON]
 *  [bailout (kind: KIND, reason: REASON): begin. deoptimizing ADDRESS <JSFunction NAME (sfi = …)>, ADDRESS <Code …>, …]
 * ```
 * V8's lines have no clock that we share, so they are told apart by what else is on the same output: see
 * `flushLines`. A function that leaves one optimised code for a better one says so as a bailout, too
 * ("prepare for on stack replacement"): that is none.
 */

/** The flags with which it says so; the last one lets the soak collect before it measures the heap. */
export const V8_FLAGS = ["--trace-gc", "--trace-deopt", "--expose-gc"];

const COLLECTION =
  /^\[\d+:\w+\]\s+\d+ ms: (?:Incremental )?([\w-]+).*? ([\d.]+) \/ [\d.]+ ms .*\) ([^;]*);/;
const OURS = "testing"; // why V8 says that it collected, where gc() was called
const MARKED = /^\[marking dependent code (0x\w+) .* for deoptimization, reason: (.*)\]$/;
const BAILOUT =
  /^\[bailout \(kind: ([\w-]+), reason: (.*?)\): begin\. deoptimizing \S+ <JSFunction ?(.*?) ?\(sfi = \w+\)>, (0x\w+) /;
const NOT_A_DEOPTIMISATION = "prepare for on stack replacement";
const REMEMBERED = 1000;

/** A function whose optimised code was thrown away. */
export interface Deoptimisation {
  /** Its name; empty for one that has none. */
  name: string;
  reason: string;
}

/** What was seen in some time. */
export interface Seen {
  /** Collections by kind, "scavenge" and "mark-compact"; without those that the soak asked for. */
  collections: Record<string, number>;
  /** ms for which they held the program up, in all. */
  pausedMs: number;
  deoptimisations: Deoptimisation[];
}

/** Reads V8's lines. */
export class V8Trace {
  #seen = nothing();
  /** Why code was marked; the bailout that follows says only "(unknown)". */
  readonly #marked = new Map<string, string>();

  /** Takes a line; returns whether it was one of V8's. */
  take(line: string): boolean {
    const marked = MARKED.exec(line), bailout = BAILOUT.exec(line);
    const collection = COLLECTION.exec(line);
    if (collection !== null) this.#collected(collection[1], collection[2], collection[3]);
    else if (bailout !== null) this.#bailedOut(bailout[2], bailout[3], bailout[4]);
    else if (marked !== null) this.#mark(marked[1], marked[2]);
    return (collection ?? bailout ?? marked) !== null;
  }

  /** What it has seen since it was asked last. */
  seen(): Seen {
    const seen = this.#seen;
    this.#seen = nothing();
    return seen;
  }

  #collected(kind: string, ms: string, why: string): void {
    if (why.startsWith(OURS)) return;
    const { collections } = this.#seen, name = kind.toLowerCase();
    collections[name] = (collections[name] ?? 0) + 1;
    this.#seen.pausedMs += Number(ms);
  }

  #bailedOut(reason: string, name: string, code: string): void {
    if (reason.startsWith(NOT_A_DEOPTIMISATION)) return;
    const why = reason === "(unknown)" ? this.#marked.get(code) ?? reason : reason;
    this.#seen.deoptimisations.push({ name, reason: why });
  }

  #mark(code: string, reason: string): void {
    if (this.#marked.size >= REMEMBERED) this.#marked.clear();
    this.#marked.set(code, reason);
  }
}

function nothing(): Seen {
  return { collections: {}, pausedMs: 0, deoptimisations: [] };
}

const LINE_BUFFERED = 1; // _IOLBF of stdio.h

/**
 * Has C's standard output written line by line. V8 prints there, and into a pipe 4 KB at a time, otherwise:
 * minutes late, and in the middle of our own lines.
 */
export function flushLines(): void {
  const libc = Deno.dlopen("libc.so.6", {
    stdout: { type: "pointer" },
    setvbuf: { parameters: ["pointer", "pointer", "i32", "usize"], result: "i32" },
  });
  const { stdout, setvbuf } = libc.symbols;
  const file = new Deno.UnsafePointerView(stdout!).getPointer(0);
  if (setvbuf(file, null, LINE_BUFFERED, 0n) !== 0) {
    throw new Error("Cannot read V8's trace: setvbuf failed: run it with glibc");
  }
}
