/**
 * Purpose: draws what `deno task bench:rx` has found out, as one SVG file that needs nothing else.
 *
 *   title, machine, experiment, command
 *   throughput over time          a panel as high as is left
 *   service time's distribution   the same
 *   table, the kinds' legend and verdicts
 *   footnotes
 */
import type { Machine } from "../harness/machine.ts";
import { digits } from "../harness/numbers.ts";
import type { Result } from "../harness/result.ts";
import type { RxResults } from "./rx_results.ts";
import { axisHeight } from "./svg_axis.ts";
import { drawService } from "./svg_service.ts";
import { type Layout, LAYOUTS, lineHeight, styleSheet } from "./svg_style.ts";
import { type Block, figuresTable, footnotes, reasonOf } from "./svg_table.ts";
import { escapeXml, MARGIN, textAt, WIDTH, wrap } from "./svg_text.ts";
import { drawThroughput, needsLog } from "./svg_throughput.ts";

const TITLE = "Receive throughput and service time";

/** Draws results as a picture for light and dark pages, wide ones and a phone's. */
export function drawRx(result: Result<RxResults>): string {
  const pictures = LAYOUTS.map((layout) => compose(result, layout));
  const height = Math.ceil(Math.max(...pictures.map((picture) => picture.height)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">\n` +
    `<title id="title">${escapeXml(TITLE)}</title>\n` +
    `<desc id="desc">${escapeXml(describe(result))}</desc>\n` +
    `<style>${styleSheet()}</style>\n` +
    `<rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>\n` +
    pictures.map((picture) => picture.draw(height)).join("\n") + "\n</svg>\n";
}

/** One layout: the least height it needs, and how it fills a given one. */
function compose(result: Result<RxResults>, layout: Layout) {
  const { kinds } = result.results, { font } = layout;
  const parts = { head: header(result, layout), table: figuresTable(kinds, layout) };
  const notes = footnotes(result.results, layout);
  const around = 2.6 * font + axisHeight(font);
  const fixed = parts.head.height + parts.table.height + notes.height + 2 * around + 2 * MARGIN;
  const draw = (height: number) => {
    const panel = (height - fixed) / 2, first = MARGIN + parts.head.height;
    const second = first + panel + around, below = second + panel + around;
    return `<g class="${layout.name}" font-size="${font}">` + parts.head.draw(MARGIN) +
      heading(first + font * 1.6, ...throughputHeading(result.results), layout) +
      drawThroughput(kinds, first + font * 2.6, first + font * 2.6 + panel, layout) +
      heading(second + font * 1.6, ...SERVICE_HEADING, layout) +
      drawService(kinds, second + font * 2.6, second + font * 2.6 + panel, layout) +
      parts.table.draw(below) + notes.draw(below + parts.table.height) + "</g>";
  };
  return { height: fixed + 2 * layout.minPanel, draw };
}

const SERVICE_HEADING: [name: string, how: string] = [
  "Service time, percentiles",
  "share of packets served within so many µs; marks: P50, P99, P99.9",
];

function throughputHeading({ kinds }: RxResults): [name: string, how: string] {
  const runs = Math.max(0, ...kinds.map(({ runs }) => runs.length));
  const how = runs > 1 ? `bold: the median of ${runs} runs; thin: the others` : "";
  return ["Throughput, Mpps" + (needsLog(kinds) ? ", log scale" : ""), how];
}

/** A panel's name, and how to read it where there is room. */
function heading(y: number, name: string, how: string, layout: Layout): string {
  const rest = layout.name === "narrow" || how === "" ? "" : how;
  return textAt(MARGIN, y, name, "h") + textAt(WIDTH - MARGIN, y, rest, "e m");
}

function header(result: Result<RxResults>, layout: Layout): Block {
  const line = lineHeight(layout), width = WIDTH - 2 * MARGIN;
  const lines = circumstances(result, layout.name === "wide")
    .flatMap((text) => wrap(text, width, layout.font, 3));
  const title = line * 1.3;
  const draw = (top: number) =>
    textAt(MARGIN, top + layout.font * 1.2, TITLE, "t") +
    lines.map((text, i) => textAt(MARGIN, top + title + line * (i + 0.8), text, "m")).join("");
  return { height: title + line * lines.length, draw };
}

/** What one must know to believe the figures, or the most important of it. */
function circumstances(result: Result<RxResults>, whole: boolean): string[] {
  const { machine, results } = result;
  return [machineOf(machine, results, whole), experimentOf(results, whole), runOf(result, whole)];
}

function machineOf(m: Machine, { driver }: RxResults, whole: boolean): string {
  const cores = `${m.allowedCores.length} of ${m.cores} ${m.virtual ? "virtual " : ""}cores`;
  const deno = whole ? ` · Deno ${m.deno}` : "";
  return `${m.cpu}, ${cores} · Linux ${m.kernel}${
    driver === null ? "" : ` · driver ${driver}`
  }${deno}`;
}

function experimentOf(r: RxResults, whole: boolean): string {
  const runs = `${r.repeats} ${r.repeats === 1 ? "run" : "runs"} of ${r.seconds} s`;
  return `${r.send} → ${r.receive} · ${r.packetBytes}-byte packets · ${runs} a kind` +
    (whole ? ` · bursts of up to ${r.burst} · wait: ${r.wait}` : "");
}

function runOf({ command, when, machine: m }: Result<RxResults>, whole: boolean): string {
  const versions = ` · uspf ${m.uspf}${m.commit === null ? "" : ` (${m.commit})`}`;
  return `${command} · ${when.slice(0, 10)}${whole ? versions : ""}`;
}

/** The picture in words. */
function describe(result: Result<RxResults>): string {
  const kinds = result.results.kinds.map((kind) => {
    const { p50, p99, p999 } = kind.serviceUs;
    return `${kind.kind}: ${digits(kind.mpps)} Mpps; P50 ${digits(p50)}, P99 ${digits(p99)}, ` +
      `P99.9 ${digits(p999)} µs a packet. Verdict for ${reasonOf(kind)}.`;
  });
  return [...circumstances(result, true), ...kinds].join(" ");
}
