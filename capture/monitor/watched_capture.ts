/**
 * Purpose: a capture thread as the web thread sees it: its counters and its tick ring, read where they
 * lie, in shared memory. That costs the capture thread nothing, and needs nobody's help: it also works
 * while the main isolate or the capture thread stands still.
 */
import { TickRing } from "../../engine/tick_ring.ts";
import { type CaptureCounts, CaptureState } from "../capture_state.ts";
import type { WatchedCapture as Orders } from "./web_orders.ts";

/** Reads a capture thread. */
export class WatchedCapture {
  /** Its port, as it was named. */
  readonly port: string;
  /** The core it started on. */
  readonly core: number;
  /** What moves its packets, for people. */
  readonly mode: string;
  /** Its counters. */
  readonly state: CaptureState;
  /** Its tick ring. */
  readonly ticks: TickRing;

  /** `ring`: its number, from 0, which is that of its tick ring. */
  constructor({ port, core, mode, state, ticks }: Orders, readonly ring: number) {
    this.port = port;
    this.core = core;
    this.mode = mode;
    this.state = new CaptureState(state);
    this.ticks = TickRing.attach(ticks);
  }

  /** What it has counted. */
  counts(): CaptureCounts {
    return this.state.read();
  }
}
