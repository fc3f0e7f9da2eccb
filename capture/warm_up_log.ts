/**
 * Purpose: has V8 compile a packet log's loops before packets come: until then a packet costs ten times
 * the usual, and every 64-bit move makes a BigInt.
 *
 * The loops are bound to their region (packet_log_loop.ts), but only read it: lengths are laid into the
 * slots of the port's scratch ring, which are ours (warm_up.ts), and what their buffers hold does not matter.
 * What stands around the loops is warmed on a small log of its own, which is full now and then.
 */
import { FakePort } from "../ffi/fake_port.ts";
import { MORE_FRAGMENTS, RING, type Ring, SLOT_WORDS, slotsReady } from "../ffi/layout.ts";
import { PacketLog } from "./packet_log.ts";
import { PacketLogReader } from "./packet_log_reader.ts";

const PACKETS = 1_000_000;
const BURST = 16; // of these lengths: they fit the smallest chunk
const LENGTHS = [60, 60, 64, 61, 60, 100, 60, 60, 128, 0, 60, 60, 97, 300, 60, 200];
const SECOND = 1;
const START_SECOND = 1_700_000_000;
const ROUNDS = 3000;

/** Logs a million synthetic packets, and forgets them; returns how many. Without a scratch ring: none. */
export function warmUpLog(
  log: PacketLog,
  ring: Ring,
  scratch: Ring | undefined,
  packets = PACKETS,
): number {
  if (scratch === undefined || scratch.words !== ring.words) return 0;
  const { words } = scratch, head = words[scratch.at + RING.head];
  const picks = Int32Array.from(
    { length: Math.min(BURST, slotsReady(scratch)) },
    (_, i) => scratch.slotsAt + (head + i) % scratch.slotCount * SLOT_WORDS,
  );
  const before = Array.from(picks, (slot) => words.slice(slot, slot + SLOT_WORDS));
  picks.forEach((slot, i) => {
    const [seconds, nanoseconds] = ring.hasTimes ? [SECOND, i] : [0, 0];
    words.set([LENGTHS[i], seconds, nanoseconds], slot + 1);
  });
  warmAround();
  let seen = 0;
  for (; seen < packets && picks.length > 0; seen += picks.length) {
    log.rehearse(ring, picks, picks.length, SECOND);
  }
  picks.forEach((slot, i) => words.set(before[i], slot));
  return seen;
}

/** Chunks begun, published and missing; seconds that pass; packets in several slots. */
function warmAround(): void {
  const { rx: [ring] } = new FakePort({ slotCount: 64, bufferBytes: 256 });
  const log = PacketLog.create({ chunks: 4, chunkBytes: 4096 });
  const reader = new PacketLogReader(log.buffer);
  const picks = Int32Array.from({ length: 64 }, (_, i) => ring.slotsAt + i * SLOT_WORDS);
  picks.forEach((slot, i) => {
    ring.words[slot + 1] = LENGTHS[i % BURST] % 256 | (i % 32 === 5 ? MORE_FRAGMENTS << 16 : 0);
  });
  for (let round = 0; round < ROUNDS; round++) {
    log.write(ring, picks, 64, START_SECOND + (round >> 1), round);
    log.flush();
    if (round % 8 !== 0) reader.discard();
  }
}
