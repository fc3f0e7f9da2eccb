/**
 * Purpose: both sides of the tick ring's bench: batches moved from one thread to another, and single ticks
 * sent there and back. yardstick/tick_ring.c does the same.
 */
import { RECORD_SHIFT } from "../../engine/tick.ts";
import { RECORDS_WORD, type TickRing } from "../../engine/tick_ring.ts";

/** Ticks made visible together. */
export const BATCH = 256;

/** Puts `ticks` ticks, a multiple of BATCH, into the ring. */
export function produce(ring: TickRing, ticks: number): void {
  const { words, mask } = ring;
  for (let done = 0; done < ticks; done += BATCH) {
    while (ring.claim(BATCH) < BATCH);
    const tail = ring.tail;
    for (let offset = 0; offset < BATCH; offset++) {
      write(words, RECORDS_WORD + ((tail + offset & mask) << RECORD_SHIFT), tail + offset);
    }
    ring.publish(BATCH);
  }
}

/** Takes `ticks` ticks out of the ring; returns the sum of all their words. */
export function consume(ring: TickRing, ticks: number): number {
  const { words, mask } = ring;
  let sum = 0;
  for (let done = 0; done < ticks;) {
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
  return sum;
}

/** The sum that `consume` shall find. */
export function sumOf(ticks: number): number {
  const words = new Int32Array(4);
  let sum = 0;
  for (let tick = 0; tick < ticks; tick++) {
    write(words, 0, tick);
    sum = sum + words[0] + words[1] + words[2] + words[3] | 0;
  }
  return sum;
}

/** Sends ticks one by one, each when the one before is back; returns how many came back as they went. */
export function ping(there: TickRing, back: TickRing, trips: number): number {
  let returned = 0;
  for (let trip = 0; trip < trips; trip++) {
    send(there, trip);
    if (receive(back) === trip) returned++;
  }
  return returned;
}

/** Sends back what comes. */
export function pong(there: TickRing, back: TickRing, trips: number): void {
  for (let trip = 0; trip < trips; trip++) send(back, receive(there));
}

/** The words of tick `tick`. */
function write(words: Int32Array, word: number, tick: number): void {
  words[word] = tick;
  words[word + 1] = 0x0101;
  words[word + 2] = tick ^ 0x42c80000;
  words[word + 3] = tick + 0x3f800000;
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
