/**
 * Purpose: the counters of the live view: what became of the packets, and of the orders. Each line has a
 * total and a rate, and lines that stand further right add up to the one above.
 */
import type { EngineStats } from "../../../engine/trading_engine.ts";
import type { Statistics } from "../statistics.ts";
import { perSecond } from "./history.ts";
import type { Line, Piece, Style } from "./line.ts";
import { count, money } from "./numbers.ts";
import type { Section, Sight } from "./section.ts";

/** Widths of the columns: the label, the total, the rate; of a narrow view, and of a very narrow one. */
const WIDE = [11, 22, 16], NARROW = [11, 11, 12], SLIM = [10, 10, 0];
const WIDE_FROM = 50, NARROW_FROM = 34;

/** Columns between a rate and what is said of it. */
const GAP = 2;

type Count = (s: Statistics) => number | null;

/** What became of the packets: in short, the losses by cause, all of it. */
export function packetsSection(sight: Sight): Section {
  const { filter, rejectedEarly, write } = sight.now, { decoded } = filter;
  const early = filter.where !== "user space" || (rejectedEarly ?? 0) > 0;
  const lost = lossRow(sight, "lost", (s) => s.lost, starved(sight.now.starved, noteRoom(sight)));
  const received = row(sight, "received", (s) => s.received);
  const accepted = row(sight, " accepted", (s) => s.accepted);
  const delivered = row(sight, "  delivered", (s) => s.delivered);
  const dropped = lossRow(sight, "  dropped", (s) => s.dropped, "the tick ring was full");
  const rejected = row(sight, " rejected", (s) => s.rejected, causes(sight, (s) => s.rejectedBy));
  const malformed = row(
    sight,
    " malformed",
    (s) => s.malformed,
    causes(sight, (s) => s.malformedBy),
  );
  const turnedAway = row(sight, "turned away", (s) => s.rejectedEarly, before(filter.where));
  const written = write === null ? [] : writtenRows(sight);
  const all = [
    heading(sight, "PACKETS"),
    received,
    accepted,
    ...(decoded ? [delivered, dropped] : []),
    rejected,
    malformed,
    lost,
    ...(early ? [turnedAway] : []),
    ...written,
  ];
  const losses = [lost, ...(decoded ? [dropped] : []), ...written.slice(1)];
  return [[], [lost], losses, [received, ...losses], all];
}

/** What the engine has done and won. */
export function engineSection(sight: Sight): Section {
  if (!sight.now.filter.decoded) return [[]];
  const { engine } = sight.now;
  const value = (label: string, amount: number): Line => {
    const [first, second] = widths(sight.columns);
    return [label.padEnd(first), { text: money(amount, second), style: signed(amount) }];
  };
  const profit = value("profit", engine.profit);
  return [[], [profit], [profitLine(engine, sight, profit)], [
    heading(sight, "ENGINE"),
    profit,
    value(" cash", engine.cash),
    value(" positions", engine.positionValue),
    row(sight, "orders", (s) => s.engine.orders),
    row(sight, " filled", (s) => s.engine.filled),
    row(
      sight,
      " rejected",
      (s) => s.engine.rejected,
      causes(sight, (s) => s.engine.rejectedBy),
    ),
  ]];
}

/** Four amounts in a line, each with a place of its own. */
function profitLine(
  { profit, cash, positionValue, orders }: EngineStats,
  sight: Sight,
  short: Line,
): Line {
  const place = Math.floor((Math.min(sight.columns, 100) + 2) / 4) - 2;
  if (place < 16) return short;
  const cell = (label: string, text: (width: number) => string, style?: Style): Piece[] => [
    label,
    { text: text(place - label.length), style },
  ];
  return [
    ...cell("profit", (width) => money(profit, width), signed(profit)),
    "  ",
    ...cell("cash", (width) => money(cash, width)),
    "  ",
    ...cell("held", (width) => money(positionValue, width)),
    "  ",
    ...cell("orders", (width) => count(orders, width)),
  ];
}

function writtenRows(sight: Sight): Line[] {
  const { files, failed } = sight.now.write!;
  const why = failed === undefined ? "the writer could not keep up" : "the writing was stopped";
  return [
    row(
      sight,
      "written",
      (s) => s.write?.packets ?? 0,
      `to ${files} ${files === 1 ? "file" : "files"}`,
    ),
    lossRow(sight, " missed", (s) => s.write?.missed ?? 0, why),
  ];
}

function heading({ columns }: Sight, title: string): Line {
  const [label, total, rate] = widths(columns);
  const text = title.padEnd(label) + "total".padStart(total) +
    (rate > 0 ? "per second".padStart(rate) : "");
  return [{ text, style: "strong" }];
}

function row(sight: Sight, label: string, field: Count, note = "", style?: Style): Line {
  const [labelWidth, totalWidth, rateWidth] = widths(sight.columns);
  const rate = perSecond(sight.now, sight.before)(field);
  const total = { text: count(field(sight.now), totalWidth), style };
  const speed = rateWidth === 0 ? [] : [{ text: count(rate, rateWidth), style }];
  const noted: Piece[] = note === "" || noteRoom(sight) < 10
    ? []
    : [" ".repeat(GAP), { text: note, style: "faint" }];
  return [label.padEnd(labelWidth), total, ...speed, ...noted];
}

/** Stands out where there is a loss, and more while it grows. */
function lossRow(sight: Sight, label: string, field: Count, note: string): Line {
  const total = field(sight.now) ?? 0, grows = total > (field(sight.before) ?? 0);
  const style = grows ? "bad" : total > 0 ? "warning" : undefined;
  return row(sight, label, field, total > 0 ? note : "", style);
}

/** Those that there were, the most frequent first, as many as there is room for, and how fast they come. */
function causes(sight: Sight, of: (s: Statistics) => object): string {
  const counts = (s: Statistics) => of(s) as Record<string, number>;
  const per = perSecond(sight.now, sight.before), room = noteRoom(sight);
  const all = Object.entries(counts(sight.now)).filter(([, total]) => total > 0)
    .sort(([, a], [, b]) => b - a);
  const names = all.map(([name, total]) => `${name} ${count(total, 0)}`);
  const full = all.map(([name], i) => {
    const rate = Math.round(per((s) => counts(s)[name]));
    return names[i] + (rate > 0 ? ` (${count(rate, 0)}/s)` : "");
  }).join(", ");
  if (full.length <= room) return full;
  for (let shown = names.length; shown > 0; shown--) {
    const more = names.length - shown;
    const text = names.slice(0, shown).join(", ") + (more > 0 ? `, ${more} more` : "");
    if (text.length <= room) return text;
  }
  return "";
}

function noteRoom({ columns }: Sight): number {
  return columns - widths(columns).reduce((sum, width) => sum + width, 0) - GAP;
}

/** What is said of losses by the port: what there is room for. */
function starved(times: number | null, room: number): string {
  const where = "by the port, before us";
  const why = (times ?? 0) === 0 ? "" : `no free buffer ${count(times, 0)} times`;
  return [`${where}; ${why}`, why].find((text) => why !== "" && text.length <= room) ?? where;
}

function before(where: Statistics["filter"]["where"]): string {
  return where === "user space" ? "before us" : `by the filter in the ${where}`;
}

function signed(amount: number): Style | undefined {
  return amount <= -0.005 ? "bad" : undefined; // what is shown as -0.01 or less
}

function widths(columns: number): number[] {
  if (columns >= WIDE_FROM) return WIDE;
  if (columns >= NARROW_FROM) return NARROW;
  return [SLIM[0], columns - SLIM[0], 0];
}
