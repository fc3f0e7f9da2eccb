/**
 * Purpose: pumps until told to stop, waiting in one of three ways where there are no packets.
 *
 * | wait   | without packets                                   | wakes in       | costs           |
 * | ------ | ------------------------------------------------- | -------------- | --------------- |
 * | spin   | syncs again at once                               | the next sync  | a core          |
 * | poll   | sleeps on the port                                | as the kernel schedules | next to nothing |
 * | hybrid | spins for 100 µs after the last packet, then sleeps | as spin, then as poll | a core while busy |
 */
import { sleepNs, threadCpuNs, tscHz } from "../ffi/host.ts";
import { packetsReady, type Port, RX, ticksBetween } from "../ffi/port.ts";
import { type CaptureState, COUNTER } from "./capture_state.ts";
import type { PacketCapture } from "./packet_capture.ts";

/**
 * The ways of waiting where there are no packets. `spin`: not at all, sync again at once; `poll`: sleep on the
 * port; `hybrid`: spin for 100 µs after the last packet, then sleep.
 */
export const WAITS = ["spin", "poll", "hybrid"] as const;
/** A way of waiting. */
export type Wait = typeof WAITS[number];

/** Hybrid: how long a capture spins after the last packet. */
export const HYBRID_SPIN_S = 100e-6;
/** The longest sleep on a port; also bounds how late a stop is seen. */
export const SLEEP_US = 50_000;
const REPORT_S = 0.1;
const DRAIN_S = 0.05;
const BLOCKED_NS = 20_000;

/**
 * Runs until `state.stop()`, or until the port has ended; then drains what is in the rings, for 50 ms at
 * most. What the port has lost is read at the end in any case.
 *
 * @throws {PortError} where the port fails.
 */
export function pumpUntilStopped(capture: PacketCapture, state: CaptureState, wait: Wait): void {
  capture.begin();
  state.begin();
  try {
    pump(capture, state, wait);
  } finally {
    report(capture, state);
  }
}

function pump(capture: PacketCapture, state: CaptureState, wait: Wait): void {
  const hz = tscHz(), reportTicks = REPORT_S * hz | 0;
  const spinTicks = wait === "hybrid" ? HYBRID_SPIN_S * hz | 0 : 0;
  const { port } = capture;
  let busyAt = port.clock(), reportedAt = busyAt, now = busyAt;
  while (!state.stopping) {
    const received = capture.pump();
    now = port.clock();
    if (received === 0) {
      if (port.ended) break;
      if (isBlocked(port)) {
        sleepNs(BLOCKED_NS);
        capture.resume();
      } else if (wait !== "spin" && ticksBetween(busyAt, now) >= spinTicks) {
        port.wait(RX, SLEEP_US);
        capture.resume();
      }
    }
    if (received > 0) busyAt = now;
    if (ticksBetween(reportedAt, now) >= reportTicks) {
      reportedAt = now;
      report(capture, state);
    }
  }
  const began = port.clock(), drainTicks = DRAIN_S * hz;
  while (capture.pump() > 0 && ticksBetween(began, port.clock()) < drainTicks);
}

/** Its packets wait for room in the tick ring, or for the writer of a file. */
function isBlocked(port: Port): boolean {
  return port.patient && packetsReady(port) > 0;
}

function report(capture: PacketCapture, state: CaptureState): void {
  capture.housekeep();
  state.counters[COUNTER.cpuNs] = threadCpuNs();
}
