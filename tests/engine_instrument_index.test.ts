import { assert, assertEquals, assertThrows } from "@std/assert";
import { InstrumentIndex } from "../engine/instrument_index.ts";
import { withSeeds } from "./engine_seed.ts";

Deno.test("InstrumentIndex refuses a limit out of range", () => {
  for (const limit of [0, -1, 1.5, NaN, 1_048_577]) {
    assertThrows(
      () => new InstrumentIndex(limit),
      RangeError,
      `Cannot create instrument index: limit is "${limit}": `,
    );
  }
});

Deno.test("InstrumentIndex finds nothing when empty, 0 and 4294967295 included", () => {
  const index = new InstrumentIndex(4);
  for (const id of [0, 1, 2 ** 32 - 1]) assertEquals(index.find(id), -1);
  assertEquals(index.size, 0);
});

Deno.test("InstrumentIndex gives one instrument one index, whatever its id", () => {
  for (const id of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
    const index = new InstrumentIndex(1);
    assertEquals([index.findOrAdd(id), index.findOrAdd(id), index.find(id)], [0, 0, 0]);
    assertEquals(index.idAt(0), id);
    assertEquals(index.findOrAdd(id ^ 5), -1);
  }
});

Deno.test("InstrumentIndex agrees with a Map over random ids, up to and beyond its limit", async () => {
  await withSeeds(import.meta.url, (random) => {
    const limit = 1 + random() % 3000;
    const index = new InstrumentIndex(limit);
    const reference = new Map<number, number>();
    for (let step = 0; step < 20_000; step++) {
      const id = random() % 3 === 0 ? random() : random() % 4000;
      if (!reference.has(id) && reference.size < limit) reference.set(id, reference.size);
      assertEquals(index.findOrAdd(id), reference.get(id) ?? -1);
      const other = random() % 5000;
      assertEquals(index.find(other), reference.get(other) ?? -1);
    }
    assertEquals(index.size, reference.size);
    for (const [id, at] of reference) assertEquals(index.idAt(at), id);
  });
});

Deno.test("InstrumentIndex gives up on ids crafted to collide, and keeps those it has", () => {
  const index = new InstrumentIndex(65_536);
  // The inverse of the hash's multiplier modulo 2^32 makes ids of one's choice of hash.
  const inverse = 340_573_321;
  assertEquals(Math.imul(inverse, -1_640_531_527), 1);
  let refused = 0;
  for (let low = 0; low < 1000; low++) {
    if (index.findOrAdd(Math.imul(low, inverse) >>> 0) < 0) refused++;
  }
  assert(refused > 900);
  assertEquals(index.size, 1000 - refused);
  assertEquals(index.find(0), 0);
});
