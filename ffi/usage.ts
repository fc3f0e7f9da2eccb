/**
 * Purpose: what the commands share: checked options, errors in one line, and an event loop that turns.
 */
import { setImmediate } from "node:timers";
import { PortError } from "./port_error.ts";
import { standardError, standardOutput } from "./outlet.ts";
import { OutputError } from "./print.ts";
import { fail, FOR_PEOPLE, speakAs, type Voice, warn } from "./voice.ts";

export { print } from "./print.ts";

/** A mistake in the arguments of a command: one line, and exit code 2. */
export class UsageError extends Error {
  /** Always `UsageError`. */
  override readonly name = "UsageError";
}

/**
 * The value of a numeric option.
 *
 * @throws {UsageError} for what is no number, or out of range.
 */
export function numberOption(
  flag: string,
  value: unknown,
  { low, high, whole = true }: { low: number; high: number; whole?: boolean },
): number {
  const text = String(value), number = Number(text);
  const valid = text.trim() !== "" && (whole ? Number.isInteger(number) : Number.isFinite(number));
  if (!valid || number < low || number > high) {
    const kind = whole ? "a whole number" : "a number";
    throw new UsageError(
      `Cannot use ${flag} "${text}": out of range: give ${kind} from ${low} to ${high}`,
    );
  }
  return number;
}

/**
 * The value of an option that is one of a few words.
 *
 * @throws {UsageError} for any other.
 */
export function choiceOption<T extends string>(
  flag: string,
  text: string,
  choices: readonly T[],
): T {
  const choice = choices.find((name) => name === text);
  if (choice !== undefined) return choice;
  throw new UsageError(`Cannot use ${flag} "${text}": no such way: choose ${choices.join(", ")}`);
}

/**
 * Refuses arguments that a program without options has no use for; `usage` says which it takes.
 *
 * @throws {UsageError} for an option, and for words beyond `most`.
 */
export function checkWords(words: readonly string[], most: number, usage: string): void {
  const useless = words.find((word, i) => i >= most || /^--?[A-Za-z]/.test(word));
  if (useless === undefined) return;
  throw new UsageError(`Cannot use "${useless}": no such argument: give ${usage}`);
}

/** That standard input cannot be replayed. */
export function cannotLoop(loop: number): UsageError {
  return new UsageError(
    `Cannot use --loop "${loop}": standard input cannot be read twice: name a file`,
  );
}

/**
 * Turns a complaint about a port name, an address or an expression into a usage error; also of a promise.
 *
 * @throws {UsageError} where `parse` throws a TypeError, a RangeError or a SyntaxError.
 */
export function asUsage<T>(parse: () => T): T {
  try {
    const parsed = parse();
    return parsed instanceof Promise ? parsed.catch(complain) as T : parsed;
  } catch (error) {
    return complain(error);
  }
}

function complain(error: unknown): never {
  const mistakes = [TypeError, RangeError, SyntaxError];
  if (!mistakes.some((kind) => error instanceof kind)) throw error;
  throw new UsageError((error as Error).message);
}

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What tells a program to end. */
export type StopSignal = typeof STOP_SIGNALS[number];

/**
 * Calls `stop` when the program is told to end: by Ctrl-C, by kill, or because its terminal is gone. The
 * last also under nohup(1), for Deno's own handler has taken the place of what was there.
 */
export function onStopSignals(stop: (signal: StopSignal) => void): void {
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, () => stop(signal));
}

/** A signal that is aborted when the program is told to end, as by Ctrl-C: see {@linkcode onStopSignals}. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  onStopSignals(() => controller.abort());
  return controller.signal;
}

/**
 * Runs a command: an expected failure is one line and exit code 1, a usage error 2, a bug keeps its stack.
 * That nobody reads its output any longer ends it as well as anything does. At the end it waits until all
 * that was sent is taken. `voice`: how it speaks.
 *
 * @example A program that counts until Ctrl-C
 * ```ts
 * import { asUsage, BypassIO, print, runCommand, stopSignal } from "@uspf/uspf";
 *
 * async function main(): Promise<number> {
 *   using io = asUsage(() => BypassIO.open(Deno.args[0] ?? "soft:lab:1", { tx: false }));
 *   let packets = 0;
 *   for await (const count of io.bursts({ signal: stopSignal() })) packets += count;
 *   print(`${packets} packets`);
 *   return 0;
 * }
 *
 * if (import.meta.main) await runCommand(main);
 * ```
 */
export async function runCommand(
  command: () => Promise<number>,
  voice: Voice = FOR_PEOPLE,
): Promise<never> {
  speakAs(voice);
  let code: number;
  try {
    code = await command();
  } catch (error) {
    code = failed(error);
  }
  sayLeftOut();
  await standardOutput.flush().catch((error) => {
    if (code === 0) code = failed(error); // else why it has failed is said
  });
  await standardError.flush().catch(() => {}); // there is nobody to tell
  Deno.exit(code);
}

/** Says why a command has failed; its exit code. */
function failed(error: unknown): number {
  if (error instanceof OutputError && error.closed) return 0;
  const exitCode = error instanceof UsageError ? 2 : 1;
  standardError.room = Infinity;
  fail(error, { exitCode, bug: !(error instanceof UsageError || isExpected(error)) });
  return exitCode;
}

function sayLeftOut(): void {
  const counts = { output: standardOutput.leftOut, error: standardError.leftOut };
  standardError.room = Infinity;
  for (const [name, count] of Object.entries(counts)) {
    if (count > 0) warn(`${count} lines are left out of standard ${name}: it was not read in time`);
  }
}

function isExpected(error: unknown): boolean {
  if (error instanceof PortError) return true;
  if (error instanceof Error && "expected" in error) return error.expected === true;
  return error instanceof Error && /^Cannot (load|use) "/.test(error.message);
}

/** Lets the event loop turn once: timers, messages. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** An event loop that is never idle looks for signals every 30 turns only: so often it should be. */
export const IDLE_EVERY_MS = 200;

/** Lets the event loop have nothing to do for a moment, 2 ms here. */
export function idle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
