/**
 * Purpose: what monitor.bench.ts, the program that is watched and its capture thread tell each other.
 */

/** Who watches during a run. */
export type Watcher = "nobody" | "watch" | "dashboard" | "metrics";

/** What the program that is watched says first: where it serves. */
export interface WatchedReady {
  metrics?: string;
  dashboard?: string;
}

/** What it says of a run. */
export interface WatchedRun {
  cpuNs: number;
  /** Packets received in the run, ticks that the engine took, and those for which the ring had no room. */
  received: number;
  consumed: number;
  dropped: number;
  /** How often the view was to draw, or the web thread was given statistics. */
  shown: number;
}

/** How much more often everything happens than with the commands: four frames and one set of statistics a second. */
export const TIMES = 10;

/** What its capture thread is told. */
export interface HotOrders {
  core: number;
  /** Packets of a run. */
  packets: number;
  state: SharedArrayBuffer;
  ticks: SharedArrayBuffer;
  /** See RUN. */
  runs: SharedArrayBuffer;
}

/** Of `runs`, as 32-bit words: runs asked for, and done; then as f64 from byte 8: CPU time of the last one. */
export const RUN = { asked: 0, done: 1, cpuNs: 1 } as const;
/** Bytes of `runs`. */
export const RUN_BYTES = 16;

/** One packet of so many is wanted, so that the engine has something to do, and a core to spare. */
export const ONE_OF = 128;
