/**
 * Purpose: what the main isolate and the web thread tell each other.
 *
 * ```text
 *  main isolate                              web thread
 *  WebOrders, once ────────────────────────▶ listens
 *                ◀──────────────── WebNews ─ "listening" or "failed", once; "broken": a page
 *  Statistics, once a second ──────────────▶ keeps them: /metrics, /health, the dashboard
 *  "end" ──────────────────────────────────▶ closes
 * ```
 * It also reads the counters of the capture threads themselves, in shared memory: it sees one that
 * stands still even if the main isolate does, too.
 */
import type { ListenAddress } from "./listen_address.ts";
import type { Statistics } from "./statistics.ts";

/** What the web thread is told first. */
export interface WebOrders {
  /** Where to serve `/metrics`. */
  metrics?: ListenAddress;
  /** Where to serve the dashboard. */
  dashboard?: ListenAddress;
  captures: WatchedCapture[];
  /** Nanoseconds of a tick of the time stamp counter, which service times are in. */
  nsPerTick: number;
  /** Of the program, where it is known. */
  commit?: string;
}

/** A capture thread, as the web thread sees it. */
export interface WatchedCapture {
  port: string;
  core: number;
  /** What moves its packets, for people. */
  mode: string;
  /** Memory of its CaptureState. */
  state: SharedArrayBuffer;
  /** Memory of its TickRing. */
  ticks: SharedArrayBuffer;
}

/** What it is told later. */
export type WebMessage = { type: "statistics"; statistics: Statistics } | { type: "end" };

/** What it says: the addresses that it listens on, with the port numbers that it got. */
export type WebNews =
  | { type: "listening"; metrics?: string; dashboard?: string }
  | { type: "failed"; message: string; expected: boolean; stack?: string }
  | { type: "broken"; message: string; stack: string }
  | { type: "ended" };
