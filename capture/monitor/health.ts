/**
 * Purpose: judges whether the capture goes on, by the web thread's own clock and its own look at shared
 * memory: it turns red also while the main isolate or a capture thread stands still, and green again when
 * they go on.
 *
 * ```text
 *  capture thread: syncs ──────────┐
 *  tick ring: head, waiting ───────┼─▶ look, four times a second ──▶ faults ──▶ /health: 200 or 503
 *  main isolate: Statistics ───────┘
 * ```
 * A thread that waits for packets still syncs some twenty times a second, and the main isolate sends its
 * statistics once a second: who is silent for three has stopped.
 */
import type { CaptureCounts } from "../capture_state.ts";
import type { Statistics } from "./statistics.ts";
import { addsUp } from "../capture_state.ts";
import type { WatchedCapture } from "./watched_capture.ts";
import type { Page } from "./web_sites.ts";

/** How long something must last to be a fault. */
export const STALL_MS = 3000;
/** How often to look. */
export const LOOK_MS = 250;
/** What counts of the time between two looks: if the whole process was stopped, nobody is to blame. */
const MOST_BETWEEN_MS = 1000;

/** Looks after captures. */
export class Health {
  readonly #threads: Watch[];
  #clockMs = 0;
  #lookedAt: number;
  #heardMs = 0;
  #writeFailed: string | undefined;

  /** `now`: the time in milliseconds. */
  constructor(
    captures: readonly WatchedCapture[],
    readonly now: () => number = () => performance.now(),
  ) {
    this.#threads = captures.map((capture) => ({
      capture,
      synced: new Unchanged(),
      consumed: new Unchanged(),
      wrong: new Unchanged(),
    }));
    this.#lookedAt = now();
  }

  /** The main isolate is alive, and says this. */
  update({ write }: Statistics): void {
    this.#tick();
    this.#heardMs = this.#clockMs;
    this.#writeFailed = write?.failed;
  }

  /** What is wrong now; to be called every LOOK_MS, too. */
  faults(): string[] {
    const nowMs = this.#tick(), silentMs = nowMs - this.#heardMs;
    const faults = this.#threads.flatMap((watch) => faultsOf(watch, nowMs));
    if (silentMs >= STALL_MS) {
      faults.push(
        `the main thread, which runs the engine, has been silent for ${seconds(silentMs)}`,
      );
    }
    if (this.#writeFailed !== undefined) {
      faults.push(`nothing is written any longer: ${this.#writeFailed}`);
    }
    return faults;
  }

  /** Answers 200 and "ok", or 503 and the faults, one a line; as JSON to those who ask for it. */
  readonly page: Page = ({ headers }) => {
    const faults = this.faults(), healthy = faults.length === 0;
    const init = { status: healthy ? 200 : 503, headers: { "cache-control": "no-store" } };
    if (headers.get("accept")?.includes("application/json")) {
      return Response.json({ healthy, faults }, init);
    }
    return new Response(healthy ? "ok\n" : faults.map((fault) => `${fault}\n`).join(""), init);
  };

  #tick(): number {
    const now = this.now();
    this.#clockMs += Math.min(now - this.#lookedAt, MOST_BETWEEN_MS);
    this.#lookedAt = now;
    return this.#clockMs;
  }
}

/** A thread, and what must not last. */
interface Watch {
  capture: WatchedCapture;
  synced: Unchanged;
  consumed: Unchanged;
  wrong: Unchanged;
}

/** For how long a number has been the same. */
class Unchanged {
  #value = NaN;
  #sinceMs = 0;

  /** Takes a look; NaN is never the same. */
  forMs(value: number, nowMs: number): number {
    if (value !== this.#value) {
      this.#value = value;
      this.#sinceMs = nowMs;
    }
    return nowMs - this.#sinceMs;
  }
}

function faultsOf({ capture, synced, consumed, wrong }: Watch, nowMs: number): string[] {
  const { state, ticks, ring, port, core } = capture, counts = capture.counts();
  const thread = `capture thread ${ring} ("${port}", core ${core})`, faults: string[] = [];
  const stillMs = synced.forMs(state.begun && !state.finished ? counts.syncs : NaN, nowMs);
  if (stillMs >= STALL_MS) faults.push(`${thread} has not synced for ${seconds(stillMs)}`);
  // A file may end.
  if (state.finished && !state.stopping && !port.startsWith("pcap:")) {
    faults.push(`${thread} has ended, though nobody told it to`);
  }
  const { waiting } = ticks;
  const uneatenMs = consumed.forMs(waiting > 0 ? ticks.head : NaN, nowMs);
  if (uneatenMs >= STALL_MS) {
    faults.push(
      `the engine has taken none of ${waiting} ticks of ring ${ring} for ${seconds(uneatenMs)}`,
    );
  }
  if (wrong.forMs(addsUp(counts) ? NaN : 1, nowMs) >= STALL_MS) {
    faults.push(`the counters of ${thread} do not add up: ${sums(counts)}`);
  }
  return faults;
}

function sums(counts: CaptureCounts): string {
  const { received, accepted, rejected, malformed, delivered, dropped } = counts;
  return `${received} received, ${accepted} accepted + ${rejected} rejected + ${malformed} malformed; ` +
    `${delivered} delivered + ${dropped} dropped`;
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1000)} s`;
}
