/**
 * Purpose: the experiment's results as text: the two tables, what stands behind them, and the verdicts.
 */
import { digits, median, percent } from "../harness/numbers.ts";
import type { KindResults, Run, RxResults } from "./rx_results.ts";
import { meaning } from "./verdict.ts";

/** A line for each run, while the experiment goes on. */
export function runLine(round: number, label: string, run: Run): string {
  return `round ${round}  ${label.padEnd(12)} ${
    digits(run.mpps).padStart(6)
  } Mpps; sent ${run.sent}, ` +
    `missing ${run.missing}; empty syncs ${percent(run.emptySyncs / run.syncs)}, burst ${
      digits(run.burstMean)
    }; cores ${run.coresApartNs.toFixed(0)} ns apart` +
    (run.stolenMs > 0 ? `, ${run.stolenMs} ms stolen` : "");
}

const VETH =
  "  on veth the sender's core also does the kernel's part of receiving; with a NIC the receiver's " +
  "machine does it";

/** All tables. */
export function rxTables({ kinds, skipped, driver }: RxResults): string {
  const of = (value: (run: Run) => number) => (kind: KindResults) =>
    digits(median(kind.runs.map(value)));
  const throughput: Columns = {
    "Mpps": (k) => digits(k.mpps),
    "(min … max)": (k) => `(${digits(k.minMpps)} … ${digits(k.maxMpps)})`,
    "spread": (k) => percent(k.spread),
    [`of ${kinds[0].kind}`]: (k) => k.ratio.toFixed(2),
  };
  const us = (name: keyof KindResults["serviceUs"]) => (k: KindResults) =>
    digits(k.serviceUs[name]);
  const service: Columns = {
    "mean": us("mean"),
    "P50": us("p50"),
    "P99": us("p99"),
    "P99.9": us("p999"),
    "max": us("max"),
  };
  const behind: Columns = {
    "CPU ns/packet": (k) => digits(k.cpuNs),
    "in bursts": (k) => digits(k.busyNs),
    "lost": (k) => percent(median(k.runs.map((run) => run.missing / run.sent))),
    "idle": (k) => percent(median(k.runs.map((run) => run.idleShare))),
    "empty syncs": (k) => percent(median(k.runs.map((run) => run.emptySyncs / run.syncs))),
    "burst": of((run) => run.burstMean),
    "max burst": of((run) => run.burstMax),
    "ready": of((run) => run.occupancyMean),
    "max ready": of((run) => run.occupancyMax),
    "of slots": of((run) => run.ringSlots),
  };
  return [
    "Throughput, packets that became ticks (median of the runs)",
    table(kinds, throughput),
    "Receive service time, µs a packet (each burst's share, sync included, by the time stamp counter)",
    table(kinds, service),
    "Behind them (medians of the runs)",
    table(kinds, behind),
    "Verdict",
    ...kinds.flatMap(verdictLines),
    ...skipped.map(({ kind, why }) => `  ${kind}: skipped: ${why}`),
    ...(driver === "veth" ? [VETH] : []),
  ].join("\n");
}

function verdictLines({ kind, verdict }: KindResults): string[] {
  return [
    `  ${kind}: held back by ${
      verdict.bottleneck === "unclear" ? "something unclear" : `the ${verdict.bottleneck}`
    }: ${meaning(verdict)}`,
    `    ${verdict.because}`,
    `    ${verdict.signs}`,
    ...verdict.warnings.map((warning) => `    doubtful: ${warning}`),
  ];
}

type Columns = Record<string, (kind: KindResults) => string>;

function table(kinds: KindResults[], columns: Columns): string {
  const names = Object.keys(columns);
  const rows = kinds.map((kind) => names.map((name) => columns[name](kind)));
  const widths = names.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  const first = Math.max(...kinds.map(({ kind }) => kind.length));
  const line = (head: string, cells: string[]) =>
    `  ${head.padEnd(first)}  ${cells.map((cell, i) => cell.padStart(widths[i])).join("  ")}`;
  return [line("", names), ...kinds.map(({ kind }, i) => line(kind, rows[i])), ""].join("\n");
}
