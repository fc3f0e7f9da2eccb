/**
 * Statistics as a capture would give them, for what shows them.
 */
import { Histogram } from "../capture/histogram.ts";
import type { Statistics } from "../capture/monitor/statistics.ts";
import { SERVICE_BOUNDS_NS } from "../capture/monitor/statistics.ts";
import { MALFORMED, REJECTED } from "../filter/verdict.ts";

/** What may differ. */
export interface Wanted {
  /** All counters are multiples of it. */
  unit: number;
  seconds: number;
  decoded?: boolean;
  queues?: number;
  writes?: boolean;
  unknown?: boolean;
}

/** Statistics that add up. */
export function statisticsOf(wanted: Wanted): Statistics {
  const { unit, seconds, decoded = true, queues = 1, writes = false, unknown = false } = wanted;
  const [rejected, malformed, dropped] = [12 * unit, 6 * unit, 2 * unit];
  const accepted = 82 * unit, delivered = decoded ? accepted - dropped : 0;
  const causes = <N extends string>(names: readonly N[], total: number) =>
    Object.fromEntries(names.map((name) => [name, total / 6])) as Record<N, number>;
  const lost = unknown ? null : 3 * unit;
  return {
    received: 100 * unit,
    bytes: 6000 * unit,
    accepted,
    rejected,
    malformed,
    delivered,
    dropped: decoded ? dropped : 0,
    lost,
    starved: unknown ? null : unit,
    rejectedEarly: unknown ? null : 5 * unit,
    rejectedBy: causes(REJECTED, rejected),
    malformedBy: causes(MALFORMED, malformed),
    syncs: 10 * unit,
    emptySyncs: 4 * unit,
    consumed: delivered,
    pps: 0,
    gbps: 0,
    elapsedNs: seconds * 1e9,
    ring: { occupancyMean: 21.5, occupancyMax: 1023 },
    burst: { mean: 16.5, max: 256 },
    serviceNs: {
      mean: 50,
      p50: 40.25,
      p99: 1999,
      p999: 30_000,
      max: unit,
      atMost: SERVICE_BOUNDS_NS.map(() => 0),
    },
    tickRing: { waiting: 60_000, capacity: 65_536 },
    instruments: Array.from({ length: 10 }, (_, i) => ({
      instrument: 4_294_967_295 - i,
      ticks: (20 - i) * unit,
      bid: i === 0 ? null : 100.25 * i,
      ask: i === 1 ? null : 100.5 * i,
      position: (i - 5) * 100,
    })),
    cpuNs: 0.5 * seconds * 1e9,
    engine: {
      consumed: delivered,
      untracked: 0,
      instruments: 16,
      orders: 3 * unit,
      filled: 2 * unit,
      rejected: unit,
      rejectedBy: { quote: unit } as unknown as Statistics["engine"]["rejectedBy"],
      ordersUnread: 0,
      cash: -1.5 * unit,
      positionValue: 0.5 * unit,
      profit: -unit,
    },
    filter: {
      expression: "udp port 5001 and\x1b[31m \u{1f4a3} not net 10/8",
      decoded,
      where: "kernel",
      how: "classic BPF",
      rejectedEarly: lost,
    },
    queues: Array.from({ length: queues }, (_, i) => ({
      port: `xdp:enp130s0f0np0-${i}`,
      core: i,
      received: 50 * unit,
      accepted,
      delivered,
      dropped,
      lost,
      cpuNs: 0.5 * seconds * 1e9,
    })),
    write: writes
      ? { packets: accepted, bytes: 6000 * unit, missed: unit, files: 3 } as Statistics["write"]
      : null,
    final: false,
  };
}

/** A histogram that holds each of `values` once. */
export function histogramOf(values: number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.recordShare(value, 1);
  return histogram;
}
