/**
 * Purpose: what happened in each minute (or `--interval`) of a soak, measured in the receiver's process.
 *
 * Rates and service times are of that interval alone: the difference of the counters, and of the histogram,
 * since the last one. The heap is measured after a collection, asked for between two bursts: what is left is
 * in use, and a growing series of that is a leak. It takes some milliseconds, for which capture and engine stand
 * still; with a capture thread only the engine, so that at full rate ticks are dropped then.
 */
import { type CaptureCounts, type CaptureState, COUNTER } from "../../capture/capture_state.ts";
import { tscHz } from "../../ffi/host.ts";
import { stolenFrom, waitedOn } from "../harness/taken.ts";
import type { Seen } from "./v8_trace.ts";

/** What the receiver measures in an interval. */
export interface Measured {
  /** How long it was; when it ended, since the first packet. */
  seconds: number;
  endS: number;
  /** Packets received in it, and millions of them a second. */
  received: number;
  mpps: number;
  /** ns a packet, over the packets of this interval: each burst's share, its sync included. */
  serviceNs: { mean: number; p50: number; p99: number; p999: number };
  /** Of the isolate that runs the engine, after a collection; bytes. */
  heapUsed: number;
  external: number;
  /** Of the receiver's process; bytes. */
  resident: number;
  /** In this interval; `null` where the port cannot know. */
  lost: number | null;
  dropped: number;
  /** What the hypervisor took from the cores that the soak runs on, in all. */
  stolenMs: number;
  /** For how long the receiver's threads waited while other programs had their cores. */
  waitedMs: number;
}

/** An interval, and what V8 said in it. */
export type Interval = Measured & Seen;

/** What the receiver has counted in the end. */
export interface Totals {
  mode: string;
  counts: CaptureCounts;
  /** Ticks taken by the engine. */
  consumed: number;
  /** Syncs of the first second that took long; `null` where the capture has a thread of its own. */
  stalls: Stalls | null;
}

/** Syncs over 2 ms in the first second: while the thread ran for as long, and while it did not. */
export interface Stalls {
  syncs: number;
  ours: number;
  others: number;
  /** CPU time of the longest of ours. */
  worstOursMs: number;
  /** What the hypervisor took from the cores meanwhile: it counts as the thread's own CPU time. */
  stolenMs: number;
}

/** Measures intervals, one after the other. */
export class IntervalMeter {
  #service: Float64Array;
  #counters: Float64Array;
  #stolen: number;
  #waited: number;
  #start: number;
  #from: number;

  /** `cores`: those that the soak runs on. */
  constructor(readonly state: CaptureState, readonly cores: readonly number[]) {
    this.#service = state.service.memory.slice();
    this.#counters = state.counters.slice();
    this.#stolen = stolenFrom(cores);
    this.#waited = waitedOn(cores);
    this.#start = this.#from = performance.now();
  }

  /** What happened since it was asked last. */
  measure(): Measured {
    const now = performance.now(), counters = this.state.counters.slice();
    const since = (counter: number) => counters[counter] - this.#counters[counter];
    const service = this.state.service.since(this.#service).distribution(1e9 / tscHz());
    const stolen = stolenFrom(this.cores), waited = waitedOn(this.cores);
    const { mean, p50, p99, p999 } = service, received = since(COUNTER.received);
    const seconds = (now - this.#from) / 1e3;
    const measured = {
      seconds,
      endS: (now - this.#start) / 1e3,
      received,
      mpps: received / seconds / 1e6,
      serviceNs: { mean, p50, p99, p999 },
      lost: counters[COUNTER.lost] < 0 ? null : since(COUNTER.lost),
      dropped: since(COUNTER.dropped),
      stolenMs: stolen - this.#stolen,
      waitedMs: waited - this.#waited,
      ...memory(),
    };
    this.#service = this.state.service.memory.slice();
    this.#counters = counters;
    this.#stolen = stolen;
    this.#waited = waited;
    this.#from = now;
    return measured;
  }
}

function memory(): { heapUsed: number; external: number; resident: number } {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external, rss: resident } = Deno.memoryUsage();
  return { heapUsed, external, resident };
}

const COLUMNS: [title: string, width: number][] = [
  ["min", 6],
  ["Mpps", 7],
  ["P50", 7],
  ["P99", 7],
  ["P99.9 ns", 9],
  ["heap", 7],
  ["ext.", 7],
  ["resident MB", 12],
  ["scavenge", 9],
  ["mark-compact", 13],
  ["deopt", 6],
  ["lost", 8],
  ["dropped", 8],
  ["stolen", 7],
  ["waited ms", 10],
];

/** The head of the table of intervals. */
export const INTERVAL_HEAD = COLUMNS.map(([title, width]) => title.padStart(width)).join("");

/** An interval as a line of that table. */
export function intervalLine(i: Interval): string {
  const mega = (bytes: number) => (bytes / 1e6).toFixed(2);
  const cells = [
    (i.endS / 60).toFixed(i.seconds < 6 ? 2 : 1),
    i.mpps.toFixed(2),
    i.serviceNs.p50.toFixed(1),
    i.serviceNs.p99.toFixed(1),
    i.serviceNs.p999.toFixed(1),
    mega(i.heapUsed),
    mega(i.external),
    mega(i.resident),
    `${i.collections["scavenge"] ?? 0}`,
    `${i.collections["mark-compact"] ?? 0}`,
    `${i.deoptimisations.length}`,
    i.lost === null ? "unknown" : `${i.lost}`,
    `${i.dropped}`,
    `${i.stolenMs}`,
    i.waitedMs.toFixed(0),
  ];
  return cells.map((cell, column) => ` ${cell}`.padStart(COLUMNS[column][1])).join("");
}
