import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Pacer } from "../sender/pacer.ts";
import { Random } from "../sender/random.ts";

const SEED = 20240229;
const RERUN = `seed ${SEED}: rerun with "deno test tests/pacer.test.ts"`;
const MS = 1e6;
const SECOND = 1e9;

/** A monotonic clock that has run for eleven days, as f64 holds it. */
const START_NS = 1e15 + 12345;

for (const rateHz of [1, 7, 1000, 1e6, 12.3e6]) {
  Deno.test(`Pacer keeps ${rateHz} packets a second within 1 %, by a jittered clock`, () => {
    const random = Random.fromSeed(SEED);
    const pacer = new Pacer({ rateHz, startNs: START_NS });
    const packets = Math.max(1000, rateHz);
    // Looks up to twice as often as packets or bursts of 64 are due, at random.
    const meanStepNs = Math.min(MS, 32 * SECOND / rateHz);
    let nowNs = START_NS;
    while (pacer.sentPackets < packets) {
      nowNs += Math.floor((random.next() >>> 0) / 2 ** 31 * meanStepNs) + 1;
      pacer.sent(pacer.due(nowNs, 256));
    }
    const achievedHz = pacer.sentPackets / (nowNs - START_NS) * SECOND;
    assertAlmostEquals(achievedHz / rateHz, 1, 0.01, RERUN);
    assertEquals(pacer.slippedPackets, 0);
  });
}

Deno.test("Pacer.waitNs leads from each packet to the next, exactly", () => {
  const random = Random.fromSeed(SEED);
  for (let round = 0; round < 500; round++) {
    const rateHz = 1 + (random.next() >>> 0) % 20e6;
    const pacer = new Pacer({ rateHz, startNs: START_NS });
    let nowNs = START_NS;
    for (let packet = 0; packet < 50; packet++) {
      // Twice: rounding may leave the last nanosecond over.
      nowNs += pacer.waitNs(nowNs);
      nowNs += pacer.waitNs(nowNs);
      assertEquals(pacer.waitNs(nowNs), 0, RERUN);
      assertAlmostEquals(nowNs - START_NS, packet / rateHz * SECOND, 2, RERUN);
      assert(pacer.due(nowNs, 1) === 1, RERUN);
      pacer.sent(1);
    }
  }
});

Deno.test("Pacer.waitNs is 0 exactly when a packet is due", () => {
  const random = Random.fromSeed(SEED);
  const pacer = new Pacer({ rateHz: 333_333.3, startNs: START_NS });
  let nowNs = START_NS;
  for (let look = 0; look < 100_000; look++) {
    nowNs += random.next() >>> 20;
    const due = pacer.due(nowNs, 1);
    assertEquals(pacer.waitNs(nowNs) === 0, due === 1, RERUN);
    pacer.sent(due);
  }
});

Deno.test("Pacer does not drift over eleven days", () => {
  const pacer = new Pacer({ rateHz: 7, startNs: START_NS, maxBacklogNs: 2e15 });
  const nowNs = START_NS + 1e6 * SECOND;
  pacer.sent(pacer.due(nowNs - 1, Infinity));
  assertEquals(pacer.sentPackets, 7e6);
  assertEquals(pacer.due(nowNs, 256), 1);
});

Deno.test("Pacer sends the first packet at the start and none before", () => {
  const pacer = new Pacer({ rateHz: 1000, startNs: START_NS });
  assertEquals(pacer.due(START_NS - 3 * MS, 256), 0);
  assertEquals(pacer.waitNs(START_NS - 3 * MS), 3 * MS);
  assertEquals(pacer.due(START_NS, 256), 1);
});

Deno.test("Pacer.due keeps packets due until they are sent, as a full ring wants", () => {
  const pacer = new Pacer({ rateHz: 1000, startNs: START_NS });
  const nowNs = START_NS + 9 * MS;
  assertEquals(pacer.due(nowNs, 256), 10);
  assertEquals(pacer.due(nowNs, 256), 10);
  pacer.sent(4);
  assertEquals(pacer.due(nowNs, 256), 6);
  assertEquals(pacer.due(nowNs, 5), 5);
  assertEquals(pacer.due(nowNs, 0), 0);
});

Deno.test("Pacer makes up for a stall shorter than the backlog", () => {
  const pacer = new Pacer({ rateHz: 1e6, startNs: START_NS });
  const nowNs = START_NS + 30 * MS;
  let bursts = 0;
  for (let due = 1; due > 0; bursts++) {
    due = pacer.due(nowNs, 256);
    pacer.sent(due);
  }
  assertEquals(pacer.sentPackets, 30_001);
  assertEquals(pacer.slippedPackets, 0);
  assertEquals(bursts, Math.ceil(30_001 / 256) + 1);
});

Deno.test("Pacer gives up what a longer stall left, counts it, and keeps the schedule", () => {
  const pacer = new Pacer({ rateHz: 1e6, startNs: START_NS });
  const stalledNs = START_NS + SECOND;
  assertEquals(pacer.due(stalledNs, Infinity), 50_000);
  assertEquals(pacer.slippedPackets, 950_001);
  assertEquals(pacer.due(stalledNs, Infinity), 50_000);
  pacer.sent(50_000);
  assertEquals(pacer.due(stalledNs, Infinity), 0);
  assertEquals(pacer.waitNs(stalledNs), 1000);
  assertEquals(pacer.due(stalledNs + SECOND / 100, Infinity), 10_000);
  assertEquals(pacer.sentPackets + pacer.slippedPackets, 1_000_001);
});

Deno.test("Pacer sends one packet, not several, after a stall at a low rate", () => {
  const pacer = new Pacer({ rateHz: 1, startNs: START_NS });
  pacer.sent(pacer.due(START_NS, 256));
  const stalledNs = START_NS + 3.5 * SECOND;
  assertEquals(pacer.due(stalledNs, 256), 1);
  assertEquals(pacer.slippedPackets, 2);
  pacer.sent(1);
  assertEquals(pacer.waitNs(stalledNs), SECOND / 2);
});

Deno.test("Pacer counts what its sender cannot keep up with", () => {
  const pacer = new Pacer({ rateHz: 10e6, startNs: START_NS });
  for (let step = 1; step <= 1000; step++) {
    pacer.sent(pacer.due(START_NS + step * MS, 5000));
  }
  assertEquals(pacer.sentPackets, 5_000_000);
  const given = pacer.sentPackets + pacer.slippedPackets;
  assertAlmostEquals(given, 10e6, 0.05 * 10e6);
});

Deno.test("Pacer of rate 0 is as fast as it goes", () => {
  const pacer = new Pacer({ rateHz: 0, startNs: START_NS });
  assertEquals(pacer.due(START_NS, 256), 256);
  pacer.sent(256);
  assertEquals(pacer.due(START_NS, 256), 256);
  assertEquals(pacer.waitNs(START_NS), 0);
  assertEquals(pacer.sentPackets, 256);
  assertEquals(pacer.slippedPackets, 0);
});

Deno.test("Pacer refuses rates and times that are not numbers from 0 up", () => {
  const good = { rateHz: 1, startNs: 0 };
  const wrong = [{ rateHz: -1 }, { rateHz: NaN }, { startNs: Infinity }, {
    maxBacklogNs: -1,
  }];
  for (const options of wrong) {
    assertThrows(
      () => new Pacer({ ...good, ...options }),
      RangeError,
      "Cannot pace packets: ",
    );
  }
});
