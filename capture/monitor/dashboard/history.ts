/**
 * Purpose: the last ten minutes of a capture, as the dashboard's charts need them: a row of figures a
 * second, some 60 kB in all, and the last two sets of statistics whole.
 *
 * ```text
 *  statistics 1, 2, 3, …, n          each has its number, which is its event's, too
 *                └─────────┘ rows    the oldest go when there are ROWS
 *  a page that has seen k asks for what is behind k: its chart has no hole
 * ```
 */
import { SERVICE_BOUNDS_NS, type Statistics } from "../statistics.ts";
import type { SecondQuantiles } from "./second_service.ts";

/** Seconds that are kept: ten minutes. */
export const ROWS = 600;

/**
 * The figures of a row, in this order: the time since the start in s; packets a second; ticks waiting in
 * percent of the tick ring; packets ready in the port's ring at a sync that found any, on average in this
 * second and at most so far; quantiles of the service time in this second in ns; money.
 */
export const COLUMNS = [
  "seconds",
  "received",
  "accepted",
  "rejected",
  "malformed",
  "dropped",
  "lost",
  "tickRing",
  "portMean",
  "portMax",
  "p50",
  "p99",
  "p999",
  "positionValue",
  "profit",
] as const;

const DIGITS = 6; // of a figure in a chart, which is some hundred pixels high
const SHORTEST_NS = 0.5e9; // what is left of the last second is too short for a rate

/** A figure is `null` where it is unknown. */
export type Row = (number | null)[];

/** What a page is told when it connects. */
export interface HistoryMessage {
  /** Whether the rows replace those that the page has. */
  reset: boolean;
  /** Time of day at the start, in ms since 1970. */
  startedMs: number;
  columns: typeof COLUMNS;
  rows: Row[];
  boundsNs: readonly number[];
  /** The last set of statistics, and the one before. */
  statistics: Statistics | null;
  previous: Statistics | null;
}

/** The seconds of one capture. */
export class History {
  /** Tells this capture from those that were served at the same address before. */
  readonly run = crypto.randomUUID().slice(0, 8);
  readonly #rows: { number: number; row: Row }[] = [];
  #number = 0;
  #startedMs = Date.now();
  #last: Statistics | null = null;
  #previous: Statistics | null = null;

  /** Takes the statistics of a second; returns its row, or `null` where it was too short for one. */
  push(statistics: Statistics, service: SecondQuantiles | null): Row | null {
    if (this.#last === null) this.#startedMs = Date.now() - statistics.elapsedNs / 1e6;
    this.#number++;
    const row = rowOf(statistics, this.#last, service);
    if (row !== null) this.#rows.push({ number: this.#number, row });
    if (this.#rows.length > ROWS) this.#rows.shift();
    this.#previous = this.#last;
    this.#last = statistics;
    return row;
  }

  /** Names the last statistics, for a page to come back with. */
  get id(): string {
    return `${this.run}-${this.#number}`;
  }

  /** What is behind the statistics that `id` names; everything, where it names none of the last ten minutes. */
  behind(id: string | null): HistoryMessage {
    const [run, number] = id?.split("-") ?? [], seen = Number(number);
    const oldest = this.#rows[0]?.number ?? 1;
    const reset = !(run === this.run && seen >= oldest - 1 && seen <= this.#number);
    const rows = this.#rows.filter(({ number }) => reset || number > seen).map(({ row }) => row);
    return {
      reset,
      startedMs: Math.round(this.#startedMs),
      columns: COLUMNS,
      rows,
      boundsNs: SERVICE_BOUNDS_NS,
      statistics: this.#last,
      previous: this.#previous,
    };
  }
}

function rowOf(
  s: Statistics,
  before: Statistics | null,
  service: SecondQuantiles | null,
): Row | null {
  const ns = s.elapsedNs - (before?.elapsedNs ?? 0);
  if (ns < SHORTEST_NS) return null;
  const rate = (of: (s: Statistics) => number | null) => {
    const now = of(s), then = before === null ? 0 : of(before);
    return now === null || then === null ? null : (now - then) * 1e9 / ns;
  };
  const { waiting, capacity } = s.tickRing;
  const figures: Record<typeof COLUMNS[number], number | null> = {
    seconds: null,
    received: rate(({ received }) => received),
    accepted: rate(({ accepted }) => accepted),
    rejected: rate(({ rejected }) => rejected),
    malformed: rate(({ malformed }) => malformed),
    dropped: rate(({ dropped }) => dropped),
    lost: rate(({ lost }) => lost),
    tickRing: capacity > 0 ? 100 * waiting / capacity : null,
    portMean: portMean(s, before),
    portMax: s.ring.occupancyMax,
    p50: service?.p50 ?? null,
    p99: service?.p99 ?? null,
    p999: service?.p999 ?? null,
    positionValue: s.engine.positionValue,
    profit: s.engine.profit,
  };
  const row = COLUMNS.map((name) => rounded(figures[name]));
  row[0] = Math.round(s.elapsedNs / 1e6) / 1e3;
  return row;
}

/** In this second; the statistics have that of the whole run. */
function portMean(s: Statistics, before: Statistics | null): number | null {
  const found = (s: Statistics | null) => s === null ? 0 : s.syncs - s.emptySyncs;
  const sum = (s: Statistics | null) => s === null ? 0 : s.ring.occupancyMean * found(s);
  const syncs = found(s) - found(before);
  return syncs > 0 ? Math.max(0, (sum(s) - sum(before)) / syncs) : null;
}

function rounded(figure: number | null): number | null {
  return figure === null ? null : Number(figure.toPrecision(DIGITS));
}
