/**
 * Purpose: the panel of the receive service time's distribution: how large a share of a kind's packets was
 * served within so many µs, on axes that give each nine the same room.
 */
import type { KindResults } from "./rx_results.ts";
import {
  drawAxes,
  type Frame,
  logScale,
  percentileScale,
  type Scale,
  TOP_SHARE,
} from "./svg_axis.ts";
import { curve, label, labelIndent, type Layout, leader, mark } from "./svg_style.ts";
import { bracketed, MARGIN, px, spreadLabels, textAt, textWidth, WIDTH } from "./svg_text.ts";

/** The few packets below this share would widen the axis and show nothing. */
const BOTTOM_SHARE = 0.005;
/** Steps of a curve that are smaller than this cannot be seen; wider ones are gaps and drawn as such. */
const FINEST = 0.7;
const GAP = 8;

/** A kind with its place in the experiment, and the share of its packets served within so many µs. */
interface Curve {
  kind: KindResults;
  i: number;
  points: [us: number, share: number][];
}

/** Draws the panel, axes and labels included, between two heights. */
export function drawService(
  kinds: readonly KindResults[],
  top: number,
  bottom: number,
  layout: Layout,
): string {
  const { font, left } = layout, right = WIDTH - MARGIN - font;
  const frame = { left, right, top: top + labelsHeight(layout), bottom };
  const curves = kinds.map((kind, i) => ({ kind, i, points: cumulative(kind) }))
    .filter(({ points }) => points.length > 0);
  const ends = curves.flatMap((
    { points },
  ) => [within(points, BOTTOM_SHARE), within(points, TOP_SHARE)])
    .filter((us) => us > 0);
  const room = Math.floor((right - left) / (font * 4));
  const x = logScale(Math.min(...ends), Math.max(...ends), left, right, room);
  const y = percentileScale(bottom, frame.top, font);
  const nothing = curves.length > 0
    ? ""
    : textAt((left + right) / 2, (frame.top + bottom) / 2, "no service times", "c m");
  return drawAxes(frame, x, y, "µs a packet, its burst's sync included", font) + nothing +
    curves.map((one) => curve(stepsOf(one.points, frame, x, y), one.i, layout)).join("") +
    curves.map((one) => drawMarks(one, x, y, layout)).join("") +
    drawLabels(curves, frame, x, layout);
}

/** Above the frame, for the labels and the lines that lead to them. */
function labelsHeight({ font }: Layout): number {
  return font * 2;
}

/** Shares of packets by time, from buckets that may be out of order or damaged. */
function cumulative({ serviceBuckets }: KindResults): [us: number, share: number][] {
  const buckets = serviceBuckets
    .filter(([us, packets]) =>
      us >= 0 && Number.isFinite(us) && packets > 0 && Number.isFinite(packets)
    )
    .toSorted((a, b) => a[0] - b[0]);
  const all = buckets.reduce((sum, [, packets]) => sum + packets, 0);
  let sum = 0;
  return buckets.map(([us, packets]) => [us, (sum += packets) / all]);
}

function within(points: readonly [us: number, share: number][], share: number): number {
  return points.find(([, reached]) => reached >= share)![0];
}

function stepsOf(points: [us: number, share: number][], frame: Frame, x: Scale, y: Scale): string {
  let atX = x.at(points[0][0]), atY = frame.bottom;
  let path = `M${px(atX)} ${px(atY)}`;
  for (const [us, share] of points) {
    const toX = x.at(us), toY = y.at(share);
    if (toX - atX < FINEST && atY - toY < FINEST && share < TOP_SHARE) continue;
    path += toX - atX > GAP ? `H${px(toX)}V${px(toY)}` : `L${px(toX)} ${px(toY)}`;
    [atX, atY] = [toX, toY];
    if (share >= TOP_SHARE) break;
  }
  return path;
}

function drawMarks({ kind, i }: Curve, x: Scale, y: Scale, layout: Layout): string {
  const { p50, p99, p999 } = kind.serviceUs;
  return ([[p50, 0.5], [p99, 0.99], [p999, 0.999]] as const)
    .filter(([us]) => us > 0 && Number.isFinite(us))
    .map(([us, share]) => mark(x.at(us), y.at(share), i, layout)).join("");
}

/** Above the top, each over its curve's end or as near as the others let it. */
function drawLabels(curves: readonly Curve[], frame: Frame, x: Scale, layout: Layout): string {
  const { font } = layout, gap = font / 2, from = frame.left - font, to = WIDTH - MARGIN;
  const widths = curves.map(({ kind }) =>
    labelIndent(layout) + textWidth(nameOf(kind), font) + gap
  );
  const most = fairShare(widths, to - from);
  const labels = curves.map(({ points }, n) => {
    return { centre: x.at(within(points, TOP_SHARE)), size: Math.min(most, widths[n]) };
  });
  const centres = spreadLabels(labels, from, to), y = frame.top - font * 1.5;
  return curves.map(({ kind, i }, n) => {
    const { centre, size } = labels[n], start = centres[n] - (size - gap) / 2;
    return leader(`M${px(centre)} ${px(frame.top)}L${px(centres[n])} ${px(y + font * 0.6)}`, i) +
      label(start, y, i, nameOf(kind), size - gap, layout);
  }).join("");
}

function nameOf({ kind, verdict }: KindResults): string {
  return bracketed(kind, verdict.serviceMeans);
}

/** The width to which the longest labels must be cut for all to fit. */
function fairShare(widths: readonly number[], room: number): number {
  let most = Math.max(...widths);
  const needed = () => widths.reduce((sum, width) => sum + Math.min(most, width), 0);
  while (most > 1 && needed() > room) most--;
  return most;
}
