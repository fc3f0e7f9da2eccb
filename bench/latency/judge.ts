/**
 * Purpose: what a measurement is worth, and whether it reaches its targets.
 */
import { NEAR_NS } from "../harness/core_distance.ts";
import { digits } from "../harness/numbers.ts";
import type { Measured } from "./measurement.ts";

/** On the soft switch, one way, spinning; ns from the scheduled time. */
const WANTED = [{ name: "P50", of: "p50", atMost: 1_000 }, {
  name: "P99.9",
  of: "p999",
  atMost: 20_000,
}] as const;
/** What may be taken of the cores before it shows in P99.9: half of the thousandth beyond which P99.9 lies. */
const HARMLESS_SHARE = 0.0005;
/** And in P50, which only moves if much is taken. */
const HARMLESS_TO_MEDIAN = 0.05;

/** Why the figures are doubtful; nothing if they are not. */
export function doubts(measured: Measured): string[] {
  return [...doubtsOfTail(measured), ...doubtsOfAll(measured)];
}

/** The verdict on a target. */
export interface Verdict {
  wanted: string;
  ns: number;
  /** `null`: missed, but not judged, for `doubts`. */
  met: boolean | null;
  doubts: string[];
}

/** Judges the measurement that has targets; none for the others. */
export function judge(measured: Measured): Verdict[] {
  const { plan, asScheduled } = measured;
  if (plan.measure !== "one-way" || plan.kind !== "soft" || plan.wait !== "spin") return [];
  return WANTED.map(({ name, of, atMost }) => {
    const ns = asScheduled[of];
    const reasons = of === "p50" ? doubtsOfMedian(measured) : doubts(measured);
    const met = ns <= atMost ? true : reasons.length > 0 ? null : false;
    const wanted = `soft, spin, one way as scheduled: ${name} at most ${atMost / 1000} µs`;
    return { wanted, ns, met, doubts: reasons };
  });
}

/** A verdict in one line. */
export function verdictLine({ wanted, ns, met, doubts }: Verdict): string {
  const word = met ? "met" : met === false ? "MISSED" : `not judged (${doubts.join("; ")})`;
  return `${wanted}: ${digits(ns / 1000)} µs, ${word}`;
}

function doubtsOfTail(measured: Measured): string[] {
  const { plan, stolenMs, waitedMs, heldUpShare } = measured;
  const harmlessMs = plan.seconds * 1000 * HARMLESS_SHARE;
  const percent = (heldUpShare * 100).toFixed(2);
  return [
    stolenMs > harmlessMs ? `the hypervisor took the cores for ${stolenMs} ms in all` : "",
    waitedMs > harmlessMs
      ? `other threads of this machine took the cores for ${waitedMs} ms in all`
      : "",
    heldUpShare > HARMLESS_SHARE
      ? `a loop that does nothing was held up for over 20 µs in ${percent} % of the time`
      : "",
  ].filter((doubt) => doubt !== "");
}

function doubtsOfAll({ distanceNs }: Measured): string[] {
  return (distanceNs ?? 0) > NEAR_NS ? [`the cores were ${distanceNs} ns apart`] : [];
}

function doubtsOfMedian(measured: Measured): string[] {
  const { plan, stolenMs, waitedMs } = measured;
  const taken = (stolenMs + waitedMs) / (plan.seconds * 1000);
  const tail = taken > HARMLESS_TO_MEDIAN ? doubtsOfTail(measured) : [];
  return [...tail, ...doubtsOfAll(measured)];
}
