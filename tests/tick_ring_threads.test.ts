/** The tick ring between two real threads; this file is also the producer's worker. */

import { assert, assertEquals } from "@std/assert";
import { RECORD_SHIFT } from "../engine/tick.ts";
import { Doorbell } from "../engine/doorbell.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { seededRandom } from "./engine_seed.ts";

/** What the producer is asked to do. */
interface Job {
  buffer: SharedArrayBuffer;
  bell: SharedArrayBuffer;
  ticks: number;
  /** One record at a time, each when the ring has run empty. */
  sparse: boolean;
}

const MULTIPLIER = 0x9e3779b1;
const worker = self as unknown as Worker;

if ("WorkerGlobalScope" in globalThis) {
  worker.onmessage = ({ data }: MessageEvent<Job>) => {
    const ring = TickRing.attach(data.buffer, new Doorbell(data.bell));
    if (data.sparse) produceSparsely(ring, data.ticks);
    else produce(ring, data.ticks);
    worker.postMessage("done");
  };
  worker.postMessage("ready");
} else {
  Deno.test("Doorbell.park loses no wake-up of a publish to any of its rings", async () => {
    await withProducer(2 ** 32 - 7_000, 15_000, true, (ring, ticks) => {
      const bell = ring.bell!, quiet = TickRing.create(256, 0, bell);
      for (let taken = 0; taken < ticks; taken++) {
        const rings = taken % 2 === 0 ? [quiet, ring] : [ring, quiet];
        const startMs = performance.now();
        while (!bell.park(rings, 5_000));
        const tookMs = performance.now() - startMs;
        assert(tookMs < 4_000, `a park took ${tookMs} ms: its wake-up was lost`);
        assertEquals([ring.take(2), quiet.take(2)], [1, 0]);
        ring.release(1);
      }
    });
  });

  Deno.test("TickRing carries 12 M ticks between two threads across 2^32, in order", async () => {
    await withProducer(2 ** 32 - 5_000_000, 12_000_000, false, (ring, ticks) => {
      assertEquals(countWrong(ring, ticks), 0);
      assertEquals(ring.head, 7_000_000);
    });
  });

  Deno.test("TickRing carries ticks between two threads across 2^31, in order", async () => {
    await withProducer(2 ** 31 - 500_000, 1_000_000, false, (ring, ticks) => {
      assertEquals(countWrong(ring, ticks), 0);
    });
  });

  Deno.test("TickRing.park loses no wake-up of a publish at any moment", async () => {
    await withProducer(2 ** 32 - 7_000, 15_000, true, (ring, ticks) => {
      for (let taken = 0; taken < ticks; taken++) {
        const startMs = performance.now();
        // A notify may come late, for the record before: then the park is repeated.
        while (!ring.park(5_000));
        const tookMs = performance.now() - startMs;
        assert(tookMs < 4_000, `a park took ${tookMs} ms: its wake-up was lost`);
        assertEquals(ring.take(2), 1);
        ring.release(1);
      }
    });
  });
}

async function withProducer(
  start: number,
  ticks: number,
  sparse: boolean,
  consume: (ring: TickRing, ticks: number) => void,
): Promise<void> {
  const bell = new Doorbell(), ring = TickRing.create(4096, start, bell);
  const producer = new Worker(import.meta.url, { type: "module" });
  const said = () =>
    new Promise<void>((resolve, reject) => {
      producer.onmessage = () => resolve();
      producer.onerror = (event) => reject(event);
    });
  try {
    await said();
    const done = said();
    producer.postMessage({ buffer: ring.buffer, bell: bell.buffer, ticks, sparse } satisfies Job);
    consume(ring, ticks);
    await done;
  } finally {
    producer.terminate();
  }
}

function produce(ring: TickRing, ticks: number): void {
  const random = seededRandom(1);
  for (let tick = 0; tick < ticks;) {
    const count = ring.claim(Math.min(1 + random() % 300, ticks - tick));
    for (let offset = 0; offset < count; offset++) {
      const word = RECORDS_WORD + ((ring.tail + offset & ring.mask) << RECORD_SHIFT);
      write(ring.words, word, tick + offset);
    }
    if (count > 0) ring.publish(count);
    tick += count;
  }
}

function produceSparsely(ring: TickRing, ticks: number): void {
  const random = seededRandom(2);
  for (let tick = 0; tick < ticks; tick++) {
    // The consumer has just released and is on its way to sleep.
    while (ring.waiting > 0);
    for (let spin = random() % 2000; spin > 0; spin--);
    if (ring.claim(1) === 1) ring.publish(1);
  }
}

function write(words: Int32Array, word: number, tick: number): void {
  words[word] = tick;
  words[word + 1] = ~tick;
  words[word + 2] = Math.imul(tick, MULTIPLIER);
  words[word + 3] = Math.imul(tick, MULTIPLIER) ^ tick;
}

/** Records that are not the ones expected at their place. */
function countWrong(ring: TickRing, ticks: number): number {
  const random = seededRandom(3);
  const { words, mask } = ring;
  let wrong = 0;
  for (let tick = 0; tick < ticks;) {
    const count = ring.take(1 + random() % 500);
    for (let offset = 0; offset < count; offset++, tick++) {
      const word = RECORDS_WORD + ((ring.head + offset & mask) << RECORD_SHIFT);
      const mixed = Math.imul(tick, MULTIPLIER);
      const right = words[word] === tick && words[word + 1] === ~tick &&
        words[word + 2] === mixed && words[word + 3] === (mixed ^ tick);
      if (!right) wrong++;
    }
    if (count > 0) ring.release(count);
  }
  return wrong;
}
