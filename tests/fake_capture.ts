/**
 * Purpose: a capture without a port and threads, for tests of what watches it.
 */
import { CaptureState, COUNTER } from "../capture/capture_state.ts";
import { collect, type Statistics } from "../capture/monitor/statistics.ts";
import type { WatchedCapture } from "../capture/monitor/web_orders.ts";
import { MeanReversion } from "../engine/mean_reversion.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { TradingEngine } from "../engine/trading_engine.ts";
import { VERDICT } from "../filter/verdict.ts";

/** A capture that never was: tests move its counters. */
export class FakeCapture {
  readonly state = new CaptureState();
  readonly ring = TickRing.create(1024);
  readonly #engine = new TradingEngine(this.ring, (market) => new MeanReversion(market));
  #last = { elapsedNs: 0, received: 0, bytes: 0 };

  /** As the web thread is told of it. */
  get watched(): WatchedCapture {
    const { buffer } = this.state;
    return {
      port: "soft:a:1",
      core: 1,
      mode: "soft switch",
      state: buffer,
      ticks: this.ring.buffer,
    };
  }

  /** Lets it receive packets that took `ns` each. */
  receive(packets: number, ns = 100): void {
    const { counters, service } = this.state;
    counters[COUNTER.received] += packets;
    counters[COUNTER.bytes] += packets * 60;
    counters[VERDICT.accepted] += packets;
    counters[COUNTER.delivered] += packets;
    counters[COUNTER.syncs] += 4;
    counters[COUNTER.emptySyncs] += 2;
    counters[COUNTER.occupancySum] += packets;
    service.recordShare(ns * packets, packets);
  }

  /** Its statistics at a time. */
  at(seconds: number, final = false): Statistics {
    const { elapsedNs, received, bytes } = final
      ? { elapsedNs: 0, received: 0, bytes: 0 }
      : this.#last;
    const { statistics } = collect(
      {
        captures: [{ state: this.state, port: "soft:a:1", core: 1 }] as Parameters<
          typeof collect
        >[0]["captures"],
        rings: [this.ring],
        engine: this.#engine,
        filter: { expression: null, decoded: true, where: "user space", how: "" },
        write: null,
      },
      1,
      {
        elapsedNs: seconds * 1e9,
        sinceNs: elapsedNs,
        sinceReceived: received,
        sinceBytes: bytes,
      },
      final,
    );
    this.#last = statistics;
    return statistics;
  }

  /** Statistics of so many more seconds, one by one. */
  *seconds(first: number, last: number, packets = 1000): Generator<Statistics> {
    for (let second = first; second <= last; second++) {
      this.receive(packets);
      yield this.at(second);
    }
  }
}
