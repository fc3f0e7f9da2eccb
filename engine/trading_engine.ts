/**
 * The trading engine: takes ticks from its rings, keeps the market's quotes and
 * runs a strategy on each.
 *
 * ```text
 *  tick ring ──┐
 *  tick ring ──┼▶ poll ──▶ market.update ──▶ strategy.onTick
 *  …           │                 ▲                 │ market.order
 *              in turn           └─────────────────┘──▶ orders()
 * ```
 *
 * @module
 */

import type { Order, RejectedBy } from "./order.ts";
import { type InstrumentStats, type MarketLimits, SimulatedMarket } from "./simulated_market.ts";
import type { Market, Strategy, StrategyFactory } from "./strategy.ts";
import {
  INSTRUMENT_WORD,
  type InstrumentType,
  KIND_WORD,
  PRICE_WORD,
  QUANTITY_WORD,
  RECORD_SHIFT,
  type Side,
  SIDE_SHIFT,
} from "./tick.ts";
import { RECORDS_WORD, TickRing } from "./tick_ring.ts";

/** The limits that hold unless the caller says otherwise. */
export const DEFAULT_LIMITS: Readonly<MarketLimits> = {
  instrumentLimit: 65_536,
  positionLimit: 1_000,
  orderRateHz: 1_000,
};

/** What an engine has done; `orders = filled + rejected`, `rejected` is the sum of its causes. */
export interface EngineStats {
  /** Ticks taken from the ring. */
  consumed: number;
  /** Of these, ticks of instruments beyond the limit: neither quoted nor traded. */
  untracked: number;
  /** Instruments tracked. */
  instruments: number;
  /** Orders that the strategy placed. */
  orders: number;
  /** Orders filled, wholly or in part. */
  filled: number;
  /** Orders rejected. */
  rejected: number;
  /** Rejected orders by cause. */
  rejectedBy: RejectedBy;
  /** Filled orders that a full stream of `orders()` did not keep. */
  ordersUnread: number;
  /** Money received less money paid. */
  cash: number;
  /** Worth of the positions, marked at the mid. */
  positionValue: number;
  /** Profit, or if negative loss: `cash + positionValue`; it starts from nothing. */
  profit: number;
}

/**
 * Consumes tick rings on the thread that calls {@linkcode TradingEngine.poll}.
 *
 * @example An engine on a ring
 * ```ts
 * import { MeanReversion, TickRing, TradingEngine } from "@uspf/uspf";
 *
 * const engine = new TradingEngine(TickRing.create(1024), (market) => new MeanReversion(market));
 * console.assert(engine.poll(256) === 0 && engine.stats().profit === 0);
 * engine.close();
 * ```
 */
export class TradingEngine {
  readonly #rings: readonly TickRing[];
  #turn = 0;
  readonly #market: SimulatedMarket;
  readonly #strategy: Strategy;
  #consumed = 0;
  #untracked = 0;
  #closed = false;

  /**
   * Makes an engine that has consumed nothing.
   *
   * @param rings one ring or several, consumed by this engine and nobody else
   * @param strategy called once, here, to make the strategy
   * @param limits those that differ from {@linkcode DEFAULT_LIMITS}
   * @throws {RangeError} if a limit is out of range
   */
  constructor(
    rings: TickRing | readonly TickRing[],
    strategy: StrategyFactory,
    limits: Partial<MarketLimits> = {},
  ) {
    this.#rings = rings instanceof TickRing ? [rings] : rings;
    this.#market = new SimulatedMarket({ ...DEFAULT_LIMITS, ...limits });
    this.#strategy = strategy(this.#market);
  }

  /** The market that the strategy sees. */
  get market(): Market {
    return this.#market;
  }

  /** Ticks taken from the ring. */
  get consumed(): number {
    return this.#consumed;
  }

  /**
   * Runs the strategy on the ticks that are ready, and releases them. With several
   * rings each gives an equal share of `maxTicks` at most, and another one begins
   * each time: a busy ring does not starve a quiet one.
   *
   * @param maxTicks most ticks to take, a whole number above 0; those of a ring are
   * released together, so stay well below its capacity: 256 to 1024 is good
   * @param nowMs time of the batch on any monotonic clock, in milliseconds; by
   * default `performance.now()`, asked only if there is a tick
   * @returns the ticks consumed, 0 if none was ready or the engine is closed
   */
  poll(maxTicks: number, nowMs?: number): number {
    const rings = this.#rings;
    if (rings.length === 1) return this.#pollRing(rings[0], maxTicks, nowMs);
    const share = Math.ceil(maxTicks / rings.length);
    let consumed = 0;
    this.#turn = this.#turn + 1 < rings.length ? this.#turn + 1 : 0;
    for (let i = 0; i < rings.length && consumed < maxTicks; i++) {
      const ring = rings[(this.#turn + i) % rings.length];
      consumed += this.#pollRing(ring, Math.min(share, maxTicks - consumed), nowMs);
    }
    return consumed;
  }

  /**
   * Opens a stream of the orders filled from now on, for `for await` or a reader.
   *
   * It keeps at most `limit` unread orders, the oldest; the rest are counted in
   * `ordersUnread`. It ends when the engine is closed. A reader on the polling
   * thread gets them when that thread goes back to its event loop.
   *
   * @param limit orders to keep, 1 to 1,048,576, by default 1024
   * @throws {RangeError} if the limit is out of range
   */
  orders(limit?: number): ReadableStream<Order> {
    return this.#market.feed.open(limit);
  }

  /** What has been done so far; a new object, to be asked for between polls. */
  stats(): EngineStats {
    const market = this.#market;
    const { cash, positionValue } = market;
    return {
      consumed: this.#consumed,
      untracked: this.#untracked,
      instruments: market.instruments.size,
      orders: market.orders,
      filled: market.filled,
      rejected: market.orders - market.filled,
      rejectedBy: { ...market.rejectedBy },
      ordersUnread: market.feed.unread,
      cash,
      positionValue,
      profit: cash + positionValue,
    };
  }

  /** The instruments with the most ticks, `count` of them at most, the busiest first; to be asked for between polls. */
  busiest(count: number): InstrumentStats[] {
    return this.#market.busiest(count);
  }

  /** Ends the order streams; what is in the ring stays there. */
  close(): void {
    this.#closed = true;
    this.#market.feed.close();
  }

  #pollRing(ring: TickRing, maxTicks: number, nowMs?: number): number {
    const ready = this.#closed ? 0 : ring.take(maxTicks);
    if (!(ready > 0)) return 0;
    this.#market.nowMs = nowMs ?? performance.now();
    const untracked = this.#run(ring, ring.head, ready);
    ring.release(ready);
    this.#consumed += ready;
    this.#untracked += untracked;
    return ready;
  }

  /** Runs `count` ticks from `head` on, and returns how many were untracked. */
  #run(ring: TickRing, head: number, count: number): number {
    const { words, floats, mask } = ring;
    const market = this.#market;
    const instruments = market.instruments;
    const strategy = this.#strategy;
    let untracked = 0;
    for (let offset = 0; offset < count; offset++) {
      const word = RECORDS_WORD + ((head + offset & mask) << RECORD_SHIFT);
      const kind = words[word + KIND_WORD];
      const side = (kind >>> SIDE_SHIFT & 1) as Side;
      const index = instruments.findOrAdd(words[word + INSTRUMENT_WORD]);
      if (index < 0) {
        untracked++;
        continue;
      }
      market.quote(index, side, floats[word + PRICE_WORD], floats[word + QUANTITY_WORD]);
      strategy.onTick(index, (kind & 0xff) as InstrumentType, side);
    }
    return untracked;
  }
}
