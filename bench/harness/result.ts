/**
 * Purpose: the JSON that every bench writes: its results, and what one must know to believe them.
 */
import { print, UsageError } from "../../ffi/usage.ts";
import { describeMachine, type Machine } from "./machine.ts";

/** A bench's results with their circumstances. */
export interface Result<T> {
  /** Which bench: "rx", "latency", "soak", or a name in bench/. */
  bench: string;
  /** When it was done, ISO 8601. */
  when: string;
  /** The command that repeats it. */
  command: string;
  machine: Machine;
  results: T;
}

/** Two numbers, each on a line of its own. */
const PAIR = /\[\s+([-+.\de]+),\s+([-+.\de]+)\s+\]/g;

/** Names the circumstances. `command` is what a user types after `deno task`. */
export function resultOf<T>(bench: string, command: string, results: T): Result<T> {
  const when = new Date().toISOString();
  return { bench, when, command: `deno task ${command}`, machine: describeMachine(), results };
}

/** Results could not be written. */
export class ResultError extends Error {
  override readonly name = "ResultError";
  /** What runCommand looks at. */
  readonly expected = true;
}

/**
 * Tries whether a file can be written, before the work whose results it shall hold. What it holds stays;
 * what was not there is created. Nothing to write, and "-", are fine.
 *
 * @throws {UsageError} where it cannot.
 */
export function checkResultFile(file: string | undefined): void {
  if (file === undefined || file === "-" || isPipe(file)) return;
  try {
    Deno.openSync(file, { write: true, create: true }).close();
  } catch (error) {
    throw new UsageError(cannotWrite(file, error));
  }
}

/**
 * Writes results to a file; "-" is standard output.
 *
 * @throws {ResultError | OutputError} where they cannot be written.
 */
export function writeResult(file: string, result: Result<unknown>): void {
  const text = JSON.stringify(result, null, 1).replaceAll(PAIR, "[$1, $2]");
  if (file === "-") return print(text);
  try {
    Deno.writeTextFileSync(file, `${text}\n`);
  } catch (error) {
    throw new ResultError(cannotWrite(file, error));
  }
}

/** To open one and close it again would tell its reader that this was all. */
function isPipe(file: string): boolean {
  try {
    return Deno.statSync(file).isFifo === true;
  } catch {
    return false;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such directory",
  ENOTDIR: "no such directory",
  EISDIR: "a directory",
  EACCES: "not permitted",
  EPERM: "not permitted",
  EROFS: "a read-only file system",
  ENOSPC: "no room is left",
};

function cannotWrite(file: string, error: unknown): string {
  const { code = "EIO" } = error as { code?: string }, reason = REASONS[code];
  const state = reason === undefined ? code : `${reason} (${code})`;
  return `Cannot write "${file}": ${state}: choose another file`;
}
