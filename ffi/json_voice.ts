/**
 * Purpose: `--log`: the voice that a command's arguments ask for, and the one for programs: everything that
 * happens is an object a line on standard error, also what libraries write to the console, and bugs that
 * nobody caught. Plain is only what Deno itself prints, and what somebody writes to the streams themselves.
 *
 * ```text
 *  {"time":"2026-01-31T12:00:00.000Z","level":"info","stage":"capture","message":"…", …}
 * ```
 */
import { Console } from "node:console";
import { Writable } from "node:stream";
import { format } from "node:util";
import { ConsoleHandler, getLogger, JsonHandler, type Logger, setup } from "@std/log";
import { standardError, standardOutput } from "./outlet.ts";
import { type Failure, FOR_PEOPLE, messageOf, type Voice } from "./voice.ts";

/** How long a bug that nobody has caught waits for who reads of it. */
const LAST_WORDS_MS = 1000;

/** The voice of a command with these arguments, which may yet be wrong: that is then said as JSON, too. */
export function voiceOf(args: readonly string[], stage: string): Voice {
  const json = args.some((arg, i) =>
    arg === "--log=json" || arg === "--log" && args[i + 1] === "json"
  );
  const handler = json ? new JsonHandler("DEBUG") : new ConsoleHandler("DEBUG");
  setup({
    handlers: { stderr: handler },
    loggers: { default: { level: "DEBUG", handlers: ["stderr"] } },
  });
  return json ? jsonVoice(getLogger(stage)) : plainVoice();
}

/** As FOR_PEOPLE, but nobody is waited for who does not read it. */
function plainVoice(): Voice {
  console.error = console.warn = (...words) => standardError.offer(`${format(...words)}\n`);
  return { ...FOR_PEOPLE, say: (message) => standardOutput.send(`${message}\n`) };
}

function jsonVoice(logger: Logger): Voice {
  const voice: Voice = {
    say: (message, fields) => logger.info(message, fields),
    warn: (message, fields) => logger.warn(message, fields),
    complain: (message, fields) => logger.error(message, fields),
    fail: (error, failure) => logger.error(messageOf(error), fieldsOf(error, failure)),
  };
  takeConsole(logger);
  for (const type of ["error", "unhandledrejection"] as const) {
    addEventListener(type, (event) => {
      event.preventDefault();
      const error = event instanceof ErrorEvent ? event.error : event.reason;
      standardError.room = Infinity;
      voice.fail(error, { exitCode: 1, bug: true });
      standardError.settle(LAST_WORDS_MS).finally(() => Deno.exit(1));
    });
  }
  return voice;
}

function fieldsOf(error: unknown, { exitCode, bug }: Failure): Record<string, unknown> {
  if (!bug || !(error instanceof Error)) return { exitCode };
  const { stack, cause } = error;
  const more = cause === undefined ? {} : { cause: cause instanceof Error ? cause.stack : cause };
  return { exitCode, stack, ...more };
}

/** Of the console, what only a console knows how to write. */
const SHAPED = [
  "assert",
  "count",
  "countReset",
  "dir",
  "dirxml",
  "table",
  "time",
  "timeEnd",
  "timeLog",
] as const;

/** What others write to the console. */
function takeConsole(logger: Logger): void {
  const shaped = new Console({
    stdout: textsTo((text) => logger.info(text)),
    stderr: textsTo((text) => logger.error(text)),
  });
  for (const name of SHAPED) Object.assign(console, { [name]: shaped[name].bind(shaped) });
  console.debug = (...words) => logger.debug(format(...words));
  console.log = console.info = (...words) => logger.info(format(...words));
  console.warn = (...words) => logger.warn(format(...words));
  console.error = console.trace = (...words) => logger.error(format(...words));
}

/** A stream whose texts, each a write of its own, are handed on without their last line end. */
function textsTo(take: (text: string) => void): Writable {
  const write = (text: string, _encoding: string, done: () => void) => {
    take(text.replace(/\n$/, ""));
    done();
  };
  return new Writable({ decodeStrings: false, write });
}
