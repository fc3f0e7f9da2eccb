import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { RollingMoments } from "../engine/rolling_moments.ts";
import { seededRandom, withSeeds } from "./engine_seed.ts";

function meanOf(samples: number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

function deviationOf(samples: number[]): number {
  const mean = meanOf(samples);
  return Math.sqrt(meanOf(samples.map((sample) => (sample - mean) ** 2)));
}

Deno.test("RollingMoments refuses a window out of range and windows over 1 GiB", () => {
  for (const window of [1, 0, -5, 2.5, NaN, 65_537]) {
    assertThrows(
      () => new RollingMoments(1, window),
      RangeError,
      `Cannot create window: size is "${window}" samples: `,
    );
  }
  assertThrows(() => new RollingMoments(65_536, 4096), RangeError, "over 1 GiB");
});

Deno.test("RollingMoments is full after a whole window, not before", () => {
  const moments = new RollingMoments(2, 3);
  assertEquals(moments.full(1), false);
  [5, 7, 9].forEach((sample) => moments.push(1, sample));
  assertEquals([moments.full(0), moments.full(1)], [false, true]);
  assertEquals(moments.mean(1), 7);
  assertAlmostEquals(moments.deviation(1), Math.sqrt(8 / 3), 1e-15);
});

Deno.test("RollingMoments of equal samples deviates by exactly 0", () => {
  const moments = new RollingMoments(1, 5);
  for (let push = 0; push < 23; push++) moments.push(0, 0.1);
  assertEquals([moments.mean(0), moments.deviation(0)], [0.1, 0]);
});

Deno.test("RollingMoments agrees with computing each window from scratch", async () => {
  await withSeeds(import.meta.url, (random) => {
    const window = 2 + random() % 40;
    const moments = new RollingMoments(3, window);
    const histories: number[][] = [[], [], []];
    for (let step = 0; step < 3000; step++) {
      const series = random() % 3;
      const sample = 1e5 + (random() % 1000) / 64;
      moments.push(series, sample);
      histories[series].push(sample);
      const last = histories[series].slice(-window);
      assertEquals(moments.full(series), last.length === window);
      if (last.length < window) continue;
      assertAlmostEquals(moments.mean(series), meanOf(last), 1e-9);
      assertAlmostEquals(moments.deviation(series), deviationOf(last), 1e-6);
    }
  });
});

Deno.test("RollingMoments does not drift over 5 M samples, nor after huge outliers", () => {
  const random = seededRandom(7);
  const window = 50;
  const moments = new RollingMoments(1, window);
  const last: number[] = [];
  for (let push = 0; push < 5_000_000; push++) {
    // An outlier now and then, the last of them a few windows before the end.
    const outlier = push % 100_003 === 0 && push < 4_999_000;
    const sample = outlier ? 1e12 : 1000 + (random() % 256) / 256;
    moments.push(0, sample);
    if (push >= 5_000_000 - window) last.push(sample);
  }
  assertAlmostEquals(moments.mean(0), meanOf(last), 1e-10);
  assertAlmostEquals(moments.deviation(0), deviationOf(last), 1e-9);
});
