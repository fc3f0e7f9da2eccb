/**
 * Purpose: what source files import as `@std/log`. That module has left the standard library; this one
 * keeps the shape of its `setup` and `getLogger` over a logger that is looked after (logtape).
 *
 * Never on the hot path: the capture thread logs nothing.
 */
import { configureSync, getLogger as loggerOf, type LogRecord } from "@logtape/logtape";

/** Levels, from the least important. */
export type LevelName = "DEBUG" | "INFO" | "WARN" | "ERROR";

const LEVELS = { DEBUG: "debug", INFO: "info", WARN: "warning", ERROR: "error" } as const;

/** Writes records to standard error, one line each. */
export class ConsoleHandler {
  constructor(readonly levelName: LevelName) {}

  /** Writes one record. */
  handle(record: LogRecord): void {
    const stage = record.category.slice(1).join(".");
    console.error(`${record.level.toUpperCase()} ${stage}: ${record.message.join("")}`);
  }
}

/** Which loggers write where. */
export interface LogConfig {
  handlers: Record<string, ConsoleHandler>;
  loggers: Record<string, { level: LevelName; handlers: string[] }>;
}

/** What a logger can do. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
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
