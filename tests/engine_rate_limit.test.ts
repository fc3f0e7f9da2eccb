import { assertEquals, assertThrows } from "@std/assert";
import { RateLimit } from "../engine/rate_limit.ts";
import { withSeeds } from "./engine_seed.ts";

Deno.test("RateLimit refuses a rate out of range", () => {
  for (const rateHz of [0, -1, 1.5, NaN, Infinity, 1_000_001]) {
    assertThrows(
      () => new RateLimit(rateHz),
      RangeError,
      `Cannot limit rate: rate is "${rateHz}" a second: `,
    );
  }
});

Deno.test("RateLimit of one allows one event a second, from any first time", () => {
  for (const startMs of [0, -5000, 1e15]) {
    const rate = new RateLimit(1);
    assertEquals([0, 1, 999, 1000, 1999, 2000].map((ms) => rate.allow(startMs + ms)), [
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  }
});

Deno.test("RateLimit agrees with counting the events of the last second", async () => {
  await withSeeds(import.meta.url, (random) => {
    const rateHz = 1 + random() % 20;
    const rate = new RateLimit(rateHz);
    const allowedMs: number[] = [];
    let nowMs = 0;
    for (let step = 0; step < 3000; step++) {
      nowMs += random() % 80;
      const recent = allowedMs.filter((ms) => nowMs - ms < 1000).length;
      assertEquals(rate.allow(nowMs), recent < rateHz);
      if (recent < rateHz) allowedMs.push(nowMs);
    }
  });
});
