/**
 * Question: how does the compiled packet loop compare with the same loop in C (gcc -O3 -march=native)?
 *
 * Baseline: bench/yardstick/hot_loop.c, in the same process, on the same ring, in turn (A B A B).
 * Work checked: ticks, records and tallies of both must be equal after every round.
 * It cannot show: what a port's sync costs, or what it costs to share the memory with another core.
 *
 * Run: deno task bench hot_loop
 */
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { compileHotLoop } from "../capture/hot_loop.ts";
import { TALLY_BYTES, TALLY_LENGTH } from "../capture/tally.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { RING } from "../ffi/layout.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { loadYardstick } from "./yardstick.ts";

const BURST = 256, ROUNDS = 25, CAPACITY = 16384, PORT = 5001;
const PACKETS_A_ROUND = 1_024_000;

const yardstick = loadYardstick("hot_loop", {
  yardstick_loop: {
    parameters: ["buffer", "buffer", "i32", "i32", "i32", "buffer", "i32", "u32", "i32", "buffer"],
    result: "i32",
  },
});

interface Case {
  name: string;
  slotCount: number;
  permuted: boolean;
  rejected: boolean;
  limit: number;
}

const cases: Case[] = [
  ...[256, 1024, 4096].map((slotCount) => ({
    name: `${slotCount} slots`,
    slotCount,
    permuted: false,
    rejected: false,
    limit: 1.25,
  })),
  {
    name: "1024 slots, buffers permuted",
    slotCount: 1024,
    permuted: true,
    rejected: false,
    limit: 1.6,
  },
  {
    name: "1024 slots, half rejected at random",
    slotCount: 1024,
    permuted: false,
    rejected: true,
    limit: 1.6,
  },
  { name: "4096 slots, both", slotCount: 4096, permuted: true, rejected: true, limit: 1.6 },
];

function random(seed: number): () => number {
  return () => (seed = Math.imul(seed ^ seed >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0) >>> 8;
}

function fill(port: FakePort, { slotCount, permuted, rejected }: Case): void {
  const next = random(1), ring = port.rx[0];
  const order = Array.from({ length: slotCount }, (_, i) => i);
  if (permuted) {
    for (let i = slotCount - 1; i > 0; i--) {
      const j = next() % (i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
  }
  order.forEach((buffer, slot) => (ring.words[ring.slotsAt + slot * 4] = buffer));
  const packet = new Uint8Array(60), view = new DataView(packet.buffer);
  view.setUint32(12, 0x08004500);
  view.setUint16(16, 42);
  view.setUint32(20, 0x40004011);
  view.setUint16(38, 22);
  for (let slot = 0; slot < slotCount; slot++) {
    view.setUint16(36, rejected && (next() & 16) !== 0 ? PORT + 1 : PORT);
    view.setUint32(42, slot, true);
    view.setFloat32(48, 100 + slot / 4, true);
    view.setFloat32(52, 1 + slot, true);
    const at = (ring.buffersAt - ring.at) * 4 + order[slot] * 2048;
    ring.bytes.set(packet, at);
    ring.words[ring.slotsAt + slot * 4 + 1] = 60;
  }
}

/** ns a packet of both, in turn; the sums of both are compared. */
function measure(shape: Case): { ours: number[]; c: number[] } {
  const port = new FakePort({ slotCount: shape.slotCount, bufferBytes: 2048 }), ring = port.rx[0];
  fill(port, shape);
  const filter = new PacketFilter({ destinationPort: PORT });
  const ours = TickRing.create(CAPACITY), theirs = TickRing.create(CAPACITY);
  const { run } = compileHotLoop(filter, ring, ours);
  const tally = new Int32Array(TALLY_LENGTH), cTally = new Int32Array(TALLY_LENGTH);
  const bytes = ring.bytes as Uint8Array<ArrayBuffer>;
  const slots = bytes.subarray(RING.slots * 4),
    buffers = bytes.subarray((ring.buffersAt - ring.at) * 4);
  const records = new Int32Array(theirs.buffer, RECORDS_WORD * 4) as unknown as Int32Array<
    ArrayBuffer
  >;
  const mask = shape.slotCount - 1;
  const bursts = PACKETS_A_ROUND / BURST;
  let position = 0, cPosition = 0;
  const runOurs = () => {
    for (let i = 0, head = 0; i < bursts; i++, head = (head + BURST) & mask) {
      const before = tally[VERDICT.accepted];
      run(ring.slotsAt, ring.buffersAt, head, BURST, position, tally);
      position = position + tally[VERDICT.accepted] - before | 0;
    }
  };
  const runC = () => {
    for (let i = 0, head = 0; i < bursts; i++, head = (head + BURST) & mask) {
      cPosition += yardstick.yardstick_loop(
        slots,
        buffers,
        shape.slotCount,
        head,
        BURST,
        records,
        CAPACITY - 1,
        cPosition >>> 0,
        PORT,
        cTally,
      );
    }
  };
  const time = (f: () => void) => {
    tally.fill(0);
    cTally.fill(0);
    const start = performance.now();
    f();
    return (performance.now() - start) * 1e6 / PACKETS_A_ROUND;
  };
  const result = { ours: [] as number[], c: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const a = time(runOurs),
      done = [tally[VERDICT.accepted], tally[VERDICT.port], tally[TALLY_BYTES]];
    const b = time(runC),
      cDone = [cTally[VERDICT.accepted], cTally[VERDICT.port], cTally[TALLY_BYTES]];
    check(
      shape.name,
      done,
      cDone,
      ours.words.subarray(RECORDS_WORD),
      theirs.words.subarray(RECORDS_WORD),
    );
    if (round > 0) result.ours.push(a), result.c.push(b);
  }
  return result;
}

function check(name: string, a: number[], b: number[], x: Int32Array, y: Int32Array): void {
  const same = a.every((value, i) => value === b[i]) && x.every((value, i) => value === y[i]);
  if (!same || a[0] === 0 || a[0] + a[1] !== PACKETS_A_ROUND) {
    throw new Error(
      `Cannot compare "${name}": the loops differ: ${a} against ${b}: fix the loop first`,
    );
  }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

console.log("hot loop, ns a packet (median of rounds), ratio to C (median of round by round)");
let missed = 0;
for (const shape of cases) {
  const { ours, c } = measure(shape);
  const ratio = median(ours.map((value, i) => value / c[i]));
  if (ratio > shape.limit) missed++;
  console.log(
    `${shape.name.padEnd(38)} TypeScript ${median(ours).toFixed(2)}  C ${median(c).toFixed(2)}  ` +
      `ratio ${ratio.toFixed(2)} (at most ${shape.limit})${ratio > shape.limit ? "  MISSED" : ""}`,
  );
}
Deno.exit(missed > 0 ? 1 : 0);
