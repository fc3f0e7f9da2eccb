/**
 * Purpose: the figures of the README as Markdown, from the results of the benches. No figure is written by
 * hand: what is said in words here holds for any result.
 */
import type { ComparisonResult, Measured, WayResult } from "../harness/run_comparisons.ts";
import { type Machine, machineLine } from "../harness/machine.ts";
import { digits, median } from "../harness/numbers.ts";
import type { Result } from "../harness/result.ts";
import { doubtOf, type Limit } from "../rx/find_limit.ts";
import type { KindResults, RxResults } from "../rx/rx_results.ts";
import { meaning } from "../rx/verdict.ts";
import { familySections } from "./family_figures.ts";
import { latencySection } from "./latency_figures.ts";
import { soakSection } from "./soak_figures.ts";

/** Gives the results of a run by its name. */
export type Read = (name: string) => Result<never>;

/** All figures. */
export function figures(read: Read): string {
  const rx = read("rx") as Result<RxResults>;
  return [
    machineSection(rx.machine, rx.when),
    rxSection(rx),
    pacedSection(read("rx_paced")),
    limitSection(read("limit")),
    latencySection(read("latency")),
    benchSection(read("bench")),
    soakSection(read("soak")),
  ].join("\n\n");
}

/** The command without what only says where its results go. */
export function commandOf({ command }: Result<unknown>): string {
  return `\`${command.replace(/ --(json|svg) \S+/g, "")}\``;
}

/** A Markdown table; the first column is text. */
export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => i === 0 ? "---" : "---:");
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function machineSection(machine: Machine, when: string): string {
  const caveat = machine.virtual
    ? " The cores are virtual, and other machines share them: compare ratios, not nanoseconds. Where " +
      "the hypervisor or the distance of the cores disturbed a measurement, it says so."
    : "";
  return `Measured on ${when.slice(0, 10)}: ${machineLine(machine)}; uspf ${machine.uspf} at ` +
    `${machine.commit}. ${caveat}`;
}

function rxSection(result: Result<RxResults>): string {
  const { kinds, skipped, seconds, repeats, driver, packetBytes } = result.results;
  const throughput = kinds.map((k) => [
    k.kind,
    digits(k.mpps),
    `${digits(k.minMpps)} … ${digits(k.maxMpps)}`,
    k.ratio.toFixed(2),
    k.verdict.bottleneck,
  ]);
  const service = kinds.map((k) => {
    const { mean, p50, p99, p999 } = k.serviceUs;
    return [k.kind, ...[mean, p50, p99, p999].map(digits)];
  });
  return [
    `### Receiving: kernel bypass against sockets`,
    `${
      commandOf(result)
    }: the same flood of ${packetBytes}-byte packets through each kind of port in turn, ` +
    `${repeats} rounds of ${seconds} s (${
      driver ?? "no interface"
    }); the whole pipeline up to the tick ring ` +
    `on one core, the sender on another.`,
    `![throughput over time and receive service time](bench/results/rx.svg)`,
    table(
      ["port", "Mpps (median)", "min … max", `of ${kinds[0].kind}`, "held back by"],
      throughput,
    ),
    `Receive service time, µs a packet: each burst's share, sync included, by the time stamp counter.`,
    table(["port", "mean", "P50", "P99", "P99.9"], service),
    `What the figures mean:`,
    kinds.map((k) =>
      `- ${k.kind}: ${meaning(k.verdict)}. ${capital(k.verdict.because)}; ${k.verdict.signs}.${
        warnings(k)
      }`
    )
      .concat(skipped.map(({ kind, why }) => `- ${kind}: not measured: ${why}.`)).join("\n"),
  ].join("\n\n");
}

function warnings({ verdict }: KindResults): string {
  return verdict.warnings.length === 0 ? "" : ` Doubtful: ${verdict.warnings.join("; ")}.`;
}

function pacedSection(result: Result<RxResults>): string {
  const { kinds, paceUs } = result.results, base = kinds[0];
  const rows = kinds.map((k) => [
    k.kind,
    digits(k.serviceUs.p50 * 1000),
    digits(k.serviceUs.mean * 1000),
    (k.serviceUs.p50 / base.serviceUs.p50).toFixed(2),
    digits(median(k.runs.map((run) => run.burstMean))),
  ]);
  return [
    `### Work of the receiving thread a packet`,
    `${
      commandOf(result)
    }: the receiver looks every ${paceUs} µs only, as beside other work, so that all kinds ` +
    `have bursts; with \`+write\` every packet also goes to a file.`,
    table(["port", "ns a packet, P50", "mean", `P50, of ${base.kind}`, "packets a burst"], rows),
  ].join("\n\n");
}

function limitSection(
  result: Result<{ limits: Limit[]; seconds: number; resolution: number; retries: number }>,
): string {
  const { limits, seconds, resolution, retries } = result.results;
  const rows = limits.map(({ kind, mpps, lossAtMpps, trials }) => [
    kind,
    digits(mpps),
    lossAtMpps === null ? "none: the sender's most" : digits(lossAtMpps),
    String(trials.length),
  ]);
  const doubts = limits.flatMap((limit) => {
    const doubt = doubtOf(limit);
    return doubt === undefined ? [] : `${limit.kind}: ${doubt}`;
  });
  return [
    `### Highest rate without a loss`,
    `${commandOf(result)}: by bisection to ${
      resolution * 100
    } %, in trials of ${seconds} s; a trial with losses is ` +
    `repeated ${retries} times before it counts.`,
    table(["port", "Mpps", "losses at", "trials"], rows),
    ...(doubts.length === 0 ? [] : [`Doubtful: ${doubts.join("; ")}.`]),
  ].join("\n\n");
}

function benchSection(result: Result<Record<string, ComparisonResult[]>>): string {
  const groups = Object.values(result.results).flat();
  const rows = groups.flatMap((group) =>
    "skipped" in group || group.family !== undefined ? [] : waysOf(group)
  );
  const skipped = groups.filter((group) => "skipped" in group);
  return [
    `### Each piece against its yardstick`,
    `${
      commandOf(result)
    }: the ways of doing the same work in turn; the ratio is the median of the rounds.`,
    table(["what", "ns", "a", "of the first", "wanted"], rows),
    ...skipped.map(({ group, skipped }) => `- ${group}: not measured: ${skipped}.`),
    ...familySections(groups),
  ].join("\n\n");
}

function waysOf(group: Measured): string[][] {
  const name = (way: WayResult, i: number) =>
    i === 0 ? `**${group.group}**: ${way.name}` : `– ${way.name}`;
  return group.ways.map((way, i) => [
    name(way, i),
    digits(way.ns),
    group.unit,
    way.ratio.toFixed(2),
    way.wanted === null
      ? ""
      : `${way.wanted}: ${way.met === null ? "not judged" : way.met ? "met" : "**missed**"}`,
  ]);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
