/**
 * Purpose: the record that a build leaves beside the native library: what it is, and the SHA-256 that says
 * that it is still the same.
 *
 * ```text
 *  ffi/build/libuspf.so
 *  ffi/build/libuspf.so.json   { "version", "commit", "abi", "sha256", "sources", "compiler", "command", "target" }
 * ```
 */
import { createHash } from "node:crypto";

/** What the library is called. */
export const LIBRARY_NAME = "libuspf.so";

/** The state of a library that is not there; the remedy is the place's. */
export const MISSING = "missing";

/** What a build writes down. */
export interface LibraryRecord {
  /** Of the program. */
  version: string;
  /** The checkout's commit; `null` where there is none. */
  commit: string | null;
  /** The interface that the library has. */
  abi: number;
  /** Of the library, in hexadecimal digits. */
  sha256: string;
  /** SHA-256 of what it was compiled from, names and contents. */
  sources: string;
  /** What compiled it: the first line of its `--version`. */
  compiler: string;
  /** The compiler and its flags. */
  command: string;
  /** What it runs on, such as "x86_64-linux-gnu". */
  target: string;
}

/** A library that was found good. */
export interface LibraryFile {
  path: string;
  /** In hexadecimal digits. */
  sha256: string;
}

/** Why a library cannot be had from somewhere: the state, and the remedy. */
export class Refusal extends Error {
  /** Always `Refusal`. */
  override readonly name = "Refusal";
}

/** Where the record of a library lies. */
export function recordPath(library: string): string {
  return `${library}.json`;
}

/**
 * The SHA-256 of a file; `undefined` where there is none.
 *
 * @throws {Refusal} where the system does not let it be read.
 */
export function sha256Of(path: string): string | undefined {
  const bytes = unlessMissing(() => Deno.readFileSync(path));
  return bytes && createHash("sha256").update(bytes).digest("hex");
}

/** The record of a library; `undefined` where there is none, it is damaged, or cannot be read. */
export function readRecord(library: string): LibraryRecord | undefined {
  try {
    const record = JSON.parse(Deno.readTextFileSync(recordPath(library)));
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Looks whether a library is the one that its build recorded, and fits this code and this machine.
 *
 * @throws {Refusal} where it is not, or is not there, or may not be read; it never prompts.
 */
export function checkLibrary(path: string, abi: number): LibraryFile {
  const beside = recordPath(path);
  if (![path, beside].every(mayRead)) {
    throw new Refusal(`reading it is not permitted: allow it with --allow-read=${path},${beside}`);
  }
  const info = unlessMissing(() => Deno.statSync(path));
  if (info === undefined) throw new Refusal(MISSING);
  if (info.isDirectory) throw new Refusal("it is a directory: name the file in it");
  const record = readRecord(path); // before the library: what has none may be a device
  if (record === undefined) {
    throw new Refusal(`no good record "${beside}": copy it from where the library was built`);
  }
  const sha256 = sha256Of(path);
  if (sha256 === undefined) throw new Refusal(MISSING);
  if (record.sha256 !== sha256) {
    throw new Refusal(
      "its SHA-256 is not the recorded one: copy library and record again, or build",
    );
  }
  if (record.abi !== abi) {
    throw new Refusal(
      `it has interface ${record.abi}, this code speaks ${abi}: build it from this code`,
    );
  }
  if (!fitsProcessor(record)) {
    throw new Refusal(`built for ${record.target}, this is ${Deno.build.arch}: build it here`);
  }
  return { path, sha256 };
}

/** Whether a library was built for this kind of processor. */
export function fitsProcessor({ target }: LibraryRecord): boolean {
  return target.split("-")[0] === Deno.build.arch;
}

function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

function isRecord(value: unknown): value is LibraryRecord {
  const { version, commit, abi, sha256, sources, target } = (value ?? {}) as Partial<LibraryRecord>;
  return [version, sha256, sources, target].every((text) => typeof text === "string") &&
    (commit === null || typeof commit === "string") && typeof abi === "number";
}

/** A folder on the way that is a file is as good as nothing there. */
function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === undefined) throw error;
    throw new Refusal(`it cannot be read (${code}): see "ls -l"`);
  }
}
