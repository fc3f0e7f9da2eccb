/**
 * Purpose: figures of the statistics, and how they are written. Nothing here knows the page: tests run it
 * outside of a browser.
 */

/** Between the thousands: narrow, and no place to break a line. */
const GROUP = "\u202f", MINUS = "\u2212";

/** The field at a path such as "serviceNs.p99" or "queues.0.lost". */
export function lookup(statistics, path) {
  return path.split(".").reduce((at, name) => at?.[name], statistics);
}

/**
 * How fast a counter moves, per second, since the statistics before; in the final ones over the whole run,
 * as their packets per second are. `null` where it is unknown.
 */
export function rateOf(path, statistics, previous) {
  const before = statistics.final ? null : previous;
  const now = lookup(statistics, path);
  const then = before === null ? 0 : lookup(before, pathBefore(path, statistics, before));
  if (now == null || then == null) return null;
  return (now - then) * 1e9 / (statistics.elapsedNs - (before?.elapsedNs ?? 0));
}

/** The busiest instruments change places: the same one's path a second ago. */
function pathBefore(path, statistics, before) {
  const parts = /^instruments\.(\d+)\.(.*)$/.exec(path);
  if (parts === null) return path;
  const { instrument } = statistics.instruments[parts[1]];
  const place = before.instruments.findIndex((other) => other.instrument === instrument);
  return `instruments.${place}.${parts[2]}`; // -1 leads nowhere
}

/**
 * Packets in each bucket, of counts of packets that took at most each bound; since others, if there are.
 *
 * @param {number[]} atMost
 * @param {number[]} [before]
 */
export function bucketsOf(atMost, before) {
  const since = (i) => i < 0 ? 0 : atMost[i] - (before?.[i] ?? 0);
  return atMost.map((_, i) => Math.max(0, since(i) - since(i - 1)));
}

/** The first and the last bucket that hold any; `null` where none does. */
export function usedBuckets(buckets) {
  const first = buckets.findIndex((count) => count > 0);
  return first < 0 ? null : [first, buckets.findLastIndex((count) => count > 0)];
}

/** Whether the capture threads stand still: not one has asked its port since. */
export function standsStill(statistics, previous) {
  return previous !== null && !statistics.final && statistics.syncs === previous.syncs;
}

/** A number with so many decimals, its thousands apart. */
export function grouped(value, decimals = 0) {
  const [whole, rest] = Math.abs(value).toFixed(decimals).split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, GROUP) + (rest ? `.${rest}` : "");
  return value < 0 && /[1-9]/.test(digits) ? MINUS + digits : digits;
}

/** A time with three digits at least, and its unit. */
export function duration(ns) {
  const [unit, size] = [["s", 1e9], ["ms", 1e6], ["µs", 1e3]].find(([, size]) => ns >= size) ??
    ["ns", 1];
  const value = ns / size;
  return `${value.toFixed(value >= 99.95 || ns === 0 ? 0 : value >= 9.995 ? 1 : 2)} ${unit}`;
}

/** Days, hours, minutes and seconds. */
export function clock(ns) {
  const seconds = Math.floor(ns / 1e9), two = (n) => String(n % 60).padStart(2, "0");
  const hours = Math.floor(seconds / 3600), days = Math.floor(hours / 24);
  const begin = days > 0 ? `${days} d ${String(hours % 24).padStart(2, "0")}` : `${hours}`;
  return `${begin}:${two(Math.floor(seconds / 60))}:${two(seconds)}`;
}

/** A number for an axis: 1.5k, 20M. */
export function short(value) {
  const size = Math.abs(value);
  const [unit, by] = [["G", 1e9], ["M", 1e6], ["k", 1e3]].find(([, by]) => size >= by) ?? ["", 1];
  const text = String(Number((size / by).toPrecision(4)));
  return `${value < 0 ? MINUS : ""}${text}${unit}`;
}

const FORMATS = {
  count: (value) => grouped(value),
  whole: (value) => grouped(value),
  one: (value) => grouped(value, 1),
  three: (value) => grouped(value, 3),
  money: (value) => grouped(value, 2),
  price: (value) => grouped(value, Number.isInteger(Math.round(value * 1e4) / 100) ? 2 : 4),
  rate: (value) => grouped(value, value > 0 && value < 10 ? 1 : 0),
  seconds: (value) => `${grouped(value / 1e9, 1)} s`,
  ns: duration,
  clock,
};

/** What stands on the page for a value; `null` and what is not there is unknown. */
export function written(value, format = "count", unknown = "unknown") {
  if (value === null || value === undefined) return unknown;
  return typeof value === "number" ? FORMATS[format](value) : String(value);
}
