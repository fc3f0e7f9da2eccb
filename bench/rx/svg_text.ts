/**
 * Purpose: text in an SVG: escaped, wrapped by an estimate of its width, kept apart from other text.
 */

/** Units across the picture, and those left free at its edges. */
export const WIDTH = 900;
export const MARGIN = 24;
/** Of the font size: how wide characters are in one of the wider system fonts, DejaVu Sans; others are 0.63. */
const WIDTHS: [characters: RegExp, width: number][] = [
  [/[ijltfr .,:;!|'"()[\]\/·-]/, 0.38],
  [/[mwMW@%→…]/, 0.95],
  [/[A-Z+=<>~]/, 0.75],
];
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
  let width = 0;
  for (const c of text) width += WIDTHS.find(([characters]) => characters.test(c))?.[1] ?? 0.63;
  return width * font;
}

/** Cuts a text that is wider than `width` and says so with an ellipsis. */
export function shorten(text: string, width: number, font: number): string {
  // Of the same width but for a rounding error: it fits.
  if (textWidth(text, font) <= width + 1e-6) return text;
  const characters = [...text];
  while (characters.length > 1 && textWidth(characters.join("") + "…", font) > width) {
    characters.pop();
  }
  return characters.join("").trimEnd() + "…";
}

/** Breaks a text at its spaces into at most `maxLines` lines; what is left over is cut. */
export function wrap(text: string, width: number, font: number, maxLines: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/ +/)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    const joins = lines.length > 0 && textWidth(longer, font) <= width;
    if (joins || lines.length === maxLines) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((line) => shorten(line, width, font));
}

/**
 * Moves labels as little as need be, by the squares of their ways, so that none covers another; labels that
 * touch move as a group. Their centres, in the order given.
 */
export function spreadLabels(
  labels: readonly { centre: number; size: number }[],
  from: number,
  to: number,
): number[] {
  const order = labels.map((_, i) => i).sort((a, b) => labels[a].centre - labels[b].centre);
  const groups: Group[] = [];
  for (const i of order) {
    const { centre, size } = labels[i];
    let group = placed({ members: [i], size, wishes: centre - size / 2, start: 0 }, from, to);
    for (
      let last = groups.at(-1);
      last && last.start + last.size > group.start;
      last = groups.at(-1)
    ) {
      groups.pop();
      group = placed(joined(last, group), from, to);
    }
    groups.push(group);
  }
  const centres: number[] = [];
  for (const { members, start } of groups) {
    let edge = start;
    for (const i of members) {
      centres[i] = edge + labels[i].size / 2;
      edge += labels[i].size;
    }
  }
  return centres;
}

/** Labels side by side; `wishes` is the sum of the starts that its members would give the group. */
interface Group {
  members: number[];
  size: number;
  wishes: number;
  start: number;
}

function joined(a: Group, b: Group): Group {
  const wishes = a.wishes + b.wishes - a.size * b.members.length;
  return { members: [...a.members, ...b.members], size: a.size + b.size, wishes, start: 0 };
}

function placed(group: Group, from: number, to: number): Group {
  const wish = group.wishes / group.members.length;
  return { ...group, start: Math.max(from, Math.min(wish, to - group.size)) };
}
