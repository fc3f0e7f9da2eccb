/**
 * Purpose: the rest of the live view: what is captured, rates, rings, service times, instruments, queues.
 */
import type { InstrumentStats } from "../../../engine/simulated_market.ts";
import type { Statistics } from "../statistics.ts";
import { bar, chart, niceTop, sparkline } from "./glyphs.ts";
import { perSecond } from "./history.ts";
import { cut, fitting, type Line, printable, spread, type Style } from "./line.ts";
import { clock, count, decimal, nanoseconds, percent, price } from "./numbers.ts";
import type { Section, Sight } from "./section.ts";

const MINUTE = 60;
/** Room for a bar, of a ring or of a load. */
const BAR = 20;
const CROWDED = 0.8; // of a ring: from here on it stands out
const MOST = 12; // columns of the most that there was
const INSTRUMENTS = 10;
const TIME = 11; // columns of a time

/** The first line: what runs, and for how long. */
export function titleSection({ now, setup, columns }: Sight): Section {
  const cores = now.queues.map(({ core }) => core).join(", ");
  const from = printable(setup.from, setup.unicode);
  const threads = `${now.queues.length === 1 ? "core" : "cores"} ${cores}`;
  const left = fitting([[{ text: "uspf", style: "strong" }], [from], [threads]], columns - 9);
  return [[], [spread(left, [clock(now.elapsedNs)], columns)]];
}

/** The expression, and where it runs. */
export function filterSection({ now: { filter }, setup, columns }: Sight): Section {
  const { expression } = filter;
  const everything = filter.decoded ? "every tick" : "every packet";
  const text = expression === null ? everything : `"${printable(expression, setup.unicode)}"`;
  const where = `in ${filter.where === "user space" ? "" : "the "}${filter.where}`;
  const plain = expression === null && filter.where === "user space";
  const place = printable(plain ? where : `${where}: ${filter.how}`, setup.unicode);
  const room = Math.max(20, Math.floor(columns / 2));
  return [[], [
    cut(["filter     ", ...cut([text], room), "  ", { text: place, style: "faint" }], columns),
  ]];
}

/** Packets and bits a second: now, and in the last minute. */
export function rateSection(sight: Sight): Section {
  const { now, before, mpps, gbps, columns, glyphs } = sight;
  const per = perSecond(now, before);
  const packets = per((s) => s.received) / 1e6, bits = per((s) => s.bytes) * 8 / 1e9;
  const short = fitting([[`${decimal(packets, 8)} Mpps`], [`${decimal(bits, 8)} Gbit/s`]], columns);
  const width = Math.min(MINUTE, columns - 20), tops = [mpps, gbps].map((all) => topOf(all, width));
  const line = (label: string, value: number, past: readonly number[], top: number): Line =>
    width < 10
      ? [label.padEnd(8), decimal(value, Math.max(8, columns - 8))]
      : [label.padEnd(8), decimal(value, 11), " ", sparkline(past, width, top, glyphs)];
  const lines = [line("Mpps", packets, mpps, tops[0]), line("Gbit/s", bits, gbps, tops[1])];
  const scale = fitting([
    [`the last ${width} s`],
    [`to ${decimal(tops[0], 0)} Mpps, ${decimal(tops[1], 0)} Gbit/s`],
  ], Math.max(0, columns - 20));
  const heading: Line = ["RATE".padEnd(8) + "now".padStart(11) + " ", ...scale]
    .map((piece) => ({ text: typeof piece === "string" ? piece : piece.text, style: "strong" }));
  return [[], [short], lines, [cut(heading, columns), ...lines]];
}

function topOf(values: readonly number[], width: number): number {
  return niceTop(Math.max(0, ...values.slice(-width)));
}

/** How full the rings are, the port's and the one to the engine, and how busy the threads. */
export function ringSection(sight: Sight): Section {
  const { now } = sight, { decoded } = now.filter;
  const lines = [...(decoded ? [tickRingLine(sight)] : []), portRingLine(sight)];
  const more = [burstLine(sight), ...(now.queues.length === 1 ? [threadLine(sight)] : [])];
  const heading: Line = [{
    text: `RINGS${"now".padStart(14)}`,
    style: "strong",
  }];
  const [first] = lines;
  return [[], [first], lines, [...lines, ...more], [heading, ...lines, ...more]];
}

function tickRingLine({ now: { tickRing }, glyphs, columns }: Sight): Line {
  const { waiting, capacity } = tickRing, share = capacity === 0 ? 0 : waiting / capacity;
  const more = `of ${count(capacity, 0)}`;
  return gauge("tick ring", count(waiting, 10), "", share, columns, glyphs, more);
}

function portRingLine({ now, before, setup, columns, glyphs }: Sight): Line {
  const found = (s: Statistics) => s.syncs - s.emptySyncs;
  const mean = meanSince(now, before, (s) => s.ring.occupancyMean, found);
  const label = columns < 32 ? "port" : "port ring", { slots } = setup;
  const at = [decimal(mean, 10, 1), most(now.ring.occupancyMax)] as const;
  return slots === 0
    ? columns < 32 ? [label.padEnd(9), at[0]] : [label.padEnd(9), ...at]
    : gauge(label, at[0], at[1], mean / slots, columns, glyphs, `of ${count(slots, 0)}`);
}

function gauge(
  label: string,
  value: string,
  most: string,
  share: number,
  columns: number,
  glyphs: Sight["glyphs"],
  more = "",
): Line {
  const style: Style | undefined = share >= CROWDED ? "bad" : undefined;
  const text = `[${bar(share, BAR, glyphs)}] ${percent(share)}`;
  if (columns < 32) return [label.padEnd(columns - 9), { text: percent(share).padStart(9), style }];
  const left: Line = [label.padEnd(9), { text: value, style }, most.padEnd(MOST)];
  return fitting([left, [{ text, style }], [{ text: more, style: "faint" }]], columns);
}

function burstLine({ now, before, columns }: Sight): Line {
  const bursts = (s: Statistics) => s.burst.mean === 0 ? 0 : s.received / s.burst.mean;
  const mean = meanSince(now, before, (s) => s.burst.mean, bursts);
  const syncs = now.syncs - before.syncs, empty = now.emptySyncs - before.emptySyncs;
  const share = syncs === 0 ? 0 : empty / syncs, per = perSecond(now, before);
  return fitting([
    ["burst".padEnd(9), decimal(mean, 10, 1)],
    [most(now.burst.max).slice(2)],
    [`${count(per((s) => s.syncs), 0)} syncs/s, ${percent(share).trim()} empty`],
  ], columns);
}

function threadLine(sight: Sight): Line {
  const share = loadOf(sight, 0), text = `${(share * 100).toFixed(1)} %`;
  const left: Line = ["thread".padEnd(9), text.padStart(10), " ".repeat(MOST)];
  return fitting([left, [`[${bar(share, BAR, sight.glyphs)}] of a core`]], sight.columns);
}

/** The most since the start. */
function most(value: number): string {
  return `${count(value, 8)} max`.padEnd(MOST);
}

/** Share of a core that a capture thread took. */
function loadOf({ now, before }: Sight, index: number): number {
  const ns = now.elapsedNs - before.elapsedNs;
  return ns <= 0 ? 0 : (now.queues[index].cpuNs - before.queues[index].cpuNs) / ns;
}

/** A mean of the last second, from two that are over all time, of so many each. */
function meanSince(
  now: Statistics,
  before: Statistics,
  mean: (s: Statistics) => number,
  many: (s: Statistics) => number,
): number {
  const sum = mean(now) * many(now) - mean(before) * many(before), n = many(now) - many(before);
  return n < 0.5 ? 0 : Math.max(0, sum / n);
}

/** Nanoseconds a packet. */
export function serviceSection(sight: Sight): Section {
  const { service, now: { serviceNs }, columns } = sight;
  const names = ["p50", "p99", "p99.9", "max"], keys = ["p50", "p99", "p999", "max"] as const;
  const label = columns < 56 ? 8 : 11;
  const shown = Math.min(4, Math.max(1, Math.floor((columns - label) / TIME)));
  const cells = (texts: string[]) => texts.slice(0, shown).map((text) => text.padStart(TIME));
  const line = (title: string, of: Record<typeof keys[number], number>): Line => [
    title.slice(0, label).padEnd(label),
    ...cells(keys.map((key) => nanoseconds(of[key], TIME - 1))),
  ];
  const heading: Line = [
    "SERVICE".padEnd(label),
    ...cells(names),
    columns < 66 ? "" : "  ns a packet",
  ]
    .map((text) => ({ text, style: "strong" }));
  const recent = line(label === 8 ? "last s" : "last second", service),
    all = line("all", serviceNs);
  const table = [heading, recent, all];
  return [
    [],
    [["p50 ns".padEnd(9), nanoseconds(service.p50, Math.max(8, Math.min(11, columns - 9)))]],
    [heading, recent],
    table,
    [...table, ...histogram(sight, 2)],
    [...table, ...histogram(sight, 4)],
  ];
}

/** How many packets took how long: two columns a bucket, three buckets a power of ten. */
function histogram({ service: { atMost }, columns, glyphs, setup }: Sight, rows: number): Line[] {
  const counts = atMost.map((upTo, i) => upTo - (i === 0 ? 0 : atMost[i - 1]));
  const indent = columns < 70 ? "" : " ".repeat(11);
  const wide = counts.flatMap((many) => [many, many]);
  const micro = setup.unicode ? "µs" : "us";
  const axis = ["1 ns", "10", "100", `1 ${micro}`, "10", "100", "1 ms", "10", "100", "1 s"]
    .map((text) => text.padEnd(6)).join("");
  return [
    ...chart(wide, rows, Math.max(...counts), glyphs).map((text) => cut([indent, text], columns)),
    cut([indent, { text: axis, style: "faint" }], columns),
  ];
}

/** The instruments with the most ticks, and what is held of each. */
export function instrumentSection(sight: Sight): Section {
  const { now, before, columns } = sight;
  if (!now.filter.decoded) return [[]];
  const places = columns < 68 ? [11, 11, 12, 12, 9] : [12, 14, 14, 14, 14];
  const widths = places.filter((_, i) => sum(places.slice(0, i + 1)) <= columns);
  const cells = (texts: readonly ((width: number) => string)[]): Line =>
    texts.slice(0, widths.length).map((text, i) => text(widths[i]));
  const names = ["INSTRUMENT", "ticks/s", "bid", "ask", "position"];
  const heading = cells(
    names.map((name, i) => (width) => i === 0 ? name.padEnd(width) : name.padStart(width)),
  )
    .map((text) => ({ text: String(text), style: "strong" as const }));
  const ticksOf = ({ instruments }: Statistics, id: number) =>
    instruments.find(({ instrument }) => instrument === id)?.ticks;
  const line = (one: InstrumentStats | undefined): Line => {
    if (one === undefined) return [];
    const rate = perSecond(now, before)((s) => ticksOf(s, one.instrument) ?? null);
    return cells([
      (width) => String(one.instrument).padEnd(width),
      (width) => rate === null ? "-".padStart(width) : count(rate, width),
      (width) => price(one.bid, width),
      (width) => price(one.ask, width),
      (width) => decimal(one.position, width, Number.isInteger(one.position) ? 0 : 2),
    ]);
  };
  const rows = Array.from({ length: INSTRUMENTS }, (_, i) => line(sight.instruments[i]));
  return [[], ...rows.map((_, i) => [heading, ...rows.slice(0, i + 1)])];
}

/** Each capture thread's share, where there are several. */
export function queueSection(sight: Sight): Section {
  const { now, before, columns, setup } = sight;
  if (now.queues.length < 2) return [[]];
  const text = columns < 60
    ? "QUEUE"
    : `${"QUEUE".padEnd(20)}${"core".padStart(5)}${"packets/s".padStart(14)}${
      "dropped".padStart(12)
    }${"lost".padStart(12)}${"load".padStart(9)}`;
  const heading: Line = [{ text, style: "strong" }];
  const rows = now.queues.map((queue, i): Line => {
    const ns = now.elapsedNs - before.elapsedNs;
    const rate = ns <= 0 ? 0 : (queue.received - before.queues[i].received) / ns * 1e9;
    const name = cut(
      [printable(queue.port, setup.unicode).padEnd(19)],
      columns < 60 ? columns - 14 : 19,
    );
    const bad = (lost: number | null): Style | undefined => (lost ?? 0) > 0 ? "warning" : undefined;
    if (columns < 60) return [...name, count(rate, 14)];
    return [
      ...name,
      " ",
      String(queue.core).padStart(5),
      count(rate, 14),
      { text: count(queue.dropped, 12), style: bad(queue.dropped) },
      { text: count(queue.lost, 12), style: bad(queue.lost) },
      percent(loadOf(sight, i)).padStart(9),
    ];
  });
  return [[], rows, [heading, ...rows]];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
