/**
 * Mean reversion: a price far from its recent mean is expected to come back.
 *
 * Each tick gives one observation, the instrument's mid: a single tick's price
 * would do less, since bids and asks alternate and their spread would pass for
 * deviation. The mid is compared with the mean and the standard deviation of the
 * `window` mids before it, and joins them afterwards, so that an outlier does not
 * widen the measure that it is held against. A standard deviation below
 * `minDeviation` counts as that much: in a still market any change is many of them.
 *
 * An instrument has a band of deviations within which nothing is done; only a
 * fill moves it, so a tick is two comparisons:
 *
 * | position   | at or below the band's low        | at or above the band's high      |
 * | ---------- | --------------------------------- | -------------------------------- |
 * | none       | -entry: buy at the ask            | +entry: sell at the bid          |
 * | long       | -entry: buy more                  | -exit: sell all                  |
 * | short      | +exit: buy all back               | +entry: sell more                |
 * | at a limit | as above, but no more of the same | as above, but no more of the same |
 *
 * @module
 */

import { RateLimit } from "./rate_limit.ts";
import { RollingMoments } from "./rolling_moments.ts";
import type { Market, Strategy } from "./strategy.ts";
import { Side } from "./tick.ts";

/** How {@linkcode MeanReversion} trades. */
export interface MeanReversionOptions {
  /** Mids that make up the mean and the deviation, 2 to 65,536. */
  window: number;
  /** Standard deviations from the mean that open a position, above `exit`. */
  entry: number;
  /** Standard deviations from the mean that close it, at least 0. */
  exit: number;
  /** A smaller standard deviation counts as this, in units of price, above 0. */
  minDeviation: number;
  /** Units to buy or sell at a time, above 0. */
  orderQuantity: number;
  /** Most units held or sold short, per instrument; at least `orderQuantity`. */
  positionLimit: number;
  /** Most orders within any second, a whole number from 1 to 1,000,000. */
  orderRateHz: number;
}

/** What {@linkcode MeanReversion} does unless told otherwise. */
export const DEFAULT_MEAN_REVERSION: Readonly<MeanReversionOptions> = {
  window: 64,
  entry: 2,
  exit: 0.5,
  minDeviation: 0.001,
  orderQuantity: 1,
  positionLimit: 10,
  orderRateHz: 100,
};

/**
 * Buys what has fallen below its mean and sells what has risen above it.
 *
 * @example With other options
 * ```ts
 * import { MeanReversion, TickRing, TradingEngine } from "@uspf/uspf";
 *
 * const options = { window: 128, entry: 3 };
 * new TradingEngine(TickRing.create(256), (market) => new MeanReversion(market, options)).close();
 * ```
 */
export class MeanReversion implements Strategy {
  readonly #options: Readonly<MeanReversionOptions>;
  readonly #market: Market;
  readonly #moments: RollingMoments;
  readonly #rate: RateLimit;
  /** Low and high of each instrument's band, in standard deviations. */
  readonly #bands: Float64Array;
  readonly #minDeviation: number;
  #heldAtMs = NaN;
  #heldBack = 0;

  /**
   * Makes the strategy of an engine.
   *
   * @param market of the engine that will call {@linkcode MeanReversion.onTick}
   * @param options those that differ from {@linkcode DEFAULT_MEAN_REVERSION}
   * @throws {RangeError} if an option is out of range
   */
  constructor(market: Market, options: Partial<MeanReversionOptions> = {}) {
    this.#options = { ...DEFAULT_MEAN_REVERSION, ...options };
    check(this.#options);
    this.#market = market;
    this.#moments = new RollingMoments(market.instrumentLimit, this.#options.window);
    this.#rate = new RateLimit(this.#options.orderRateHz);
    this.#minDeviation = this.#options.minDeviation;
    this.#bands = new Float64Array(market.instrumentLimit * 2);
    for (let index = 0; index < market.instrumentLimit; index++) this.#setBand(index, 0);
  }

  /**
   * How often an order was wanted and not placed because of the strategy's own
   * order rate: at most once a batch, since within it the clock stands still and
   * nothing more is tried.
   */
  get heldBack(): number {
    return this.#heldBack;
  }

  onTick(index: number): void {
    const moments = this.#moments;
    const bands = this.#bands;
    const market = this.#market;
    const mid = market.midAt(index);
    if (Number.isNaN(mid)) return;
    if (moments.full(index) && market.nowMs !== this.#heldAtMs) {
      const measure = Math.max(moments.deviation(index), this.#minDeviation);
      const change = mid - moments.mean(index);
      if (change <= bands[index << 1] * measure) this.#buy(index);
      else if (change >= bands[(index << 1) + 1] * measure) this.#sell(index);
    }
    moments.push(index, mid);
  }

  #mayOrder(): boolean {
    const nowMs = this.#market.nowMs;
    if (this.#rate.allow(nowMs)) return true;
    this.#heldAtMs = nowMs;
    this.#heldBack++;
    return false;
  }

  #buy(index: number): void {
    if (!this.#mayOrder()) return;
    const position = this.#market.positionAt(index);
    this.#order(index, Side.bid, position < 0 ? -position : this.#options.orderQuantity);
  }

  #sell(index: number): void {
    if (!this.#mayOrder()) return;
    const position = this.#market.positionAt(index);
    this.#order(index, Side.ask, position > 0 ? position : this.#options.orderQuantity);
  }

  /** Takes what the other side offers, or nothing. */
  #order(index: number, side: Side, quantity: number): void {
    const market = this.#market;
    const price = market.priceAt(index, side === Side.bid ? Side.ask : Side.bid);
    market.order(side, market.instrumentAt(index), price, quantity);
    this.#setBand(index, market.positionAt(index));
  }

  #setBand(index: number, position: number): void {
    const { entry, exit, orderQuantity, positionLimit } = this.#options;
    const full = Math.abs(position) + orderQuantity > positionLimit;
    const further = full ? Infinity : entry;
    this.#bands[index << 1] = position < 0 ? exit : -further;
    this.#bands[(index << 1) + 1] = position > 0 ? -exit : further;
  }
}

function check(options: MeanReversionOptions): void {
  const { entry, exit, minDeviation, orderQuantity, positionLimit } = options;
  demand("exit", exit, exit >= 0 && exit < Infinity, "pass a number of at least 0");
  demand("entry", entry, entry > exit && entry < Infinity, "pass a number above exit");
  demand(
    "minimum deviation",
    minDeviation,
    minDeviation > 0 && minDeviation < Infinity,
    "pass a number above 0",
  );
  demand(
    "order quantity",
    orderQuantity,
    orderQuantity > 0 && orderQuantity < Infinity,
    "pass a number above 0",
  );
  demand(
    "position limit",
    positionLimit,
    positionLimit >= orderQuantity,
    "pass at least the order quantity",
  );
}

function demand(what: string, value: number, met: boolean, remedy: string): void {
  if (met) return;
  throw new RangeError(`Cannot create mean reversion: ${what} is "${value}": ${remedy}`);
}
