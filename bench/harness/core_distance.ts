/**
 * Purpose: how far apart two cores are now. A hypervisor moves virtual cores about: two that share no cache
 * are five times as far apart, and all that crosses them is slower then.
 */
import { loadYardstick } from "./yardstick.ts";

/** Cores nearer than this, in ns for a cache line one way, share a cache. */
export const NEAR_NS = 120;

let symbols: ReturnType<typeof load> | undefined;

/** ns that a cache line takes from one core to the other; NaN without a C compiler. */
export function coreDistanceNs(a: number, b: number): number {
  try {
    symbols ??= load();
    return symbols.yardstick_distance(a, b);
  } catch {
    return NaN;
  }
}

/** Mpps of the barest ring of packets between two cores, in C. */
export function bareRingMpps(from: number, to: number, packets: number): number {
  symbols ??= load();
  return symbols.yardstick_ring(from, to, packets);
}

function load() {
  return loadYardstick("cores", {
    yardstick_distance: { parameters: ["i32", "i32"], result: "f64" },
    yardstick_ring: { parameters: ["i32", "i32", "u32"], result: "f64" },
  });
}
