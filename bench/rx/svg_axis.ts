/**
 * Purpose: from values to places in a picture: linear, logarithmic and percentile scales, their ticks at
 * round numbers, and the axes drawn from them.
 */
import { px, textAt, textWidth } from "./svg_text.ts";

/** A mark on an axis; one without a label is only a line. */
export interface Tick {
  at: number;
  label: string;
}

/** A value's place; values beyond the ends are put at the ends. */
export interface Scale {
  at(value: number): number;
  ticks: Tick[];
}

/** Where the curves go; y grows downwards. */
export interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** More decades than this would be an error of measurement: the smallest values are then cut. */
const MAX_DECADES = 9;
const PERCENTILES: [share: number, label: string][] = [
  [0.5, "P50"],
  [0.9, "P90"],
  [0.99, "P99"],
  [0.999, "P99.9"],
  [0.9999, "P99.99"],
  [0, "P0"],
];

/** Where a percentile plot ends. */
export const TOP_SHARE = 0.9999;

/** From 0 to the given end, at least to `max`; `room` labels at most. */
export function linearScale(
  max: number,
  from: number,
  to: number,
  room: number,
  exact = false,
): Scale {
  const reach = max > 0 && Number.isFinite(max) ? max : 1;
  const step = roundUp(reach / Math.max(1, room - 1));
  const end = exact ? reach : Math.ceil(reach / step - 1e-9) * step;
  const at = (value: number) => from + (to - from) * clamp(value / end);
  const count = Math.floor(end / step + 1e-9) + 1;
  const ticks = Array.from(
    { length: count },
    (_, i) => ({ at: at(i * step), label: number(i * step) }),
  );
  return { at, ticks };
}

/** From `min` to `max`, both rounded outwards to 1, 2 or 5 times a power of ten. */
export function logScale(min: number, max: number, from: number, to: number, room: number): Scale {
  const end = roundUp(max > 0 && Number.isFinite(max) ? max : 10);
  let begin = roundDown(min > 0 && min <= end ? min : end / 100);
  if (begin === end) begin = roundDown(end * 0.99);
  begin = Math.max(begin, end / 10 ** MAX_DECADES);
  const decades = Math.log10(end / begin);
  const at = (value: number) => from + (to - from) * clamp(Math.log10(value / begin) / decades);
  return { at, ticks: logTicks(begin, end, room).map(([v, label]) => ({ at: at(v), label })) };
}

/** A share of packets, 0 to TOP_SHARE, on a logarithmic scale of the rest: each nine takes the same room. */
export function percentileScale(from: number, to: number, font: number): Scale {
  const reach = -Math.log10(1 - TOP_SHARE);
  const at = (share: number) => {
    const rest = Math.max(1 - share, 1 - TOP_SHARE);
    return from + (to - from) * clamp(-Math.log10(rest) / reach);
  };
  const ticks: Tick[] = [];
  for (const [share, label] of PERCENTILES) {
    const free = ticks.every((tick) => Math.abs(tick.at - at(share)) > font);
    ticks.push({ at: at(share), label: free ? label : "" });
  }
  return { at, ticks };
}

/** Grid, tick labels and the name of the x axis; the y axis is named by the panel's heading. */
export function drawAxes(frame: Frame, x: Scale, y: Scale, xName: string, font: number): string {
  const { left, right, top, bottom } = frame;
  const rows = y.ticks.map(({ at, label }) =>
    `<path class="g" d="M${px(left)} ${px(at)}H${px(right)}"/>` +
    (label && textAt(left - font * 0.6, at + font * 0.35, label, "e n"))
  );
  const columns = x.ticks.map(({ at, label }) =>
    `<path class="g" d="M${px(at)} ${px(top)}V${px(bottom)}"/>` +
    (label && textAt(tickLabelCentre(at, label, right, font), bottom + font * 1.35, label, "c n"))
  );
  const name = textAt((left + right) / 2, bottom + font * 2.65, xName, "c m");
  return rows.join("") + columns.join("") +
    `<path class="a" d="M${px(left)} ${px(bottom)}H${px(right)}"/>` + name;
}

/** Height that tick labels and the name below an x axis take. */
export function axisHeight(font: number): number {
  return font * 3;
}

/** The last label stays inside the picture. */
function tickLabelCentre(at: number, label: string, right: number, font: number): number {
  return Math.min(at, right + font - textWidth(label, font) / 2);
}

function logTicks(begin: number, end: number, room: number): [value: number, label: string][] {
  const values: number[] = [];
  for (let v = begin; v <= end * 1.001; v = roundUp(v * 1.01)) values.push(v);
  if (values.length <= room) return values.map((v) => [v, number(v)]);
  const every = Math.ceil((Math.log10(end / begin) + 1) / room);
  return values.map((v) => {
    const exponent = Math.log10(v), whole = Math.round(exponent);
    const labelled = Math.abs(exponent - whole) < 1e-6 && whole % every === 0;
    return [v, labelled ? number(v) : ""];
  });
}

/** The next of 1, 2 or 5 times a power of ten, upwards. */
function roundUp(value: number): number {
  const power = Math.floor(Math.log10(value) + 1e-9), unit = value / 10 ** power;
  return rounded([1, 2, 5, 10].find((nice) => unit <= nice * (1 + 1e-9))!, power);
}

function roundDown(value: number): number {
  const power = Math.floor(Math.log10(value) + 1e-9), unit = value / 10 ** power;
  return rounded([5, 2, 1].find((nice) => unit >= nice * (1 - 1e-9))!, power);
}

/** Without the last digit's error of a multiplication. */
function rounded(nice: number, power: number): number {
  return Number(`${nice}e${power}`);
}

function number(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}

function clamp(share: number): number {
  return share > 0 ? Math.min(share, 1) : 0;
}
