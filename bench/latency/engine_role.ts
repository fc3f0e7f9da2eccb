/**
 * Purpose: the engine as a role, with a strategy that notes when it sees a tick, or answers it.
 *
 * ```text
 *  tick ring ─▶ TradingEngine.poll ─▶ TimingStrategy ─▶ MeanReversion
 *                                      one way: the clock, at once    tick to trade: afterwards, an order
 * ```
 */
import { NAP_MS, NAPPING_MS } from "../../capture/engine_loop.ts";
import { MeanReversion } from "../../engine/mean_reversion.ts";
import type { Market, Strategy } from "../../engine/strategy.ts";
import { type InstrumentType, type Side, SIDE_SHIFT } from "../../engine/tick.ts";
import type { TickRing } from "../../engine/tick_ring.ts";
import { TradingEngine } from "../../engine/trading_engine.ts";
import { nowNs } from "../../ffi/host.ts";
import { MARKED } from "./generator.ts";
import { beatsOf, beatsSince, INSTRUMENTS, type Records } from "./stamp.ts";
import type { StampedSender } from "./stamped_sender.ts";

const BATCH = 1024; // as capture/engine_loop.ts
const PARK_MS = 40;

/** What the engine does with ticks: notes when it sees them, or answers. */
export type Purpose = { clock: () => number; records: Records } | { orders: StampedSender };

/** What the engine says at the end. */
export interface EngineCounts {
  consumed: number;
  /** Of these, and of the orders, what belongs to the warming up. */
  warm: number;
  warmOrders: number;
  untracked: number;
  /** Instruments left out between one tick and the next, modulo their number. */
  gaps: number;
  /** The instrument that is due next. */
  expected: number;
  /** Orders handed to the port; those that found its ring full. */
  orders: number;
  ordersUnsent: number;
}

/** A TradingEngine, one turn at a time. */
export class EngineRole {
  readonly #engine: TradingEngine;
  readonly #ring: TickRing;
  readonly #orders: StampedSender | undefined;
  readonly #clock: () => number;
  /** Time of the next batch, in ms: asked after the one before, as capture/engine_loop.ts does; not by performance.now(), which allocates. */
  readonly #times = new Float64Array([nowNs() / 1e6]);
  #strategy!: TimingStrategy;

  /** This thread is the ring's only consumer. */
  constructor(ring: TickRing, purpose: Purpose, clock: () => number) {
    this.#ring = ring;
    this.#clock = clock;
    this.#orders = "orders" in purpose ? purpose.orders : undefined;
    this.#engine = new TradingEngine(
      ring,
      (market) => this.#strategy = new TimingStrategy(market, purpose),
      { instrumentLimit: 2 * INSTRUMENTS },
    );
  }

  /** Runs the strategy on what is there; returns how many ticks. */
  step(): number {
    const times = this.#times, consumed = this.#engine.poll(BATCH, times[0]);
    if (consumed > 0) times[0] = nowNs() / 1e6;
    else this.#orders?.retry(this.#clock());
    return consumed;
  }

  /** Sleeps until a tick comes; `naps`: wakes by itself every 200 µs instead, which spares the producer the call. */
  sleep(naps: boolean): void {
    if (naps) Atomics.wait(nobody, 0, 0, NAP_MS);
    else this.#ring.park(PARK_MS);
  }

  /** What was counted. */
  finish(): EngineCounts {
    const { consumed, untracked } = this.#engine.stats();
    const { gaps, expected, warm, warmOrders, ordersUnsent } = this.#strategy;
    return {
      consumed,
      warm,
      warmOrders,
      untracked,
      gaps,
      expected,
      orders: this.#orders?.sent ?? 0,
      ordersUnsent,
    };
  }
}

/** How long after the last tick an engine in hybrid waiting goes from naps to sleep, in ms. */
export const NAPS_END_MS: number = NAPPING_MS;

const nobody = new Int32Array(new SharedArrayBuffer(4));

/** Runs a real strategy on each tick, and times it. */
class TimingStrategy implements Strategy {
  gaps = 0;
  expected = 0;
  warm = 0;
  warmOrders = 0;
  ordersUnsent = 0;
  readonly #market: Market;
  readonly #timed: Strategy;
  readonly #records: Records | undefined;
  readonly #clock: () => number;
  readonly #orders: StampedSender | undefined;
  /** A tick's fields: they are given as numbers, and wanted as bits. */
  readonly #bits = new Int32Array(2);
  readonly #floats = new Float32Array(this.#bits.buffer);

  constructor(market: Market, purpose: Purpose) {
    this.#market = market;
    this.#timed = new MeanReversion(market);
    this.#records = "records" in purpose ? purpose.records : undefined;
    this.#clock = "clock" in purpose ? purpose.clock : () => 0;
    this.#orders = "orders" in purpose ? purpose.orders : undefined;
  }

  onTick(index: number, type: InstrumentType, side: Side): void {
    const now = this.#clock(), market = this.#market, bits = this.#bits;
    this.#floats[0] = market.priceAt(index, side);
    this.#floats[1] = market.quantityAt(index, side);
    const stamp = bits[0], late = bits[1];
    const instrument = market.instrumentAt(index);
    this.#records?.add(instrument, beatsSince(stamp, now), beatsOf(late));
    if (instrument < INSTRUMENTS) this.warm++;
    this.gaps += instrument - this.expected & INSTRUMENTS - 1;
    this.expected = instrument + 1;
    this.#timed.onTick(index, type, side);
    if (type === MARKED) this.#answer(instrument, type | side << SIDE_SHIFT, stamp, late);
  }

  /** The order carries the tick's times. */
  #answer(instrument: number, typeAndSide: number, stamp: number, late: number): void {
    const orders = this.#orders;
    if (orders === undefined) return;
    if (instrument < INSTRUMENTS) this.warmOrders++;
    if (orders.place(instrument, typeAndSide, stamp, late)) orders.sync();
    else this.ordersUnsent++;
  }
}
