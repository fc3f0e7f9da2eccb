/**
 * Purpose: the results as text.
 */
import { digits } from "../harness/numbers.ts";
import { doubts } from "./judge.ts";
import type { Distribution } from "./latency_histogram.ts";
import type { Measured } from "./measurement.ts";
import type { Measure, Plan } from "./plan.ts";

const TITLES: Record<Measure, string> = {
  "one-way": "One way: packet on the sender's ring → tick seen by the engine",
  "tick-to-trade":
    "Tick to trade: packet on the sender's ring → engine → order received by the sender",
};
/** With fewer samples a percentile is only the largest of them. */
const COLUMNS: [title: string, of: keyof Distribution, samples: number][] = [
  ["P50", "p50", 1],
  ["P90", "p90", 10],
  ["P99", "p99", 100],
  ["P99.9", "p999", 1000],
  ["P99.99", "p9999", 10_000],
  ["max", "max", 1],
  ["mean", "mean", 1],
];
const NAME_WIDTH = 26, WIDTH = 8, COUNT_WIDTH = 10;

/** What comes before all tables. */
export const LEGEND =
  `µs; "as sent": from the moment that the packet was written; "as scheduled": ` +
  `from when it was due, which corrects for coordinated omission.\nThe generator always spins: waiting is ` +
  `what the capture does, and an engine on a thread of its own. "-": too few samples for that percentile.\n` +
  `"measured": packets, or orders in tick to trade; those lost are in no percentile.`;

/** What comes before a measure's rows. */
export function tableHead(measure: Measure): string[] {
  const columns = COLUMNS.map(([title]) => title.padStart(WIDTH)).join("");
  return [TITLES[measure], `  ${"".padEnd(NAME_WIDTH)}${columns}${counts("measured", "lost")}`];
}

/** The lines of one measurement. */
export function tableRows(measured: Measured): string[] {
  const { plan, asSent, asScheduled, lost, ordersLost } = measured;
  const name = `${plan.kind.padEnd(8)}${plan.wait.padEnd(7)}`;
  const tail = counts(`${asSent.count}`, `${lost + ordersLost}`);
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

function counts(measured: string, lost: string): string {
  return measured.padStart(COUNT_WIDTH) + lost.padStart(WIDTH);
}

function cells(d: Distribution): string {
  return COLUMNS.map(([, of, samples]) => d.count < samples ? "-" : digits(d[of] / 1000))
    .map((cell) => cell.padStart(WIDTH)).join("");
}

function notes(measured: Measured): string[] {
  const reasons = doubts(measured);
  return reasons.length > 0 ? [`doubtful: ${reasons.join("; ")}`] : [];
}
