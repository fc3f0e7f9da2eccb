/**
 * Purpose: what the charts have in common: size, colours, scales and the marks of axes.
 */
import { duration } from "./figures.js";

/** Pixels: of a chart, of an axis beside it, and what is left free above. */
export const HEIGHT = 210, AXIS = 56, PADDING = [10, null, null, null];
const MOST_MARKS = 6;

/** Where a chart goes. */
export function placeOf(name) {
  return document.querySelector(`#chart-${name}`);
}

/** A custom property of the style sheet, as it is now. */
export function colourOf(property) {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

/** Of every axis. */
export function axisStyle() {
  const line = { stroke: colourOf("--line"), width: 1 };
  return {
    stroke: colourOf("--muted"),
    font: "11px system-ui, sans-serif",
    grid: line,
    ticks: line,
  };
}

/** A scale from 0 to what there is, to 1 at least. */
export const fromZero = { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.08)] };

/** A scale with room above and below, also where all is 0. */
export const around = {
  range: (_, min, max) => {
    const room = Math.max((max - min) * 0.1, 1);
    return [(min ?? 0) - room, (max ?? 0) + room];
  },
};

/** A logarithmic scale of whole powers of ten, two of them at least. */
export const decades = {
  distr: 3,
  range: (_, min, max) => {
    const low = Math.floor(Math.log10(min > 0 ? min : 1));
    const high = Math.ceil(Math.log10(max > 0 ? max : 1));
    return [10 ** low, 10 ** Math.max(high, low + 2)];
  },
};

/** Of an axis of a logarithmic scale. */
export const powersOfTen = {
  splits: (_, __, min, max) => {
    const marks = [], low = Math.ceil(Math.log10(min)), high = Math.floor(Math.log10(max));
    const step = Math.max(1, Math.ceil((high - low) / MOST_MARKS));
    for (let power = low; power <= high; power += step) marks.push(10 ** power);
    return marks;
  },
  filter: (_, marks) => marks,
};

/** A time that is 1, 2 or 5 and zeros: 10 ns, 1 ms. */
export function roundDuration(ns) {
  return duration(ns).replace(/\.0+ /, " ");
}
