import { assertEquals } from "@std/assert";
import { exposition, histogramSamples, type Metric } from "../capture/monitor/prometheus.ts";
import { noPromtool, promtool, Scrape } from "./exposition.ts";

const ODD = [
  "soft:lab{1",
  "soft:lab}1",
  'a "quoted" name',
  "back\\slash\\n",
  "two\nlines",
  "é→",
  "",
];

function counters(values: [label: string, value: number | null][]): Metric {
  const samples = values.map(([port, value]) => ({ labels: { port }, value }));
  return {
    name: "uspf_odd_total",
    type: "counter",
    help: 'Odd \\ "things"\nof two lines.',
    samples,
  };
}

const HISTOGRAM: Metric = {
  name: "uspf_time_seconds",
  type: "histogram",
  help: "Time.",
  samples: histogramSamples({ port: "x" }, [1e-9, 0.5, 1e6], [1, 2, 3], { count: 5, sum: 1e21 }),
};

Deno.test("exposition escapes what labels and help texts may hold, and nothing else", () => {
  const text = exposition([counters(ODD.map((port, i) => [port, i]))]), scrape = new Scrape(text);
  assertEquals(scrape.lines.map(({ labels }) => labels.port), ODD);
  assertEquals(scrape.lines.map(({ value }) => value), ODD.map((_, i) => i));
  assertEquals(text.split("\n")[0], '# HELP uspf_odd_total Odd \\\\ "things"\\nof two lines.');
  assertEquals(text.split("\n")[2], 'uspf_odd_total{port="soft:lab{1"} 0');
});

Deno.test("exposition leaves out what is unknown, and a metric of which nothing is known", () => {
  const scrape = new Scrape(exposition([counters([["a", null], ["b", 0]]), HISTOGRAM]));
  assertEquals(scrape.all("uspf_odd_total").map(({ labels }) => labels.port), ["b"]);
  assertEquals(exposition([counters([["a", null]])]), "");
  assertEquals(exposition([]), "");
});

Deno.test("histogramSamples give cumulative buckets up to +Inf, a sum and a count", () => {
  assertEquals(
    exposition([HISTOGRAM]),
    `# HELP uspf_time_seconds Time.
# TYPE uspf_time_seconds histogram
uspf_time_seconds_bucket{port="x",le="1e-9"} 1
uspf_time_seconds_bucket{port="x",le="0.5"} 2
uspf_time_seconds_bucket{port="x",le="1000000"} 3
uspf_time_seconds_bucket{port="x",le="+Inf"} 5
uspf_time_seconds_sum{port="x"} 1e+21
uspf_time_seconds_count{port="x"} 5
`,
  );
});

Deno.test({
  name: `exposition pleases promtool${noPromtool === undefined ? "" : ` (${noPromtool})`}`,
  ignore: noPromtool !== undefined,
  fn: async () => {
    assertEquals(
      await promtool(exposition([counters(ODD.map((port, i) => [port, i])), HISTOGRAM])),
      "",
    );
    const bad: Metric = { ...counters([["a", 1]]), name: "uspf_oddNanoseconds" };
    assertEquals((await promtool(exposition([bad]))) === "", false, "it looks at all");
  },
});
