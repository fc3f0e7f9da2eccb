/**
 * Purpose: the table below the panels, which is their legend too: figures of each kind, what held it back,
 * and why they may not mean what they seem to.
 */
import { digits } from "../harness/numbers.ts";
import type { KindResults, RxResults } from "./rx_results.ts";
import { label, type Layout, lineHeight } from "./svg_style.ts";
import { bracketed, MARGIN, px, textAt, WIDTH, wrap } from "./svg_text.ts";

/** A block of the picture: how high it is, and how it is drawn from there on. */
export interface Block {
  height: number;
  draw(top: number): string;
}

/** A column: its right end as a share of the table's width, and what it says of a kind. */
interface Column {
  name: string;
  end: number;
  of(kind: KindResults): string;
}

const rate = (kind: KindResults, value: number) =>
  bracketed(digits(value), kind.verdict.throughputMeans);
const time = (kind: KindResults, us: number) => bracketed(digits(us), kind.verdict.serviceMeans);
const RATE = { name: "Mpps", of: (k: KindResults) => rate(k, k.mpps) };
const P50 = { name: "P50 µs", of: (k: KindResults) => time(k, k.serviceUs.p50) };
const P99 = { name: "P99 µs", of: (k: KindResults) => time(k, k.serviceUs.p99) };
const P999 = { name: "P99.9 µs", of: (k: KindResults) => time(k, k.serviceUs.p999) };
const BOUND = { name: "held back by", of: (k: KindResults) => k.verdict.bottleneck };

const COLUMNS: Record<Layout["name"], (baseline: KindResults) => Column[]> = {
  wide: (baseline) => [
    { ...RATE, end: 0.25 },
    {
      name: "min to max",
      end: 0.4,
      of: (k) =>
        bracketed(`${digits(k.minMpps)} to ${digits(k.maxMpps)}`, k.verdict.throughputMeans),
    },
    ratioTo(baseline),
    { ...P50, end: 0.6 },
    { ...P99, end: 0.7 },
    { ...P999, end: 0.82 },
    { ...BOUND, end: 1 },
  ],
  narrow: () => [
    { ...RATE, end: 0.33 },
    { ...P50, end: 0.47 },
    { ...P99, end: 0.61 },
    { ...P999, end: 0.78 },
    { ...BOUND, name: "limit", end: 1 },
  ],
};

/** The kinds' figures, a line each. */
export function figuresTable(kinds: readonly KindResults[], layout: Layout): Block {
  const line = lineHeight(layout), width = WIDTH - 2 * MARGIN;
  if (kinds.length === 0) return { height: 0, draw: () => "" };
  const columns = COLUMNS[layout.name](kinds[0]);
  const row = (y: number, of: (column: Column) => string, classes: string) =>
    columns.map((c) => textAt(MARGIN + c.end * width, y, of(c), classes)).join("");
  const draw = (top: number) => {
    const rows = kinds.map((kind, i) => {
      const y = top + (i + 2.3) * line, name = (columns[0].end - 0.1) * width;
      return label(MARGIN, y - layout.font * 0.35, i, kind.kind, name, layout) +
        row(y, (c) => c.of(kind), "e n");
    });
    const rule = `<path class="a" d="M${MARGIN} ${px(top + line * 1.4)}H${WIDTH - MARGIN}"/>`;
    return row(top + line, (c) => c.name, "e m") + rule + rows.join("");
  };
  return { height: (kinds.length + 1.9) * line, draw };
}

/** What must be known besides; the reasons only where there is room for them. */
export function footnotes(results: RxResults, layout: Layout): Block {
  const { kinds, skipped } = results, line = lineHeight(layout), width = WIDTH - 2 * MARGIN;
  const doubtful = kinds.some(({ verdict: v }) => !v.throughputMeans || !v.serviceMeans);
  const notes = [
    ...(doubtful
      ? ["In brackets: rates that are not the receiver's own, times not to be believed."]
      : []),
    ...(layout.name === "wide" ? kinds.map(reasonOf) : []),
    ...(skipped.length === 0 ? [] : [skippedLine(results, layout)]),
  ];
  const lines = notes.flatMap((note) => wrap(note, width, layout.font, 2));
  const draw = (top: number) =>
    lines.map((text, i) => textAt(MARGIN, top + (i + 1) * line, text, "m")).join("");
  return { height: lines.length * line, draw };
}

/** A ratio means as little as the lesser of its two rates. */
function ratioTo(baseline: KindResults): Column {
  const meant = baseline.verdict.throughputMeans;
  const of = (k: KindResults) => bracketed(digits(k.ratio), meant && k.verdict.throughputMeans);
  return { name: `× ${[...baseline.kind].slice(0, 8).join("")}`, end: 0.51, of };
}

/** A kind's verdict, on a line. */
export function reasonOf({ kind, verdict }: KindResults): string {
  const { bottleneck, because, warnings } = verdict;
  const doubts = warnings.length === 0 ? "" : `; doubtful: ${warnings.join("; ")}`;
  return `${kind}: ${bottleneck}: ${because}${doubts}`;
}

function skippedLine({ skipped }: RxResults, layout: Layout): string {
  const reason = (why: string) => layout.name === "wide" ? ` (${why})` : "";
  return `Not run: ${skipped.map(({ kind, why }) => kind + reason(why)).join(", ")}`;
}
