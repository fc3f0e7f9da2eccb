/**
 * Purpose: text in an SVG: escaped, wrapped by an estimate of its width, kept apart from other text.
 */

/** Units across the picture, and those left free at its edges. */
export const WIDTH = 900;
export const MARGIN = 24;
/** Of the font size: mean width of a character in the wider system fonts (DejaVu Sans, Verdana). */
const CHARACTER = 0.6;
/** What XML 1.0 forbids even as a reference (section 2.2): controls, halves of surrogate pairs. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Makes any string fit for an element's content or an attribute. */
export function escapeXml(text: string): string {
  return text.replace(FORBIDDEN, "\ufffd").replace(/[&<>"']/g, (c) => ENTITIES[c]);
}

/** A text element; `classes` are the style sheet's: "e" ends at x, "c" is centred there. */
export function textAt(x: number, y: number, text: string, classes = ""): string {
  const attribute = classes === "" ? "" : ` class="${classes}"`;
  return `<text x="${px(x)}" y="${px(y)}"${attribute}>${escapeXml(text)}</text>`;
}

/** A coordinate, to a tenth of a unit. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A figure that does not mean what it seems to stands in brackets. */
export function bracketed(text: string, meant: boolean): string {
  return meant ? text : `(${text})`;
}

/** Estimates how wide a text gets. */
export function textWidth(text: string, font: number): number {
  return [...text].length * font * CHARACTER;
}

/** Cuts a text that is wider than `width` and says so with an ellipsis. */
export function shorten(text: string, width: number, font: number): string {
  const fits = Math.max(1, Math.floor(width / (font * CHARACTER)));
  const characters = [...text];
  return characters.length <= fits ? text : characters.slice(0, fits - 1).join("") + "…";
}

/** Breaks a text at its spaces into at most `maxLines` lines; what is left over is cut. */
export function wrap(text: string, width: number, font: number, maxLines: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    const fits = lines.length > 0 && textWidth(longer, font) <= width;
    if (fits || lines.length === maxLines) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((line) => shorten(line, width, font));
}

/** Moves labels as little as need be so that none covers another: their centres, in the order given. */
export function spreadLabels(
  labels: readonly { centre: number; size: number }[],
  from: number,
  to: number,
): number[] {
  const order = labels.map((_, i) => i).sort((a, b) => labels[a].centre - labels[b].centre);
  const centres = labels.map(({ centre }) => centre);
  let edge = from;
  for (const i of order) {
    centres[i] = Math.max(centres[i], edge + labels[i].size / 2);
    edge = centres[i] + labels[i].size / 2;
  }
  edge = to;
  for (const i of order.reverse()) {
    centres[i] = Math.min(centres[i], edge - labels[i].size / 2);
    edge = centres[i] - labels[i].size / 2;
  }
  return centres;
}
