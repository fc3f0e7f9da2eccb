import { assert, assertEquals, assertThrows } from "@std/assert";
import { readTick, RECORD_SHIFT, type Tick, writeTick } from "../engine/tick.ts";
import { PARKED_WORD, RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { withSeeds } from "./engine_seed.ts";

const CAPACITY = 256;

function wordAt(ring: TickRing, position: number): number {
  return RECORDS_WORD + ((position & ring.mask) << RECORD_SHIFT);
}

/** Writes and publishes `count` records that count up from `first`. */
function produce(ring: TickRing, first: number, count: number): void {
  for (let offset = 0; offset < count; offset++) {
    ring.words[wordAt(ring, ring.tail + offset)] = first + offset;
  }
  ring.publish(count);
}

/** Takes and releases up to `max` records, and checks that they count up from `first`. */
function consume(ring: TickRing, first: number, max: number): number {
  const count = ring.take(max);
  for (let offset = 0; offset < count; offset++) {
    assertEquals(ring.words[wordAt(ring, ring.head + offset)], first + offset | 0);
  }
  ring.release(count);
  return count;
}

Deno.test("TickRing.create refuses a capacity that is no power of two from 256 to 16,777,216", () => {
  for (const capacity of [0, 1, 128, 255, 257, 300, 33_554_432, -256, 256.5, NaN, Infinity]) {
    assertThrows(
      () => TickRing.create(capacity),
      RangeError,
      `Cannot create tick ring: capacity is "${capacity}": pass a power of two from 256 to 16777216`,
    );
  }
});

Deno.test("TickRing.create refuses a start index that is no u32", () => {
  for (const startIndex of [-1, 0.5, 2 ** 32, NaN]) {
    assertThrows(() => TickRing.create(CAPACITY, startIndex), RangeError, `"${startIndex}"`);
  }
});

Deno.test("TickRing is empty when created", () => {
  const ring = TickRing.create(CAPACITY);
  assertEquals(ring.take(CAPACITY), 0);
  assertEquals(ring.waiting, 0);
  assertEquals(ring.claim(CAPACITY + 1), CAPACITY);
});

Deno.test("TickRing hands over one record, and only after it is published", () => {
  const ring = TickRing.create(CAPACITY);
  const tick: Tick = { instrument: 0xffff_fff0, type: 2, side: 1, price: 101.25, quantity: 7 };
  assertEquals(ring.claim(1), 1);
  writeTick(ring.words, ring.floats, wordAt(ring, ring.tail), tick);
  assertEquals(ring.take(1), 0);
  ring.publish(1);
  assertEquals(ring.waiting, 1);
  assertEquals(ring.take(10), 1);
  assertEquals(readTick(ring.words, ring.floats, wordAt(ring, ring.head)), tick);
  ring.release(1);
  assertEquals(ring.waiting, 0);
});

Deno.test("TickRing when full claims nothing until a record is released", () => {
  const ring = TickRing.create(CAPACITY);
  produce(ring, 0, ring.claim(CAPACITY));
  assertEquals(ring.claim(1), 0);
  assertEquals(ring.waiting, CAPACITY);
  assertEquals(consume(ring, 0, 3), 3);
  assertEquals(ring.claim(10), 3);
});

for (const start of [0, 2 ** 31 - 700, 2 ** 32 - 700]) {
  Deno.test(`TickRing keeps order and content from position ${start} on, in random batches`, async () => {
    await withSeeds(import.meta.url, (random) => {
      const ring = TickRing.create(CAPACITY, start);
      let produced = 0;
      let consumed = 0;
      for (let step = 0; step < 2000; step++) {
        const free = CAPACITY - (produced - consumed);
        const wanted = random() % 300;
        const claimed = ring.claim(wanted);
        assertEquals(claimed, Math.min(wanted, free));
        produce(ring, produced, claimed);
        produced += claimed;
        assertEquals(ring.tail, start + produced | 0);
        assertEquals(ring.waiting, produced - consumed);
        consumed += consume(ring, consumed, random() % 300);
        assertEquals(ring.head, start + consumed | 0);
      }
      assert(produced > 100 * CAPACITY);
    });
  });
}

Deno.test("TickRing.attach sees what the creator published", () => {
  const ring = TickRing.create(CAPACITY, 2 ** 32 - 2);
  produce(ring, 5, 4);
  const attached = TickRing.attach(ring.buffer);
  assertEquals(attached.capacity, CAPACITY);
  assertEquals(attached.mask, CAPACITY - 1);
  assertEquals(consume(attached, 5, 10), 4);
  assertEquals(ring.waiting, 0);
});

Deno.test("TickRing.attach refuses whatever is not the buffer of a ring", () => {
  const broken = (word: number, value: number) => {
    const ring = TickRing.create(CAPACITY);
    ring.words[word] = value;
    return ring.buffer;
  };
  const cases: [SharedArrayBuffer, string][] = [
    [new ArrayBuffer(8192) as unknown as SharedArrayBuffer, "not a SharedArrayBuffer"],
    [undefined as unknown as SharedArrayBuffer, "not a SharedArrayBuffer"],
    [new SharedArrayBuffer(0), 'length is "0" bytes'],
    [new SharedArrayBuffer(511), 'length is "511" bytes'],
    [new SharedArrayBuffer(4608), 'magic is "0x0"'],
    [broken(1, 2), 'version is "2"'],
    [broken(2, 300), 'capacity is "300"'],
    [broken(2, 512), 'length is "4608" bytes with a capacity of "512"'],
    [broken(3, 5), 'a record has "5" words'],
  ];
  for (const [buffer, state] of cases) {
    assertThrows(
      () => TickRing.attach(buffer),
      TypeError,
      `Cannot attach tick ring: ${state}: pass the buffer of a ring made by the same version`,
    );
  }
});

Deno.test("TickRing.park returns at once if a record is ready, else after its timeout", () => {
  const ring = TickRing.create(CAPACITY);
  const startMs = performance.now();
  assertEquals(ring.park(20), false);
  assert(performance.now() - startMs > 15);
  assertEquals(ring.words[PARKED_WORD], 0);
  produce(ring, 0, 1);
  assertEquals(ring.park(60_000), true);
});

Deno.test("TickRing.parkAsync wakes on publish, and after its timeout", async () => {
  const ring = TickRing.create(CAPACITY);
  const keepAlive = setInterval(() => {}, 1000);
  assertEquals(await ring.parkAsync(5), false);
  const parked = ring.parkAsync(60_000);
  assertEquals(ring.words[PARKED_WORD], 1);
  produce(ring, 0, 1);
  assertEquals(await parked, true);
  assertEquals(ring.words[PARKED_WORD], 0);
  assertEquals(await ring.parkAsync(60_000), true);
  clearInterval(keepAlive);
});
