/**
 * Purpose: Prometheus's text exposition format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * ```text
 *  # HELP uspf_rejected_packets_total Packets that …
 *  # TYPE uspf_rejected_packets_total counter
 *  uspf_rejected_packets_total{port="soft:lab:1",ring="0",cause="length"} 17
 * ```
 */

/** What a response says that it is. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Names and values that tell samples of a metric apart. */
export type Labels = Readonly<Record<string, string | number>>;

/** One line. */
export interface Sample {
  labels: Labels;
  /** `null`: unknown, then there is no line. */
  value: number | null;
  /** Behind the metric's name: `_bucket`, `_sum`, `_count`. */
  suffix?: string;
}

/** All there is of one name. */
export interface Metric {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  samples: readonly Sample[];
}

/** Metrics as text; one of which nothing is known is left out. */
export function exposition(metrics: readonly Metric[]): string {
  return metrics.map(textOf).join("");
}

/**
 * The samples of a histogram: `atMost` counts what is at most each of `bounds`, `count` everything.
 */
export function histogramSamples(
  labels: Labels,
  bounds: readonly number[],
  atMost: readonly number[],
  { count, sum }: { count: number; sum: number },
): Sample[] {
  const bucket = (le: string, value: number) => ({
    labels: { ...labels, le },
    value,
    suffix: "_bucket",
  });
  return [
    ...bounds.map((bound, i) => bucket(numberText(bound), atMost[i])),
    bucket("+Inf", count),
    { labels, value: sum, suffix: "_sum" },
    { labels, value: count, suffix: "_count" },
  ];
}

function textOf({ name, type, help, samples }: Metric): string {
  const lines = samples.filter(({ value }) => value !== null).map((
    { labels, value, suffix = "" },
  ) => `${name}${suffix}${labelsText(labels)} ${numberText(value!)}\n`);
  if (lines.length === 0) return "";
  return `# HELP ${name} ${escape(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${escape(String(value)).replaceAll('"', '\\"')}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** As Go reads it. */
function numberText(value: number): string {
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}
