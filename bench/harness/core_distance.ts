/**
 * Purpose: how far apart two cores are now, and what the barest ring does between them. A hypervisor moves
 * virtual cores about: two that share no cache are five times as far apart, and all that crosses them is
 * slower then.
 */
import { loadYardstick } from "./yardstick.ts";

/** Cores nearer than this, in ns for a cache line one way, share a cache. */
export const NEAR_NS = 120;

let symbols: ReturnType<typeof load> | undefined;

/** ns that a cache line takes from one core to the other, 0 to itself; NaN without a C compiler. */
export function coreDistanceNs(a: number, b: number): number {
  if (a === b) return 0; // two threads that spin for each other on one core take minutes
  try {
    symbols ??= load();
    return symbols.yardstick_distance(a, b);
  } catch {
    return NaN;
  }
}

/**
 * Mpps of the barest ring of packets between two cores, in C; of as many as fill whole bursts of 256.
 *
 * @throws {Error} where a packet arrived otherwise than it was sent.
 */
export function bareRingMpps(from: number, to: number, packets: number): number {
  symbols ??= load();
  const mpps = symbols.yardstick_ring(from, to, packets);
  if (mpps > 0) return mpps;
  throw new Error(`Cannot compare: the ring in C lost packets: fix it first`);
}

/** Lets this thread run on these cores again, after `pinToCore`. */
export function unpin(cores: readonly number[]): void {
  symbols ??= load();
  const allowed = new Uint8Array(Math.max(...cores) + 1);
  for (const core of cores) allowed[core] = 1;
  const result = symbols.yardstick_allow(allowed, allowed.length);
  if (result < 0) {
    throw new Error(`Cannot unpin a thread: errno ${-result}: run on cores that are there`);
  }
}

function load() {
  return loadYardstick("cores", {
    yardstick_distance: { parameters: ["i32", "i32"], result: "f64" },
    yardstick_ring: { parameters: ["i32", "i32", "u32"], result: "f64" },
    yardstick_allow: { parameters: ["buffer", "i32"], result: "i32" },
  });
}
