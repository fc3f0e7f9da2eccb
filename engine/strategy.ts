/**
 * What a strategy is, and what it can do in the market.
 *
 * @module
 */

import type { InstrumentType, Side } from "./tick.ts";

/**
 * Decides on orders, tick by tick.
 *
 * A strategy is made once for an engine, by a {@linkcode StrategyFactory}, and
 * lives as long as it. It keeps what it needs per instrument in typed arrays of
 * {@linkcode Market.instrumentLimit} elements, under the `index` it is called with.
 *
 * @example Buys whatever is offered below 100
 * ```ts
 * import { Side, type Strategy, type StrategyMarket } from "@uspf/uspf";
 *
 * class Bargains implements Strategy {
 *   constructor(readonly market: StrategyMarket) {}
 *   onTick(index: number): void {
 *     const { market } = this, ask = market.priceAt(index, Side.ask); // NaN before the first
 *     if (ask < 100) market.order(Side.bid, market.instrumentAt(index), ask, 1);
 *   }
 * }
 * ```
 */
export interface Strategy {
  /**
   * Called for each tick in order, after the market's quote has been updated; the
   * tick's price and quantity are `priceAt(index, side)` and `quantityAt(index, side)`.
   *
   * It is on the hot path: it neither allocates nor waits nor throws. What it
   * throws ends the poll, and the batch stays in the ring. All that it is given
   * are small integers: a call that V8 does not inline would allocate a float64 or
   * a u32 argument, 16 bytes a tick each.
   *
   * @param index dense index of the instrument, from 0, the same for the engine's
   * life; its identifier is `instrumentAt(index)`
   * @param type what the instrument is
   * @param side the side that the tick updates
   */
  onTick(index: number, type: InstrumentType, side: Side): void;
}

/** Makes a strategy over the market of its engine. */
export type StrategyFactory = (market: Market) => Strategy;

/** What a strategy sees of the market and does there; valid for the engine's life. */
export interface Market {
  /** Instruments have indexes below this. */
  readonly instrumentLimit: number;
  /** Time of the batch in hand, in milliseconds, from the clock of `poll`. */
  readonly nowMs: number;
  /** The index of `instrument`, a u32, or -1 before its first tick. */
  indexOf(instrument: number): number;
  /** The identifier, a u32, of the instrument at `index`. */
  instrumentAt(index: number): number;
  /** Last price of a side in the venue's currency, at least 0; NaN before the first. */
  priceAt(index: number, side: Side): number;
  /** Units on offer there, less what own orders have used up. */
  quantityAt(index: number, side: Side): number;
  /** Half of bid plus ask, NaN before both are known. */
  midAt(index: number): number;
  /** Units held, negative if sold short. */
  positionAt(index: number): number;
  /**
   * Places an order, immediate or cancel: see `SimulatedMarket` for how it is
   * filled.
   *
   * @param side bid to buy, ask to sell
   * @param instrument identifier, a u32
   * @param price limit: the highest to pay or the lowest to get, at least 0
   * @param quantity units, above 0
   * @returns the units filled: 0 if rejected, which is counted by cause
   */
  order(side: Side, instrument: number, price: number, quantity: number): number;
}
