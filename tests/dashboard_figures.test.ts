import { assertEquals } from "@std/assert";
import {
  bucketsOf,
  clock,
  duration,
  grouped,
  lookup,
  rateOf,
  short,
  standsStill,
  usedBuckets,
  written,
} from "../capture/monitor/dashboard/page/figures.js";

/** With plain spaces and hyphens, so that they can be read here. */
const plain = (text: string) => text.replaceAll("\u202f", " ").replaceAll("\u2212", "-");

Deno.test("grouped keeps every digit of a count, its thousands apart", () => {
  const cases: [number, number, string][] = [
    [0, 0, "0"],
    [999, 0, "999"],
    [1000, 0, "1 000"],
    [14_880_952, 0, "14 880 952"],
    [Number.MAX_SAFE_INTEGER, 0, "9 007 199 254 740 991"],
    [-1234.567, 2, "-1 234.57"],
    [-0.001, 2, "0.00"],
    [0.0853, 3, "0.085"],
  ];
  for (const [value, decimals, text] of cases) assertEquals(plain(grouped(value, decimals)), text);
});

Deno.test("duration has three digits and the unit that fits", () => {
  const cases: [number, string][] = [
    [0, "0 ns"],
    [1, "1.00 ns"],
    [9.999, "10.0 ns"],
    [61.87, "61.9 ns"],
    [999, "999 ns"],
    [1000, "1.00 µs"],
    [15_234, "15.2 µs"],
    [152_391.19, "152 µs"],
    [2e6, "2.00 ms"],
    [1e9, "1.00 s"],
  ];
  for (const [ns, text] of cases) assertEquals(duration(ns), text);
});

Deno.test("clock and short write times and numbers of axes", () => {
  assertEquals([0, 59.9, 3600, 90_061].map((s) => clock(s * 1e9)), [
    "0:00:00",
    "0:00:59",
    "1:00:00",
    "1 d 01:01:01",
  ]);
  assertEquals([0, 999, 1500, 2e7, -20_000, 1e9].map(short).map(plain), [
    "0",
    "999",
    "1.5k",
    "20M",
    "-20k",
    "1G",
  ]);
});

Deno.test("written says unknown for what is unknown, never 0", () => {
  assertEquals([null, undefined].map((value) => written(value)), ["unknown", "unknown"]);
  assertEquals(written(null, "price", "none"), "none");
  assertEquals(written(0), "0");
  assertEquals(plain(written(4680.75, "price")), "4 680.75");
  assertEquals(written(1.0825, "price"), "1.0825");
  assertEquals(written(415.4599914550781, "price"), "415.46");
});

const before = {
  elapsedNs: 1e9,
  final: false,
  received: 100,
  lost: null,
  syncs: 7,
  instruments: [{ instrument: 4, ticks: 50 }, { instrument: 9, ticks: 40 }],
};
const now = {
  ...before,
  elapsedNs: 3e9,
  received: 500,
  instruments: [{ instrument: 9, ticks: 90 }, { instrument: 5, ticks: 60 }],
};

Deno.test("rateOf is per second since the statistics before, and over the whole run at its end", () => {
  assertEquals(rateOf("received", now, before), 200);
  assertEquals(rateOf("received", before, null), 100);
  assertEquals(rateOf("received", { ...now, final: true }, before), 500 / 3);
  assertEquals(rateOf("lost", now, before), null);
  assertEquals(rateOf("lost", { ...now, lost: 3 }, before), null);
});

Deno.test("rateOf follows an instrument that has changed its place", () => {
  assertEquals(rateOf("instruments.0.ticks", now, before), 25);
  assertEquals(rateOf("instruments.1.ticks", now, before), null, "it was not among the busiest");
});

Deno.test("lookup finds fields by their paths, and nothing where there is none", () => {
  assertEquals(lookup(now, "instruments.1.ticks"), 60);
  assertEquals(lookup(now, "write.packets"), undefined);
});

Deno.test("bucketsOf takes cumulative counts apart", () => {
  assertEquals(bucketsOf([0, 2, 2, 7]), [0, 2, 0, 5]);
  assertEquals(bucketsOf([0, 2, 2, 7], [0, 1, 1, 3]), [0, 1, 0, 3]);
  assertEquals([usedBuckets([0, 2, 0, 5, 0]), usedBuckets([0])], [[1, 3], null]);
});

Deno.test("standsStill sees that no thread has asked its port", () => {
  assertEquals(standsStill(now, before), true);
  assertEquals(standsStill({ ...now, syncs: 8 }, before), false);
  assertEquals(standsStill(now, null), false);
  assertEquals(standsStill({ ...now, final: true }, before), false);
});
