/**
 * Purpose: what a measurement is worth, and whether it reaches its target.
 */
import { NEAR_NS } from "../harness/core_distance.ts";
import type { Measured } from "./measurement.ts";

/** On the soft switch, one way, spinning; from the scheduled time. */
const WANTED = { p50: 1_000, p999: 20_000 };
/**
 * What others may take of the cores before it shows in P99.9: half of the thousandth of the time beyond which
 * P99.9 lies.
 */
const HARMLESS_SHARE = 0.0005;

/** Why the figures are doubtful; nothing if they are not. */
export function doubts({ plan, stolenMs, waitedMs, distanceNs }: Measured): string[] {
  const harmlessMs = plan.seconds * 1000 * HARMLESS_SHARE;
  return [
    stolenMs > harmlessMs ? `the hypervisor took the cores for ${stolenMs} ms` : "",
    waitedMs > harmlessMs ? `other threads of this machine took the cores for ${waitedMs} ms` : "",
    (distanceNs ?? 0) > NEAR_NS ? `the cores were ${distanceNs} ns apart` : "",
  ].filter((doubt) => doubt !== "");
}

/** The verdict on the target. */
export interface Verdict {
  wanted: string;
  /** `null`: missed, but not judged, for `doubts`. */
  met: boolean | null;
  doubts: string[];
}

/** Judges the measurement that has a target; `undefined` for the others. */
export function judge(measured: Measured): Verdict | undefined {
  const { plan, asScheduled } = measured;
  if (plan.measure !== "one-way" || plan.kind !== "soft" || plan.wait !== "spin") return undefined;
  const reached = asScheduled.p50 <= WANTED.p50 && asScheduled.p999 <= WANTED.p999;
  const reasons = doubts(measured);
  return {
    wanted: "soft, spin, one way as scheduled: P50 at most 1 µs, P99.9 at most 20 µs",
    met: reached ? true : reasons.length > 0 ? null : false,
    doubts: reasons,
  };
}

/** A verdict in one line. */
export function verdictLine({ wanted, met, doubts }: Verdict): string {
  const word = met === true
    ? "met"
    : met === false
    ? "MISSED"
    : `not judged (${doubts.join("; ")})`;
  return `${wanted}: ${word}`;
}
