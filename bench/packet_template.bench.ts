/**
 * What does it cost to make one packet to send, and what do the generated
 * writer and the market add to it?
 *
 * The baseline is `buildPacket`: every packet anew, byte by byte, copied into its
 * buffer. Between it and the generated writer stand the same writer by hand, its
 * constant words copied from the template in a loop or one by one. The ring is
 * that of a port: 1024 buffers, 2112 bytes apart. The rows take turns, so that a
 * noisy neighbour meets each of them; only ratios compare between machines. In
 * the end each writer fills the whole ring once more, and the rings are compared.
 *
 * It cannot show what it costs to hand buffers to a port, nor the cache misses
 * that a receiver on another core causes.
 *
 * Run: `deno run bench/packet_template.bench.ts [rounds]`
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { buildPacket } from "../sender/build_packet.ts";
import { parseIPv4 } from "../ffi/ipv4_address.ts";
import { parseMac } from "../sender/mac_address.ts";
import { Market } from "../sender/market.ts";
import { PacketTemplate, type WritePacket } from "../sender/packet_template.ts";

const BUFFERS = 1024;
const STRIDE_WORDS = 2112 / 4;
const BURST = 256;
const ROUNDS = Number(Deno.args[0] ?? 15);

const FIELDS = {
  sourceMac: parseMac("02:00:00:00:00:01"),
  destinationMac: parseMac("02:00:00:00:00:02"),
  sourceAddress: parseIPv4("10.0.0.1"),
  destinationAddress: parseIPv4("10.0.0.2"),
  sourcePort: 40000,
  destinationPort: 5001,
  ttl: 64,
  payloadBytes: 14,
};

interface Row {
  name: string;
  packets: number;
  make: (packets: number) => void;
}

let loops = 0;
const template = new PacketTemplate(FIELDS);
const constants = new Int32Array(template.packetWords);
template.write(constants, 0, 0, 0, 0, 0);
const words = new Int32Array(new SharedArrayBuffer(BUFFERS * STRIDE_WORDS * 4));

const writers: Row[] = [
  { name: "buildPacket (baseline)", packets: 1e5, make: looped(plainWriter()) },
  { name: "by hand, a loop", packets: 4e6, make: looped(loopWriter()) },
  { name: "by hand, unrolled", packets: 4e6, make: looped(unrolledWriter()) },
  { name: "PacketTemplate.write", packets: 4e6, make: looped(template.write) },
  { name: "PacketTemplate.patch", packets: 4e6, make: looped(template.patch) },
];
const markets: Row[] = [
  { name: "Market.fill, 16", packets: 4e6, make: fill(16) },
  { name: "Market.fill, 65536", packets: 4e6, make: fill(65536) },
  { name: "Market.fill and write", packets: 4e6, make: both(template.write) },
  { name: "Market.fill and patch", packets: 4e6, make: both(template.patch) },
];
report([...writers, ...markets]);
writers.forEach(checkRing);
markets.forEach(reportHeap);

function report(rows: Row[]): void {
  const times: number[][] = rows.map(() => []);
  rows.forEach(timeOf);
  for (let round = 0; round < ROUNDS; round++) {
    rows.forEach((row, at) => times[at].push(timeOf(row)));
  }
  console.log("ns per packet              median     best   of baseline");
  rows.forEach(({ name }, at) => {
    const cells = [
      median(times[at]).toFixed(1).padStart(7),
      Math.min(...times[at]).toFixed(1).padStart(9),
      (median(times[at]) / median(times[0])).toFixed(4).padStart(14),
    ];
    console.log(name.padEnd(26) + cells.join(""));
  });
}

function timeOf({ packets, make }: Row): number {
  const start = performance.now();
  make(packets);
  return (performance.now() - start) * 1e6 / packets;
}

function median(times: number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}

function reportHeap({ name, packets, make }: Row): void {
  const before = Deno.memoryUsage().heapUsed;
  make(packets);
  const grown = (Deno.memoryUsage().heapUsed - before) / packets;
  console.log(`${name}: ${grown.toFixed(3)} bytes of heap a packet`);
}

/** A patch needs a ring of packets, here those of other ticks. */
function checkRing(row: Row): void {
  writers[0].make(BUFFERS);
  const expected = words.slice();
  words.fill(0);
  if (row.name.endsWith("patch")) writers[0].make(2 * BUFFERS);
  row.make(BUFFERS);
  assertEquals(words, expected, row.name);
}

/**
 * Each writer's loop has a source of its own, if only by a number: V8 shares the
 * type feedback of equal sources, and then inlines none of the writers.
 */
function looped(write: WritePacket): Row["make"] {
  const make = new Function(
    "words",
    "write",
    "packets",
    `/* ${loops++} */
    for (let n = 0; n < packets; n++) {
      const at = (n & ${BUFFERS - 1}) * ${STRIDE_WORDS};
      write(words, at, n, 257, Math.imul(n, 0x9e3779b9), Math.imul(n, 12345));
    }`,
  );
  return (packets) => make(words, write, packets);
}

function plainWriter(): WritePacket {
  const payload = new DataView(new ArrayBuffer(14));
  const body = new Uint8Array(payload.buffer);
  const bytes = new Uint8Array(words.buffer);
  return (_, at, instrument, typeAndSide, priceBits, quantityBits) => {
    payload.setUint32(0, instrument, true);
    payload.setUint16(4, typeAndSide, true);
    payload.setInt32(6, priceBits, true);
    payload.setInt32(10, quantityBits, true);
    bytes.set(buildPacket(FIELDS, body), at * 4);
  };
}

function loopWriter(): WritePacket {
  return (words, at, instrument, typeAndSide, priceBits, quantityBits) => {
    const sum = checksum(instrument, typeAndSide, priceBits, quantityBits);
    for (let word = 0; word < 10; word++) words[at + word] = constants[word];
    words[at + 10] = sum | (instrument << 16);
    words[at + 11] = (instrument >>> 16) | (typeAndSide << 16);
    words[at + 12] = priceBits;
    words[at + 13] = quantityBits;
  };
}

function unrolledWriter(): WritePacket {
  return (words, at, instrument, typeAndSide, priceBits, quantityBits) => {
    const sum = checksum(instrument, typeAndSide, priceBits, quantityBits);
    words[at] = constants[0];
    words[at + 1] = constants[1];
    words[at + 2] = constants[2];
    words[at + 3] = constants[3];
    words[at + 4] = constants[4];
    words[at + 5] = constants[5];
    words[at + 6] = constants[6];
    words[at + 7] = constants[7];
    words[at + 8] = constants[8];
    words[at + 9] = constants[9];
    words[at + 10] = sum | (instrument << 16);
    words[at + 11] = (instrument >>> 16) | (typeAndSide << 16);
    words[at + 12] = priceBits;
    words[at + 13] = quantityBits;
  };
}

/** Starts from the sum of a tick of zeros: the complement of its checksum. */
function checksum(a: number, b: number, c: number, d: number): number {
  let sum = (~constants[10] & 0xffff) + (a & 0xffff) + (a >>> 16) + b +
    (c & 0xffff) + (c >>> 16) + (d & 0xffff) + (d >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return (~(sum + (sum >>> 16)) & 0xffff) || 0xffff;
}

function fill(instruments: number): Row["make"] {
  const market = new Market({ seed: 1, instruments });
  return (packets) => {
    for (let n = 0; n < packets; n += BURST) market.fill(BURST);
  };
}

function both(write: WritePacket): Row["make"] {
  const market = new Market({ seed: 1 });
  const make = new Function(
    "words",
    "write",
    "market",
    "packets",
    `/* ${loops++} */
    const ticks = market.ticks;
    for (let n = 0; n < packets; n += ${BURST}) {
      market.fill(${BURST});
      for (let tick = 0; tick < ${BURST}; tick++) {
        const at = ((n + tick) & ${BUFFERS - 1}) * ${STRIDE_WORDS};
        const i = tick * 4;
        write(words, at, ticks[i], ticks[i + 1], ticks[i + 2], ticks[i + 3]);
      }
    }`,
  );
  return (packets) => make(words, write, market, packets);
}
