/**
 * Purpose: reads Prometheus's text format, from its description and not with the code that writes it.
 */

/** A line: its name, its labels, its value. */
export interface Line {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A scrape, taken apart. */
export class Scrape {
  readonly lines: Line[] = [];
  readonly types = new Map<string, string>();
  readonly helps = new Map<string, string>();

  /** @throws {Error} for a line that is none of the format's. */
  constructor(readonly text: string) {
    if (!text.endsWith("\n")) throw new Error("the last line has no end");
    for (const line of text.slice(0, -1).split("\n")) this.#take(line);
  }

  /** Lines of a name whose labels are these, and others. */
  all(name: string, labels: Record<string, string> = {}): Line[] {
    const wanted = Object.entries(labels);
    return this.lines.filter((line) =>
      line.name === name && wanted.every(([key, value]) => line.labels[key] === value)
    );
  }

  /** The value of the only such line; `undefined` where there is none. */
  value(name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.all(name, labels);
    if (found.length > 1) throw new Error(`${found.length} lines of ${name}`);
    return found[0]?.value;
  }

  /** All such lines, added up. */
  sum(name: string, labels: Record<string, string> = {}): number {
    return this.all(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  #take(line: string): void {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name, rest] = comment, map = kind === "HELP" ? this.helps : this.types;
      if (map.has(name)) throw new Error(`${kind} of ${name} twice`);
      map.set(name, rest);
      return;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) throw new Error(`not a line: ${line}`);
    const [, name, inner = "", number] = sample;
    const labels: Record<string, string> = {};
    let rest = inner;
    while (rest !== "") {
      const pair = /^([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/.exec(rest);
      if (pair === null) throw new Error(`not labels: ${inner}`);
      labels[pair[1]] = pair[2].replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c);
      rest = rest.slice(pair[0].length);
    }
    const value = number === "+Inf" ? Infinity : Number(number);
    if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
    this.lines.push({ name, labels, value });
  }
}

/** Why promtool cannot check; `undefined`: it can. */
export const noPromtool: string | undefined = (() => {
  try {
    new Deno.Command("promtool", { args: ["--version"], stderr: "null" }).outputSync();
    return undefined;
  } catch {
    return "no promtool here";
  }
})();

/** What promtool has to say of a text; empty: nothing is wrong with it. */
export async function promtool(text: string): Promise<string> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return code === 0 ? said : `exit ${code}: ${said}`;
}
