/**
 * Purpose: words as others read them: systemd in its units, a shell in a command.
 */

const PLAIN = /^[\w.,:@+=/{}^*-]+$/;
const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/g;

/** A word of a setting that takes a list of words, see "Quoting" in systemd.syntax(7). */
export function settingWord(word: string): string {
  if (PLAIN.test(word)) return word;
  const escaped = word.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%").replace(
    CONTROL,
    escapedCode,
  );
  return `"${escaped}"`;
}

/** A word of ExecStart=, where "$" begins a variable, too; not for the program itself. */
export function execWord(word: string): string {
  return settingWord(word).replaceAll("$", "$$$$");
}

/** A word of a shell's command. */
export function shellWord(word: string): string {
  if (/^[\w.,:@+=/^-]+$/.test(word)) return word;
  if (word.search(CONTROL) < 0) return `'${word.replaceAll("'", `'\\''`)}'`;
  return `$'${word.replace(/[\\']/g, "\\$&").replace(CONTROL, escapedCode)}'`;
}

/** The unit of a network interface, as `systemd-escape --path --suffix=device` names it. */
export function deviceUnit(name: string): string {
  const bytes = [...new TextEncoder().encode(name)];
  const escaped = bytes.map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9:_.]/.test(character) ? character : `\\x${hex(byte)}`;
  });
  return `sys-subsystem-net-devices-${escaped.join("")}.device`;
}

function escapedCode(character: string): string {
  return NAMED[character] ?? `\\x${hex(character.charCodeAt(0))}`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
