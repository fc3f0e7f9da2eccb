import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { Order } from "../engine/order.ts";
import { SimulatedMarket } from "../engine/simulated_market.ts";
import { Side } from "../engine/tick.ts";
import { withSeeds } from "./engine_seed.ts";

const ID = 4_000_000_000;
const LIMITS = { instrumentLimit: 4, positionLimit: 100, orderRateHz: 1000 };

/** A market with `ID` quoted 10 bid for 5, 11 asked for 6. */
function quoted(limits = LIMITS): SimulatedMarket {
  const market = new SimulatedMarket(limits);
  const index = market.instruments.findOrAdd(ID);
  market.quote(index, Side.bid, 10, 5);
  market.quote(index, Side.ask, 11, 6);
  return market;
}

Deno.test("SimulatedMarket refuses limits out of range", () => {
  for (const positionLimit of [0, -1, NaN]) {
    assertThrows(() => quoted({ ...LIMITS, positionLimit }), RangeError, `"${positionLimit}"`);
  }
  assertThrows(() => quoted({ ...LIMITS, orderRateHz: 0 }), RangeError, "Cannot limit rate");
  assertThrows(() => quoted({ ...LIMITS, instrumentLimit: 0 }), RangeError, "limit is");
});

Deno.test("SimulatedMarket knows no price before the first tick of a side", () => {
  const market = new SimulatedMarket(LIMITS);
  assertEquals(market.indexOf(ID), -1);
  const index = market.instruments.findOrAdd(ID);
  market.quote(index, Side.ask, 11, 6);
  assertEquals([Side.bid, Side.ask].map((side) => market.priceAt(index, side)), [NaN, 11]);
  assertEquals(market.midAt(index), NaN);
  assertEquals(market.positionValue, 0);
});

Deno.test("SimulatedMarket buys at the ask and sells at the bid, not at the limit", () => {
  const market = quoted();
  assertEquals(market.order(Side.bid, ID, 12, 2), 2);
  assertEquals(market.cash, -22);
  assertEquals(market.positionAt(0), 2);
  assertEquals(market.positionValue, 21);
  assertEquals(market.order(Side.ask, ID, 9, 3), 3);
  assertEquals(market.cash, 8);
  assertEquals(market.positionAt(0), -1);
  assertEquals(market.positionValue, -10.5);
});

Deno.test("SimulatedMarket fills no more than is shown, until the side's next tick", () => {
  const market = quoted();
  assertEquals(market.order(Side.bid, ID, 11, 4), 4);
  assertEquals(market.order(Side.bid, ID, 11, 4), 2);
  assertEquals(market.order(Side.bid, ID, 11, 4), 0);
  assertEquals(market.rejectedBy.quote, 1);
  assertEquals([market.quantityAt(0, Side.bid), market.quantityAt(0, Side.ask)], [5, 0]);
  market.quote(0, Side.ask, 11.5, 1);
  assertEquals(market.order(Side.bid, ID, 20, 4), 1);
  assertEquals(market.cash, -6 * 11 - 11.5);
});

Deno.test("SimulatedMarket counts each rejected order under its cause, and fills none", () => {
  const market = quoted({ ...LIMITS, positionLimit: 10, orderRateHz: 5 });
  const { rejectedBy } = market;
  for (const [price, quantity] of [[NaN, 1], [-1, 1], [Infinity, 1], [1, 0], [1, -1], [1, NaN]]) {
    market.order(Side.bid, ID, price, quantity);
  }
  market.order(2 as Side, ID, 1, 1);
  assertEquals(rejectedBy.invalid, 7);
  market.order(Side.bid, ID, 11, 10.5);
  market.order(Side.ask, ID, 10, 10.5);
  assertEquals(rejectedBy.position, 2);
  market.order(Side.bid, ID, 10.99, 1);
  market.order(Side.ask, ID, 10.01, 1);
  assertEquals(rejectedBy.price, 2);
  market.order(Side.bid, 77, 11, 1);
  assertEquals(rejectedBy.quote, 1);
  market.quote(0, Side.bid, 11.5, 5);
  market.order(Side.ask, ID, 1, 1);
  market.order(Side.bid, ID, 12, 1);
  assertEquals(rejectedBy.crossed, 2);
  market.order(Side.bid, ID, 12, 1);
  assertEquals(rejectedBy.rate, 1);
  assertEquals([market.orders, market.filled, market.cash], [15, 0, 0]);
});

Deno.test("SimulatedMarket with many orders: replayed fills give its cash and positions", async () => {
  await withSeeds(import.meta.url, async (random) => {
    const limits = { instrumentLimit: 8, positionLimit: 20, orderRateHz: 50 };
    const market = new SimulatedMarket(limits);
    const stream = market.feed.open(100_000);
    market.nowMs = 0;
    for (let step = 0; step < 20_000; step++) {
      market.nowMs += random() % 10;
      const instrument = random() % 10;
      const index = market.instruments.findOrAdd(instrument);
      const side = (random() & 1) as Side;
      const price = Math.fround(100 + (random() % 100) / 100 + side * 0.5);
      if (index >= 0) market.quote(index, side, price, random() % 20);
      market.order((random() & 1) as Side, random() % 12, price, 1 + random() % 5);
    }
    market.feed.close();
    await replay(stream, market, limits.positionLimit);
  });
});

async function replay(
  stream: ReadableStream<Order>,
  market: SimulatedMarket,
  positionLimit: number,
): Promise<void> {
  const positions = new Map<number, number>();
  let cash = 0;
  let count = 0;
  for await (const fill of stream) {
    assertEquals(fill.sequence, ++count);
    const change = fill.side === Side.bid ? fill.filledQuantity : -fill.filledQuantity;
    const position = (positions.get(fill.instrument) ?? 0) + change;
    assert(fill.side === Side.bid ? fill.price <= fill.limitPrice : fill.price >= fill.limitPrice);
    assert(fill.filledQuantity > 0 && fill.filledQuantity <= fill.quantity);
    assertEquals(fill.position, position);
    assert(Math.abs(position) <= positionLimit);
    positions.set(fill.instrument, position);
    cash -= change * fill.price;
  }
  let value = 0;
  for (const [id, position] of positions) value += position * market.midAt(market.indexOf(id));
  assert(count > 100 && Object.values(market.rejectedBy).every((n, at) => at === 0 || n > 0));
  assertEquals(count, market.filled);
  assertEquals(cash, market.cash);
  assertAlmostEquals(value, market.positionValue, 1e-9);
  const rejected = Object.values(market.rejectedBy).reduce((sum, n) => sum + n);
  assertEquals(market.orders, market.filled + rejected);
}
