/**
 * Purpose: the looks of the picture: its two layouts, and colours, dashes and marks that tell kinds apart
 * for every eye, on light and on dark ground.
 */
import { px, shorten, textAt } from "./svg_text.ts";

/** The picture is drawn twice, for a page's width and for a phone's; its style sheet shows one of them. */
export interface Layout {
  name: "wide" | "narrow";
  /** Sizes in units of the picture, which is WIDTH wide. */
  font: number;
  left: number;
  stroke: number;
  minPanel: number;
}

/** At 380 pixels across, 25 units are 10.6 pixels. */
export const LAYOUTS: readonly Layout[] = [
  { name: "wide", font: 14, left: 80, stroke: 2, minPanel: 270 },
  { name: "narrow", font: 25, left: 132, stroke: 4, minPanel: 230 },
];
/** A picture narrower than so many pixels shows the narrow layout. */
const NARROW_PIXELS = 600;

/**
 * Lines of the kinds, in order. Chosen for at least 3.5:1 against the ground (WCAG 2.1 asks 3:1 of graphics),
 * and to stay apart under simulated protanopia, deuteranopia and tritanopia.
 */
export const COLOURS = {
  light: ["#0a74dc", "#d15e00", "#005a3c", "#8a1277", "#a57a3c", "#24292f", "#7f86a8"],
  dark: ["#3d8bff", "#ff7a33", "#8ff0d0", "#d268a4", "#f5e84a", "#ffffff", "#7f6fb5"],
};
/** Ground, text, lesser text, grid, axis. */
export const INKS = {
  light: ["#ffffff", "#1f2328", "#59636e", "#e3e7eb", "#818b98"],
  dark: ["#0d1117", "#f0f6fc", "#9198a1", "#262c34", "#656c76"],
};
/** In strokes' widths. */
const DASHES = [[], [5, 2], [1.5, 1.5], [7, 2, 1.5, 2], [3, 1.5], [9, 2], [1.5, 3]];
/** Outlines about 0, 0, within a radius of 1. */
const MARKS = [
  "M-.9 0a.9 .9 0 1 0 1.8 0a.9 .9 0 1 0 -1.8 0z",
  "M-.8 -.8H.8V.8H-.8z",
  "M0 -1.05L1 .8H-1z",
  "M0 -1.15L1.15 0L0 1.15L-1.15 0z",
  "M0 1.05L1 -.8H-1z",
  "M-.35 -1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35z",
  "M-1 -.6H1V.6H-1z",
];

/** The style sheet; plain rules without variables, which not every viewer knows. */
export function styleSheet(): string {
  return `text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}` +
    `.t{font-size:1.4em;font-weight:600}.h{font-weight:600}.c{text-anchor:middle}.e{text-anchor:end}` +
    `.n{font-variant-numeric:tabular-nums}.l,.a,.g,.d{fill:none;stroke-linejoin:round}` +
    `.r{opacity:.25}.d{opacity:.6}` + inks("light") +
    `@media (prefers-color-scheme:dark){${inks("dark")}}` +
    `.narrow{display:none}@media (max-width:${NARROW_PIXELS}px){` +
    `.wide{display:none}.narrow{display:inline}}`;
}

/** A curve; `thin` ones are there to show how far runs differ. */
export function curve(path: string, kind: number, layout: Layout, thin = false): string {
  const width = thin ? layout.stroke / 2 : layout.stroke;
  const dashes = thin ? [] : DASHES[kind % DASHES.length].map((d) => px(d * layout.stroke));
  const dash = dashes.length === 0 ? "" : ` stroke-dasharray="${dashes.join(" ")}"`;
  const classes = `l s${kind % COLOURS.light.length}${thin ? " r" : ""}`;
  return `<path class="${classes}" stroke-width="${px(width)}"${dash} d="${path}"/>`;
}

/** A kind's mark, at the place of a value. */
export function mark(x: number, y: number, kind: number, layout: Layout): string {
  const place = `translate(${px(x)} ${px(y)}) scale(${px(layout.font * 0.32)})`;
  const shape = MARKS[kind % MARKS.length];
  return `<path class="f${kind % COLOURS.light.length}" transform="${place}" d="${shape}"/>`;
}

/** A thin line from a curve to its label. */
export function leader(path: string, kind: number): string {
  return `<path class="d s${kind % COLOURS.light.length}" d="${path}"/>`;
}

/** A kind's mark and a text behind it, `y` being the middle of the line; cut to `width`, mark included. */
export function label(
  x: number,
  y: number,
  kind: number,
  text: string,
  width: number,
  layout: Layout,
): string {
  const { font } = layout, indent = labelIndent(layout);
  const shown = shorten(text, width - indent, font);
  return mark(x + font * 0.4, y, kind, layout) + textAt(x + indent, y + font * 0.35, shown, "n");
}

/** What a label's mark takes of its width. */
export function labelIndent(layout: Layout): number {
  return layout.font * 1.05;
}

/** Lines within a block of text. */
export function lineHeight(layout: Layout): number {
  return Math.round(layout.font * 1.4);
}

function inks(scheme: "light" | "dark"): string {
  const [ground, text, lesser, grid, axis] = INKS[scheme];
  const kinds = COLOURS[scheme].map((c, i) =>
    `.s${i}{stroke:${c}}.f${i}{fill:${c};stroke:${ground};stroke-width:.25}`
  );
  return `.ground{fill:${ground}}text{fill:${text}}.m{fill:${lesser}}` +
    `.g{stroke:${grid}}.a{stroke:${axis}}` + kinds.join("");
}
