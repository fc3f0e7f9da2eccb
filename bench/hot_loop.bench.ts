/**
 * Question: how does the compiled packet loop compare with the same loop in C (gcc -O3 -march=native)?
 *
 * Baseline: bench/yardstick/hot_loop.c, in the same process, on the same ring.
 * Work checked: ticks, records and tallies of both must be equal after every run.
 * It cannot show: what a port's sync costs, or what it costs to share the memory with another core.
 */
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { compileHotLoop } from "../capture/hot_loop.ts";
import { TALLY_BYTES, TALLY_LENGTH } from "../capture/tally.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { RING } from "../ffi/layout.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { layPacket, random, tickPacket } from "./harness/packets.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const BURST = 256, CAPACITY = 16384, PORT = 5001;
const PACKETS = 1_024_000;

/** A ring to run over. */
interface Shape {
  slotCount: number;
  /** Whether the slots' buffers are in random order. */
  permuted: boolean;
  /** Whether half of the packets, at random, are for another port. */
  rejected: boolean;
  atMost: number;
}

const plain = (slotCount: number): Shape => ({
  slotCount,
  permuted: false,
  rejected: false,
  atMost: 1.25,
});
const SHAPES: Record<string, Shape> = {
  "256 slots": plain(256),
  "1024 slots": plain(1024),
  "4096 slots": plain(4096),
  "1024 slots, buffers permuted": { ...plain(1024), permuted: true, atMost: 1.6 },
  "1024 slots, half rejected at random": { ...plain(1024), rejected: true, atMost: 1.6 },
  "4096 slots, both": { slotCount: 4096, permuted: true, rejected: true, atMost: 1.6 },
};

if (!mayBench()) skip("hot loop", NOT_ALLOWED);
else {
  const yardstick = loadLoop();
  for (const [name, shape] of Object.entries(SHAPES)) {
    compare({
      group: `hot loop, ${name}`,
      unit: "packet",
      count: PACKETS,
      ways: waysOf(shape, yardstick),
    });
  }
}

type YardstickLoop = ReturnType<typeof loadLoop>;

function loadLoop() {
  return loadYardstick("hot_loop", {
    yardstick_loop: {
      parameters: [
        "buffer",
        "buffer",
        "i32",
        "i32",
        "i32",
        "buffer",
        "i32",
        "u32",
        "i32",
        "buffer",
      ],
      result: "i32",
    },
  }).yardstick_loop;
}

function waysOf(shape: Shape, yardstick: YardstickLoop): Way[] {
  const port = new FakePort({ slotCount: shape.slotCount, bufferBytes: 2048 }), ring = port.rx[0];
  fill(port, shape);
  const ours = TickRing.create(CAPACITY), theirs = TickRing.create(CAPACITY);
  const { run } = compileHotLoop(new PacketFilter({ destinationPort: PORT }), ring, ours);
  const tally = new Int32Array(TALLY_LENGTH), cTally = new Int32Array(TALLY_LENGTH);
  const bytes = ring.bytes as Uint8Array<ArrayBuffer>;
  const slots = bytes.subarray(RING.slots * 4);
  const buffers = bytes.subarray((ring.buffersAt - ring.at) * 4);
  const records = theirs.words.subarray(RECORDS_WORD) as unknown as Int32Array<ArrayBuffer>;
  const mask = shape.slotCount - 1;
  let position = 0, cPosition = 0, runs = 0, cRuns = 0;
  const check = () => {
    if (runs !== cRuns) return; // the baseline was ahead
    const tallies = [VERDICT.accepted, VERDICT.port, TALLY_BYTES].map((i) => [tally[i], cTally[i]]);
    const same = tallies.every(([a, b]) => a === b) &&
      ours.words.subarray(RECORDS_WORD).every((word, i) => word === records[i]);
    if (!same) throw new Error(`Cannot compare: the loops differ: ${tallies}: fix the loop first`);
  };
  return [{
    name: "C",
    prepare: () => void cTally.fill(0),
    run() {
      for (let done = 0, head = 0; done < PACKETS; done += BURST, head = (head + BURST) & mask) {
        const capacity = CAPACITY - 1, at = cPosition >>> 0, count = shape.slotCount;
        cPosition +=
          // deno-fmt-ignore
          yardstick(slots, buffers, count, head, BURST, records, capacity, at, PORT, cTally);
      }
      cRuns++;
    },
    verify() {
      checkTally(cTally);
    },
  }, {
    name: "TypeScript",
    prepare: () => void tally.fill(0),
    run() {
      for (let done = 0, head = 0; done < PACKETS; done += BURST, head = (head + BURST) & mask) {
        const before = tally[VERDICT.accepted];
        run(ring.slotsAt, ring.buffersAt, head, BURST, position, tally);
        position = position + tally[VERDICT.accepted] - before | 0;
      }
      runs++;
    },
    verify() {
      checkTally(tally);
      check();
    },
    atMost: shape.atMost,
  }];
}

/** Every packet was judged, and some were wanted. */
function checkTally(tally: Int32Array): void {
  const accepted = tally[VERDICT.accepted];
  if (accepted === 0 || accepted + tally[VERDICT.port] !== PACKETS) {
    throw new Error(`Cannot compare: ${accepted} of ${PACKETS} accepted: fix the loop first`);
  }
}

function fill(port: FakePort, { slotCount, permuted, rejected }: Shape): void {
  const next = random(1), ring = port.rx[0];
  const order = Array.from({ length: slotCount }, (_, i) => i);
  for (let i = permuted ? slotCount - 1 : 0; i > 0; i--) {
    const j = next() % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  order.forEach((buffer, slot) => (ring.words[ring.slotsAt + slot * 4] = buffer));
  for (let slot = 0; slot < slotCount; slot++) {
    const port = rejected && (next() & 16) !== 0 ? PORT + 1 : PORT;
    layPacket(ring, slot, tickPacket(port, slot));
  }
}
