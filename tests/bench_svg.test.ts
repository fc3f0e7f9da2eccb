import { assert, assertEquals } from "@std/assert";
import type { Result } from "../bench/harness/result.ts";
import type { KindResults, Run, RxResults } from "../bench/rx/rx_results.ts";
import { drawRx } from "../bench/rx/svg.ts";
import { linearScale, logScale, percentileScale } from "../bench/rx/svg_axis.ts";
import { COLOURS, INKS } from "../bench/rx/svg_style.ts";
import { escapeXml, spreadLabels, textWidth, wrap } from "../bench/rx/svg_text.ts";
import { needsLog } from "../bench/rx/svg_throughput.ts";

/** Repeatable noise about 1: a sum of waves. */
function wobble(seed: number, share: number): number {
  return 1 +
    share * (Math.sin(seed * 12.9898) + Math.sin(seed * 4.1414 + 2) + Math.sin(seed * 0.37));
}

function runOf(mpps: number, seed: number, count = 60): Run {
  const samples = Array.from({ length: count }, (_, i): [number, number] => {
    return [(i + 1) * 50, mpps * wobble(seed * 100 + i, 0.03) * (i === 0 ? 0.4 : 1)];
  });
  return { mpps: mpps * wobble(seed, 0.02), samples } as Run;
}

/** A lognormal body with a tail of one packet in two hundred, as histograms of service times look. */
function bucketsOf(centreUs: number): [number, number][] {
  return Array.from({ length: 300 }, (_, i): [number, number] => {
    const us = centreUs * 0.6 * 1.03 ** i, z = Math.log(us / centreUs) / 0.15;
    const tail = 20000 * Math.exp(-((Math.log(us / centreUs / 8) / 0.8) ** 2));
    return [us, Math.round(5e6 * Math.exp(-z * z / 2) + tail)];
  });
}

function quantile(buckets: [number, number][], share: number): number {
  const all = buckets.reduce((sum, [, n]) => sum + n, 0);
  let sum = 0;
  return buckets.find(([, n]) => (sum += n) >= share * all)?.[0] ?? NaN;
}

function kindOf(kind: string, mpps: number, us: number, change: Partial<KindResults> = {}) {
  const buckets = bucketsOf(us), at = (share: number) => quantile(buckets, share);
  const because = "The receive ring was 97 % full at its syncs and 61 % of the packets were lost";
  const verdict: KindResults["verdict"] = {
    bottleneck: "receiver",
    because,
    signs: "83 % empty",
    throughputMeans: true,
    serviceMeans: true,
    warnings: [],
  };
  return {
    kind,
    port: `${kind}:uspf1`,
    mpps,
    minMpps: mpps * 0.94,
    maxMpps: mpps * 1.03,
    ratio: mpps / 0.32,
    serviceUs: { mean: us, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) },
    serviceBuckets: buckets,
    verdict,
    runs: [1, 2, 3, 4, 5].map((seed) => runOf(mpps, seed + kind.length)),
    ...change,
  } as KindResults;
}

function resultOf(kinds: KindResults[], change: Partial<RxResults> = {}): Result<RxResults> {
  const results: RxResults = {
    receive: "uspf1",
    send: "uspf0",
    driver: "veth",
    seconds: 3,
    repeats: 5,
    burst: 256,
    packetBytes: 60,
    wait: "spin",
    paceUs: 0,
    cores: { sender: 0, receiver: 1 },
    kinds,
    skipped: [{ kind: "netmap", why: "no /dev/netmap" }],
    ...change,
  };
  const machine = {
    cpu: "Intel(R) Xeon(R) Processor @ 2.10GHz",
    cores: 2,
    allowedCores: [0, 1],
    isolatedCores: "",
    governor: null,
    virtual: true,
    tscGHz: 2.1,
    clockSource: "tsc",
    kernel: "6.18.5",
    uspf: "0.1.0",
    commit: "123be80",
    deno: "2.9.6",
    v8: "15.0",
    cc: null,
  };
  const command = "deno task bench:rx --testbed --kinds udp,packet,xdp,soft --svg rx.svg";
  return { bench: "rx", when: "2026-03-01T10:20:30.000Z", command, machine, results };
}

const FOUR = [
  kindOf("udp", 0.32, 2.9),
  kindOf("packet", 0.45, 1.7),
  kindOf("xdp", 0.451, 0.31, {
    verdict: {
      bottleneck: "sender",
      because: "Of the receiver's syncs 83 % found nothing",
      signs: "83 % empty",
      throughputMeans: false,
      serviceMeans: true,
      warnings: ["the hypervisor took 40 ms"],
    },
  }),
  kindOf("soft", 40, 0.024),
];
const SEVEN = ["udp", "packet", "xdp", "soft:lab", "netmap", "vale", "pcap"]
  .map((kind, i) => kindOf(kind, 0.9 + i * 0.02, 1 + i * 0.1));
const EMPTY_SERVICE = { mean: NaN, p50: NaN, p99: NaN, p999: NaN, max: NaN };
const HOLLOW = kindOf("hollow", NaN, 1, {
  minMpps: NaN,
  maxMpps: NaN,
  ratio: NaN,
  serviceUs: EMPTY_SERVICE,
  serviceBuckets: [],
  runs: [],
});
const STRANGE = kindOf(`a<b>&"c'\u0001`, 1, 1, {
  runs: [{ ...runOf(1, 1), samples: [[0, NaN], [50, 1], [100, Infinity]] }],
  serviceBuckets: [[NaN, 5], [0, 3], [1, NaN], [2, 10]],
});

/** Every picture that the tests look at; `deno test` checks each for damage. */
const PICTURES: Record<string, Result<RxResults>> = {
  four: resultOf(FOUR),
  seven: resultOf(SEVEN),
  "one run": resultOf([kindOf("udp", 0.32, 2.9, { runs: [runOf(0.32, 1)] })], { repeats: 1 }),
  "one sample": resultOf([kindOf("udp", 5, 1, { runs: [runOf(5, 1, 1)] })]),
  "no kinds": resultOf([]),
  "a hollow kind": resultOf([HOLLOW]),
  "a hollow kind among others": resultOf([...FOUR, HOLLOW]),
  "strange names and values": resultOf([STRANGE], { driver: "<&>", skipped: [] }),
  "from JSON": JSON.parse(JSON.stringify(resultOf([HOLLOW, STRANGE, ...FOUR]))),
  "many samples": resultOf([kindOf("udp", 1, 1, { runs: [runOf(1, 1, 20_000)] })]),
  idle: resultOf([kindOf("udp", 0, 1, { runs: [{ ...runOf(0, 1), mpps: 0 }] }), ...FOUR]),
};

/** Tags that do not match, text that holds bare `<` or `&`, and attributes without quotes. */
function damageOf(xml: string): string[] {
  const open: string[] = [], damage: string[] = [];
  const element = /<(\/?)([a-zA-Z]+)((?: [a-zA-Z:-]+="[^"<>]*")*)(\/?)>/g;
  for (const [, closing, name, , empty] of xml.matchAll(element)) {
    if (closing) {
      const last = open.pop();
      if (last !== name) damage.push(`</${name}> ends <${last}>`);
    } else if (!empty) open.push(name);
  }
  if (/[<>]/.test(xml.replace(element, ""))) damage.push("a tag that is none");
  if (/&(?!(amp|lt|gt|quot|apos);)/.test(xml)) damage.push("a bare &");
  return [...damage, ...open.map((name) => `<${name}> has no end`)];
}

Deno.test("damageOf finds what is not XML", () => {
  assertEquals(damageOf('<a b="c"><d/></a>'), []);
  for (const bad of ["<a>", "<a></b>", "<a>&</a>", "<a>1 < 2</a>", "<a b=c></a>"]) {
    assert(damageOf(bad).length > 0, bad);
  }
});

for (const [name, result] of Object.entries(PICTURES)) {
  Deno.test(`drawRx draws ${name} as XML without a figure that is none`, () => {
    const svg = drawRx(result);
    assertEquals(damageOf(svg), []);
    for (const [, path] of svg.matchAll(/ (?:d|x|y|cx|cy|transform|height)="([^"]*)"/g)) {
      assert(!/NaN|Infinity|undefined|null/.test(path), path);
    }
    assert(!/>[^<]*(NaN|undefined|\bnull\b)/.test(svg));
    assert(svg.length < 400_000, `${svg.length} characters`);
    // deno-lint-ignore no-control-regex
    assert(!/[\u0000-\u0008]/.test(svg));
  });
}

Deno.test("drawRx asks nothing of the outside and runs no script", () => {
  const svg = drawRx(resultOf(FOUR)).replace('xmlns="http://www.w3.org/2000/svg"', "");
  assert(!/https?:|href|url\(|@import|@font-face|<script|on[a-z]+=/.test(svg));
});

Deno.test("drawRx names every kind in both panels, the table and the footnotes", () => {
  const svg = drawRx(resultOf(SEVEN));
  for (const { kind } of SEVEN) {
    const wide = svg.slice(svg.indexOf('class="wide"'), svg.indexOf('class="narrow"'));
    const shown = [...wide.matchAll(/<text[^>]*>([^<]*)/g)].filter(([, text]) =>
      text.startsWith(kind)
    );
    assertEquals(shown.length, 4, kind);
  }
});

Deno.test("drawRx draws a curve for each run and each distribution, in both layouts", () => {
  const curves = drawRx(resultOf(FOUR)).match(/<path class="l /g);
  assertEquals(curves?.length, 2 * (4 * 5 + 4));
});

Deno.test("drawRx draws as bold the run whose rate is the median", () => {
  const runs = [0.2, 0.9, 0.4].map((mpps) =>
    ({ mpps, samples: [[500, mpps], [1000, mpps]] }) as unknown as Run
  );
  const svg = drawRx(resultOf([kindOf("udp", 0.4, 1, { runs })]));
  const curves = [...svg.matchAll(/<path class="l s0( r)?"[^>]* d="M\S+ ([\d.]+)L/g)].slice(0, 3);
  const heights = curves.map(([, , y]) => Number(y));
  assertEquals(curves.map(([, thin]) => thin === undefined), [false, false, true]);
  assert(heights[1] < heights[2] && heights[2] < heights[0], String(heights));
});

Deno.test("drawRx draws a single sample as a mark", () => {
  const marks = (count: number) => {
    const svg = drawRx(resultOf([kindOf("udp", 1, 1, { runs: [runOf(1, 1, count)] })]));
    return svg.match(/<path class="f0"/g)!.length;
  };
  assertEquals(marks(1) - marks(2), 2, "one in each layout");
});

Deno.test("drawRx tells the machine, the experiment, the command and the verdicts", () => {
  const svg = drawRx(resultOf(FOUR));
  for (const text of ["6.18.5", "driver veth", "60-byte", "--testbed", "2026-03-01", "netmap"]) {
    assert(svg.includes(text), text);
  }
  assert(svg.includes("xdp: sender: Of the receiver&apos;s syncs 83 % found nothing"));
  assert(svg.includes("xdp (0.451)"), "a rate that is not the receiver's own is in brackets");
});

Deno.test("drawRx escapes names", () => {
  const svg = drawRx(PICTURES["strange names and values"]);
  assert(svg.includes("a&lt;b&gt;&amp;&quot;c&apos;\ufffd"));
});

Deno.test("drawRx says where there is nothing to draw", () => {
  const svg = drawRx(resultOf([HOLLOW]));
  assert(svg.includes("no samples") && svg.includes("no service times"));
  const none = drawRx(resultOf([]));
  assert(none.includes("no samples") && !none.includes("held back by"));
});

Deno.test("needsLog is for kinds more than ten times apart", () => {
  const rates = (...mpps: number[]) => mpps.map((rate) => kindOf("k", rate, 1));
  assertEquals(needsLog(rates(1, 10)), false);
  assertEquals(needsLog(rates(1, 10.1)), true);
  assertEquals(needsLog(rates(0, NaN, 5)), false);
  assertEquals(needsLog([]), false);
  assert(drawRx(resultOf(FOUR)).includes("log scale"));
  assert(!drawRx(resultOf(SEVEN)).includes("log scale"));
});

Deno.test("linearScale has round ticks, from 0 past the largest value", () => {
  const scale = linearScale(0.47, 0, 100, 6);
  assertEquals(scale.ticks.map(({ label }) => label), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
  assertEquals([scale.at(0), scale.at(0.5), scale.at(9), scale.at(NaN)], [0, 100, 100, 0]);
  assertEquals(linearScale(NaN, 0, 100, 3).ticks.map(({ label }) => label), ["0", "0.5", "1"]);
});

Deno.test("logScale has ticks at 1, 2 and 5, or fewer labels where there is no room", () => {
  const labels = (room: number) => logScale(0.3, 40, 0, 100, room).ticks.map(({ label }) => label);
  assertEquals(labels(9), ["0.2", "0.5", "1", "2", "5", "10", "20", "50"]);
  assertEquals(labels(4).filter((label) => label !== ""), ["1", "10"]);
  const one = logScale(2, 2, 0, 100, 9);
  assert(one.ticks.length >= 2 && one.at(2) === 100);
});

Deno.test("percentileScale gives each nine the same room", () => {
  const { at, ticks } = percentileScale(400, 0, 14);
  const near = [0, 0.9, 0.99, 0.999, 0.9999, 1].map((share) => Math.round(at(share)));
  assertEquals(near, [400, 300, 200, 100, 0, 0]);
  assert(ticks.some(({ label }) => label === "P50"));
});

Deno.test("spreadLabels keeps labels apart, inside and in order", () => {
  const labels = [50, 51, 49, 98].map((centre) => ({ centre, size: 10 }));
  const centres = spreadLabels(labels, 0, 100), sorted = centres.toSorted((a, b) => a - b);
  assertEquals(sorted, [centres[2], centres[0], centres[1], centres[3]]);
  assert(sorted.every((at, i) => i === 0 || at - sorted[i - 1] >= 10));
  assert(sorted[0] >= 5 && sorted[3] <= 95);
});

Deno.test("spreadLabels moves a label that is alone not at all, and two the same way each", () => {
  const labels = [50, 54, 20].map((centre) => ({ centre, size: 10 }));
  assertEquals(spreadLabels(labels, 0, 100), [47, 57, 20]);
});

Deno.test("wrap breaks at spaces and cuts what has no room", () => {
  const width = textWidth("one two", 10);
  assertEquals(wrap("one two three", width, 10, 3), ["one two", "three"]);
  assertEquals(wrap("one two three", width, 10, 1), ["one t…"]);
  assertEquals(wrap("incomprehensible", width, 10, 3).length, 1);
  assertEquals(wrap("", width, 10, 3), [""]);
});

Deno.test("escapeXml leaves nothing that XML forbids", () => {
  assertEquals(
    escapeXml("<a & 'b' \"c\">\u0000\ud800é🙂"),
    "&lt;a &amp; &apos;b&apos; &quot;c&quot;&gt;\ufffd\ufffdé🙂",
  );
});

/** WCAG 2.1's relative luminance. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

Deno.test("COLOURS and text stand out from the ground", () => {
  for (const scheme of ["light", "dark"] as const) {
    const [ground, text, lesser] = INKS[scheme];
    const contrast = (colour: string) => {
      const [low, high] = [luminance(colour), luminance(ground)].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    };
    for (const colour of COLOURS[scheme]) assert(contrast(colour) >= 3.5, `${scheme} ${colour}`);
    for (const colour of [text, lesser]) assert(contrast(colour) >= 4.5, `${scheme} ${colour}`);
  }
});
