/**
 * Purpose: findings as text: a block each, from the worst; what is well in a line.
 *
 * ```text
 * port xdp:eth0
 *   STOPS  "eth0" is set down
 *          Nothing arrives on an interface that is down.
 *            ip link set dev eth0 up
 * ```
 */
import type { Facts, InterfaceLine } from "./facts/facts.ts";
import type { Finding, Level } from "./finding.ts";
import type { Findings } from "./judge.ts";

const COLUMNS = 80, INDENT = 9;
const WORDS: Record<Level, string> = { stops: "STOPS", harms: "HARMS", note: "note", ok: "ok" };
const COLOURS: Record<Level, number> = { stops: 31, harms: 33, note: 36, ok: 32 };

/** The report; colours are for terminals. Without facts there is nothing but the findings. */
export function reportLines(
  facts: Facts | undefined,
  { machine, port }: Findings,
  colours: boolean,
): string[] {
  const blocks = (list: Finding[]) => list.flatMap((finding) => blockOf(finding, colours));
  const name = facts?.port?.text, interfaces = facts?.interfaces ?? [];
  const second = name !== undefined
    ? ["", `port ${name}`, ...blocks(port)]
    : [...blocks(port), ...(interfaces.length > 0 ? ["", "interfaces"] : [])];
  return [
    "machine",
    ...blocks(machine),
    ...second,
    ...(name === undefined ? interfaces.map(lineOf) : []),
    "",
    ...wrap(verdict([...machine, ...port], name), COLUMNS),
    ...(name === undefined ? hint(interfaces) : []),
  ];
}

function blockOf({ level, what, why, remedy }: Finding, colours: boolean): string[] {
  const word = WORDS[level].padEnd(5), first = wrap(what, COLUMNS - INDENT);
  const shown = colours ? `\x1b[${COLOURS[level]}m${word}\x1b[0m` : word;
  const more = [...first.slice(1), ...(why === "" ? [] : wrap(why, COLUMNS - INDENT))];
  return [
    `  ${shown}  ${first[0]}`,
    ...more.map((line) => " ".repeat(INDENT) + line),
    ...remedy.flatMap(shellLines).map((line) => " ".repeat(INDENT + 2) + line),
  ];
}

/** Comments may be broken, commands not. */
function shellLines(line: string): string[] {
  if (!line.startsWith("# ")) return [line];
  return wrap(line.slice(2), COLUMNS - INDENT - 4).map((part) => `# ${part}`);
}

function lineOf({ name, up, carrier, kind, driver, speed }: InterfaceLine): string {
  const state = up ? carrier ? "up" : "up, no link" : "down";
  const words = [state, kind, driver === kind ? undefined : driver, speed && `${speed} Mbit/s`];
  return `  ${name.padEnd(15)} ${words.filter((word) => word !== undefined).join(", ")}`;
}

function verdict(findings: Finding[], name: string | undefined): string {
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const stops = count("stops"), harms = count("harms");
  const target = name === undefined ? "a capture" : `a capture of ${name}`;
  if (stops > 0) {
    return `${things(stops)} would stop ${target}` +
      (harms > 0 ? `, ${things(harms)} would harm it` : "");
  }
  return harms > 0
    ? `nothing here would stop ${target}, ${things(harms)} would harm it`
    : `nothing here would stop or harm ${target}`;
}

function hint(interfaces: InterfaceLine[]): string[] {
  const some = interfaces.find(({ name, up }) => up && name !== "lo")?.name;
  return some === undefined ? [] : [`to look at a port, too: -i PORT, such as -i xdp:${some}`];
}

function things(count: number): string {
  return count === 1 ? "1 thing" : `${count} things`;
}

/** At spaces, and where lines end anyway; what goes on stands further in, if its line did. */
function wrap(text: string, columns: number): string[] {
  return text.split("\n").flatMap((line) => {
    const indent = /^ */.exec(line)![0], more = indent === "" ? "" : `${indent}  `;
    const parts = wrapLine(line.slice(indent.length), columns - more.length);
    return parts.map((part, i) => (i === 0 ? indent : more) + part);
  });
}

/** A word that is longer than a line stays whole. */
function wrapLine(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}
