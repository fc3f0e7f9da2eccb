/**
 * Purpose: the results as text.
 */
import { digits } from "../harness/numbers.ts";
import { doubts } from "./judge.ts";
import { CORRECTION, type Distribution } from "./latency_histogram.ts";
import type { Measured } from "./measurement.ts";
import type { Measure, Plan } from "./plan.ts";

const TITLES: Record<Measure, string> = {
  "one-way": "One way: packet on the sender's ring → tick seen by the engine",
  "tick-to-trade":
    "Tick to trade: packet on the sender's ring → engine → order received by the sender",
};
const COLUMNS = ["P50", "P90", "P99", "P99.9", "P99.99", "max", "mean"];
const NAME_WIDTH = 26, WIDTH = 8;

/** What comes before all tables. */
export const LEGEND =
  `µs; "as sent": from the moment that the packet was written; "as scheduled": ` +
  `corrected for coordinated omission, ${CORRECTION}.\nThe generator always spins: waiting is what the ` +
  `capture does, and an engine on a thread of its own. Lost packets are in no percentile.`;

/** What comes before a measure's rows. */
export function tableHead(measure: Measure): string[] {
  const columns = [...COLUMNS, "packets", "lost"].map((name) => name.padStart(WIDTH)).join("");
  return [TITLES[measure], `  ${"".padEnd(NAME_WIDTH)}${columns}`];
}

/** The lines of one measurement. */
export function tableRows(measured: Measured): string[] {
  const { plan, asSent, asScheduled, lost, ordersLost } = measured;
  const name = `${plan.kind.padEnd(8)}${plan.wait.padEnd(7)}`;
  const tail = [asSent.count, lost + ordersLost].map((n) => String(n).padStart(WIDTH)).join("");
  return [
    `  ${`${name}as sent`.padEnd(NAME_WIDTH)}${cells(asSent)}${tail}`,
    `  ${`${"".padEnd(15)}as scheduled`.padEnd(NAME_WIDTH)} ${cells(asScheduled).slice(1)}`,
    ...notes(measured).map((note) => `    ${note}`),
  ];
}

/** How a measurement was set up, in one line. */
export function setupLine({ layout, cores, rateHz, seconds, ports }: Plan): string {
  const threads = layout.map((roles, i) => `${roles.join("+")} on core ${cores[i]}`).join(", ");
  const ways = ports === undefined ? "" : `; ${ports.send} → ${ports.capture}`;
  return `${threads}; ${rateHz.toLocaleString("en")} packets/s for ${seconds} s${ways}`;
}

function cells(d: Distribution): string {
  return [d.p50, d.p90, d.p99, d.p999, d.p9999, d.max, d.mean]
    .map((ns) => digits(ns / 1000).padStart(WIDTH)).join("");
}

function notes(measured: Measured): string[] {
  const reasons = doubts(measured);
  return reasons.length > 0 ? [`doubtful: ${reasons.join("; ")}`] : [];
}
