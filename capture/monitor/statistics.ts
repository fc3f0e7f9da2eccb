/**
 * Purpose: one set of statistics, as an object for `--json` and as text for people.
 */
import type { InstrumentStats } from "../../engine/simulated_market.ts";
import type { TickRing } from "../../engine/tick_ring.ts";
import type { EngineStats, TradingEngine } from "../../engine/trading_engine.ts";
import type { BackgroundCapture } from "../background_capture.ts";
import { type CaptureCounts, sumOf } from "../capture_state.ts";
import type { WriteStats } from "../capture_writer.ts";
import { commandName } from "../../ffi/command_name.ts";
import type { Distribution, Histogram } from "../histogram.ts";
import {
  type FilterDescription,
  type FilterStatistics,
  summarizeFilter,
} from "../filter_report.ts";

/** The busiest instruments that are shown. */
const TOP = 10;
/** Upper bounds of the buckets of service times, in ns: 1, 2, 5, 10, … 1 s. */
export const SERVICE_BOUNDS_NS: readonly number[] = [...Array(9).keys()]
  .flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)).concat(1e9);

/** What `--json` prints; see the README for every field. */
export interface Statistics extends
  Pick<
    CaptureCounts,
    | "received"
    | "bytes"
    | "accepted"
    | "rejected"
    | "malformed"
    | "delivered"
    | "dropped"
    | "lost"
    | "starved"
    | "rejectedEarly"
    | "rejectedBy"
    | "malformedBy"
    | "syncs"
    | "emptySyncs"
  > {
  consumed: number;
  /** Packets a second and Gbit/s: of the last second, in the final object of the whole run. */
  pps: number;
  gbps: number;
  elapsedNs: number;
  ring: { occupancyMean: number; occupancyMax: number };
  burst: { mean: number; max: number };
  /** `atMost`: packets whose time is at most each of SERVICE_BOUNDS_NS. */
  serviceNs: Distribution & { atMost: number[] };
  /** Ticks between the capture threads and the engine, and room for them, in all rings together. */
  tickRing: { waiting: number; capacity: number };
  /** The instruments with the most ticks so far, the busiest first. */
  instruments: InstrumentStats[];
  /** CPU time of the capture threads. */
  cpuNs: number;
  /** What the engine did; zeros where nothing is decoded. */
  engine: EngineStats;
  /** What was filtered by, and where. */
  filter: FilterStatistics;
  /** What each capture thread contributed; without `--rings` there is one. */
  queues: QueueStatistics[];
  /** What `--write` has written; without it `null`. */
  write: WriteStats | null;
  final: boolean;
}

/** One capture thread's share. */
export interface QueueStatistics
  extends
    Pick<CaptureCounts, "received" | "accepted" | "delivered" | "dropped" | "lost" | "cpuNs"> {
  port: string;
  core: number;
}

/** What the rates of a set of statistics are over. */
export interface Interval {
  elapsedNs: number;
  /** Packets, bytes and time at its begin. */
  sinceReceived: number;
  sinceBytes: number;
  sinceNs: number;
}

/** What statistics are collected of. */
export interface Sources {
  captures: readonly Pick<BackgroundCapture, "state" | "port" | "core">[];
  rings: readonly Pick<TickRing, "waiting" | "capacity">[];
  engine: Pick<TradingEngine, "stats" | "busiest">;
  filter: FilterDescription;
  write: WriteStats | null;
}

/** Statistics, and the histogram that their service times are of, in ticks of the time stamp counter. */
export interface Sample {
  statistics: Statistics;
  service: Histogram;
}

/** Collects the statistics of captures and their engine; `nsPerTick` is the time stamp counter's. */
export function collect(
  sources: Sources,
  nsPerTick: number,
  interval: Interval,
  final: boolean,
): Sample {
  const sums = sumOf(sources.captures.map(({ state }) => state)), { service } = sums;
  return { statistics: statisticsOf(sources, sums, nsPerTick, interval, final), service };
}

function statisticsOf(
  { captures, rings, engine: trading, filter, write }: Sources,
  { counts: all, each, service }: ReturnType<typeof sumOf>,
  nsPerTick: number,
  interval: Interval,
  final: boolean,
): Statistics {
  const { bursts, burstMax, occupancySum, occupancyMax, ...counts } = all;
  const engine = trading.stats();
  const seconds = (interval.elapsedNs - interval.sinceNs) / 1e9;
  return {
    ...counts,
    consumed: engine.consumed,
    pps: (counts.received - interval.sinceReceived) / seconds,
    gbps: (counts.bytes - interval.sinceBytes) * 8 / seconds / 1e9,
    elapsedNs: interval.elapsedNs,
    ring: { occupancyMean: ratio(occupancySum, counts.syncs - counts.emptySyncs), occupancyMax },
    burst: { mean: ratio(counts.received, bursts), max: burstMax },
    serviceNs: {
      ...service.distribution(nsPerTick),
      atMost: service.atMost(SERVICE_BOUNDS_NS, nsPerTick),
    },
    tickRing: {
      waiting: rings.reduce((sum, { waiting }) => sum + waiting, 0),
      capacity: rings.reduce((sum, { capacity }) => sum + capacity, 0),
    },
    instruments: trading.busiest(TOP),
    engine,
    filter: { ...filter, rejectedEarly: counts.rejectedEarly },
    queues: captures.map((capture, i) => queueStatistics(capture, each[i])),
    write,
    final,
  };
}

function queueStatistics(
  { port, core }: Sources["captures"][number],
  { received, accepted, delivered, dropped, lost, cpuNs }: CaptureCounts,
): QueueStatistics {
  return { port, core, received, accepted, delivered, dropped, lost, cpuNs };
}

/** One line, for once a second. */
export function liveLine(s: Statistics): string {
  const { decoded, where } = s.filter, lost = s.lost ?? "unknown";
  const parts = [
    `${(s.elapsedNs / 1e9).toFixed(0).padStart(4)} s`,
    `${mega(s.pps)} Mpps`,
    `${s.gbps.toFixed(3)} Gbit/s`,
    ...(where === "user space" ? [] : [`turned away ${s.rejectedEarly ?? "unknown"}`]),
    `received ${s.received}`,
    ...(decoded ? [] : [`accepted ${s.accepted}`]),
    `rejected ${s.rejected}`,
    ...(decoded ? [`malformed ${s.malformed}`, `dropped ${s.dropped}`] : []),
    `lost ${lost}`,
    ...(decoded ? engineParts(s) : []),
    ...(decoded || s.write === null ? [] : [`written ${s.write.packets}`]),
  ];
  return parts.join("  ");
}

function engineParts({ consumed, engine }: Statistics): string[] {
  return [`ticks ${consumed}`, `orders ${engine.orders}`, `profit ${engine.profit.toFixed(2)}`];
}

/** What happened in all, in one line. */
export function headline({ received, accepted, dropped, lost, elapsedNs }: Statistics): string {
  return `captured ${received} packets in ${
    (elapsedNs / 1e9).toFixed(3)
  } s: ${accepted} accepted, ` +
    `${dropped} dropped, ${lost ?? "unknown"} lost`;
}

/** The summary at the end. */
export function summary(s: Statistics): string {
  const { serviceNs: t, queues, filter: { decoded } } = s;
  const ns = (value: number) => value.toFixed(1);
  return [
    `received   ${s.received} packets, ${s.bytes} bytes in ${(s.elapsedNs / 1e9).toFixed(3)} s: ` +
    `${mega(s.pps)} Mpps, ${s.gbps.toFixed(3)} Gbit/s`,
    `  accepted   ${s.accepted}`,
    `  rejected   ${s.rejected}${causes(s.rejectedBy)}`,
    ...(decoded || s.malformed > 0 ? [`  malformed  ${s.malformed}${causes(s.malformedBy)}`] : []),
    ...(decoded ? deliveryLines(s) : []),
    ...summarizeFilter(s.filter, s),
    ...(s.write === null ? [] : [written(s.write)]),
    ...(queues.length < 2 ? [] : queues.map((q, i) => queueLine(q, i, queues, decoded))),
    `lost       ${s.lost ?? "unknown"}${
      s.lost === null ? " (this port cannot count it)" : " by the port, before us"
    }${starved(s.starved)}`,
    `ring       ${
      s.ring.occupancyMean.toFixed(1)
    } packets ready on average at a sync that found any, ${s.ring.occupancyMax} at most`,
    `bursts     ${s.burst.mean.toFixed(1)} packets on average, ${s.burst.max} at most; ` +
    `${s.syncs} syncs, ${s.emptySyncs} of them empty`,
    `service    ${ns(t.mean)} ns a packet on average; p50 ${ns(t.p50)}, p99 ${ns(t.p99)}, ` +
    `p99.9 ${ns(t.p999)} (per burst, sync included, by the time stamp counter)`,
    ...(decoded ? engineLines(s.engine) : []),
    ...hint(s),
  ].join("\n");
}

/** Of ports that others send to. */
function hint({ received, rejectedEarly, queues: [{ port }] }: Statistics): string[] {
  if (received > 0 || (rejectedEarly ?? 0) > 0 || /^(pcap|soft):/.test(port)) return [];
  return [`nothing    was received: "${commandName("doctor")} -i ${port}" may know why`];
}

/** Of ticks. */
function deliveryLines({ accepted, delivered, dropped, consumed }: Statistics): string[] {
  return [
    `accepted   ${accepted} = ${delivered} delivered + ${dropped} dropped (tick ring full)`,
    `delivered  ${delivered} = ${consumed} consumed + ${delivered - consumed} waiting`,
  ];
}

function engineLines(e: EngineStats): string[] {
  return [
    `engine     ${e.consumed} ticks of ${e.instruments} instruments; ${e.orders} orders, ` +
    `${e.filled} filled, ${e.rejected} rejected${causes(e.rejectedBy)}`,
    `profit     ${e.profit.toFixed(2)} = cash ${e.cash.toFixed(2)} + positions at the mid ${
      e.positionValue.toFixed(2)
    }`,
  ];
}

function starved(times: number | null): string {
  return times === null || times === 0
    ? ""
    : `; ${times} times the kernel found no free buffer for a packet`;
}

/** Members of a fanout group have the same port: they are numbered. */
function queueLine(
  q: QueueStatistics,
  index: number,
  all: QueueStatistics[],
  decoded: boolean,
): string {
  const shared = all.filter(({ port }) => port === q.port).length > 1;
  const member = shared ? `, member ${index + 1} of ${all.length},` : "";
  return `queue      ${q.port}${member} on core ${q.core}: ${q.received} received, ${q.accepted} accepted, ` +
    `${decoded ? `${q.dropped} dropped, ` : ""}${q.lost ?? "unknown"} lost`;
}

function written({ packets, bytes, missed, files, failed }: WriteStats): string {
  const why = failed === undefined ? "the writer could not keep up" : "the writing was stopped";
  return `written    ${packets} packets, ${bytes} bytes to ${files} ${
    files === 1 ? "file" : "files"
  }; ${missed} missed${missed > 0 ? ` (${why})` : ""}`;
}

function causes(by: Record<string, number> | object): string {
  const some = Object.entries(by).filter(([, count]) => count > 0);
  return some.length === 0
    ? ""
    : ` (${some.map(([name, count]) => `${name} ${count}`).join(", ")})`;
}

function mega(pps: number): string {
  return (pps / 1e6).toFixed(3);
}

function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}
