/**
 * Purpose: percentiles of what was recorded, in HDR histograms with three significant digits.
 *
 * Coordinated omission: the generator never waits for an answer, so nothing is left out while the receiver
 * stalls: what piles up meanwhile is recorded with the time that it has waited. What would be left out is the
 * generator's own stalls: its packets are late, and nobody measures from when they should have been sent. So
 * there are two histograms: from when a packet was sent, and from when it was scheduled. The second is exact;
 * HDR's correction, which invents values from an expected interval, would count stalls twice.
 */
import { build, type Histogram } from "hdr-histogram-js";
import { BEAT_TICKS } from "./stamp.ts";

const DIGITS = 3;
/** 2^30 beats are under 2.2 s on any processor above 1 GHz; sent and late add up. */
const HIGHEST_NS = 5e9;

/** What the second histogram is, for the JSON. */
export const CORRECTION =
  "from the scheduled time of each packet, exact; HDR's expected interval is not needed, for the " +
  "generator never waits";

/** Percentiles and what goes with them; ns. */
export interface Distribution {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  p9999: number;
  max: number;
  mean: number;
}

/** The distributions of pairs of beats (see `Records`): since sent, and since scheduled. */
export function distributionsOf(
  pairs: Int32Array,
  tscHz: number,
): { asSent: Distribution; asScheduled: Distribution; late: Distribution } {
  const nsPerBeat = BEAT_TICKS / tscHz * 1e9;
  const sent = new Distributor(), scheduled = new Distributor(), late = new Distributor();
  for (let i = 0; i < pairs.length; i += 2) {
    sent.add(pairs[i] * nsPerBeat);
    scheduled.add((pairs[i] + pairs[i + 1]) * nsPerBeat);
    late.add(pairs[i + 1] * nsPerBeat);
  }
  return { asSent: sent.read(), asScheduled: scheduled.read(), late: late.read() };
}

/** An HDR histogram; its maximum and mean are exact. */
class Distributor {
  readonly #histogram: Histogram = build({
    highestTrackableValue: HIGHEST_NS,
    numberOfSignificantValueDigits: DIGITS,
  });
  #max = 0;
  #sum = 0;

  add(ns: number): void {
    this.#histogram.recordValue(Math.round(ns));
    this.#sum += ns;
    if (ns > this.#max) this.#max = ns;
  }

  read(): Distribution {
    const h = this.#histogram, count = h.totalCount;
    // A bucket's upper end may lie above the largest value.
    const max = Math.round(this.#max);
    const at = (percentile: number) => Math.min(h.getValueAtPercentile(percentile), max);
    return {
      count,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      p9999: at(99.99),
      max,
      mean: count === 0 ? NaN : Math.round(this.#sum / count * 10) / 10,
    };
  }
}
