/**
 * Purpose: the charts over time: packets, rings, service time, money.
 */
import { duration, grouped, short } from "./figures.js";
import {
  around,
  AXIS,
  axisStyle,
  colourOf,
  decades,
  fromZero,
  HEIGHT,
  PADDING,
  placeOf,
  powersOfTen,
  roundDuration,
} from "./chart_parts.js";

const WINDOW_S = 600, SHORTEST_WINDOW_S = 60;
const percent = (value) => `${Number(value.toPrecision(3))} %`;
const money = (value) => grouped(value, 2);

/**
 * Charts by name. An axis: how a value is written in the legend (`write`) and beside it (`mark`), its scale.
 * A series: the column that it shows; `right`: by the second axis; `decoded`: of ticks.
 */
const CHARTS = {
  packets: {
    left: { write: (value) => grouped(value), mark: short, scale: fromZero },
    series: [
      { column: "received", colour: "--blue", width: 3 },
      { column: "accepted", colour: "--green", dash: [6, 4] },
      { column: "rejected", colour: "--purple", dash: [2, 3] },
      { column: "malformed", colour: "--muted", dash: [2, 3], decoded: true },
      { column: "lost", colour: "--red" },
      { column: "dropped", colour: "--orange", dash: [8, 3], decoded: true },
    ],
  },
  rings: {
    left: { write: (value) => grouped(value, 1), mark: short, scale: decades },
    right: { write: percent, mark: percent, scale: { range: () => [0, 100] } },
    series: [
      { column: "portMean", label: "packets ready, mean", colour: "--blue" },
      { column: "portMax", label: "at most so far", colour: "--muted", dash: [4, 4] },
      {
        column: "tickRing",
        label: "ticks waiting",
        colour: "--orange",
        right: true,
        decoded: true,
      },
    ],
  },
  service: {
    left: { write: duration, mark: roundDuration, scale: decades },
    series: [
      { column: "p50", colour: "--blue" },
      { column: "p99", colour: "--orange", dash: [8, 3] },
      { column: "p999", label: "p99.9", colour: "--red", dash: [2, 3] },
    ],
  },
  money: {
    decoded: true,
    left: { write: money, mark: short, scale: around },
    right: { write: money, mark: short, scale: around },
    series: [
      { column: "profit", colour: "--blue" },
      {
        column: "positionValue",
        label: "positions",
        colour: "--orange",
        dash: [6, 4],
        right: true,
      },
    ],
  },
};

/** The charts that there are, with ticks or without. */
export function timeCharts(decoded) {
  return Object.entries(CHARTS).filter(([, chart]) => decoded || !chart.decoded)
    .map(([name, { left, right, series }]) => {
      const shown = series.filter((one) => decoded || !one.decoded);
      const two = shown.some((one) => one.right);
      return new TimeChart(placeOf(name), left, two ? right : undefined, shown);
    });
}

class TimeChart {
  #series;

  constructor(place, left, right, series) {
    this.#series = series;
    this.chart = new uPlot(optionsOf(place, left, right, series), [[]], place);
    place.chart = this.chart; // for those who look at the page from outside, such as tests
  }

  show(x, columns) {
    this.chart.setData([x, ...this.#series.map(({ column }) => columns[column])]);
    showLast(this.chart);
  }

  destroy() {
    delete this.chart.root.parentElement.chart;
    this.chart.destroy();
  }
}

function optionsOf(place, left, right, series) {
  const side = (axis, options) => ({
    ...axisStyle(),
    size: AXIS,
    values: (_, marks) => marks.map(axis.mark),
    ...(axis.scale === decades ? powersOfTen : {}),
    ...options,
  });
  return {
    width: place.clientWidth,
    height: HEIGHT,
    padding: PADDING,
    cursor: { sync: { key: "time" }, y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: windowOf },
      left: left.scale,
      ...(right ? { right: right.scale } : {}),
    },
    series: [
      { label: "at", value: (_, at) => at === null ? "–" : timeOfDay(at) },
      ...series.map((one) => seriesOf(one, one.right ? right : left)),
    ],
    axes: [
      { ...axisStyle(), space: 70, values: (_, at) => at.map((one) => timeOfDay(one, at)) },
      side(left, { scale: "left" }),
      ...(right ? [side(right, { scale: "right", side: 1, grid: { show: false } })] : []),
    ],
    hooks: { setCursor: [showLast] },
  };
}

function seriesOf({ column, label = column, colour, dash, width = 1.5, right }, { write }) {
  return {
    label,
    scale: right ? "right" : "left",
    stroke: colourOf(colour),
    width,
    dash,
    points: { show: false },
    value: (_, value) => value === null || value === undefined ? "unknown" : write(value),
  };
}

/** The window grows with what there is, from a minute to ten. */
function windowOf({ data }, first, last) {
  const end = last ?? Date.now() / 1e3, [x = []] = data ?? [];
  const span = x.length < 2 ? 0 : end - first;
  return [end - Math.min(WINDOW_S, Math.max(SHORTEST_WINDOW_S, span)), end];
}

/** Where no pointer is, the legend shows the last second. */
function showLast(chart) {
  if (chart.cursor.idx == null && chart.data[0].length > 0) {
    chart.setLegend({ idx: chart.data[0].length - 1 }, false);
  }
}

/** Hours and minutes; seconds where not all marks are whole minutes. */
function timeOfDay(seconds, marks) {
  const text = new Date(seconds * 1e3).toLocaleTimeString("en-GB");
  return marks?.every((mark) => mark % 60 === 0) ? text.slice(0, 5) : text;
}
