/**
 * Purpose: quantiles of the service time in the last second alone. Statistics have those of the whole run,
 * which after an hour no longer move; the capture threads' own histograms are in shared memory.
 */
import { CaptureState, sumOf } from "../../capture_state.ts";
import type { WatchedCapture } from "../web_orders.ts";

/** Nanoseconds a packet. */
export interface SecondQuantiles {
  /** The median. */
  p50: number;
  /** 99 % are below. */
  p99: number;
  /** 99.9 % are below. */
  p999: number;
}

/** Reads the histograms of capture threads. */
export class SecondService {
  readonly #states: CaptureState[];
  #before: Float64Array | undefined;

  constructor(captures: readonly Pick<WatchedCapture, "state">[], readonly nsPerTick: number) {
    this.#states = captures.map(({ state }) => new CaptureState(state));
  }

  /** Quantiles since the call before; `null` where there was no packet. */
  take(): SecondQuantiles | null {
    const { service } = sumOf(this.#states);
    const recent = this.#before === undefined ? service : service.since(this.#before);
    this.#before = service.memory.slice();
    if (!(recent.count > 0)) return null;
    const { p50, p99, p999 } = recent.distribution(this.nsPerTick);
    return { p50, p99, p999 };
  }
}
