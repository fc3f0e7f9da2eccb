/**
 * Question: what does it cost the capture thread to log a packet, and how does that compare with C (gcc
 * -O3 -march=native)?
 *
 * Set-up: bursts of 256 packets of a ring of 1024 buffers of 2048 bytes, or of 256, whose packets stay in
 * the cache, as those that the hot loop has just read do; whoever reads the log sets each
 * chunk free at once ("kept up with": the same chunk is filled again and again), or only when all others
 * are in use ("behind": the log goes once around its memory, as C's then does, too).
 * Baseline: bench/yardstick/packet_log.c, in the same process, on the same ring, in turn (A B A B).
 * Work checked: blocks of both are compared byte for byte, and walked; packets must be all.
 * It cannot show: what it costs that another core reads the chunks.
 *
 * Run: deno task bench packet_log
 */
import { PacketLog } from "../capture/packet_log.ts";
import { PacketLogReader } from "../capture/packet_log_reader.ts";
import { blocksWithin } from "../capture/pcapng_format.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const BURST = 256, ROUNDS = 15, BUFFER_BYTES = 2048;
const CHUNKS = 64, CHUNK_BYTES = 2 ** 20, SLACK = 4096;
const SECONDS = 1_700_000_000;

const yardstick = loadYardstick("packet_log", {
  yardstick_log: {
    parameters: [
      "buffer",
      "buffer",
      "i32",
      "i32",
      "i32",
      "buffer",
      "i32",
      "i32",
      "u32",
      "u32",
      "buffer",
    ],
    result: "i32",
  },
});

interface Case {
  name: string;
  length: (slot: number) => number;
  packets: number;
  slots: number;
  /** The reader is as far behind as the log allows. */
  behind: boolean;
  limit: number;
}

const small = { length: () => 60, packets: 1_024_000, slots: 1024 };
const mixed = {
  length: (slot: number) => 46 + (Math.imul(slot, 0x9e3779b1) >>> 24) % 100,
  packets: 1_024_000,
  slots: 1024,
};
const large = { length: () => 1500, packets: 102_400, slots: 1024 };
const cases: Case[] = [
  { name: "60 bytes, in the cache", ...small, slots: 256, behind: false, limit: 2.5 },
  { name: "60 bytes, kept up with", ...small, behind: false, limit: 2 },
  { name: "60 bytes, behind", ...small, behind: true, limit: 2 },
  { name: "46 to 145 bytes, kept up with", ...mixed, behind: false, limit: 2.5 },
  { name: "1500 bytes, kept up with", ...large, behind: false, limit: 4 },
];

/** The picks of each burst, until the ring begins anew. */
function burstsOf(slotsAt: number, slots: number): Int32Array<ArrayBuffer>[] {
  const burst = (first: number) =>
    Int32Array.from({ length: BURST }, (_, i) => slotsAt + (first + i) * 4);
  return Array.from({ length: slots / BURST }, (_, i) => burst(i * BURST));
}

/** ns a packet of both, in turn. */
function measure({ name, length, packets, slots, behind }: Case): { ours: number[]; c: number[] } {
  const port = new FakePort({ slotCount: slots, bufferBytes: BUFFER_BYTES }), ring = port.rx[0];
  for (let i = 0; i < slots; i++) {
    const packet = new Uint8Array(length(i)).map((_, k) => i * 7 + k);
    ring.bytes.set(packet, (ring.buffersAt - ring.at) * 4 + i * BUFFER_BYTES);
    ring.words[ring.slotsAt + i * 4 + 1] = packet.length;
  }
  const bursts = burstsOf(ring.slotsAt, slots), turn = bursts.length - 1;
  const log = PacketLog.create({ chunks: CHUNKS, chunkBytes: CHUNK_BYTES });
  const reader = new PacketLogReader(log.buffer);
  const memory = new Uint8Array(CHUNKS * CHUNK_BYTES), used = new Int32Array(1);
  const region = new Uint8Array(ring.words.buffer as ArrayBuffer);
  let waiting = 0, last = new Uint8Array(0);
  const release = () => {
    for (
      let chunk = reader.take();
      chunk && (!behind || waiting > CHUNKS - 4);
      chunk = reader.take()
    ) {
      reader.release();
      waiting--;
    }
  };
  const runOurs = () => {
    for (let done = 0, since = 0; done < packets; done += BURST) {
      log.write(ring, bursts[done / BURST & turn], BURST, SECONDS, done);
      since += BURST;
      if (since >= packets / 128) {
        since = 0;
        log.flush();
        waiting++;
        release();
      }
    }
  };
  const runC = () => {
    for (let done = 0, since = 0, chunk = 0, at = 0; done < packets; done += BURST) {
      yardstick.yardstick_log(
        region,
        bursts[done / BURST & turn],
        BURST,
        ring.buffersAt,
        BUFFER_BYTES,
        memory,
        at,
        memory.length - SLACK,
        0,
        done,
        used,
      );
      at = used[0];
      since += BURST;
      if (since >= packets / 128) {
        since = 0;
        chunk = behind ? (chunk + 1) % CHUNKS : 0;
        at = chunk * CHUNK_BYTES;
      }
    }
  };
  const time = (f: () => void) => {
    const start = performance.now();
    f();
    return (performance.now() - start) * 1e6 / packets;
  };
  check(name);
  const result = { ours: [] as number[], c: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = time(runOurs), c = time(runC);
    if (round > 0) result.ours.push(ours), result.c.push(c);
  }
  const { missed } = log.counts();
  if (missed > 0) throw new Error(`Cannot compare "${name}": ${missed} packets were missed`);
  return result;

  function check(name: string): void {
    log.write(ring, bursts[0], BURST, 0, 5);
    log.flush();
    last = reader.take()!.blocks.slice();
    reader.release();
    yardstick.yardstick_log(
      region,
      bursts[0],
      BURST,
      ring.buffersAt,
      BUFFER_BYTES,
      memory,
      0,
      memory.length,
      0,
      5,
      used,
    );
    const same = last.length === used[0] && last.every((byte, i) => byte === memory[i]);
    if (!same || blocksWithin(last, last.length).packets !== BURST) {
      throw new Error(`Cannot compare "${name}": the blocks differ: fix the log first`);
    }
  }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

console.log("packet log, ns a packet (median of rounds), ratio to C (median of round by round)");
let missed = 0;
for (const shape of cases) {
  const { ours, c } = measure(shape);
  const ratio = median(ours.map((value, i) => value / c[i]));
  if (ratio > shape.limit) missed++;
  console.log(
    `${shape.name.padEnd(32)} TypeScript ${median(ours).toFixed(2)}  C ${median(c).toFixed(2)}  ` +
      `ratio ${ratio.toFixed(2)} (at most ${shape.limit})${ratio > shape.limit ? "  MISSED" : ""}`,
  );
}
Deno.exit(missed > 0 ? 1 : 0);
