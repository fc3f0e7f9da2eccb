import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Market } from "../sender/market.ts";
import { Random } from "../sender/random.ts";

const INCREMENTS = [0.01, 0.05, 0.25];
const LOT_SIZES = [100, 1, 1];

interface Tick {
  instrument: number;
  type: number;
  ask: boolean;
  price: number;
  quantity: number;
}

Deno.test("Random gives the reference implementation's numbers", () => {
  // Published with rand_xoshiro, from the C code, for the state (1, 2).
  const expected = [
    2654435771,
    327208753,
    4063491769,
    4259754937,
    261922412,
    168123673,
    552743735,
    1672597395,
    1031040050,
    2755315674,
  ];
  const random = new Random(1, 2);
  assertEquals(expected.map(() => random.next() >>> 0), expected);
});

Deno.test("Random refuses seeds that are not 32-bit, and the state of zeros", () => {
  for (const seed of [-1, 0.5, 2 ** 32, NaN]) {
    assertThrows(
      () => Random.fromSeed(seed),
      RangeError,
      `Cannot use seed "${seed}": `,
    );
  }
  assertThrows(() => new Random(0, 0), RangeError, "Cannot start the random");
  Random.fromSeed(0);
  Random.fromSeed(2 ** 32 - 1);
});

Deno.test("Market of one seed is the same on every machine", () => {
  const market = new Market({ seed: 1 });
  let digest = 0x811c9dc5;
  for (let burst = 0; burst < 100; burst++) {
    market.fill(1024);
    for (const word of market.ticks) {
      digest = Math.imul(digest ^ word, 0x01000193);
    }
  }
  assertEquals(digest >>> 0, DIGEST);
});

Deno.test("Market of another seed has other ticks", () => {
  const first = firstTicks(1);
  for (const seed of [0, 2, 3, 0x80000001, 0xffffffff]) {
    const other = firstTicks(seed);
    const same = first.filter((word, at) => word === other[at]).length;
    assertNotEquals(other, first);
    assert(same < first.length / 2, `seed ${seed}: ${same} words are the same`);
  }
});

Deno.test("Market.fill gives one stream, however it is cut into bursts", () => {
  const whole = firstTicks(5);
  const market = new Market({ seed: 5 });
  const parts: number[] = [];
  for (const count of [1, 0, 2, 253, 768]) {
    assertEquals(market.fill(count), count);
    parts.push(...market.ticks.subarray(0, count * 4));
  }
  assertEquals(parts, whole);
});

Deno.test("Market.fill lays no more ticks than fit", () => {
  const market = new Market({ seed: 1, maxBurst: 10 });
  assertEquals(market.ticks.length, 40);
  assertEquals(market.fill(11), 10);
  const before = market.ticks.slice();
  assertEquals(market.fill(0), 0);
  assertEquals(market.ticks, before);
});

Deno.test("Market ticks are well-formed and on the grid of their type", () => {
  for (const tick of ticksOf({ seed: 3, instruments: 100 }, 100_000)) {
    const increment = INCREMENTS[tick.type];
    const steps = Math.round(tick.price / increment);
    assertEquals(tick.type, tick.instrument % 3);
    assert(tick.price > 0);
    assertEquals(tick.price, Math.fround(steps * increment));
    const lots = tick.quantity / LOT_SIZES[tick.type];
    assert(Number.isInteger(lots) && lots >= 1 && lots <= 32);
  }
});

Deno.test("Market visits every instrument and both sides evenly", () => {
  for (const instruments of [1, 3, 16, 1000, 65536]) {
    const visits = new Uint32Array(instruments);
    let asks = 0;
    const count = Math.max(100_000, 20 * instruments);
    for (const tick of ticksOf({ seed: 9, instruments }, count)) {
      visits[tick.instrument]++;
      if (tick.ask) asks++;
    }
    assert(visits.every((visit) => visit > 0), `of ${instruments}`);
    assert(Math.max(...visits.slice(0, 1000)) < 4 * count / instruments);
    assert(Math.abs(asks / count - 0.5) < 0.01, `asks ${asks} of ${count}`);
  }
});

Deno.test("Market prices swing by more than the spread and come back", () => {
  const byInstrument = middles({ seed: 4, instruments: 8 }, 400_000);
  for (const prices of byInstrument) {
    const mean = average(prices);
    const deviations = prices.map((price) => price - mean);
    const swing = Math.sqrt(average(deviations.map((step) => step * step)));
    const halfLife = average(
      deviations.slice(11).map((step, at) => step * deviations[at]),
    ) / (swing * swing);
    assert(swing > 16 && swing < 22, `swing ${swing} increments`);
    assert(halfLife > 0.4 && halfLife < 0.6, `after 11 ticks ${halfLife}`);
  }
});

Deno.test("Market feeds a mean-reversion strategy, spread paid, on every instrument", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const profits = profitsOf(ticksOf({ seed, instruments: 16 }, 200_000));
    assert(profits.every((profit) => profit > 0), `seed ${seed}: ${profits}`);
  }
});

Deno.test("Market refuses counts out of range", () => {
  for (const wrong of [0, -1, 1.5, 65537, NaN]) {
    const market = "Cannot make a market of ";
    const seed = 1;
    assertThrows(
      () => new Market({ seed, instruments: wrong }),
      RangeError,
      `${market}"${wrong}" instruments: `,
    );
    assertThrows(
      () => new Market({ seed, maxBurst: wrong }),
      RangeError,
      `${market}"${wrong}" ticks a burst: `,
    );
  }
});

/** FNV-1a over the words of 102400 ticks of seed 1. */
const DIGEST = 291654007;

function firstTicks(seed: number): number[] {
  const market = new Market({ seed });
  market.fill(1024);
  return [...market.ticks];
}

function* ticksOf(
  options: { seed: number; instruments: number },
  count: number,
): Generator<Tick> {
  const market = new Market(options);
  const floats = new Float32Array(market.ticks.buffer);
  for (let left = count; left > 0; left -= 1024) {
    const filled = market.fill(Math.min(left, 1024));
    for (let at = 0; at < filled * 4; at += 4) {
      yield {
        instrument: market.ticks[at],
        type: market.ticks[at + 1] & 0xff,
        ask: market.ticks[at + 1] >> 8 === 1,
        price: floats[at + 2],
        quantity: floats[at + 3],
      };
    }
  }
}

/** The price between bid and ask, in increments, by instrument. */
function middles(
  options: { seed: number; instruments: number },
  count: number,
): number[][] {
  const prices: number[][] = Array.from(
    { length: options.instruments },
    () => [],
  );
  for (const { instrument, type, ask, price } of ticksOf(options, count)) {
    const steps = Math.round(price / INCREMENTS[type]);
    prices[instrument].push(ask ? steps - 1 : steps + 1);
  }
  return prices;
}

/**
 * Holds one lot, none, or owes one: buys at asks a deviation below the running
 * mean, sells at bids a deviation above it.
 */
function profitsOf(ticks: Iterable<Tick>): number[] {
  const books: {
    mean: number;
    square: number;
    position: number;
    cash: number;
  }[] = [];
  for (const { instrument, ask, price } of ticks) {
    const book = books[instrument] ??= {
      mean: price,
      square: 0,
      position: 0,
      cash: 0,
    };
    const step = price - book.mean;
    book.mean += step / 64;
    book.square += (step * step - book.square) / 64;
    const far = step * step > book.square;
    const order = !far ? 0 : ask && step < 0 ? 1 : !ask && step > 0 ? -1 : 0;
    if (Math.abs(book.position + order) > 1) continue;
    book.position += order;
    book.cash -= order * price;
  }
  return books.map(({ cash, position, mean }) => cash + position * mean);
}

function average(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
