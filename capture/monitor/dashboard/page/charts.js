/**
 * Purpose: the charts: time series over the last ten minutes, and the distribution of the service time.
 */
import { bucketsOf, duration, grouped, short, usedBuckets } from "./figures.js";

const HEIGHT = 210, AXIS = 56, MOST_MARKS = 6, WINDOW_S = 600, SHORTEST_WINDOW_S = 60;
const PADDING = [10, null, null, null];
const percent = (value) => `${Number(value.toPrecision(3))} %`;
const money = (value) => grouped(value, 2);
const whole = (value) => grouped(value);

/** Of a series: column, label, colour (a custom property), dashes, and its scale where it is not the first, width. */
const SERIES = {
  packets: [
    ["received", "received", "--blue", [], "y", 3],
    ["accepted", "accepted", "--green", [6, 4]],
    ["rejected", "rejected", "--purple", [2, 3]],
    ["malformed", "malformed", "--muted", [2, 3]],
    ["lost", "lost", "--red"],
    ["dropped", "dropped", "--orange", [8, 3]],
  ],
  rings: [
    ["portMean", "packets ready, mean", "--blue"],
    ["portMax", "at most so far", "--muted", [4, 4]],
    ["tickRing", "ticks waiting", "--orange", [], "%"],
  ],
  service: [
    ["p50", "p50", "--blue"],
    ["p99", "p99", "--orange", [8, 3]],
    ["p999", "p99.9", "--red", [2, 3]],
  ],
  money: [
    ["profit", "profit", "--blue"],
    ["positionValue", "positions", "--orange", [6, 4], "value"],
  ],
};
/** Charts by name: how a value is written in the legend and at the axis, and its scales. */
const CHARTS = {
  packets: { write: whole, axis: short, scale: fromZero(1) },
  rings: {
    write: (value) => grouped(value, 1),
    axis: short,
    scale: { distr: 3, range: decades },
    right: { write: percent, axis: percent, scale: { range: () => [0, 100] } },
  },
  service: { write: duration, axis: roundDuration, scale: { distr: 3, range: decades } },
  money: {
    write: money,
    axis: short,
    scale: { range: around },
    right: { write: money, axis: short, scale: { range: around } },
  },
};
const UNDECODED = new Set(["malformed", "dropped", "tickRing"]);

/** All charts of the page. */
export class Charts {
  #charts = new Map();
  #distribution = null;
  #data = null;
  #buckets = null;
  #decoded = true;
  #boundsNs = [];

  constructor() {
    const sizes = new ResizeObserver(() => this.#resize());
    sizes.observe(document.querySelector("main"));
    // Colours are read when a chart is made.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#make());
  }

  /** Shows rows, given as one array a column; and the statistics' distribution. */
  show(columns, startedMs, statistics, previous, boundsNs) {
    const { decoded } = statistics.filter;
    this.#data = {
      x: columns.seconds.map((seconds) => startedMs / 1e3 + seconds),
      columns,
    };
    const { atMost } = statistics.serviceNs;
    this.#boundsNs = boundsNs;
    this.#buckets = {
      all: bucketsOf(atMost),
      last: statistics.final || previous === null
        ? null
        : bucketsOf(atMost, previous.serviceNs.atMost),
    };
    if (this.#distribution === null || decoded !== this.#decoded) {
      this.#decoded = decoded;
      this.#make();
    } else this.#draw();
  }

  /** Shows nothing. */
  clear() {
    this.#data = null;
    this.#make();
  }

  #make() {
    for (const chart of this.#charts.values()) {
      delete chart.root.parentElement.chart;
      chart.destroy();
    }
    this.#charts.clear();
    this.#distribution?.destroy();
    this.#distribution = null;
    if (this.#data === null) return;
    for (const name of Object.keys(CHARTS)) {
      if (name === "money" && !this.#decoded) continue;
      this.#charts.set(name, timeChart(name, this.#seriesOf(name)));
    }
    this.#distribution = distributionChart(() => this.#boundsNs);
    this.#draw();
  }

  #seriesOf(name) {
    return SERIES[name].filter(([column]) => this.#decoded || !UNDECODED.has(column));
  }

  #draw() {
    const { x, columns } = this.#data;
    for (const [name, chart] of this.#charts) {
      chart.setData([x, ...this.#seriesOf(name).map(([column]) => columns[column])]);
      showLast(chart);
    }
    const { all, last } = this.#buckets, none = (count) => count > 0 ? count : null;
    const xs = all.map((_, i) => i);
    this.#distribution.setData([xs, all.map(none), last?.map(none) ?? xs.map(() => null)]);
  }

  #resize() {
    for (const chart of [...this.#charts.values(), this.#distribution]) {
      if (chart === null) continue;
      const width = chart.root.parentElement.clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
    }
  }
}

function timeChart(name, series) {
  const { write, axis, scale, right } = CHARTS[name], place = placeOf(name);
  const second = series.map(([, , , , scale = "y"]) => scale).find((scale) => scale !== "y");
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    padding: PADDING,
    legend: { live: true },
    cursor: { sync: { key: "time" }, y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: (chart, _, max) => [max - windowOf(chart), max] },
      y: scale,
      ...(second ? { [second]: right.scale } : {}),
    },
    series: [
      { label: "at", value: (_, at) => at === null ? "–" : timeOfDay(at) },
      ...series.map(([, label, colour, dash, scale = "y", width = 1.5]) => ({
        label,
        scale,
        stroke: colourOf(colour),
        width,
        dash,
        points: { show: false },
        value: (_, value) =>
          value === null || value === undefined
            ? "unknown"
            : (scale === "y" ? write : right.write)(value),
      })),
    ],
    axes: [
      { ...axisStyle(), space: 70, values: (_, at) => at.map((one) => timeOfDay(one, at)) },
      {
        ...axisStyle(),
        size: AXIS,
        values: (_, at) => at.map(axis),
        ...(scale.distr === 3 ? { splits: powersOfTen, filter: (_, at) => at } : {}),
      },
      ...(second
        ? [{
          ...axisStyle(),
          scale: second,
          side: 1,
          size: AXIS,
          grid: { show: false },
          values: (_, at) => at.map(right.axis),
        }]
        : []),
    ],
    hooks: { setCursor: [showLast] },
  };
  const chart = new uPlot(options, [[], ...series.map(() => [])], place);
  place.chart = chart; // for those who look at the page from outside, such as tests
  return chart;
}

/** The window grows with what there is, from a minute to ten. */
function windowOf({ data: [x] = [[]] }) {
  const span = x.length < 2 ? 0 : x.at(-1) - x[0];
  return Math.min(WINDOW_S, Math.max(SHORTEST_WINDOW_S, span));
}

/** Where no pointer is, the legend shows the last second. */
function showLast(chart) {
  if (chart.cursor.idx == null && chart.data[0].length > 0) {
    chart.setLegend({ idx: chart.data[0].length - 1 }, false);
  }
}

function distributionChart(boundsNs) {
  const place = placeOf("distribution");
  const bars = (size) => uPlot.paths.bars({ size: [size, 40], align: 0 });
  const series = (label, colour, size) => ({
    label,
    fill: colourOf(colour),
    stroke: colourOf(colour),
    width: 0,
    paths: bars(size),
    points: { show: false },
    value: (_, value, __, i) => i === null ? "–" : grouped(value ?? 0),
  });
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    padding: PADDING,
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: (chart) => usedRange(chart.data[1]) },
      y: { distr: 3, range: (_, __, max) => [0.5, 10 ** Math.ceil(Math.log10(max || 1) + 0.05)] },
    },
    series: [
      { label: "at most", value: (_, i) => i === null ? "–" : duration(boundsNs()[i]) },
      series("in all", "--pale", 0.9),
      series("last second", "--blue", 0.5),
    ],
    axes: [
      {
        ...axisStyle(),
        grid: { show: false },
        splits: (_, __, min, max) => decadesBetween(min, max),
        values: (_, at) =>
          at.map((i) => boundsNs()[i] === undefined ? "" : roundDuration(boundsNs()[i])),
      },
      {
        ...axisStyle(),
        size: AXIS,
        values: (_, at) => at.map(short),
        splits: powersOfTen,
        filter: (_, at) => at,
      },
    ],
  };
  return new uPlot(options, [[], [], []], place);
}

function usedRange(counts) {
  const [first, last] = usedBuckets((counts ?? []).map((count) => count ?? 0)) ?? [0, 9];
  return [first - 0.6, last + 0.6];
}

/** Buckets whose bound is a power of ten: every third. */
function decadesBetween(min, max) {
  const places = [];
  for (let i = Math.ceil(Math.max(0, min) / 3) * 3; i <= max; i += 3) places.push(i);
  return places;
}

/** A bound is 1, 2 or 5 and zeros: 10 ns, 1 ms. */
function roundDuration(ns) {
  return duration(ns).replace(/\.0+ /, " ");
}

function fromZero(least) {
  return { range: (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.08)] };
}

/** Marks of a logarithmic axis. */
function powersOfTen(_, __, min, max) {
  const marks = [], low = Math.ceil(Math.log10(min)), high = Math.floor(Math.log10(max));
  const step = Math.max(1, Math.ceil((high - low) / MOST_MARKS));
  for (let power = low; power <= high; power += step) marks.push(10 ** power);
  return marks;
}

/** Whole powers of ten, two of them at least. */
function decades(_, min, max) {
  const low = Math.floor(Math.log10(min > 0 ? min : 1));
  const high = Math.ceil(Math.log10(max > 0 ? max : 1));
  return [10 ** low, 10 ** Math.max(high, low + 2)];
}

/** With room above and below, also where all is 0. */
function around(_, min, max) {
  const room = Math.max((max - min) * 0.1, 1);
  return [(min ?? 0) - room, (max ?? 0) + room];
}

function axisStyle() {
  const line = { stroke: colourOf("--line"), width: 1 };
  return {
    stroke: colourOf("--muted"),
    font: "11px system-ui, sans-serif",
    grid: line,
    ticks: line,
  };
}

function colourOf(property) {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

/** Hours and minutes; seconds where the marks are less than a minute apart. */
function timeOfDay(seconds, marks = undefined) {
  const text = new Date(seconds * 1e3).toLocaleTimeString("en-GB");
  return marks?.every((mark) => mark % 60 === 0) ? text.slice(0, 5) : text;
}

function placeOf(name) {
  return document.querySelector(`#chart-${name}`);
}
