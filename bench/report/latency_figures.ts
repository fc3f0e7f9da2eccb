/**
 * Purpose: the README's latencies, from the results of `deno task bench:latency`.
 */
import { digits, percent } from "../harness/numbers.ts";
import type { Result } from "../harness/result.ts";
import { verdictLine } from "../latency/judge.ts";
import type { Results } from "../latency/main.ts";
import type { Measured } from "../latency/measurement.ts";
import type { Measure } from "../latency/plan.ts";
import { layoutText } from "../latency/plan.ts";
import { commandOf, table } from "./figures.ts";

const TITLES: Record<Measure, string> = {
  "one-way": "One way: packet on the sender's ring → tick seen by the engine",
  "tick-to-trade":
    "Tick to trade: packet on the sender's ring → strategy → order packet received by the sender",
};
const HEAD = ["port, waiting", "P50", "P90", "P99", "P99.9", "P99.99", "max", "packets/s"]
  .concat("taken, ms", "held up");
const DISTURBED =
  "Taken: how long the hypervisor and other programs had the cores while a row was measured, in all. Held up: " +
  "the share of the time in which a loop that does nothing, on the same cores before and after, stood still " +
  "for over 20 µs; percentiles beyond that share are the machine's.";

/** The section. */
export function latencySection(result: Result<Results>): string {
  const { measurements, verdicts, skipped } = result.results;
  const measures = Object.keys(TITLES) as Measure[];
  return [
    "### Latency",
    `${
      commandOf(result)
    }: µs from the time at which a packet was scheduled, by the time stamp counter, so that ` +
    "nothing that waited is left out (coordinated omission).",
    DISTURBED,
    ...measures.flatMap((measure) =>
      section(TITLES[measure], measurements.filter((m) => m.plan.measure === measure))
    ),
    ...verdicts.map((verdict) => `${verdictLine(verdict)}.`),
    ...notMeasured(skipped),
  ].join("\n\n");
}

function section(title: string, measured: Measured[]): string[] {
  if (measured.length === 0) return [];
  const rows = measured.map((m) => {
    const { p50, p90, p99, p999, p9999, max } = m.asScheduled;
    const cells = [p50, p90, p99, p999, p9999, max].map((ns) => digits(ns / 1000));
    const { plan: { kind, wait, rateHz }, stolenMs, waitedMs, heldUpShare } = m;
    const disturbed = [digits(stolenMs + waitedMs), percent(heldUpShare)];
    return [`${kind}, ${wait}`, ...cells, rateHz.toLocaleString("en"), ...disturbed];
  });
  const layouts = [...new Set(measured.map(({ plan }) => layoutText(plan.layout)))];
  return [
    `${title}; threads: ${layouts.map((text) => `\`${text}\``).join(" or ")}.`,
    table(HEAD, rows),
  ];
}

function notMeasured(skipped: Results["skipped"]): string[] {
  return skipped.length === 0 ? [] : [
    skipped.map(({ measure, kind, skipped }) => `- ${measure}, ${kind}: not measured: ${skipped}.`)
      .join("\n"),
  ];
}
