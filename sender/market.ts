/**
 * A market to send when there is none: seeded, deterministic, and with prices
 * that swing around a base, so that a mean-reversion strategy has work to do.
 *
 * Each instrument keeps a deviation from its base price, in 1/4096 increments.
 * A tick takes 1/16 of it away and adds noise: the discrete Ornstein-Uhlenbeck
 * process, in integers alone. The noise is the sum of two random 16-bit numbers
 * less its mean. Prices therefore swing with a standard deviation of about 19
 * increments, and forget half of a swing within 11 of the instrument's ticks,
 * around a spread of 2 increments.
 *
 * ```
 * ticks, 4 words each:   instrument | type, side << 8 | price | quantity
 * state, 4 words each:   deviation  | base price      | type  | unused
 * ```
 *
 * @module
 */

import { Random } from "./random.ts";

const TICK_WORDS = 4;
const STATE_WORDS = 4;
const MAX_INSTRUMENTS = 65536;
const MAX_BURST = 65536;

/** By type: underlying, option, future. */
const INCREMENTS = [0.01, 0.05, 0.25];

/**
 * By type, in increments. The deviation stays within 16 * 65535 / 4096, which is
 * 256 increments, so prices stay above zero; and below 2^18 increments an f32
 * tells each from the next.
 */
const BASE_PRICES = [
  { min: 2_000, max: 50_000 },
  { min: 1_000, max: 3_000 },
  { min: 4_000, max: 20_000 },
];

/** By type: how much one lot is. A quantity is 1 to 32 lots. */
const LOT_SIZES = [100, 1, 1];
const LOT_CHOICES = 32;

/** The bid and the ask stand this many increments from the middle. */
const HALF_SPREAD = 1;

const NOISE_MEAN = 0xffff;

/** How a market is made. */
export interface MarketOptions {
  /** From 0 to 4294967295; the same seed gives the same ticks; 1 unless told. */
  seed?: number;
  /** From 1 to 65536, numbered from 0; 16 unless told. */
  instruments?: number;
  /** How many ticks {@linkcode Market.ticks} holds; 1024 unless told. */
  maxBurst?: number;
}

/**
 * An endless stream of ticks, a burst at a time.
 *
 * @example The first tick
 * ```ts
 * import { Market } from "@uspf/uspf";
 *
 * const market = new Market({ seed: 7, instruments: 100 });
 * console.assert(market.fill(1) === 1 && market.ticks[0] < 100);
 * ```
 */
export class Market {
  /**
   * The latest burst, four words a tick, as `PacketTemplate.write` takes them:
   * the instrument; the type (0 underlying, 1 option, 2 future) and 256 if it is
   * an ask; price and quantity as the bits of an f32.
   */
  readonly ticks: Int32Array;

  readonly #floats: Float32Array;
  /** How many instruments there are. */
  readonly instruments: number;
  readonly #random: Random;
  readonly #state: Int32Array;
  readonly #increments = new Float64Array(INCREMENTS);
  readonly #quantities = quantityBits();

  /**
   * Opens the market: every instrument at its base price.
   *
   * @throws {RangeError} If an option is out of range.
   */
  constructor({ seed = 1, instruments = 16, maxBurst = 1024 }: MarketOptions = {}) {
    checkCount("instruments", instruments, MAX_INSTRUMENTS);
    checkCount("ticks a burst", maxBurst, MAX_BURST);
    this.ticks = new Int32Array(maxBurst * TICK_WORDS);
    this.#floats = new Float32Array(this.ticks.buffer);
    this.instruments = instruments;
    this.#random = Random.fromSeed(seed);
    this.#state = openingState(instruments, this.#random);
  }

  /**
   * Lays the next `count` ticks from the start of {@linkcode ticks} on, each of
   * an instrument chosen at random. How the stream is cut into bursts does not
   * change it.
   *
   * @returns How many ticks there are: `count`, or what fits if that is less.
   */
  fill(count: number): number {
    const { ticks } = this;
    const floats = this.#floats;
    const { instruments } = this;
    const random = this.#random;
    const state = this.#state;
    const increments = this.#increments;
    const quantities = this.#quantities;
    const end = Math.min(count * TICK_WORDS, ticks.length);
    for (let to = 0; to < end; to += TICK_WORDS) {
      const choice = random.next();
      const noise = random.next();
      const instrument = Math.imul(choice >>> 16, instruments) >>> 16;
      const side = (choice >>> 15) & 1;
      const lots = (choice >>> 10) & (LOT_CHOICES - 1);
      const at = instrument * STATE_WORDS;
      const deviation = state[at] - (state[at] >> 4) - NOISE_MEAN +
        (noise & 0xffff) + (noise >>> 16);
      state[at] = deviation;
      const type = state[at + 2];
      const price = state[at + 1] + (deviation >> 12) +
        (side * 2 - 1) * HALF_SPREAD;
      ticks[to] = instrument;
      ticks[to + 1] = type | (side << 8);
      floats[to + 2] = price * increments[type];
      ticks[to + 3] = quantities[type * LOT_CHOICES + lots];
    }
    return end / TICK_WORDS;
  }
}

function openingState(instruments: number, random: Random): Int32Array {
  const state = new Int32Array(instruments * STATE_WORDS);
  for (let instrument = 0; instrument < instruments; instrument++) {
    const type = instrument % INCREMENTS.length;
    const { min, max } = BASE_PRICES[type];
    const at = instrument * STATE_WORDS;
    state[at + 1] = min + (random.next() >>> 8) % (max - min);
    state[at + 2] = type;
  }
  return state;
}

/** The bits of every quantity, by type and number of lots. */
function quantityBits(): Int32Array {
  const quantities = new Float32Array(LOT_SIZES.length * LOT_CHOICES);
  LOT_SIZES.forEach((size, type) => {
    for (let lots = 1; lots <= LOT_CHOICES; lots++) {
      quantities[type * LOT_CHOICES + lots - 1] = lots * size;
    }
  });
  return new Int32Array(quantities.buffer);
}

function checkCount(what: string, count: number, max: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= max) return;
  throw new RangeError(
    `Cannot make a market of "${count}" ${what}: ` +
      `out of range: choose an integer from 1 to ${max}`,
  );
}
