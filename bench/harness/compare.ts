/**
 * Purpose: one declaration of a bench, two runners.
 *
 * ```text
 *  compare({ group, baseline, ways }) ──┬─▶ Deno.bench         `deno bench`: Deno's own tables
 *                                       └─▶ run_comparisons.ts `deno task bench`: in turn, ratios, targets
 * ```
 * Each way does the same work, prepares it untimed, and verifies it after every run: a way that did not do
 * its work ends the bench.
 */
import { buildLibrary } from "../../ffi/build.ts";

/** One way of doing the work. */
export interface Way {
  name: string;
  /** Before each run; not timed. */
  prepare?: () => void | Promise<void>;
  /** The work; timed. */
  run: () => void | Promise<void>;
  /** How long the run took, in ns, where another clock than the wall's says so: a thread's CPU time. `deno bench` cannot use it. */
  tookNs?: () => number;
  /** After each run; throws unless the work was done. Not timed. */
  verify: () => void | Promise<void>;
  /** Most time that it may take, as a ratio to the baseline's. */
  atMost?: number;
  /** Units a second that it shall reach at least. */
  atLeastHz?: number;
  /** Most that it may take more than the baseline, in ns a unit. */
  atMostMoreNs?: number;
}

/** Comparisons of the same ways that are also judged as a whole. */
export interface Family {
  name: string;
  /** By way: most that the geometric mean of its ratios to the baseline may be. */
  means: Record<string, { atMost: number }>;
}

/** Ways of doing the same work. */
export interface Comparison {
  /** What is compared, in words. */
  group: string;
  /** Those that share it have the same ways, and are judged together, too. */
  family?: Family;
  /** What is counted, in the singular: "packet". */
  unit: string;
  /** Units of a run, some 5 to 50 ms of work. */
  count: number;
  /** The first is the baseline. */
  ways: Way[];
  /** The two cores between which the work crosses: only rounds in which they are near are judged. */
  cores?: [number, number];
  /** Called once, after the last run. */
  dispose?: () => void;
}

/** What was declared; or why it was skipped. */
export const declared: (Comparison | { group: string; skipped: string })[] = [];

/** Whether this program may do what a bench needs; without, `deno bench` lists all benches as skipped. */
export function mayBench(): boolean {
  const names = ["read", "write", "run", "ffi", "env", "sys"] as const;
  return names.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

if (mayBench()) buildLibrary();

/** What `skip` says of a bench that `mayBench` refuses. */
export const NOT_ALLOWED = "it needs permissions: run deno bench -P=bench";

/** Declares a comparison. */
export function compare(comparison: Comparison): void {
  const { group, unit, count, ways } = comparison;
  const dispose = once(comparison.dispose);
  declared.push({ ...comparison, dispose });
  addEventListener("unload", dispose);
  if (!isListening) endOnSignals();
  ways.forEach((way, i) =>
    Deno.bench({
      name: `${way.name}, ${count.toLocaleString("en")} ${unit}s`,
      group,
      baseline: i === 0,
      async fn(b) {
        await way.prepare?.();
        b.start();
        // A promise costs a turn of the event loop: only where there is one.
        const done = way.run();
        if (done !== undefined) await done;
        b.end();
        await way.verify();
      },
    })
  );
}

const PARTNERS_MS = 200; // for other threads to close what they have
let isListening = false;

/** An interrupted bench leaves nothing behind; then it ends as if nobody had listened. */
function endOnSignals(): void {
  isListening = true;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const end = () => {
      for (const one of declared) if (!("skipped" in one)) one.dispose?.();
      Deno.removeSignalListener(signal, end);
      // Nothing of this thread may go on with what is disposed of.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PARTNERS_MS);
      Deno.kill(Deno.pid, signal);
    };
    Deno.addSignalListener(signal, end);
  }
}

function once(dispose = () => {}): () => void {
  let done = false;
  return () => {
    if (!done) dispose();
    done = true;
  };
}

/** Declares that a comparison cannot be had here, and says why. */
export function skip(group: string, why: string): void {
  declared.push({ group, skipped: why });
  // Deno does not list benches that are ignored; standard output may be JSON.
  if (!isTask) console.error(`skipped: ${group}: ${why}`);
}

let isTask = false;

/** For the runner of `deno task bench`: it prints what is skipped itself. */
export function asTask(): void {
  isTask = true;
}
