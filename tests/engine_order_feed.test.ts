import { assertEquals, assertThrows } from "@std/assert";
import type { Order } from "../engine/order.ts";
import { OrderFeed } from "../engine/order_feed.ts";

function order(sequence: number): Order {
  return {
    sequence,
    timeMs: 0,
    instrument: 1,
    side: 0,
    limitPrice: 1,
    price: 1,
    quantity: 1,
    filledQuantity: 1,
    position: sequence,
  };
}

async function sequencesOf(stream: ReadableStream<Order>): Promise<number[]> {
  const sequences = [];
  for await (const { sequence } of stream) sequences.push(sequence);
  return sequences;
}

Deno.test("OrderFeed.open refuses a limit out of range", () => {
  for (const limit of [0, -1, 0.5, NaN, Infinity, 1_048_577]) {
    assertThrows(
      () => new OrderFeed().open(limit),
      RangeError,
      `Cannot open order stream: limit is "${limit}": `,
    );
  }
});

Deno.test("OrderFeed ends an empty stream when closed, and one opened later", async () => {
  const feed = new OrderFeed();
  const stream = feed.open();
  feed.close();
  feed.close();
  assertEquals(await sequencesOf(stream), []);
  assertEquals(await sequencesOf(feed.open()), []);
});

Deno.test("OrderFeed keeps a stream's oldest orders up to its limit and counts the rest", async () => {
  const feed = new OrderFeed();
  const small = feed.open(3);
  const large = feed.open(100);
  for (let sequence = 1; sequence <= 10; sequence++) feed.push(order(sequence));
  assertEquals(feed.unread, 7);
  feed.close();
  assertEquals(await sequencesOf(small), [1, 2, 3]);
  assertEquals((await sequencesOf(large)).length, 10);
});

Deno.test("OrderFeed hands a waiting reader each order as it comes", async () => {
  const feed = new OrderFeed();
  const reader = feed.open(1).getReader();
  for (let sequence = 1; sequence <= 5; sequence++) {
    const read = reader.read();
    feed.push(order(sequence));
    assertEquals((await read).value?.sequence, sequence);
  }
  assertEquals(feed.unread, 0);
});

Deno.test("OrderFeed forgets a stream that its reader has left", async () => {
  const feed = new OrderFeed();
  const stream = feed.open(2);
  assertEquals(feed.wanted, true);
  feed.push(order(1));
  for await (const _ of stream) break;
  assertEquals(feed.wanted, false);
  for (let sequence = 2; sequence <= 9; sequence++) feed.push(order(sequence));
  assertEquals(feed.unread, 0);
});
