/**
 * The market as the ticks show it, and orders filled against it.
 *
 * Eight float64 an instrument, one cache line:
 *
 * ```text
 *  0         1            2         3            4          5       6, 7
 * ┌─────────┬────────────┬─────────┬────────────┬──────────┬───────┬──────┐
 * │bid price│bid quantity│ask price│ask quantity│ position │ ticks │ free │
 * └─────────┴────────────┴─────────┴────────────┴──────────┴───────┴──────┘
 * ```
 *
 * How an order is filled: at once, at the price of the last quote on the other
 * side (a buy at the ask, a sell at the bid), never at its own limit and never
 * inside the spread; up to the quantity shown there, which it uses up until the
 * next tick of that side; the rest is cancelled. Nothing rests in a book, so an
 * order without a known other side, or whose limit does not reach it, is
 * rejected. So is one into a crossed quote: one side of it must be stale, and to
 * fill against it would invent money.
 *
 * What the model leaves out: latency to the venue, queues, hidden quantity,
 * market impact beyond the quantity shown, the age of a quote, and fees. Profit
 * shown by it is an upper bound for a taker of liquidity, not a forecast.
 *
 * @module
 */

import { InstrumentIndex } from "./instrument_index.ts";
import type { RejectedBy } from "./order.ts";
import { OrderFeed } from "./order_feed.ts";
import { RateLimit } from "./rate_limit.ts";
import type { Market } from "./strategy.ts";
import { Side } from "./tick.ts";

const STATE_SHIFT = 3;
const BID_PRICE = 0;
const ASK_PRICE = 2;
const POSITION = 4;
const TICKS = 5;
/** From a side's price to its quantity. */
const QUANTITY = 1;

/** The limits of a market; the engine's callers choose them. */
export interface MarketLimits {
  /** Most instruments that are tracked; ticks of others are counted as untracked. */
  instrumentLimit: number;
  /** Most units held or sold short, per instrument; above 0, Infinity for no limit. */
  positionLimit: number;
  /** Most orders within any second, over all instruments. */
  orderRateHz: number;
}

/** What is known of an instrument. */
export interface InstrumentStats {
  /** Its identifier, a u32. */
  instrument: number;
  /** Its ticks so far. */
  ticks: number;
  /** Last price bid; `null` before the first. */
  bid: number | null;
  /** Last price asked; `null` before the first. */
  ask: number | null;
  /** Units held, negative if sold short. */
  position: number;
}

/** Quotes, positions and cash; orders are filled against the last quote. */
export class SimulatedMarket implements Market {
  readonly instrumentLimit: number;
  /** The instruments seen and tracked. */
  readonly instruments: InstrumentIndex;
  /** The executed orders. */
  readonly feed: OrderFeed = new OrderFeed();
  /** Rejected orders by cause. */
  readonly rejectedBy: RejectedBy = {
    invalid: 0,
    position: 0,
    rate: 0,
    quote: 0,
    crossed: 0,
    price: 0,
  };
  /** Set by the engine before each batch. */
  nowMs: number = performance.now();
  readonly #states: Float64Array;
  readonly #positionLimit: number;
  readonly #rate: RateLimit;
  #orders = 0;
  #filled = 0;
  #cash = 0;

  /**
   * Makes a market without quotes.
   *
   * @throws {RangeError} if a limit is out of range
   */
  constructor(limits: MarketLimits) {
    if (!(limits.positionLimit > 0)) {
      throw new RangeError(
        `Cannot create market: position limit is "${limits.positionLimit}": pass a number above 0`,
      );
    }
    this.instruments = new InstrumentIndex(limits.instrumentLimit);
    this.#rate = new RateLimit(limits.orderRateHz);
    this.#positionLimit = limits.positionLimit;
    this.instrumentLimit = limits.instrumentLimit;
    this.#states = new Float64Array(limits.instrumentLimit << STATE_SHIFT);
    for (let base = 0; base < this.#states.length; base += 1 << STATE_SHIFT) {
      this.#states[base + BID_PRICE] = this.#states[base + ASK_PRICE] = NaN;
    }
  }

  /** Orders placed: filled plus rejected. */
  get orders(): number {
    return this.#orders;
  }

  /** Orders filled, wholly or in part. */
  get filled(): number {
    return this.#filled;
  }

  /** Money received for units sold less money paid for units bought. */
  get cash(): number {
    return this.#cash;
  }

  /** What the positions are worth at the mid, or at the only side known. */
  get positionValue(): number {
    let value = 0;
    for (let index = 0; index < this.instruments.size; index++) {
      const base = index << STATE_SHIFT;
      const position = this.#states[base + POSITION];
      if (position !== 0) value += position * this.#mark(base);
    }
    return value;
  }

  /** Takes in a tick as the new quote of its side; `index` is one of {@linkcode instruments}. */
  quote(index: number, side: Side, price: number, quantity: number): void {
    const states = this.#states;
    const base = index << STATE_SHIFT, quote = base + (side << 1);
    states[quote] = price;
    states[quote + QUANTITY] = quantity;
    states[base + TICKS]++;
  }

  /** The instruments with the most ticks, `count` of them at most, the busiest first. */
  busiest(count: number): InstrumentStats[] {
    const states = this.#states, top: number[] = [];
    const ticks = (index: number) => states[(index << STATE_SHIFT) + TICKS];
    for (let index = 0; index < this.instruments.size; index++) {
      if (top.length === count && ticks(index) <= ticks(top[count - 1])) continue;
      let at = top.length;
      while (at > 0 && ticks(top[at - 1]) < ticks(index)) at--;
      top.splice(at, 0, index);
      top.length = Math.min(top.length, count);
    }
    return top.map((index) => ({
      instrument: this.instruments.idAt(index),
      ticks: ticks(index),
      bid: numberOrNull(this.priceAt(index, Side.bid)),
      ask: numberOrNull(this.priceAt(index, Side.ask)),
      position: this.positionAt(index),
    }));
  }

  indexOf(instrument: number): number {
    return this.instruments.find(instrument);
  }

  instrumentAt(index: number): number {
    return this.instruments.idAt(index);
  }

  priceAt(index: number, side: Side): number {
    return this.#states[(index << STATE_SHIFT) + (side << 1)];
  }

  quantityAt(index: number, side: Side): number {
    return this.#states[(index << STATE_SHIFT) + (side << 1) + QUANTITY];
  }

  midAt(index: number): number {
    const states = this.#states;
    const base = index << STATE_SHIFT;
    return (states[base + BID_PRICE] + states[base + ASK_PRICE]) * 0.5;
  }

  positionAt(index: number): number {
    return this.#states[(index << STATE_SHIFT) + POSITION];
  }

  order(side: Side, instrument: number, price: number, quantity: number): number {
    this.#orders++;
    const index = this.instruments.find(instrument);
    const cause = this.#faultOf(side, index, price, quantity);
    if (cause !== undefined) {
      this.rejectedBy[cause]++;
      return 0;
    }
    return this.#fill(side, index, price, quantity);
  }

  #mark(base: number): number {
    const bid = this.#states[base + BID_PRICE];
    const ask = this.#states[base + ASK_PRICE];
    if (Number.isNaN(bid)) return ask;
    return Number.isNaN(ask) ? bid : (bid + ask) * 0.5;
  }

  #faultOf(
    side: Side,
    index: number,
    price: number,
    quantity: number,
  ): keyof RejectedBy | undefined {
    if (
      side !== Side.bid && side !== Side.ask || !(price >= 0 && price < Infinity) ||
      !(quantity > 0 && quantity < Infinity)
    ) return "invalid";
    const base = index << STATE_SHIFT;
    const position = index < 0 ? 0 : this.#states[base + POSITION];
    const after = side === Side.bid ? position + quantity : position - quantity;
    if (Math.abs(after) > this.#positionLimit) return "position";
    if (!this.#rate.allow(this.nowMs)) return "rate";
    if (index < 0) return "quote";
    const bid = this.#states[base + BID_PRICE];
    const ask = this.#states[base + ASK_PRICE];
    const quote = base + (side === Side.bid ? ASK_PRICE : BID_PRICE);
    if (!(this.#states[quote + QUANTITY] > 0)) return "quote";
    if (bid > ask) return "crossed";
    if (side === Side.bid ? price < ask : price > bid) return "price";
  }

  #fill(side: Side, index: number, limitPrice: number, quantity: number): number {
    const states = this.#states;
    const base = index << STATE_SHIFT;
    const quote = base + (side === Side.bid ? ASK_PRICE : BID_PRICE);
    const price = states[quote];
    const filledQuantity = Math.min(quantity, states[quote + QUANTITY]);
    const change = side === Side.bid ? filledQuantity : -filledQuantity;
    states[quote + QUANTITY] -= filledQuantity;
    states[base + POSITION] += change;
    this.#cash -= change * price;
    const sequence = ++this.#filled;
    if (this.feed.wanted) {
      const position = states[base + POSITION];
      const instrument = this.instruments.idAt(index);
      const timeMs = this.nowMs;
      // deno-fmt-ignore
      this.feed.push({ sequence, timeMs, instrument, side, limitPrice, price, quantity, filledQuantity, position });
    }
    return filledQuantity;
  }
}

function numberOrNull(price: number): number | null {
  return Number.isNaN(price) ? null : price;
}
