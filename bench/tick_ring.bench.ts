/**
 * Question: how many ticks a second does the tick ring move between two pinned threads, and how long does
 * one tick take there and back?
 *
 * Baseline: bench/yardstick/tick_ring.c, the same ring in C with POSIX threads on the same cores; starting
 * them, some 0.1 ms, is in its time. Targets: 200 M ticks/s in batches of 256, and 500 ns there and back.
 * Work checked: the consumer sums all four words of every tick, and every tick of a round trip must come
 * back.
 * Whether to believe it: only rounds in which the two cores are near are judged.
 * It cannot show: what decoding in front of the ring or a strategy behind it costs (their caches and the
 * ring's compete), single round trips that take long, or a consumer that sleeps.
 */
import { TickRing } from "../engine/tick_ring.ts";
import { allowedCores, pinToCore } from "../ffi/host.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { unpin } from "./harness/core_distance.ts";
import { Partner } from "./harness/partner.ts";
import { BATCH, consume, ping, sumOf } from "./harness/tick_moves.ts";
import { loadYardstick } from "./harness/yardstick.ts";
import type { TickOrders } from "./partners/tick_ring.ts";

const THROUGHPUT = "tick ring, batches of 256",
  THERE_AND_BACK = "tick ring, one tick there and back";
const TICKS = 10_240_000, CAPACITY = 16384, LEAST_HZ = 200e6;
const ROUND_TRIPS = 50_000, SMALL_CAPACITY = 256, ROUND_TRIP_NS = 500;

const allowed = mayBench() ? allowedCores() : [];
if (!mayBench()) skipBoth(NOT_ALLOWED);
else if (allowed.length < 2) skipBoth("it needs two cores");
else declare(allowed[0], allowed.at(-1)!);

function skipBoth(why: string): void {
  skip(THROUGHPUT, why);
  skip(THERE_AND_BACK, why);
}

function declare(first: number, last: number): void {
  const c = loadYardstick("tick_ring", {
    yardstick_throughput: { parameters: ["f64", "u32", "u32", "u32", "i32", "i32"], result: "f64" },
    yardstick_round_trips: { parameters: ["u32", "i32", "i32"], result: "f64" },
  });
  const file = new URL("./partners/tick_ring.ts", import.meta.url);
  const partner = new Partner<TickOrders, void>(file, last), sum = sumOf(TICKS);
  compare({
    group: THROUGHPUT,
    unit: "tick",
    count: TICKS,
    cores: [first, last],
    ways: [
      inC(() => c.yardstick_throughput(TICKS, BATCH, CAPACITY, sum >>> 0, last, first)),
      {
        ...inTypeScript(partner, first, false, (there) => consume(there, TICKS) === sum),
        atLeastHz: LEAST_HZ,
      },
    ],
  });
  compare({
    group: THERE_AND_BACK,
    unit: "round trip",
    count: ROUND_TRIPS,
    cores: [first, last],
    ways: [
      inC(() => c.yardstick_round_trips(ROUND_TRIPS, first, last)),
      {
        ...inTypeScript(partner, first, true, (there, back) => {
          return ping(there, back, ROUND_TRIPS) === ROUND_TRIPS;
        }),
        atLeastHz: 1e9 / ROUND_TRIP_NS,
      },
    ],
    dispose: () => partner.stop(),
  });
}

/** `work` returns nanoseconds, or something negative where a tick was lost. */
function inC(work: () => number): Way {
  let ns = 0;
  return { name: "C", run: () => void (ns = work()), verify: () => check(ns > 0, "C") };
}

/** `work` returns whether all ticks were as they should be. */
function inTypeScript(
  partner: Partner<TickOrders, void>,
  core: number,
  both: boolean,
  work: (there: TickRing, back: TickRing) => boolean,
): Way {
  let there: TickRing, back: TickRing, right = false;
  return {
    name: "TypeScript",
    async prepare() {
      const capacity = both ? SMALL_CAPACITY : CAPACITY;
      [there, back] = [TickRing.create(capacity), TickRing.create(capacity)];
      const ticks = both ? ROUND_TRIPS : TICKS;
      await partner.prepare({ there: there.buffer, back: both ? back.buffer : undefined, ticks });
      pinToCore(core);
    },
    run() {
      partner.go();
      right = work(there, back);
    },
    async verify() {
      unpin(allowed);
      await partner.finish();
      check(right, "TypeScript");
    },
  };
}

function check(right: boolean, who: string): void {
  if (!right) throw new Error(`Cannot compare: ${who} lost a tick: mend the ring first`);
}
