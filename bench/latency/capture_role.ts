/**
 * Purpose: the capture as a role: pumps, and sleeps on its port where a thread may sleep.
 */
import type { CaptureCounts } from "../../capture/capture_state.ts";
import { PacketCapture } from "../../capture/packet_capture.ts";
import { SLEEP_US } from "../../capture/pump_loop.ts";
import type { TickRing } from "../../engine/tick_ring.ts";
import { type Port, RX, type Wanted } from "../../ffi/port.ts";
import { PacketFilter } from "../../filter/packet_filter.ts";

const HOUSEKEEP_TURNS = 1 << 18; // some ten times a second, where it spins

/** A PacketCapture, one turn at a time. */
export class CaptureRole {
  readonly #port: Port;
  readonly #capture: PacketCapture;
  #turns = 0;

  /** The caller closes the port. */
  constructor(port: Port, wanted: Wanted, ticks: TickRing) {
    this.#port = port;
    this.#capture = new PacketCapture({ port, filter: new PacketFilter(wanted), ticks });
  }

  /** Has V8 compile its loop; a soft switch shows a sender's ring only after a sync. */
  warmUp(): void {
    this.#port.rxSync();
    this.#capture.warmUp();
  }

  /** To be called before the first step. */
  begin(): void {
    this.#capture.begin();
  }

  /** Takes what has come; returns how many packets. */
  step(): number {
    this.#turns = this.#turns + 1 & HOUSEKEEP_TURNS - 1;
    if (this.#turns === 0) this.#capture.housekeep();
    return this.#capture.pump();
  }

  /** Sleeps until a packet comes. */
  sleep(): void {
    this.#port.wait(RX, SLEEP_US);
    this.#capture.resume();
  }

  /** What was counted. */
  finish(): CaptureCounts {
    this.#capture.housekeep();
    return this.#capture.state.read();
  }
}
