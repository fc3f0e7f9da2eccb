/**
 * Purpose: the live view as lines for a terminal of any size: a pure function of what was counted. Sections
 * get room in the order of their importance, in more and more detail, and keep their places.
 *
 * ```text
 *  narrow: one column          from 140 on: two
 *  title                       title
 *  rate, packets, rings, …     rate, packets, rings, service │ instruments, engine, queues
 *  instruments, engine
 *  foot                        foot
 * ```
 */
import { engineSection, packetsSection } from "./counters.ts";
import {
  filterSection,
  instrumentSection,
  queueSection,
  rateSection,
  ringSection,
  serviceSection,
  titleSection,
} from "./gauges.ts";
import { glyphsFor } from "./glyphs.ts";
import type { Recent } from "./history.ts";
import { cut, fill, type Line, printable } from "./line.ts";
import type { Section, Sight, ViewSetup } from "./section.ts";

/** A terminal's. */
export interface Size {
  columns: number;
  rows: number;
}

/** What the last line says. */
export interface Foot {
  /** Which keys there are. */
  keys: string;
  /** What has happened last. */
  message?: string;
}

const TWO_COLUMNS_FROM = 140, LEFT = 82, GAP = 3;
const FOOT_FROM = 6; // rows

const SECTIONS = {
  title: titleSection,
  filter: filterSection,
  rate: rateSection,
  queues: queueSection,
  packets: packetsSection,
  rings: ringSection,
  service: serviceSection,
  instruments: instrumentSection,
  engine: engineSection,
};
type Name = keyof typeof SECTIONS;

/** Where sections stand. */
const ONE: readonly Name[] = [
  "title",
  "filter",
  "rate",
  "packets",
  "queues",
  "rings",
  "service",
  "instruments",
  "engine",
];
const LEFT_ONES: readonly Name[] = ["rate", "packets", "rings", "service"];
const RIGHT_ONES: readonly Name[] = ["instruments", "engine", "queues"];

/** Who gets room next, and for which level; what does not fit is passed over. */
const ORDER: readonly (readonly [Name | "gaps", number])[] = [
  ["title", 1],
  ["rate", 1],
  ["packets", 1],
  ["packets", 2],
  ["engine", 1],
  ["rings", 1],
  ["packets", 3],
  ["service", 1],
  ["rings", 2],
  ["engine", 2],
  ["rate", 2],
  ["packets", 4],
  ["service", 2],
  ["queues", 1],
  ["instruments", 2],
  ["rings", 3],
  ["queues", 2],
  ["instruments", 3],
  ["filter", 1],
  ["service", 3],
  ["rings", 4],
  ["instruments", 5],
  ["rate", 3],
  ["gaps", 1],
  ["service", 4],
  ["engine", 3],
  ["instruments", 10],
  ["service", 5],
];

/** Lines are laid out for so many columns at least; what a terminal has fewer is cut off. */
const NARROWEST = 20;

/** At most `rows` lines of at most `columns`. */
export function view(
  recent: Recent,
  setup: ViewSetup,
  foot: Foot,
  { columns, rows }: Size,
): Line[] {
  const withFoot = rows >= FOOT_FROM, room = withFoot ? rows - 1 : rows;
  const laid = Math.max(columns, NARROWEST), glyphs = glyphsFor(setup.unicode);
  const sight = { ...recent, setup, glyphs, columns: laid };
  const body = laid < TWO_COLUMNS_FROM ? stack(sight, ONE, room) : sideBySide(sight, room);
  if (withFoot) {
    while (body.length < room) body.push([]);
    body.push(footLine(foot, setup));
  } else if (foot.message !== undefined) body[rows - 1] = footLine(foot, setup);
  return body.map((line) => cut(line, columns));
}

function footLine({ keys, message }: Foot, { unicode }: ViewSetup): Line {
  return message === undefined
    ? [{ text: keys, style: "faint" }]
    : [{ text: printable(message, unicode), style: "warning" }];
}

function sideBySide(sight: Sight, rows: number): Line[] {
  const top = stack(sight, rows < 12 ? ["title"] : ["title", "filter"], 2),
    height = rows - top.length;
  const left = stack({ ...sight, columns: LEFT }, LEFT_ONES, height);
  const right = stack({ ...sight, columns: sight.columns - LEFT - GAP }, RIGHT_ONES, height);
  const both = Array.from({ length: Math.max(left.length, right.length) }, (_, i): Line => [
    ...fill(left[i] ?? [], LEFT),
    " ".repeat(GAP),
    ...(right[i] ?? []),
  ]);
  return [...top, ...both];
}

/** Sections in a column, as many and as detailed as fit. */
function stack(sight: Sight, names: readonly Name[], rows: number): Line[] {
  const sections = names.map((name): Section => SECTIONS[name](sight));
  let chosen = { levels: names.map(() => 0), gaps: false };
  const linesOf = ({ levels, gaps }: typeof chosen) =>
    joined(sections.map((section, i) => section[levels[i]]), gaps);
  for (const [name, level] of ORDER) {
    const index = name === "gaps" ? -1 : names.indexOf(name);
    if (name !== "gaps" && !(sections[index]?.length > level)) continue;
    const next = { levels: chosen.levels.with(Math.max(0, index), level), gaps: chosen.gaps };
    const tried = index < 0 ? { ...chosen, gaps: true } : next;
    if (linesOf(tried).length <= rows) chosen = tried;
  }
  return linesOf(chosen);
}

/** Sections one below the other; with gaps, but for single lines that stand together. */
function joined(sections: Section, gaps: boolean): Line[] {
  const shown = sections.filter(({ length }) => length > 0);
  const apart = (i: number) => gaps && i > 0 && Math.max(shown[i - 1].length, shown[i].length) > 1;
  return shown.flatMap((lines, i) => apart(i) ? [[], ...lines] : lines);
}
