/**
 * What `deno compile` has put into a program: behind the runtime base stand its metadata, the tree of the
 * files, and the files themselves, one after the other.
 *
 * ```text
 *  … {"argv":[],…,"permissions":{…}} … [{"Dir":{"n":"capture","e":[{"File":{"n":"main.ts","o":[at,bytes]…
 * ```
 */
import { Buffer } from "node:buffer";

/** A program's contents. */
export interface CompiledProgram {
  metadata: { entrypoint_key: string; permissions: Record<string, unknown> };
  /** The original bytes of each file, by its path. */
  files: Map<string, Buffer>;
}

type Entry = { Dir: { n: string; e: Entry[] } } | { File: { n: string; o: [number, number] } } | {
  Symlink: unknown;
};

/** Reads a program; `known` is a file of which it must have the same bytes. */
export function readCompiledProgram(
  path: string,
  known: { name: string; bytes: Uint8Array },
): CompiledProgram {
  const bytes = Buffer.from(Deno.readFileSync(path).buffer);
  const metadata = jsonAt(bytes, bytes.indexOf('{"argv":'));
  const trees = ['[{"Dir":{"n":', '[{"File":{"n":'].map((begin) => bytes.indexOf(begin));
  const places = placesOf(jsonAt(bytes, Math.min(...trees.filter((at) => at >= 0))));
  const start = bytes.indexOf(known.bytes) - places.get(known.name)![0];
  const files = [...places].map(([name, [at, length]]) =>
    [name, bytes.subarray(start + at, start + at + length)] as const
  );
  return { metadata, files: new Map(files) };
}

function placesOf(entries: Entry[], prefix = ""): Map<string, [number, number]> {
  return new Map(entries.flatMap((entry) => {
    if ("File" in entry) return [[prefix + entry.File.n, entry.File.o] as const];
    return "Dir" in entry ? [...placesOf(entry.Dir.e, `${prefix}${entry.Dir.n}/`)] : [];
  }));
}

/** The JSON that begins there, to the bracket that closes it. */
// deno-lint-ignore no-explicit-any -- looked at field by field
function jsonAt(bytes: Buffer, start: number): any {
  let depth = 0, inString = false;
  for (let at = start; at < bytes.length; at++) {
    const char = String.fromCharCode(bytes[at]);
    if (inString && char === "\\") at++;
    else if (char === '"') inString = !inString;
    else if (!inString && "[{".includes(char)) depth++;
    else if (!inString && "]}".includes(char) && --depth === 0) {
      return JSON.parse(bytes.toString("utf8", start, at + 1));
    }
  }
  throw new Error(`no end of what begins at ${start}`);
}
