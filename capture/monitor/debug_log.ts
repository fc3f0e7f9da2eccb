/**
 * Purpose: what every stage did in the last second, for USPF_DEBUG=1. It reads the counters that the
 * stages keep anyway: nothing is added to the hot path.
 */
import { getLogger } from "@std/log";
import type { TickRing } from "../../engine/tick_ring.ts";
import type { Statistics } from "./statistics.ts";

/** Logs the differences between sets of statistics. */
export class DebugLog {
  readonly #capture = getLogger("capture");
  readonly #filter = getLogger("filter");
  readonly #ring = getLogger("ring");
  readonly #engine = getLogger("engine");
  #last: Statistics | undefined;

  constructor(readonly rings: readonly TickRing[]) {}

  /** Logs what happened since the call before. */
  log(s: Statistics): void {
    const since = (field: (s: Statistics) => number) =>
      field(s) - (this.#last ? field(this.#last) : 0);
    const received = since((s) => s.received), bursts = since(burstsOf);
    this.#capture.debug(
      `${since((s) => s.syncs)} syncs, ${since((s) => s.emptySyncs)} empty, ${received} packets, ` +
        `bursts of ${(bursts > 0 ? received / bursts : 0).toFixed(1)} on average`,
    );
    const causes = { ...s.rejectedBy, ...s.malformedBy } as Record<string, number>;
    const before = { ...this.#last?.rejectedBy, ...this.#last?.malformedBy } as Record<
      string,
      number
    >;
    const verdicts = Object.entries(causes)
      .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
      .filter(([, count]) => count > 0).map(([name, count]) => `, ${name} ${count}`);
    this.#filter.debug(`accepted ${since((s) => s.accepted)}${verdicts.join("")}`);
    if (s.filter.decoded) this.#logTicks(s, since);
    this.#last = s;
  }

  #logTicks(s: Statistics, since: (field: (s: Statistics) => number) => number): void {
    const sum = (of: (ring: TickRing) => number) =>
      this.rings.reduce((total, ring) => total + of(ring), 0);
    this.#ring.debug(
      `${sum(({ waiting }) => waiting)} of ${sum(({ capacity }) => capacity)} ticks waiting, ` +
        `backpressure dropped ${since((s) => s.dropped)}`,
    );
    this.#engine.debug(
      `${since((s) => s.consumed)} ticks, ${since((s) => s.engine.orders)} orders, ` +
        `profit ${s.engine.profit.toFixed(2)}`,
    );
  }
}

function burstsOf({ received, burst }: Statistics): number {
  return burst.mean > 0 ? Math.round(received / burst.mean) : 0;
}
