/**
 * Purpose: what source files import as `@std/log`. That module has left the standard library; this one
 * keeps the shape of its `setup` and `getLogger` over a logger that is looked after (logtape).
 *
 * Never on the hot path: the capture thread logs nothing.
 */
import { standardError } from "./ffi/outlet.ts";
import { configureSync, getLogger as loggerOf, type LogRecord } from "@logtape/logtape";

/** Levels, from the least important. */
export type LevelName = "DEBUG" | "INFO" | "WARN" | "ERROR";

const LEVELS = { DEBUG: "debug", INFO: "info", WARN: "warning", ERROR: "error" } as const;

/** What programs may want to know beside the message. */
export type Fields = Readonly<Record<string, unknown>>;

/** Takes records. */
export interface Handler {
  readonly levelName: LevelName;
  /** Takes one. */
  handle(record: LogRecord): void;
}

/** Writes records to standard error, one line each. */
export class ConsoleHandler implements Handler {
  constructor(readonly levelName: LevelName) {}

  /** Writes one record. */
  handle(record: LogRecord): void {
    console.error(`${record.level.toUpperCase()} ${stageOf(record)}: ${record.rawMessage}`);
  }
}

/**
 * Writes records to standard error, one JSON object a line, without waiting for it; where that is closed or
 * full, nowhere.
 */
export class JsonHandler implements Handler {
  constructor(readonly levelName: LevelName) {}

  /** Writes one record. */
  handle(record: LogRecord): void {
    const { timestamp, level, rawMessage, properties } = record;
    const time = new Date(timestamp).toISOString(), stage = stageOf(record);
    const line = { time, level, stage, message: rawMessage, ...sayable(properties) };
    standardError.offer(`${JSON.stringify(line)}\n`);
  }
}

/** Which loggers write where. */
export interface LogConfig {
  handlers: Record<string, Handler>;
  loggers: Record<string, { level: LevelName; handlers: string[] }>;
}

/** What a logger can do. */
export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/** Says which loggers write where; `default` stands for all that are not named. */
export function setup({ handlers, loggers }: LogConfig): void {
  configureSync({
    reset: true,
    sinks: Object.fromEntries(
      Object.entries(handlers).map((
        [name, handler],
      ) => [name, (record: LogRecord) => handler.handle(record)]),
    ),
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
      ...Object.entries(loggers).map(([name, { level, handlers: sinks }]) => ({
        category: name === "default" ? ["uspf"] : ["uspf", name],
        lowestLevel: LEVELS[level],
        sinks,
      })),
    ],
  });
}

/** The logger of a stage. Without `setup` it writes nothing. */
export function getLogger(name: string): Logger {
  return loggerOf(["uspf", name]);
}

function stageOf({ category }: LogRecord): string {
  return category.slice(1).join(".");
}

/** The fields that JSON has a form for: it has none for a BigInt, or for what holds itself. */
function sayable(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => {
      try {
        JSON.stringify(value);
        return true;
      } catch {
        return false;
      }
    }),
  );
}
