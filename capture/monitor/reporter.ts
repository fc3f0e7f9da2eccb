/**
 * Purpose: prints statistics once a second and at the end, as text or as JSON; or has them drawn, four
 * times a second. In a log of JSON lines, which a journal keeps, they stand at the end only.
 */
import type { TradingEngine } from "../../engine/trading_engine.ts";
import type { CaptureGroup } from "../capture_group.ts";
import type { CaptureWriter } from "../capture_writer.ts";
import type { DebugLog } from "./debug_log.ts";
import type { FilterDescription } from "../filter_report.ts";
import { standardOutput } from "../../ffi/outlet.ts";
import { type LogStyle, say } from "../../ffi/voice.ts";
import type { WebServer } from "./web_server.ts";
import { collect, headline, liveLine, type Sample, summary } from "./statistics.ts";
import { FRAMES_HZ, type LiveView } from "./watch/live_view.ts";

const SECOND_MS = 1000;

/** What is reported of, and how. */
export interface ReporterOptions {
  group: CaptureGroup;
  engine: TradingEngine;
  filter: FilterDescription;
  writer?: CaptureWriter;
  debug?: DebugLog;
  /** Is given the statistics of each second, and the final ones. */
  web?: Pick<WebServer, "post">;
  /** Is given what there is to draw; then nothing is printed before the end. */
  view?: Pick<LiveView, "show">;
  nsPerTick: number;
  json: boolean;
  quiet: boolean;
  log: LogStyle;
}

/** Reports of a capture from when it is made. */
export class Reporter {
  readonly #started = performance.now();
  #second = 0;
  #last = { elapsedNs: 0, received: 0, bytes: 0 };

  constructor(readonly options: ReporterOptions) {}

  /** How often `live` is to be called. */
  get intervalMs(): number {
    return this.options.view === undefined ? SECOND_MS : SECOND_MS / FRAMES_HZ;
  }

  /** What happened since the last time, or second; `number` is that of the call, of which some may be missing. */
  live(number: number): void {
    const { json, quiet, log, debug, view, web } = this.options;
    const sample = this.#collect(false), { statistics: s } = sample;
    view?.show(sample);
    const second = Math.floor(number * this.intervalMs / SECOND_MS);
    if (second === this.#second) return;
    this.#second = second;
    web?.post(s);
    if (json) standardOutput.offer(`${JSON.stringify(s)}\n`);
    else if (!quiet && log === "text" && view === undefined) {
      standardOutput.offer(`${liveLine(s)}\n`);
    }
    debug?.log(s);
    this.#last = s;
  }

  /** What happened in all. */
  final(): void {
    this.#last = { elapsedNs: 0, received: 0, bytes: 0 };
    const { json, log, debug, web } = this.options, { statistics: s } = this.#collect(true);
    if (log === "json") say(headline(s), { statistics: s });
    if (json) standardOutput.send(`${JSON.stringify(s)}\n`);
    else if (log === "text") standardOutput.send(`${summary(s)}\n`);
    web?.post(s);
    debug?.log(s);
  }

  #collect(final: boolean): Sample {
    const { group, engine, filter, writer, nsPerTick } = this.options;
    const elapsedNs = (performance.now() - this.#started) * 1e6;
    const { elapsedNs: sinceNs, received: sinceReceived, bytes: sinceBytes } = this.#last;
    const interval = { elapsedNs, sinceNs, sinceReceived, sinceBytes };
    const sources = {
      captures: group.captures,
      rings: group.rings,
      engine,
      filter,
      write: writer?.stats() ?? null,
    };
    return collect(sources, nsPerTick, interval, final);
  }
}
