import { assertEquals, assertThrows } from "@std/assert";
import type { Market, Strategy } from "../engine/strategy.ts";
import { type InstrumentType, RECORD_SHIFT, Side, type Tick, writeTick } from "../engine/tick.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { TradingEngine } from "../engine/trading_engine.ts";

/** Notes what it is called with, and buys one unit on every ask. */
class Buyer implements Strategy {
  readonly seen: unknown[][] = [];
  readonly #market: Market;
  constructor(market: Market) {
    this.#market = market;
  }
  onTick(index: number, type: InstrumentType, side: Side): void {
    const market = this.#market;
    const instrument = market.instrumentAt(index);
    const price = market.priceAt(index, side);
    const quantity = market.quantityAt(index, side);
    this.seen.push([index, instrument, type, side, price, quantity, market.nowMs]);
    if (side === Side.ask) market.order(Side.bid, instrument, price, 1);
  }
}

function push(ring: TickRing, ...ticks: Tick[]): void {
  for (const tick of ticks) {
    assertEquals(ring.claim(1), 1);
    const word = RECORDS_WORD + ((ring.tail & ring.mask) << RECORD_SHIFT);
    writeTick(ring.words, ring.floats, word, tick);
    ring.publish(1);
  }
}

function ask(instrument: number, price = 10): Tick {
  return { instrument, type: 1, side: Side.ask, price, quantity: 100 };
}

Deno.test("TradingEngine refuses limits out of range", () => {
  const ring = TickRing.create(256);
  const make = (market: Market) => new Buyer(market);
  assertThrows(() => new TradingEngine(ring, make, { instrumentLimit: 0 }), RangeError);
  assertThrows(() => new TradingEngine(ring, make, { positionLimit: 0 }), RangeError);
  assertThrows(() => new TradingEngine(ring, make, { orderRateHz: 0 }), RangeError);
});

Deno.test("TradingEngine.poll consumes nothing from an empty ring", () => {
  const engine = new TradingEngine(TickRing.create(256), (market) => new Buyer(market));
  for (const maxTicks of [256, 0, -1, NaN]) assertEquals(engine.poll(maxTicks), 0);
  assertEquals(engine.stats(), {
    consumed: 0,
    untracked: 0,
    instruments: 0,
    orders: 0,
    filled: 0,
    rejected: 0,
    rejectedBy: { invalid: 0, position: 0, rate: 0, quote: 0, crossed: 0, price: 0 },
    ordersUnread: 0,
    cash: 0,
    positionValue: 0,
    profit: 0,
  });
});

Deno.test("TradingEngine.poll shows the strategy one tick, u32 ids included", () => {
  const ring = TickRing.create(256, 2 ** 32 - 1);
  let buyer!: Buyer;
  const engine = new TradingEngine(ring, (market) => buyer = new Buyer(market));
  push(ring, { instrument: 2 ** 32 - 2, type: 2, side: Side.bid, price: 1.5, quantity: 0.25 });
  assertEquals(engine.poll(16, 1234), 1);
  assertEquals(buyer.seen, [[0, 2 ** 32 - 2, 2, Side.bid, 1.5, 0.25, 1234]]);
  assertEquals(engine.market.indexOf(2 ** 32 - 2), 0);
});

Deno.test("TradingEngine.poll takes a full ring in bounded batches, across 2^32, in order", () => {
  const ring = TickRing.create(256, 2 ** 32 - 100);
  let buyer!: Buyer;
  const engine = new TradingEngine(ring, (market) => buyer = new Buyer(market));
  for (let tick = 0; tick < 256; tick++) push(ring, ask(tick % 7, 10 + tick));
  assertEquals(ring.claim(1), 0);
  const batches = Array.from({ length: 4 }, () => engine.poll(100, 0));
  assertEquals(batches, [100, 100, 56, 0]);
  assertEquals(buyer.seen.map((tick) => tick[4]), Array.from({ length: 256 }, (_, at) => 10 + at));
  assertEquals([engine.consumed, ring.waiting], [256, 0]);
});

Deno.test("TradingEngine counts ticks beyond the instrument limit as untracked", () => {
  const ring = TickRing.create(256);
  let buyer!: Buyer;
  const engine = new TradingEngine(ring, (market) => buyer = new Buyer(market), {
    instrumentLimit: 2,
  });
  push(ring, ask(0), ask(9), ask(5), ask(9), ask(6));
  assertEquals(engine.poll(256), 5);
  const { consumed, untracked, instruments, orders } = engine.stats();
  assertEquals({ consumed, untracked, instruments, orders }, {
    consumed: 5,
    untracked: 2,
    instruments: 2,
    orders: 3,
  });
  assertEquals(buyer.seen.length, 3);
});

Deno.test("TradingEngine enforces its order rate by the clock given to poll", () => {
  const ring = TickRing.create(256);
  const limits = { orderRateHz: 2 };
  const engine = new TradingEngine(ring, (market) => new Buyer(market), limits);
  const filled = [0, 500, 999, 1000, 1499, 1500].map((nowMs) => {
    push(ring, ask(1), ask(1));
    engine.poll(256, nowMs);
    return engine.stats().filled;
  });
  assertEquals(filled, [2, 2, 2, 4, 4, 4]);
  assertEquals(engine.stats().rejectedBy.rate, 8);
});

Deno.test("TradingEngine.stats gives profit as cash plus positions at the mid", () => {
  const ring = TickRing.create(256);
  const engine = new TradingEngine(ring, (market) => new Buyer(market));
  push(ring, ask(1, 10), ask(2, 50));
  engine.poll(256);
  push(ring, { instrument: 1, type: 0, side: Side.bid, price: 12, quantity: 1 });
  engine.poll(256);
  // One unit at (12 + 10) / 2, and one for which only the ask is known.
  const { cash, positionValue, profit } = engine.stats();
  assertEquals([cash, positionValue, profit], [-60, 61, 1]);
});

Deno.test("TradingEngine.orders streams fills, bounded, and ends when the engine closes", async () => {
  const ring = TickRing.create(256);
  const engine = new TradingEngine(ring, (market) => new Buyer(market));
  const kept = engine.orders(2);
  for (let price = 1; price <= 5; price++) push(ring, ask(3, price));
  engine.poll(256, 77);
  assertEquals(engine.stats().ordersUnread, 3);
  engine.close();
  push(ring, ask(3));
  assertEquals(engine.poll(256), 0);
  const orders = await Array.fromAsync(kept);
  assertEquals(orders[1], {
    sequence: 2,
    timeMs: 77,
    instrument: 3,
    side: Side.bid,
    limitPrice: 2,
    price: 2,
    quantity: 1,
    filledQuantity: 1,
    position: 2,
  });
  assertEquals(orders.length, 2);
  assertEquals(await Array.fromAsync(engine.orders()), []);
});

Deno.test("TradingEngine leaves a batch in the ring when the strategy throws", () => {
  const ring = TickRing.create(256);
  const engine = new TradingEngine(ring, () => ({
    onTick() {
      throw new Error("bug");
    },
  }));
  push(ring, ask(1), ask(2));
  assertThrows(() => engine.poll(256), Error, "bug");
  assertEquals([engine.consumed, ring.waiting], [0, 2]);
});

Deno.test("TradingEngine.poll takes from several rings in turn, so that a busy one starves none", () => {
  const rings = [TickRing.create(256), TickRing.create(256), TickRing.create(256)];
  let buyer: Buyer | undefined;
  const engine = new TradingEngine(rings, (market) => buyer = new Buyer(market));
  for (let i = 0; i < 200; i++) push(rings[0], ask(100));
  for (let i = 0; i < 10; i++) push(rings[2], ask(300));
  assertEquals(engine.poll(30), 20); // ten of each, and one is empty
  assertEquals(rings.map(({ waiting }) => waiting), [190, 0, 0]);
  push(rings[1], ask(200));
  while (engine.poll(30) > 0);
  assertEquals(engine.consumed, 211);
  assertEquals(new Set(buyer!.seen.map(([, instrument]) => instrument)), new Set([100, 200, 300]));
  assertEquals(engine.poll(1), 0);
});

Deno.test("TradingEngine.poll never takes more than it was asked for, from however many rings", () => {
  const rings = Array.from({ length: 5 }, () => TickRing.create(256));
  const engine = new TradingEngine(rings, (market) => new Buyer(market));
  for (const ring of rings) for (let i = 0; i < 20; i++) push(ring, ask(1));
  for (const maxTicks of [1, 2, 7, 13]) assertEquals(engine.poll(maxTicks), maxTicks);
});
