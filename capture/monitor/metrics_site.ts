/**
 * Purpose: `/metrics`, for Prometheus: every counter of the capture threads, read at the scrape where it
 * lies, and of the engine, the filter and the writer as the statistics of the last second have them.
 *
 * `ring` is the number of the capture thread, and of its tick ring. What is unknown is left out. There
 * is nothing by instrument: which are the busiest changes, and each that ever was would remain a series.
 */
import { Histogram } from "../histogram.ts";
import { VERSION } from "../../ffi/version.ts";
import type { CaptureCounts } from "../capture_state.ts";
import type { Health } from "./health.ts";
import {
  CONTENT_TYPE,
  exposition,
  histogramSamples,
  type Labels,
  type Metric,
} from "./prometheus.ts";
import { SERVICE_BOUNDS_NS, type Statistics } from "./statistics.ts";
import type { WatchedCapture } from "./watched_capture.ts";
import type { WebOrders } from "./web_orders.ts";
import type { Site } from "./web_sites.ts";

const SERVICE_BOUNDS_S = SERVICE_BOUNDS_NS.map((ns) => Number(`${ns}e-9`));

/** What there is to know of a metric before its values: name, type, help. */
type Description = readonly [name: string, type: "counter" | "gauge", help: string];

/** Of each capture thread. */
const CAPTURE: readonly [...Description, value: (counts: CaptureCounts) => number | null][] = [
  [
    "uspf_received_packets_total",
    "counter",
    "Packets taken from the port: accepted, rejected and malformed.",
    (c) => c.received,
  ],
  [
    "uspf_received_bytes_total",
    "counter",
    "Bytes of the packets received, from the Ethernet header on, without the frame check sequence.",
    (c) => c.bytes,
  ],
  [
    "uspf_accepted_packets_total",
    "counter",
    "Packets that the filter wants; where ticks are decoded, each became one, delivered or dropped.",
    (c) => c.accepted,
  ],
  [
    "uspf_delivered_ticks_total",
    "counter",
    "Ticks handed to the engine through the tick ring.",
    (c) => c.delivered,
  ],
  [
    "uspf_dropped_ticks_total",
    "counter",
    "Ticks lost because the tick ring was full: the engine was too slow.",
    (c) => c.dropped,
  ],
  [
    "uspf_lost_packets_total",
    "counter",
    "Packets that the port itself lost before they could be received; absent where it cannot tell.",
    (c) => c.lost,
  ],
  [
    "uspf_starved_total",
    "counter",
    "Times that the kernel found no free buffer for a packet; absent where the port cannot tell.",
    (c) => c.starved,
  ],
  [
    "uspf_early_rejected_packets_total",
    "counter",
    "Packets that the filter in the kernel or driver turned away; they do not count as received. " +
    "Absent where the port cannot tell.",
    (c) => c.rejectedEarly,
  ],
  ["uspf_syncs_total", "counter", "Times that the port was asked for packets.", (c) => c.syncs],
  ["uspf_empty_syncs_total", "counter", "Syncs that found no packet.", (c) => c.emptySyncs],
  ["uspf_bursts_total", "counter", "Syncs of which packets were taken.", (c) => c.bursts],
  ["uspf_burst_packets_max", "gauge", "Packets of the largest burst so far.", (c) => c.burstMax],
  [
    "uspf_ready_packets_total",
    "counter",
    "Packets found ready in the port's receive rings, added up over all syncs: divided by the syncs " +
    "that were not empty, the mean occupancy.",
    (c) => c.occupancySum,
  ],
  [
    "uspf_ready_packets_max",
    "gauge",
    "Most packets found ready in the port's receive rings at a sync so far.",
    (c) => c.occupancyMax,
  ],
  [
    "uspf_capture_cpu_seconds_total",
    "counter",
    "CPU time of the capture thread.",
    (c) => c.cpuNs / 1e9,
  ],
];

/** Of the engine; nothing where no ticks are decoded. */
const ENGINE: readonly [...Description, value: (s: Statistics) => number][] = [
  ["uspf_consumed_ticks_total", "counter", "Ticks taken by the engine.", (s) => s.consumed],
  [
    "uspf_untracked_ticks_total",
    "counter",
    "Ticks of instruments beyond the engine's limit, neither quoted nor traded.",
    (s) => s.engine.untracked,
  ],
  ["uspf_instruments", "gauge", "Instruments that the engine tracks.", (s) => s.engine.instruments],
  ["uspf_orders_total", "counter", "Orders that the strategy placed.", (s) => s.engine.orders],
  [
    "uspf_filled_orders_total",
    "counter",
    "Orders that were filled, wholly or in part.",
    (s) => s.engine.filled,
  ],
  [
    "uspf_unread_orders_total",
    "counter",
    "Filled orders that a full stream of orders did not keep.",
    (s) => s.engine.ordersUnread,
  ],
  ["uspf_cash", "gauge", "Money received less money paid.", (s) => s.engine.cash],
  [
    "uspf_position_value",
    "gauge",
    "Worth of the positions, marked at the mid.",
    (s) => s.engine.positionValue,
  ],
  [
    "uspf_profit",
    "gauge",
    "Profit, or if negative loss: cash and the positions' value.",
    (s) => s.engine.profit,
  ],
];

/** Of the file that is written; nothing where none is. */
const WRITER: readonly [...Description, value: (w: NonNullable<Statistics["write"]>) => number][] =
  [
    ["uspf_written_packets_total", "counter", "Packets written to files.", (w) => w.packets],
    ["uspf_written_bytes_total", "counter", "Bytes of the packets written.", (w) => w.bytes],
    [
      "uspf_missed_packets_total",
      "counter",
      "Packets that should have been written but were not: the writer was too slow, or had failed.",
      (w) => w.missed,
    ],
    ["uspf_missed_bytes_total", "counter", "Bytes of the packets missed.", (w) => w.missedBytes],
    ["uspf_written_files_total", "counter", "Files begun.", (w) => w.files],
    [
      "uspf_writer_failed",
      "gauge",
      "Whether nothing is written any longer: 1, else 0.",
      (w) => w.failed === undefined ? 0 : 1,
    ],
  ];

/** The site of `--metrics`. */
export function metricsSite(
  captures: readonly WatchedCapture[],
  { nsPerTick, commit }: Pick<WebOrders, "nsPerTick" | "commit">,
  health: Pick<Health, "faults">,
): Site {
  let last: Statistics | undefined, lastAt = 0;
  const startS = performance.timeOrigin / 1000;
  const build = { version: VERSION, ...(commit === undefined ? {} : { commit }) };
  return {
    pages: {
      "/metrics": () => {
        const metrics = [
          ...captureMetrics(captures, nsPerTick),
          ...(last === undefined ? [] : statisticsMetrics(last, performance.now() - lastAt)),
          gauge(
            "uspf_healthy",
            "Whether /health says ok: 1, else 0.",
            +(health.faults().length === 0),
          ),
          gauge("uspf_start_time_seconds", "When the capture started, in Unix time.", startS),
          gauge(
            "uspf_build_info",
            "Always 1; the version of the program, and its commit.",
            1,
            build,
          ),
        ];
        return new Response(exposition(metrics), { headers: { "content-type": CONTENT_TYPE } });
      },
    },
    update(statistics) {
      last = statistics;
      lastAt = performance.now();
    },
    end() {},
  };
}

/** Of each capture thread, all at the same moment. */
function captureMetrics(captures: readonly WatchedCapture[], nsPerTick: number): Metric[] {
  const threads = captures.map((capture) => ({
    capture,
    labels: { port: capture.port, ring: capture.ring },
    // First, for a burst is timed when it has been counted: the histogram then never holds more than was received.
    service: new Histogram(capture.state.service.memory.slice()),
    counts: capture.counts(),
  }));
  const causes = (by: "rejectedBy" | "malformedBy") =>
    threads.flatMap(({ labels, counts }) => causeSamples(counts[by], labels));
  const ofRing = (name: string, help: string, value: (capture: WatchedCapture) => number) =>
    ({
      name,
      type: "gauge",
      help,
      samples: threads.map(({ capture, labels }) => ({ labels, value: value(capture) })),
    }) as const;
  return [
    ...CAPTURE.map(([name, type, help, value]) => ({
      name,
      type,
      help,
      samples: threads.map(({ labels, counts }) => ({ labels, value: value(counts) })),
    })),
    counter(
      "uspf_rejected_packets_total",
      "Well-formed packets that the filter does not want, by the first cause found.",
      causes("rejectedBy"),
    ),
    counter(
      "uspf_malformed_packets_total",
      "Packets that are not what they say they are, by the first cause found.",
      causes("malformedBy"),
    ),
    {
      name: "uspf_service_seconds",
      type: "histogram",
      help:
        "Time that a packet took from its port to the tick ring: that of its burst, sync included, " +
        "divided by the burst's packets. Known to 1.6 %.",
      samples: threads.flatMap(({ service, labels }) => serviceSamples(service, labels, nsPerTick)),
    },
    ofRing("uspf_tick_ring_ticks", "Ticks that wait for the engine.", ({ ticks }) => ticks.waiting),
    ofRing(
      "uspf_tick_ring_capacity_ticks",
      "Ticks that have room in the tick ring.",
      ({ ticks }) => ticks.capacity,
    ),
    {
      name: "uspf_capture_info",
      type: "gauge",
      help: "Always 1; the core that the capture thread started on, and what moves its packets.",
      samples: threads.map(({ capture: { core, mode }, labels }) => ({
        labels: { ...labels, core, mode },
        value: 1,
      })),
    },
  ];
}

/** The buckets alone say how many there are: so all adds up, though the count may be of another moment. */
function serviceSamples(service: Histogram, labels: Labels, nsPerTick: number) {
  const atMost = service.atMost([...SERVICE_BOUNDS_NS, Infinity], nsPerTick);
  const count = atMost.pop()!;
  return histogramSamples(labels, SERVICE_BOUNDS_S, atMost, {
    count,
    sum: service.sum * nsPerTick / 1e9,
  });
}

/** As old as the last second's. */
function statisticsMetrics(s: Statistics, ageMs: number): Metric[] {
  const { expression, where, how, decoded } = s.filter;
  const filter = { expression: expression ?? "", where, how, decoded: String(decoded) };
  return [
    ...(decoded ? ENGINE.map((metric) => single(metric, s)) : []),
    ...(decoded
      ? [counter(
        "uspf_rejected_orders_total",
        "Orders that the market rejected, by cause.",
        causeSamples(s.engine.rejectedBy),
      )]
      : []),
    ...(s.write === null ? [] : WRITER.map((metric) => single(metric, s.write!))),
    gauge(
      "uspf_filter_info",
      "Always 1; the filter's expression, where it runs first, and as what or why no earlier.",
      1,
      filter,
    ),
    gauge(
      "uspf_statistics_age_seconds",
      "Age of what the engine and the writer report, once a second; all else is of the moment.",
      ageMs / 1000,
    ),
  ];
}

function single<T>(
  [name, type, help, value]: readonly [...Description, (source: T) => number],
  source: T,
): Metric {
  return { name, type, help, samples: [{ labels: {}, value: value(source) }] };
}

function counter(name: string, help: string, samples: Metric["samples"]): Metric {
  return { name, type: "counter", help, samples };
}

function gauge(name: string, help: string, value: number, labels: Labels = {}): Metric {
  return { name, type: "gauge", help, samples: [{ labels, value }] };
}

function causeSamples(by: object, labels: Labels = {}) {
  return Object.entries(by as Record<string, number>)
    .map(([cause, value]) => ({ labels: { ...labels, cause }, value }));
}
