/**
 * Purpose: the service time's distribution: a bar for the packets of each bucket, of the whole run and, in
 * front of it, of the last second.
 */
import {
  AXIS,
  axisStyle,
  colourOf,
  HEIGHT,
  PADDING,
  placeOf,
  powersOfTen,
  roundDuration,
} from "./chart_parts.js";
import { bucketsOf, grouped, short, usedBuckets } from "./figures.js";

/** The chart of buckets with these upper bounds. */
export class DistributionChart {
  constructor(boundsNs) {
    const place = placeOf("distribution");
    this.chart = new uPlot(optionsOf(place, boundsNs), [[], [], []], place);
  }

  /** Shows the distribution of statistics, and that since the ones before. */
  show({ serviceNs: { atMost }, final }, previous) {
    const all = bucketsOf(atMost);
    const last = final ? all.map(() => 0) : bucketsOf(atMost, previous?.serviceNs.atMost);
    const some = (count) => count > 0 ? count : null; // there is no 0 on a logarithmic scale
    this.chart.setData([all.map((_, i) => i), all.map(some), last.map(some)]);
  }

  destroy() {
    this.chart.destroy();
  }
}

function optionsOf(place, boundsNs) {
  const bound = (i) => boundsNs[i] === undefined ? "" : roundDuration(boundsNs[i]);
  return {
    width: place.clientWidth,
    height: HEIGHT,
    padding: PADDING,
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: usedRange },
      y: { distr: 3, range: (_, __, max) => [0.5, 10 ** Math.ceil(Math.log10(max || 1) + 0.05)] },
    },
    series: [
      { label: "at most", value: (_, i) => i === null ? "–" : bound(i) },
      barsOf("in all", "--pale", 0.9),
      barsOf("last second", "--blue", 0.5),
    ],
    axes: [
      {
        ...axisStyle(),
        grid: { show: false },
        splits: decadesBetween,
        values: (_, at) => at.map(bound),
      },
      { ...axisStyle(), size: AXIS, values: (_, at) => at.map(short), ...powersOfTen },
    ],
  };
}

function barsOf(label, colour, width) {
  return {
    label,
    fill: colourOf(colour),
    stroke: colourOf(colour),
    width: 0,
    paths: uPlot.paths.bars({ size: [width, 40], align: 0 }),
    points: { show: false },
    value: (_, value, __, i) => i === null ? "–" : grouped(value ?? 0),
  };
}

function usedRange({ data }) {
  const [first, last] = usedBuckets((data?.[1] ?? []).map((count) => count ?? 0)) ?? [0, 9];
  return [first - 0.6, last + 0.6];
}

/** Buckets whose bound is a power of ten: every third. */
function decadesBetween(_, __, min, max) {
  const places = [];
  for (let i = Math.ceil(Math.max(0, min) / 3) * 3; i <= max; i += 3) places.push(i);
  return places;
}
