/**
 * An executed order, and why orders are rejected.
 *
 * @module
 */

import type { Side } from "./tick.ts";

/** An order that was filled, wholly or in part; what was not filled is cancelled. */
export interface Order {
  /** 1 for the engine's first fill, 2 for the next: a gap is orders not kept for the reader. */
  readonly sequence: number;
  /** Time of the batch in which it was placed, in milliseconds, from the clock of `poll`. */
  readonly timeMs: number;
  /** Identifier of the instrument, a u32. */
  readonly instrument: number;
  /** Bid: bought. Ask: sold. */
  readonly side: Side;
  /** The highest price to pay or the lowest to get. */
  readonly limitPrice: number;
  /** The price of the fill. */
  readonly price: number;
  /** Units asked for. */
  readonly quantity: number;
  /** Units filled, above 0, at most `quantity`. */
  readonly filledQuantity: number;
  /** Units held after the fill. */
  readonly position: number;
}

/**
 * Why an order was rejected, in the order of the checks:
 *
 * - `invalid`: an unknown side, a price below 0, a quantity not above 0, or either not finite
 * - `position`: it could have taken the position beyond the limit
 * - `rate`: too many orders within a second
 * - `quote`: nothing known on the other side, or nothing left there
 * - `crossed`: the bid is above the ask, so one of the two is stale
 * - `price`: the limit does not reach the other side
 */
export interface RejectedBy {
  /** Not an order. */
  invalid: number;
  /** Beyond the position limit. */
  position: number;
  /** Beyond the order rate. */
  rate: number;
  /** No quantity on the other side. */
  quote: number;
  /** Bid above ask. */
  crossed: number;
  /** Limit not reached. */
  price: number;
}
