/**
 * Question: what does it cost to make one packet to send, and what do the generated writer and the market
 * add to it?
 *
 * Baseline: `buildPacket`: every packet anew, byte by byte, copied into its buffer. Between it and the
 * generated writer stand the same writer by hand, its constant words copied from the template in a loop or
 * one by one. The ring is that of a port: 1024 buffers, 2112 bytes apart.
 * Work checked: after every run the ring must be, word for word, what `buildPacket` makes of the last 1024
 * ticks; those of the market come from a second one of the same seed.
 * It cannot show: what it costs to hand buffers to a port, nor the cache misses that a receiver on another
 * core causes.
 */
import { parseIPv4 } from "../ffi/ipv4_address.ts";
import { buildPacket } from "../sender/build_packet.ts";
import { parseMac } from "../sender/mac_address.ts";
import { Market } from "../sender/market.ts";
import { PacketTemplate, type WritePacket } from "../sender/packet_template.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";

const GROUP = "frame building";
const BUFFERS = 1024, STRIDE_WORDS = 2112 / 4, BURST = 256;
const PACKETS = 51_200;

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

/** Makes packets in the ring. */
type Make = () => void;

let loops = 0;
const template = new PacketTemplate(FIELDS);
const constants = new Int32Array(template.packetWords);
template.write(constants, 0, 0, 0, 0, 0);
const words = new Int32Array(new SharedArrayBuffer(BUFFERS * STRIDE_WORDS * 4));

if (!mayBench()) skip(GROUP, NOT_ALLOWED);
else {
  compare({
    group: GROUP,
    unit: "packet",
    count: PACKETS,
    ways: [
      writer("buildPacket", plainWriter(words)),
      writer("by hand, a loop", loopWriter()),
      writer("by hand, unrolled", unrolledWriter()),
      writer("PacketTemplate.write", template.write),
      writer("PacketTemplate.patch", template.patch, laidRing),
      filler(16),
      filler(65536),
      both("Market.fill and write", template.write),
      both("Market.fill and patch", template.patch, laidRing),
    ],
  });
}

/** Packets of made-up ticks. */
function writer(name: string, write: WritePacket, prepare = emptyRing): Way {
  const run = looped(write), expected = new Int32Array(words.length);
  const put = plainWriter(expected);
  for (let n = PACKETS - BUFFERS; n < PACKETS; n++) {
    put(expected, placeOf(n), n, 257, Math.imul(n, 0x9e3779b9), Math.imul(n, 12345));
  }
  return { name, prepare, run, verify: () => checkRing(name, expected) };
}

/** Ticks of a market, and no packets. */
function filler(instruments: number): Way {
  const name = `Market.fill, ${instruments} instruments`;
  const market = new Market({ seed: 1, instruments });
  const twin = new Market({ seed: 1, instruments });
  const fill = () => {
    for (let n = 0; n < PACKETS; n += BURST) market.fill(BURST);
  };
  return {
    name,
    run: fill,
    verify() {
      for (let n = 0; n < PACKETS; n += BURST) twin.fill(BURST);
      const isSame = market.ticks.every((word, i) => word === twin.ticks[i]);
      // Every tick that was made has a price and a quantity above zero.
      const isMade = twin.ticks.subarray(0, BURST * 4).every((bits, i) =>
        (i & 2) === 0 || bits > 0
      );
      if (!isSame || !isMade) throw unlike(name);
    },
  };
}

/** Packets of a market's ticks. */
function both(name: string, write: WritePacket, prepare = emptyRing): Way {
  const market = new Market({ seed: 1 }), twin = new Market({ seed: 1 });
  const expected = new Int32Array(words.length), put = plainWriter(expected);
  return {
    name,
    prepare,
    run: fed(write, market),
    verify() {
      for (let n = 0; n < PACKETS; n += BURST) {
        twin.fill(BURST);
        for (let i = 0; i < BURST && n >= PACKETS - BUFFERS; i++) {
          const [instrument, typeAndSide, price, quantity] = twin.ticks.subarray(i * 4, i * 4 + 4);
          put(expected, placeOf(n + i), instrument, typeAndSide, price, quantity);
        }
      }
      checkRing(name, expected);
    },
  };
}

function placeOf(packet: number): number {
  return packet % BUFFERS * STRIDE_WORDS;
}

function emptyRing(): void {
  words.fill(0);
}

/** Packets with a tick of zeros: a patch needs some to change. */
function laidRing(): void {
  for (let n = 0; n < BUFFERS; n++) words.set(constants, placeOf(n));
}

function checkRing(name: string, expected: Int32Array): void {
  for (let i = 0; i < expected.length; i++) if (words[i] !== expected[i]) throw unlike(name);
}

function unlike(name: string): Error {
  return new Error(`Cannot compare: "${name}" made other packets: fix it first`);
}

/**
 * Each writer's loop has a source of its own, if only by a number: V8 shares the type feedback of equal
 * sources, and then inlines none of the writers.
 */
function looped(write: WritePacket): Make {
  const make = new Function(
    "words",
    "write",
    `/* ${loops++} */
    for (let n = 0; n < ${PACKETS}; n++) {
      const at = (n & ${BUFFERS - 1}) * ${STRIDE_WORDS};
      write(words, at, n, 257, Math.imul(n, 0x9e3779b9), Math.imul(n, 12345));
    }`,
  );
  return () => make(words, write);
}

/** The same with ticks of a market. */
function fed(write: WritePacket, market: Market): Make {
  const make = new Function(
    "words",
    "write",
    "market",
    `/* ${loops++} */
    const ticks = market.ticks;
    for (let n = 0; n < ${PACKETS}; n += ${BURST}) {
      market.fill(${BURST});
      for (let tick = 0; tick < ${BURST}; tick++) {
        const at = ((n + tick) & ${BUFFERS - 1}) * ${STRIDE_WORDS};
        const i = tick * 4;
        write(words, at, ticks[i], ticks[i + 1], ticks[i + 2], ticks[i + 3]);
      }
    }`,
  );
  return () => make(words, write, market);
}

function plainWriter(ring: Int32Array): WritePacket {
  const payload = new DataView(new ArrayBuffer(14));
  const body = new Uint8Array(payload.buffer);
  const bytes = new Uint8Array(ring.buffer);
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
