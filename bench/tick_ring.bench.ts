/**
 * Question: how many ticks a second does the tick ring move between two pinned threads, and how long
 * is one tick on its way?
 *
 * Baseline: bench/yardstick/tick_ring.c, the same ring in C with POSIX threads on the same cores, in
 * turn (A B A B). Targets: 200 M ticks/s in batches of 256, and 250 ns one way at p50, spinning.
 * Work checked: the consumer sums all four words of every tick, and every tick of a round trip must
 * come back; otherwise the bench exits 1.
 * One way is half a round trip. Its mean is taken over rounds without a clock in between; its
 * percentiles over single round trips, with what a reading of the clock costs taken off.
 * It cannot show: what decoding in front of the ring or a strategy behind it costs (their caches and
 * the ring's compete), threads on sockets of their own, or a consumer that sleeps. If a machine's two
 * cores are busy with something else, it shows that instead: then the best of the rounds says more.
 *
 * Run: deno task bench tick_ring [rounds] (this file is also its own two workers)
 */
import { RECORD_SHIFT } from "../engine/tick.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { loadLibrary } from "../ffi/library.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const TICKS = 51_200_000, BATCH = 256, CAPACITY = 16384;
const ROUND_TRIPS = 200_000, LATENCY_CAPACITY = 256;
const CORES = [0, 1];

type Role = "produce" | "consume" | "ping" | "pong";
interface Job {
  role: Role;
  core: number;
  there: SharedArrayBuffer;
  back: SharedArrayBuffer;
  /** One word: workers that have yet to reach the start. */
  start: SharedArrayBuffer;
  timed: boolean;
}
interface Result {
  ns: number;
  /** Consumer: the sum of all words. Ping: ticks that came back. */
  check: number;
  samplesNs: Float64Array;
}

const NONE: Result = { ns: 0, check: 0, samplesNs: new Float64Array() };
const ROLES: Record<Role, (there: TickRing, back: TickRing, timed: boolean) => Result> = {
  produce,
  consume,
  ping,
  pong,
};

if ("WorkerGlobalScope" in globalThis) serve();
else await main();

function serve(): void {
  const worker = self as unknown as Worker;
  worker.onmessage = ({ data }: MessageEvent<Job>) => {
    pin(data.core);
    const there = TickRing.attach(data.there), back = TickRing.attach(data.back);
    const start = new Int32Array(data.start);
    Atomics.sub(start, 0, 1);
    while (Atomics.load(start, 0) > 0);
    worker.postMessage(ROLES[data.role](there, back, data.timed));
  };
}

function pin(core: number): void {
  if (loadLibrary().uspf_pin(core) < 0) {
    throw new Error(`Cannot pin a thread: core "${core}" is not there: run on two cores`);
  }
}

function produce(ring: TickRing): Result {
  const { words, mask } = ring;
  for (let done = 0; done < TICKS; done += BATCH) {
    while (ring.claim(BATCH) < BATCH);
    const tail = ring.tail;
    for (let offset = 0; offset < BATCH; offset++) {
      write(words, RECORDS_WORD + ((tail + offset & mask) << RECORD_SHIFT), tail + offset);
    }
    ring.publish(BATCH);
  }
  return NONE;
}

/** The words of tick `tick`; yardstick/tick_ring.c does the same. */
function write(words: Int32Array, word: number, tick: number): void {
  words[word] = tick;
  words[word + 1] = 0x0101;
  words[word + 2] = tick ^ 0x42c80000;
  words[word + 3] = tick + 0x3f800000;
}

function consume(ring: TickRing): Result {
  const { words, mask } = ring;
  let sum = 0;
  const startMs = performance.now();
  for (let done = 0; done < TICKS;) {
    const count = ring.take(BATCH);
    if (count === 0) continue;
    const head = ring.head;
    for (let offset = 0; offset < count; offset++) {
      const word = RECORDS_WORD + ((head + offset & mask) << RECORD_SHIFT);
      sum = sum + words[word] + words[word + 1] + words[word + 2] + words[word + 3] | 0;
    }
    ring.release(count);
    done += count;
  }
  return { ...NONE, ns: (performance.now() - startMs) * 1e6, check: sum };
}

function send(ring: TickRing, tick: number): void {
  while (ring.claim(1) === 0);
  write(ring.words, RECORDS_WORD + ((ring.tail & ring.mask) << RECORD_SHIFT), tick);
  ring.publish(1);
}

function receive(ring: TickRing): number {
  while (ring.take(1) === 0);
  const tick = ring.words[RECORDS_WORD + ((ring.head & ring.mask) << RECORD_SHIFT)];
  ring.release(1);
  return tick;
}

function ping(there: TickRing, back: TickRing, timed: boolean): Result {
  const samplesNs = new Float64Array(timed ? ROUND_TRIPS : 0);
  let returned = 0;
  const startMs = performance.now();
  let lastMs = startMs;
  for (let trip = 0; trip < ROUND_TRIPS; trip++) {
    send(there, trip);
    if (receive(back) === trip) returned++;
    if (!timed) continue;
    const nowMs = performance.now();
    samplesNs[trip] = (nowMs - lastMs) * 1e6;
    lastMs = nowMs;
  }
  return { ns: (performance.now() - startMs) * 1e6, check: returned, samplesNs };
}

function pong(there: TickRing, back: TickRing): Result {
  for (let trip = 0; trip < ROUND_TRIPS; trip++) send(back, receive(there));
  return NONE;
}

/** Runs two roles on two workers, and gives the result of the one that measures. */
async function run(workers: Worker[], roles: [Role, Role], timed = false): Promise<Result> {
  const capacity = roles[0] === "produce" ? CAPACITY : LATENCY_CAPACITY;
  const [there, back] = [TickRing.create(capacity).buffer, TickRing.create(capacity).buffer];
  const start = new SharedArrayBuffer(4);
  new Int32Array(start)[0] = 2;
  const results = await Promise.all(
    workers.map((worker, at) =>
      new Promise<Result>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = reject;
        const job: Job = { role: roles[at], core: CORES[at], there, back, start, timed };
        worker.postMessage(job);
      })
    ),
  );
  return results[0].ns > 0 ? results[0] : results[1];
}

async function main(): Promise<void> {
  const rounds = Number(Deno.args.at(-1)) || 9;
  const c = loadYardstick("tick_ring", {
    yardstick_throughput: { parameters: ["f64", "u32", "u32", "u32", "i32", "i32"], result: "f64" },
    yardstick_round_trips: { parameters: ["u32", "buffer", "i32", "i32"], result: "f64" },
    yardstick_clock_cost: { parameters: [], result: "f64" },
  });
  const workers = CORES.map(() => new Worker(import.meta.url, { type: "module" }));
  const sum = expectedSum();
  const rates: Rows = { ts: [], c: [] }, means: Rows = { ts: [], c: [] };
  const p50: Rows = { ts: [], c: [] }, p99: Rows = { ts: [], c: [] };
  const samples = new Float64Array(ROUND_TRIPS);
  // The first round warms the workers up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const moved = await run(workers, ["produce", "consume"]);
    demand(moved.check === sum, "the ticks' sum differs");
    const movedNs = c.yardstick_throughput(TICKS, BATCH, CAPACITY, sum >>> 0, CORES[0], CORES[1]);
    demand(movedNs > 0, "the C ring's sum differs");
    const untimed = await run(workers, ["ping", "pong"]);
    const untimedNs = c.yardstick_round_trips(ROUND_TRIPS, null, CORES[0], CORES[1]);
    const timed = await run(workers, ["ping", "pong"], true);
    const timedNs = c.yardstick_round_trips(ROUND_TRIPS, samples, CORES[0], CORES[1]);
    const returned = untimed.check + timed.check;
    demand(returned === 2 * ROUND_TRIPS && untimedNs > 0 && timedNs > 0, "a tick was lost");
    if (round === 0) continue;
    rates.ts.push(TICKS * 1e3 / moved.ns);
    rates.c.push(TICKS * 1e3 / movedNs);
    means.ts.push(untimed.ns / ROUND_TRIPS / 2);
    means.c.push(untimedNs / ROUND_TRIPS / 2);
    const ts = timed.samplesNs.sort(), cs = samples.slice().sort();
    const tsClock = clockCostNs(), cClock = c.yardstick_clock_cost();
    p50.ts.push((quantile(ts, 0.5) - tsClock) / 2);
    p50.c.push((quantile(cs, 0.5) - cClock) / 2);
    p99.ts.push((quantile(ts, 0.99) - tsClock) / 2);
    p99.c.push((quantile(cs, 0.99) - cClock) / 2);
  }
  for (const worker of workers) worker.terminate();
  console.log(`${rounds} rounds, batches of ${BATCH}, ring of ${CAPACITY}, cores ${CORES}`);
  console.log("                            median   best |  C median   best | TS/C  target");
  print("M ticks/s", rates, (values) => Math.max(...values), ">= 200");
  print("one way, mean ns", means, (values) => Math.min(...values), "");
  print("one way, p50 ns", p50, (values) => Math.min(...values), "<= 250");
  print("one way, p99 ns", p99, (values) => Math.min(...values), "");
}

interface Rows {
  ts: number[];
  c: number[];
}

function print(name: string, rows: Rows, best: (values: number[]) => number, target: string): void {
  const middle = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
  const ratio = rows.ts.map((value, round) => value / rows.c[round]);
  const cells = [middle(rows.ts), best(rows.ts), middle(rows.c), best(rows.c)].map((value) =>
    value.toFixed(0).padStart(8)
  );
  console.log(
    `${name.padEnd(24)}  ${cells[0]}${cells[1]} | ${cells[2]}${cells[3]} | ` +
      `${middle(ratio).toFixed(2)}  ${target}`,
  );
}

function expectedSum(): number {
  const words = new Int32Array(4);
  let sum = 0;
  for (let tick = 0; tick < TICKS; tick++) {
    write(words, 0, tick);
    sum = sum + words[0] + words[1] + words[2] + words[3] | 0;
  }
  return sum;
}

function clockCostNs(): number {
  const startMs = performance.now();
  for (let reading = 0; reading < 100_000; reading++) performance.now();
  return (performance.now() - startMs) * 1e6 / 100_000;
}

function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.floor(sorted.length * part)];
}

function demand(met: boolean, fault: string): void {
  if (met) return;
  console.error(`Cannot trust the bench: ${fault}: mend the ring first`);
  Deno.exit(1);
}
