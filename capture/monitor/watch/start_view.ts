/**
 * Purpose: the live view of a capture group, made ready before the first packet comes.
 */
import type { TradingEngine } from "../../../engine/trading_engine.ts";
import type { CaptureGroup } from "../../capture_group.ts";
import type { FilterDescription } from "../../filter_report.ts";
import { UsageError } from "../../../ffi/usage.ts";
import { type LogStyle, warn } from "../../../ffi/voice.ts";
import { collect } from "../statistics.ts";
import { LiveView } from "./live_view.ts";
import { noTerminal, type TerminalKind, terminalKind } from "./terminal.ts";

/** What a live view shows. */
export interface Shown {
  group: CaptureGroup;
  engine: TradingEngine;
  filter: FilterDescription;
  nsPerTick: number;
  /** What is captured from, if the port's name does not say it. */
  from?: string;
  /** Is called by the key q. */
  onQuit(): void;
}

/**
 * The terminal for `--watch`; without one it says so, and there are lines. To be asked before permissions are
 * given up.
 *
 * @throws {UsageError} where messages would come between, as objects.
 */
export function watchedTerminal(log: LogStyle): TerminalKind | undefined {
  const reason = noTerminal();
  if (reason === undefined && log === "json" && Deno.stderr.isTerminal()) {
    throw new UsageError(
      "Cannot use --watch: --log json writes to the same terminal: send it elsewhere, with 2>FILE",
    );
  }
  if (reason !== undefined) warn(`--watch draws nothing: ${reason}: lines follow`);
  return reason === undefined ? terminalKind() : undefined;
}

/** A view that has drawn already, though nothing was shown: its first frame would hold up the engine. */
export function startView(kind: TerminalKind, shown: Shown): LiveView {
  const { group: { captures, rings }, engine, filter, nsPerTick, from, onQuit } = shown;
  const [{ port, mode }] = captures;
  const view = new LiveView({
    kind,
    from: from ?? `${port} (${mode})`,
    slots: Math.max(...captures.map(({ slots }) => slots)), // what a sync finds is of one thread's rings
    nsPerTick,
    onQuit,
  });
  const interval = { elapsedNs: 1, sinceNs: 0, sinceReceived: 0, sinceBytes: 0 };
  const sources = { captures, rings, engine, filter, write: null };
  view.warmUp(collect(sources, nsPerTick, interval, false));
  return view;
}
