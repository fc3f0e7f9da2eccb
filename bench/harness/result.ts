/**
 * Purpose: the JSON that every bench writes: its results, and what one must know to believe them.
 */
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

/** Writes results to a file; "-" is standard output. */
export function writeResult(file: string, result: Result<unknown>): void {
  const text = JSON.stringify(result, null, 1).replaceAll(PAIR, "[$1, $2]") + "\n";
  if (file === "-") Deno.stdout.writeSync(new TextEncoder().encode(text));
  else Deno.writeTextFileSync(file, text);
}
