/**
 * Question: how many packets a second come out of a capture file, through the whole pipeline up to the
 * consumed tick, and does memory stay constant?
 *
 * Set-up: 10 million packets of 60 bytes (760 MB) in a temporary directory, in the page cache; a
 * PacketCapture over a PcapPort, the ring's consumer only advances it. One thread.
 * Baseline: the target, 15 Mpps, and the same in C (bench/yardstick/pcap.c: read, walk, test, store), in
 * turn.
 * Work checked: every packet became a tick that was consumed, and in the first round, which is not timed,
 * the sum of their instruments is what was written; the same for C.
 * It cannot show: a disk, which is slower than the page cache; the engine.
 *
 * Run: deno task bench pcap [packets]
 */
import { PacketCapture } from "../capture/packet_capture.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { openPort } from "../ffi/open_port.ts";
import { RX } from "../ffi/port.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { PacketTemplate } from "../sender/packet_template.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const ROUNDS = 7, TARGET_MPPS = 15, CAPACITY = 16384, RSS_LIMIT_MB = 16, PORT = 5001;
const CHUNK_BYTES = 256 * 1024; // as the port's
const PACKET_BYTES = 60, RECORD_WORDS = (16 + PACKET_BYTES) / 4, WRITE_PACKETS = 10_000;
const INSTRUMENTS = 4099;
const packets = Math.ceil(Number(Deno.args[0] ?? 10_000_000) / WRITE_PACKETS) * WRITE_PACKETS;

const { yardstick_pcap: inC } = loadYardstick("pcap", {
  yardstick_pcap: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
});

/** Writes the file; returns the sum of the instruments. */
function write(path: string): number {
  const template = new PacketTemplate({
    sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 2),
    sourceAddress: 0x0a000001,
    destinationAddress: 0x0a000002,
    sourcePort: 4001,
    destinationPort: PORT,
    ttl: 64,
    payloadBytes: 14,
  });
  const bits = new Int32Array(new Float32Array([100.25, 10]).buffer);
  const words = new Int32Array(RECORD_WORDS * WRITE_PACKETS);
  using file = Deno.openSync(path, { write: true, createNew: true });
  const put = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  };
  put(new Uint8Array(Int32Array.of(0xa1b23c4d, 2 | 4 << 16, 0, 0, 262144, 1).buffer));
  let sum = 0;
  for (let first = 0; first < packets; first += WRITE_PACKETS) {
    for (let i = 0; i < WRITE_PACKETS; i++) {
      const number = first + i, at = i * RECORD_WORDS, instrument = number % INSTRUMENTS;
      words[at] = 1_700_000_000 + Math.floor(number / 10_000_000);
      words[at + 1] = number % 10_000_000 * 100;
      words[at + 2] = words[at + 3] = PACKET_BYTES;
      template.write(words, at + 4, instrument, number % 3 | number % 2 << 8, bits[0], bits[1]);
      sum = sum + instrument >>> 0;
    }
    put(new Uint8Array(words.buffer));
  }
  return sum;
}

/** One pass over the file; `summed` also adds up the instruments. */
function capture(path: string, summed: boolean) {
  const port = openPort(`pcap:${path}`, RX), ticks = TickRing.create(CAPACITY);
  const filter = new PacketFilter({ destinationPort: PORT });
  const pump = new PacketCapture({ port, filter, ticks, burst: 256 });
  pump.warmUp();
  let consumed = 0, sum = 0;
  const start = performance.now();
  while (!port.ended) {
    pump.pump();
    const waiting = ticks.take(CAPACITY);
    if (summed) {
      for (let i = 0; i < waiting; i++) {
        const word = RECORDS_WORD + (((ticks.head + i) & ticks.mask) << 2);
        sum = sum + ticks.words[word] >>> 0;
      }
    }
    ticks.release(waiting);
    consumed += waiting;
  }
  const mpps = packets / (performance.now() - start) / 1000;
  port.close();
  return { consumed, sum, mpps };
}

function captureInC(path: string) {
  const sum = new Uint32Array(1), start = performance.now();
  const name = new TextEncoder().encode(`${path}\0`);
  const consumed = inC(name, CHUNK_BYTES, new Uint8Array(sum.buffer));
  return { consumed, sum: sum[0], mpps: packets / (performance.now() - start) / 1000 };
}

function check(who: string, consumed: number, sum: number, wanted: number): void {
  if (consumed === packets && sum === wanted) return;
  throw new Error(
    `Cannot trust ${who}: ${consumed} ticks of ${packets}, sum ${sum}, not ${wanted}: fix it first`,
  );
}

function hasRoom(directory: string): boolean {
  const { success, stdout } = new Deno.Command("df", { args: ["--output=avail", "-B1", directory] })
    .outputSync();
  const free = Number(new TextDecoder().decode(stdout).split("\n")[1]);
  return success && free > 2 * packets * RECORD_WORDS * 4;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function main(): number {
  const place = ["/dev/shm", "/tmp"].find(hasRoom);
  if (place === undefined) {
    console.error(
      "Cannot write the file: no room in /dev/shm or /tmp: give a smaller number of packets",
    );
    return 2;
  }
  const directory = Deno.makeTempDirSync({ dir: place, prefix: "uspf-bench-" });
  try {
    const path = `${directory}/ticks.pcap`, sum = write(path);
    const ours = capture(path, true), c = captureInC(path);
    check("the capture", ours.consumed, ours.sum, sum);
    check("C", c.consumed, c.sum, sum);
    return judge(path, sum);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function judge(path: string, sum: number): number {
  const rates: number[] = [], ratios: number[] = [], inCRates: number[] = [];
  const before = Deno.memoryUsage().rss;
  for (let round = 0; round < ROUNDS; round++) {
    const ours = capture(path, false), c = captureInC(path);
    check("the capture", ours.consumed, sum, sum);
    check("C", c.consumed, c.sum, sum);
    rates.push(ours.mpps);
    inCRates.push(c.mpps);
    ratios.push(c.mpps / ours.mpps);
  }
  const grownMb = (Deno.memoryUsage().rss - before) / 1e6;
  const isFast = median(rates) >= TARGET_MPPS, isConstant = grownMb <= RSS_LIMIT_MB;
  console.log(
    `${packets} packets of ${PACKET_BYTES} bytes, all consumed as ticks, ${ROUNDS} times: ` +
      `median ${median(rates).toFixed(1)} Mpps (${Math.min(...rates).toFixed(1)} to ${
        Math.max(...rates).toFixed(1)
      }), C ${median(inCRates).toFixed(1)}; ${median(ratios).toFixed(2)} times C's time`,
  );
  console.log(`  at least ${TARGET_MPPS} Mpps wanted: ${isFast ? "met" : "MISSED"}`);
  console.log(
    `resident memory ${
      grownMb.toFixed(1)
    } MB more after the rounds, at most ${RSS_LIMIT_MB} wanted: ` +
      `${isConstant ? "met" : "MISSED"}`,
  );
  return isFast && isConstant ? 0 : 1;
}

Deno.exit(main());
