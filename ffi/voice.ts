/**
 * Purpose: what a command says of itself, beside what was asked for, which is printed. The one place where
 * that happens; how is chosen once, at the start.
 *
 * ```text
 *               for people               as JSON lines (json_voice.ts)
 *  say          standard output          standard error, "info"
 *  warn         standard error           standard error, "warning"
 *  complain     standard error           standard error, "error"
 *  fail         standard error           standard error, "error", with the exit code
 * ```
 */
import { print } from "./print.ts";

/** Ways of writing messages: for people, or one object a line. */
export const LOG_STYLES = ["text", "json"] as const;
/** A way of writing messages. */
export type LogStyle = typeof LOG_STYLES[number];

/** What programs may want to know beside the message. */
export type Fields = Readonly<Record<string, unknown>>;

/** What a command ends with. */
export interface Failure {
  /** Its exit code: 2 for a mistake in its arguments, else 1. */
  exitCode: number;
  /** Whether it is a bug of ours, and not an expected failure. */
  bug: boolean;
}

/** A way of saying things. Only `say` throws, for people, where standard output takes no more. */
export interface Voice {
  /** What is as it should be. */
  say(message: string, fields?: Fields): void;
  /** What is not, but goes on. */
  warn(message: string, fields?: Fields): void;
  /** What has failed, though the command goes on. */
  complain(message: string, fields?: Fields): void;
  /** What ends the command. */
  fail(error: unknown, failure: Failure): void;
}

/** Plain lines; a bug with its stack. */
export const FOR_PEOPLE: Voice = {
  say: (message) => print(message),
  warn: (message) => toStderr(message),
  complain: (message) => toStderr(message),
  fail: (error, { bug }) => toStderr(bug ? error : messageOf(error)),
};

let voice = FOR_PEOPLE;

/** Chooses the voice that all speak with from now on. */
export function speakAs(chosen: Voice): void {
  voice = chosen;
}

/** Says what is as it should be. */
export function say(message: string, fields?: Fields): void {
  voice.say(message, fields);
}

/** Says what is not, but goes on. */
export function warn(message: string, fields?: Fields): void {
  voice.warn(message, fields);
}

/** Says what has failed, though the command goes on. */
export function complain(message: string, fields?: Fields): void {
  voice.complain(message, fields);
}

/** Says what ends the command. */
export function fail(error: unknown, failure: Failure): void {
  voice.fail(error, failure);
}

/** The message of an error, or of whatever else was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Where that is full or closed, there is nobody to tell. */
function toStderr(what: unknown): void {
  try {
    console.error(what);
  } catch { /* see above */ }
}
