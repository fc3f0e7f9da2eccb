/**
 * Question: what does it cost the capture thread to log a packet, and how does that compare with C (gcc
 * -O3 -march=native)?
 *
 * Set-up: bursts of 256 packets of a ring of 1024 buffers of 2048 bytes, or of 256, whose packets stay in
 * the cache, as those that the hot loop has just read do; whoever reads the log sets each
 * chunk free at once ("kept up with": the same chunk is filled again and again), or only when all others
 * are in use ("behind": the log goes once around its memory, as C's then does, too).
 * Baseline: bench/yardstick/packet_log.c, in the same process, on the same ring.
 * Work checked: the last chunk must be C's, byte for byte, after every run, and all packets be logged.
 * It cannot show: what it costs that another core reads the chunks.
 */
import { PacketLog } from "../capture/packet_log.ts";
import { type Chunk, PacketLogReader } from "../capture/packet_log_reader.ts";
import { blocksWithin } from "../capture/pcapng_format.ts";
import { FakePort } from "../ffi/fake_port.ts";
import type { Ring } from "../ffi/layout.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { layPacket } from "./harness/packets.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const BURST = 256, BUFFER_BYTES = 2048;
const CHUNKS = 64, CHUNK_BYTES = 2 ** 20;
const SECONDS = 1_700_000_000, BEGAN_NS = BigInt(SECONDS) * 1_000_000_000n;
const HIGH = Number(BEGAN_NS >> 32n), LOW = Number(BEGAN_NS & 0xffffffffn);

/** What is logged. */
interface Case {
  length: (slot: number) => number;
  packets: number;
  /** Packets of a chunk, whole bursts: as many as surely fit. */
  chunk: number;
  slots: number;
  /** The reader is as far behind as the log allows. */
  behind: boolean;
  atMost: number;
}

const small = {
  length: () => 60,
  packets: 1_024_000,
  chunk: 8192,
  slots: 1024,
  behind: false,
  atMost: 2,
};
const CASES: Record<string, Case> = {
  "60 bytes, in the cache": { ...small, slots: 256, atMost: 2.5 },
  "60 bytes, kept up with": small,
  "60 bytes, behind": { ...small, behind: true },
  "46 to 145 bytes, kept up with": {
    ...small,
    length: (slot) => 46 + (Math.imul(slot, 0x9e3779b1) >>> 24) % 100,
    chunk: 4096,
    atMost: 2.5,
  },
  "1500 bytes, kept up with": {
    ...small,
    length: () => 1500,
    packets: 102_400,
    chunk: 512,
    atMost: 4,
  },
};

if (!mayBench()) skip("packet log", NOT_ALLOWED);
else {
  const yardstick = loadLog();
  for (const [name, shape] of Object.entries(CASES)) {
    const ring = filledRing(shape), last = { bytes: new Uint8Array(0) };
    compare({
      group: `packet log, ${name}`,
      unit: "packet",
      count: shape.packets,
      ways: [inC(shape, ring, yardstick, last), inTypeScript(shape, ring, last)],
    });
  }
}

/** The last chunk that C filled. */
interface Last {
  bytes: Uint8Array;
}
type YardstickLog = ReturnType<typeof loadLog>;

function loadLog() {
  return loadYardstick("packet_log", {
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
  }).yardstick_log;
}

function filledRing({ slots, length }: Case): Ring {
  const [ring] = new FakePort({ slotCount: slots, bufferBytes: BUFFER_BYTES }).rx;
  for (let i = 0; i < slots; i++) {
    const packet = new Uint8Array(length(i)).map((_, k) => i * 7 + k);
    layPacket(ring, i, packet);
  }
  return ring;
}

/** The picks of each burst, until the ring begins anew. */
function burstsOf({ slotsAt, slotCount }: Ring): Int32Array<ArrayBuffer>[] {
  const burst = (first: number) =>
    Int32Array.from({ length: BURST }, (_, i) => slotsAt + (first + i) * 4);
  return Array.from({ length: slotCount / BURST }, (_, i) => burst(i * BURST));
}

function inC(shape: Case, ring: Ring, yardstick: YardstickLog, last: Last): Way {
  const { packets, chunk, behind } = shape, bursts = burstsOf(ring), turn = bursts.length - 1;
  const memory = new Uint8Array(CHUNKS * CHUNK_BYTES), used = new Int32Array(1);
  const region = new Uint8Array(ring.words.buffer as ArrayBuffer);
  let logged = 0, first = 0;
  return {
    name: "C",
    prepare: () => void (logged = 0),
    run() {
      for (let done = 0, number = 0, at = 0; done < packets; done += BURST) {
        if (done % chunk === 0) at = first = behind ? number++ % CHUNKS * CHUNK_BYTES : 0;
        const low = LOW + done, high = low > 0xffffffff ? HIGH + 1 : HIGH;
        const picks = bursts[done / BURST & turn];
        logged +=
          // deno-fmt-ignore
          yardstick(region, picks, BURST, ring.buffersAt, BUFFER_BYTES, memory, at, first + CHUNK_BYTES, high, low >>> 0, used);
        at = used[0];
      }
    },
    verify() {
      last.bytes = memory.subarray(first, used[0]);
      check(logged === packets && isWhole(last.bytes, chunk), "C");
    },
  };
}

function inTypeScript(shape: Case, ring: Ring, last: Last): Way {
  const { packets, chunk, behind, atMost } = shape;
  const bursts = burstsOf(ring), turn = bursts.length - 1;
  const log = PacketLog.create({ chunks: CHUNKS, chunkBytes: CHUNK_BYTES });
  const reader = new PacketLogReader(log.buffer), most = behind ? CHUNKS - 4 : 0;
  let waiting = 0, logged = 0, latest: Chunk;
  const release = (until: number) => {
    while (waiting > until) {
      latest = reader.take()!;
      logged += latest.packets;
      reader.release();
      waiting--;
    }
  };
  return {
    name: "TypeScript",
    prepare: () => void (logged = 0),
    run() {
      for (let done = 0; done < packets;) {
        log.write(ring, bursts[done / BURST & turn], BURST, SECONDS, done);
        done += BURST;
        if (done % chunk === 0) {
          log.flush();
          waiting++;
          release(most);
        }
      }
    },
    verify() {
      release(0);
      const { blocks } = latest, theirs = last.bytes;
      // Nothing to compare with where C was filtered out.
      const isSame = theirs.length === 0 ||
        theirs.length === blocks.length && blocks.every((byte, i) => byte === theirs[i]);
      const isAll = log.counts().missed === 0 && logged === packets;
      check(isAll && isSame && isWhole(blocks, chunk), "TypeScript");
    },
    atMost,
  };
}

function isWhole(blocks: Uint8Array, packets: number): boolean {
  return blocksWithin(blocks, blocks.length).packets === packets;
}

function check(right: boolean, who: string): void {
  if (!right) throw new Error(`Cannot compare: ${who} logged something else: fix the log first`);
}
