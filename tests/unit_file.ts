/**
 * Purpose: reads systemd's units for tests, as systemd.syntax(7) and systemd.service(5) say, and asks
 * systemd-analyze(1) about them.
 */

/** Settings of a section by name, all values in their order. */
export type Section = Record<string, string[]>;

/** Words that mean something to systemd, to a shell, or to both. */
export const WORDS = [
  "",
  " ",
  "plain",
  "soft:lab{1",
  "two words",
  '"',
  "'",
  "it's",
  '"quoted"',
  "\\",
  "\\\\",
  "\\n",
  "a\\",
  "$HOME",
  "$$",
  "${HOME}",
  "$",
  "%",
  "%%",
  "%n",
  "100 %",
  ";",
  "; reboot",
  "#",
  "# no comment",
  "&&",
  "|",
  "`id`",
  "$(id)",
  "\n",
  "a\nb",
  "\t",
  "\r",
  "\x01",
  "\x7f",
  "é",
  "→ 𝄞",
  "-",
  "--",
  "@x",
  "!x",
  "+x",
  ":x",
  "=",
  "a=b",
  "*",
  "?",
  "~",
  "tcp[tcpflags] & tcp-syn != 0",
  "\\x41",
  "%%i$$",
  "'$x'\\\"%y",
];

/** The sections of a unit. */
export function parseUnit(text: string): Record<string, Section> {
  const sections: Record<string, Section> = {};
  let section: Section = {};
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const name = /^\[(\w+)\]$/.exec(line)?.[1];
    if (name !== undefined) section = sections[name] ??= {};
    else {
      const at = line.indexOf("=");
      if (at < 0 || line.endsWith("\\")) throw new Error(`no setting: ${line}`);
      (section[line.slice(0, at)] ??= []).push(line.slice(at + 1));
    }
  }
  return sections;
}

/** The words of ExecStart=, as the program gets them: unquoted, unescaped, "%%" and "$$" as one. */
export function execWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined, quote = "";
  for (let i = 0; i < line.length; i++) {
    const character = line[i];
    if (character === "\\") {
      const [code, value] = escaped(line.slice(i + 1));
      word = (word ?? "") + value;
      i += code;
    } else if (
      quote !== ""
        ? character === quote
        : (character === '"' || character === "'") && word === undefined
    ) {
      quote = quote === "" ? character : "";
      word ??= "";
    } else if (quote === "" && character === " ") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (quote !== "") throw new Error(`no closing quote: ${line}`);
  return [...words, ...(word === undefined ? [] : [word])].map(expanded);
}

/** The characters behind the backslash, and what they mean. */
function escaped(rest: string): [number, string] {
  const hex = /^x([0-9a-f]{2})/.exec(rest);
  if (hex !== null) return [3, String.fromCharCode(parseInt(hex[1], 16))];
  const value =
    ({ n: "\n", r: "\r", t: "\t", "\\": "\\", '"': '"' } as Record<string, string>)[rest[0]];
  if (value === undefined) throw new Error(`unknown escape: \\${rest}`);
  return [1, value];
}

/** Neither a specifier nor a variable may be left. */
function expanded(word: string): string {
  if (/%(?!%)|\$(?!\$)/.test(word.replace(/%%|\$\$/g, ""))) throw new Error(`it expands: ${word}`);
  return word.replaceAll("%%", "%").replaceAll("$$", "$");
}

/** Whether a program is there. */
export function isThere(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/** What `systemd-analyze` says of a unit of this text: all that it printed. */
export async function analyze(
  unit: string,
  ...args: string[]
): Promise<{ code: number; said: string }> {
  const directory = Deno.makeTempDirSync({ prefix: "uspf-unit-" });
  try {
    const file = `${directory}/uspf-test.service`;
    Deno.writeTextFileSync(file, unit);
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: [...args, file],
      env: { SYSTEMD_PAGER: "", NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, said: text(stdout) + text(stderr) };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
