/**
 * Question: how many packets a second come out of a capture file, through the whole pipeline up to the
 * consumed tick, and does memory stay constant?
 *
 * Set-up: a million packets of 60 bytes (76 MB) in a temporary directory, in the page cache; a
 * PacketCapture over a PcapPort, the ring's consumer only advances it. One thread. Opening the file and
 * compiling and warming the loops is not timed.
 * Baseline: the same in C (bench/yardstick/pcap.c: read, walk, test, store). Target: 15 M packets a second.
 * Work checked: every packet became a tick that was consumed; in a first pass, which is not timed, and in C
 * always, the sum of their instruments is what was written; resident memory has grown by 64 MB at most
 * since the second run.
 * It cannot show: a disk, which is slower than the page cache; the engine.
 */
import { PacketCapture } from "../capture/packet_capture.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { openPort } from "../ffi/open_port.ts";
import { type Port, RX } from "../ffi/port.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { PacketTemplate } from "../sender/packet_template.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { placeFor, TemporaryFile } from "./harness/temporary_file.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const GROUP = "pcap file, 60 bytes a packet";
const PACKETS = 1_000_000, LEAST_HZ = 15e6, GROWTH_LIMIT_BYTES = 64e6;
const CAPACITY = 16384, PORT = 5001;
const CHUNK_BYTES = 256 * 1024; // as the port's
const PACKET_BYTES = 60, RECORD_WORDS = (16 + PACKET_BYTES) / 4, WRITE_PACKETS = 10_000;
const FILE_BYTES = 24 + PACKETS * RECORD_WORDS * 4;
const INSTRUMENTS = 4099;

const place = mayBench() ? placeFor(FILE_BYTES) : undefined;
if (!mayBench()) skip(GROUP, NOT_ALLOWED);
else if (place === undefined) skip(GROUP, "there is no room in /dev/shm or /tmp for the file");
else declare(place);

function declare(place: string): void {
  let sum = 0;
  const file = new TemporaryFile(place, (path) => void (sum = write(path)));
  compare({
    group: GROUP,
    unit: "packet",
    count: PACKETS,
    ways: [inC(file, () => sum), inTypeScript(file, () => sum)],
    dispose: () => file.remove(),
  });
}

/** `sum`: of the instruments in the file. */
function inC(file: TemporaryFile, sum: () => number): Way {
  const { yardstick_pcap: inC } = loadYardstick("pcap", {
    yardstick_pcap: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  });
  const found = new Uint32Array(1);
  let name = new Uint8Array(0), consumed = 0;
  return {
    name: "C",
    prepare: () => void (name = new TextEncoder().encode(`${file.path}\0`)),
    run: () => void (consumed = inC(name, CHUNK_BYTES, found)),
    verify: () => check(consumed === PACKETS && found[0] === sum(), "C"),
  };
}

function inTypeScript(file: TemporaryFile, sum: () => number): Way {
  let port: Port, ticks: TickRing, capture: PacketCapture, consumed = 0;
  let runs = 0, residentBytes = 0;
  const open = () => {
    port = openPort(`pcap:${file.path}`, RX);
    ticks = TickRing.create(CAPACITY);
    const filter = new PacketFilter({ destinationPort: PORT });
    capture = new PacketCapture({ port, filter, ticks, burst: 256 });
    capture.warmUp();
  };
  return {
    name: "TypeScript",
    prepare() {
      open();
      if (runs++ > 0) return;
      const found = sumOfTicks(port, capture, ticks);
      port.close();
      check(found === sum(), "TypeScript");
      open();
    },
    run: () => void (consumed = consume(port, capture, ticks)),
    verify() {
      port.close();
      check(consumed === PACKETS, "TypeScript");
      const { rss } = Deno.memoryUsage();
      if (runs === 2) residentBytes = rss;
      if (runs > 2 && rss - residentBytes > GROWTH_LIMIT_BYTES) {
        const grown = ((rss - residentBytes) / 1e6).toFixed(0);
        throw new Error(`Cannot go on: resident memory grew by ${grown} MB: find what keeps it`);
      }
    },
    atLeastHz: LEAST_HZ,
  };
}

/** Reads to the end; returns the ticks consumed. */
function consume(port: Port, capture: PacketCapture, ticks: TickRing): number {
  let consumed = 0;
  while (!port.ended) {
    capture.pump();
    const waiting = ticks.take(CAPACITY);
    ticks.release(waiting);
    consumed += waiting;
  }
  return consumed;
}

/** Reads to the end; returns the sum of the instruments. */
function sumOfTicks(port: Port, capture: PacketCapture, ticks: TickRing): number {
  let sum = 0;
  while (!port.ended) {
    capture.pump();
    const waiting = ticks.take(CAPACITY);
    for (let i = 0; i < waiting; i++) {
      sum = sum + ticks.words[RECORDS_WORD + ((ticks.head + i & ticks.mask) << 2)] >>> 0;
    }
    ticks.release(waiting);
  }
  return sum;
}

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
  for (let first = 0; first < PACKETS; first += WRITE_PACKETS) {
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

function check(right: boolean, who: string): void {
  if (!right) throw new Error(`Cannot compare: ${who} found other ticks: fix it first`);
}
