/**
 * Purpose: the panel of throughput over time: every run of every kind, labelled at the right.
 */
import { digits, median } from "../harness/numbers.ts";
import type { KindResults, Run } from "./rx_results.ts";
import { drawAxes, type Frame, linearScale, logScale, type Scale } from "./svg_axis.ts";
import { curve, label, labelIndent, type Layout, leader, lineHeight, mark } from "./svg_style.ts";
import { bracketed, MARGIN, px, spreadLabels, textAt, textWidth, WIDTH } from "./svg_text.ts";

/** From here on, kinds differ so much that those at the bottom of a linear axis could not be told apart. */
const LOG_RATIO = 10;
/** Points of a curve; more samples than that are averaged. */
const MAX_POINTS = 120;
/** Of the picture's width: a label that is longer is cut. */
const LABEL = { wide: 0.25, narrow: 0.27 };

/** Whether the rates need a logarithmic axis. */
export function needsLog(kinds: readonly KindResults[]): boolean {
  const rates = kinds.map(({ mpps }) => mpps).filter((rate) => rate > 0 && Number.isFinite(rate));
  return Math.max(...rates) / Math.min(...rates) > LOG_RATIO;
}

/** Draws the panel, axes and labels included, between two heights. */
export function drawThroughput(
  kinds: readonly KindResults[],
  top: number,
  bottom: number,
  layout: Layout,
): string {
  const room = labelWidth(kinds, layout), right = WIDTH - MARGIN - room - layout.font * 1.6;
  const frame = { left: layout.left, right, top, bottom };
  const samples = kinds.flatMap(({ runs }) => runs).flatMap((run) => usable(run));
  const x = linearScale(
    Math.max(0, ...samples.map(([ms]) => ms / 1e3)),
    frame.left,
    right,
    Math.floor((right - frame.left) / (layout.font * 4)),
    true,
  );
  const y = rateScale(kinds, samples.map(([, mpps]) => mpps), frame, layout);
  const nothing = samples.length > 0
    ? ""
    : textAt((frame.left + right) / 2, (top + bottom) / 2, "no samples", "c m");
  return drawAxes(frame, x, y, "seconds since the first packet", layout.font) + nothing +
    kinds.map((kind, i) => drawRuns(kind, i, x, y, layout)).join("") +
    drawLabels(kinds, frame, y, room, layout);
}

function rateScale(
  kinds: readonly KindResults[],
  rates: readonly number[],
  frame: Frame,
  layout: Layout,
): Scale {
  const all = [...rates, ...kinds.map(({ mpps }) => mpps)].filter(Number.isFinite);
  const room = Math.max(2, Math.floor((frame.bottom - frame.top) / (layout.font * 1.8)));
  const most = Math.max(0, ...all);
  if (!needsLog(kinds)) return linearScale(most, frame.bottom, frame.top, Math.min(room, 8));
  // One sample of a run that begins or ends must not take most of the axis.
  const slowest = Math.min(...kinds.map(({ mpps }) => mpps).filter((rate) => rate > 0));
  const least = Math.min(...all.filter((rate) => rate > slowest / 3));
  return logScale(least, most, frame.bottom, frame.top, room);
}

/** The run whose rate is the median is drawn last and bold. */
function drawRuns(kind: KindResults, i: number, x: Scale, y: Scale, layout: Layout): string {
  const middle = median(kind.runs.map(({ mpps }) => mpps));
  const bold = kind.runs.find(({ mpps }) => mpps === middle) ?? kind.runs[0];
  const thin = kind.runs.filter((run) => run !== bold);
  return [...thin, ...(bold ? [bold] : [])].map((run) => {
    const points = averaged(usable(run)).map(([ms, mpps]) => [x.at(ms / 1e3), y.at(mpps)]);
    if (points.length === 0) return "";
    if (points.length === 1) return mark(points[0][0], points[0][1], i, layout);
    const path = points.map(([atX, atY]) => `${px(atX)} ${px(atY)}`).join("L");
    return curve("M" + path, i, layout, run !== bold);
  }).join("");
}

/** Kinds and their medians, each at its height or as near as the others let it. */
function drawLabels(
  kinds: readonly KindResults[],
  frame: Frame,
  y: Scale,
  room: number,
  layout: Layout,
): string {
  const rated = kinds.map((kind, i) => ({ kind, i })).filter(({ kind }) =>
    Number.isFinite(kind.mpps)
  );
  const size = lineHeight(layout), x = WIDTH - MARGIN - room;
  const centres = spreadLabels(
    rated.map(({ kind }) => ({ centre: y.at(kind.mpps), size })),
    frame.top - size / 2,
    frame.bottom + size / 2,
  );
  return rated.map(({ kind, i }, n) =>
    leader(`M${px(frame.right)} ${px(y.at(kind.mpps))}L${px(x - 4)} ${px(centres[n])}`, i) +
    label(x, centres[n], i, labelOf(kind), room, layout)
  ).join("");
}

function labelOf({ kind, mpps, verdict }: KindResults): string {
  return `${kind} ${bracketed(digits(mpps), verdict.throughputMeans)}`;
}

function labelWidth(kinds: readonly KindResults[], layout: Layout): number {
  const widest = Math.max(0, ...kinds.map((kind) => textWidth(labelOf(kind), layout.font)));
  return labelIndent(layout) + Math.min(widest, LABEL[layout.name] * WIDTH);
}

function usable(run: Run): [ms: number, mpps: number][] {
  return run.samples.filter(([ms, mpps]) =>
    Number.isFinite(ms) && Number.isFinite(mpps) && ms >= 0
  );
}

/** Neighbours put together, each weighing as much as its time, until there are few enough. */
function averaged(samples: [ms: number, mpps: number][]): [ms: number, mpps: number][] {
  const each = Math.ceil(samples.length / MAX_POINTS);
  if (each <= 1) return samples;
  const points: [number, number][] = [];
  for (let first = 0; first < samples.length; first += each) {
    const group = samples.slice(first, first + each);
    let before = first === 0 ? 0 : samples[first - 1][0], weights = 0, sum = 0;
    for (const [ms, mpps] of group) {
      const weight = Math.max(ms - before, 1e-9);
      weights += weight;
      sum += weight * mpps;
      before = ms;
    }
    points.push([before, sum / weights]);
  }
  return points;
}
