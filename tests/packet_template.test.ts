import { assert, assertEquals, assertThrows } from "@std/assert";
import { buildPacket, type PacketFields } from "../sender/build_packet.ts";
import { formatIPv4, parseIPv4 } from "../ffi/ipv4_address.ts";
import { formatMac, parseMac } from "../sender/mac_address.ts";
import { PacketTemplate } from "../sender/packet_template.ts";
import { Random } from "../sender/random.ts";

const SEED = 20240229;
const RERUN = `seed ${SEED}: rerun with "deno test -A tests/packet_template.test.ts"`;
const CASES = 5_000;

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

type Tick = [number, number, number, number];

Deno.test("PacketTemplate packet of a tick is 56 bytes in 14 words", () => {
  const template = new PacketTemplate(FIELDS);
  assertEquals(template.packetBytes, 56);
  assertEquals(template.packetWords, 14);
});

Deno.test("PacketTemplate.write lays the payload's fields little-endian", () => {
  const packet = written(new PacketTemplate(FIELDS), [
    0x04030201,
    1 | (1 << 8),
    bitsOf(101.25),
    bitsOf(-3),
  ]);
  const view = new DataView(packet.buffer, 42);
  assertEquals(view.getUint32(0, true), 0x04030201);
  assertEquals(view.getUint8(4), 1);
  assertEquals(view.getUint8(5), 1);
  assertEquals(view.getFloat32(6, true), 101.25);
  assertEquals(view.getFloat32(10, true), -3);
});

Deno.test("PacketTemplate.write writes what buildPacket builds, over random packets", () => {
  const random = Random.fromSeed(SEED);
  for (let at = 0; at < CASES; at++) {
    const fields = { ...randomFields(random), payloadBytes: 14 };
    const tick = randomTick(random);
    const packet = written(new PacketTemplate(fields), tick);
    assertEquals(packet, buildPacket(fields, payloadOf(tick)), RERUN);
    assertGoodSums(packet);
  }
});

Deno.test("PacketTemplate.write adds every carry back, even a carry's carry", () => {
  const template = new PacketTemplate(FIELDS);
  for (let instrument = 0; instrument <= 0xffff; instrument++) {
    const tick: Tick = [instrument, 0xffff, -1, -1];
    const packet = written(template, tick);
    const expected = buildPacket(FIELDS, payloadOf(tick));
    assertEquals(packet[40], expected[40], `instrument ${instrument}`);
    assertEquals(packet[41], expected[41], `instrument ${instrument}`);
  }
});

Deno.test("PacketTemplate.write never sends UDP checksum 0", () => {
  const random = Random.fromSeed(SEED);
  for (let at = 0; at < CASES; at++) {
    const template = new PacketTemplate(
      { ...randomFields(random), payloadBytes: 14 },
    );
    const [instrument, ...rest] = randomTick(random);
    const packet = written(
      template,
      sumToZero(template, [instrument, ...rest]),
    );
    assertEquals([packet[40], packet[41]], [0xff, 0xff], RERUN);
    assertGoodSums(packet);
  }
});

Deno.test("PacketTemplate.write pads longer payloads with zeros, to whole words", () => {
  const random = Random.fromSeed(SEED);
  for (let payloadBytes = 14; payloadBytes <= 1472; payloadBytes++) {
    const template = new PacketTemplate({ ...FIELDS, payloadBytes });
    const tick = randomTick(random);
    const payload = new Uint8Array(payloadBytes);
    payload.set(payloadOf(tick));
    const packet = written(template, tick);
    assertEquals(packet.length, 42 + payloadBytes);
    assertEquals(packet, buildPacket(FIELDS, payload), RERUN);
    assertGoodSums(packet);
  }
});

Deno.test("PacketTemplate.patch turns one written packet into another", () => {
  const random = Random.fromSeed(SEED);
  for (const payloadBytes of [14, 15, 17, 64]) {
    const template = new PacketTemplate({ ...FIELDS, payloadBytes });
    const words = new Int32Array(64);
    template.write(words, 3, ...randomTick(random));
    for (let at = 0; at < CASES; at++) {
      const tick = randomTick(random);
      template.patch(words, 3, ...tick);
      const expected = new Int32Array(64);
      template.write(expected, 3, ...tick);
      assertEquals(words, expected, RERUN);
    }
  }
});

Deno.test("PacketTemplate.write touches the packet's words and no others", () => {
  for (const payloadBytes of [14, 15, 17, 64]) {
    const template = new PacketTemplate({ ...FIELDS, payloadBytes });
    const words = new Int32Array(64).fill(-1);
    template.write(words, 5, 0, 0, 0, 0);
    const end = 5 + template.packetWords;
    assert(words.subarray(0, 5).every((word) => word === -1));
    assert(words.subarray(end).every((word) => word === -1));
    assert(words.subarray(5, end).at(-1) !== -1);
  }
});

Deno.test("PacketTemplate.write keeps stray bits of typeAndSide out of the sum", () => {
  const template = new PacketTemplate(FIELDS);
  assertGoodSums(written(template, [7, 0x7fff0102, 1, 2]));
});

Deno.test("PacketTemplate refuses a payload too short for a tick, or too long", () => {
  for (const payloadBytes of [0, 13, NaN, 14.5, 1473, Infinity]) {
    assertThrows(
      () => new PacketTemplate({ ...FIELDS, payloadBytes }),
      RangeError,
      "Cannot build a packet: payload length is ",
    );
  }
});

Deno.test("buildPacket refuses fields out of range", () => {
  const wrong: Partial<PacketFields>[] = [
    { sourcePort: -1 },
    { destinationPort: 65536 },
    { ttl: 0 },
    { ttl: 256 },
    { sourceAddress: -1 },
    { destinationAddress: 2 ** 32 },
    { sourceMac: new Uint8Array(5) },
    { destinationMac: new Uint8Array(7) },
  ];
  for (const fields of wrong) {
    assertThrows(
      () => buildPacket({ ...FIELDS, ...fields }, new Uint8Array(14)),
      RangeError,
      "Cannot build a packet: ",
    );
  }
});

Deno.test("buildPacket sums an empty and an odd payload", () => {
  assertGoodSums(buildPacket(FIELDS, new Uint8Array(0)));
  assertGoodSums(buildPacket(FIELDS, Uint8Array.of(1)));
  assertGoodSums(buildPacket(FIELDS, Uint8Array.of(0xff, 0xff, 0xff)));
});

const noTcpdump = reasonWithout("tcpdump");
Deno.test({
  name: named("PacketTemplate packets have good sums to tcpdump", noTcpdump),
  ignore: noTcpdump !== null,
  fn() {
    const packets = packetsToShow();
    const good = tcpdump(packets);
    assertEquals(count(good, "[udp sum ok] UDP, length 14"), packets.length);
    assert(!good.includes("bad"), good);
    const bad = tcpdump(packets.map(broken));
    assertEquals(count(bad, "bad cksum"), packets.length);
    assertEquals(count(bad, "[bad udp cksum"), packets.length);
  },
});

const noTshark = reasonWithout("tshark");
Deno.test({
  name: named("PacketTemplate packets read the same in tshark", noTshark),
  ignore: noTshark !== null,
  fn() {
    const packets = packetsToShow();
    assertEquals(tshark(packets), packets.map((packet) => asTshark(packet, 1)));
    const bad = packets.map(broken);
    assertEquals(tshark(bad), bad.map((packet) => asTshark(packet, 0)));
  },
});

/** The packet as bytes, as it lies on the wire. */
function written(template: PacketTemplate, tick: Tick): Uint8Array {
  const words = new Int32Array(template.packetWords);
  template.write(words, 0, ...tick);
  return new Uint8Array(words.buffer).slice(0, template.packetBytes);
}

function payloadOf(tick: Tick): Uint8Array {
  const view = new DataView(new ArrayBuffer(14));
  view.setUint32(0, tick[0], true);
  view.setUint16(4, tick[1], true);
  view.setInt32(6, tick[2], true);
  view.setInt32(10, tick[3], true);
  return new Uint8Array(view.buffer);
}

/** The tick, changed in 16 bits so that all that is summed comes to 0xffff. */
function sumToZero(template: PacketTemplate, tick: Tick): Tick {
  const [instrument, ...rest] = tick;
  const cleared = instrument & 0xffff0000;
  const packet = written(template, [cleared, ...rest]);
  return [cleared | packet[40] | (packet[41] << 8), ...rest];
}

/** RFC 1071, section 4.1, byte by byte: good data sums to 0xffff. */
function assertGoodSums(packet: Uint8Array): void {
  const header = packet.subarray(14, 34);
  const udp = packet.subarray(34);
  const pseudoHeader = [
    ...packet.subarray(26, 34),
    0,
    17,
    udp.length >> 8,
    udp.length & 0xff,
  ];
  assertEquals(naiveSum([...header]), 0xffff, RERUN);
  assertEquals(naiveSum([...pseudoHeader, ...udp]), 0xffff, RERUN);
  assert(udp[6] !== 0 || udp[7] !== 0, RERUN);
}

function naiveSum(bytes: number[]): number {
  let sum = 0;
  bytes.forEach((byte, at) => {
    sum += at % 2 === 0 ? byte * 256 : byte;
    if (sum > 0xffff) sum -= 0xffff;
  });
  return sum;
}

function randomFields(random: Random): PacketFields {
  return {
    sourceMac: randomBytes(random, 6),
    destinationMac: randomBytes(random, 6),
    sourceAddress: random.next() >>> 0,
    destinationAddress: random.next() >>> 0,
    sourcePort: random.next() >>> 16,
    destinationPort: random.next() >>> 16,
    ttl: 1 + (random.next() >>> 8) % 255,
  };
}

function randomTick(random: Random): Tick {
  return [random.next(), random.next() >>> 16, random.next(), random.next()];
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.next() >>> 24);
}

function bitsOf(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0];
}

/** Packets of three templates, one in ten with the sum that folds to 0. */
function packetsToShow(): Uint8Array[] {
  const random = Random.fromSeed(SEED);
  return [0, 1, 2].flatMap(() => {
    const template = new PacketTemplate({
      ...randomFields(random),
      // Ports that neither program has a decoder of its own for.
      sourcePort: FIELDS.sourcePort,
      destinationPort: FIELDS.destinationPort,
      payloadBytes: 14,
    });
    return Array.from({ length: 50 }, (_, at) => {
      const tick = randomTick(random);
      return written(template, at % 10 ? tick : sumToZero(template, tick));
    });
  });
}

/** The packet with one bit wrong in each checksum: shows that readers look. */
function broken(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  copy[25] ^= 1;
  copy[41] ^= 1;
  return copy;
}

function tcpdump(packets: Uint8Array[]): string {
  return withPcap(
    packets,
    (path) => run("tcpdump", ["-nn", "-vv", "-t", "-r", path]),
  );
}

const TSHARK_FIELDS = [
  "ip.checksum.status",
  "udp.checksum.status",
  "ip.src",
  "ip.dst",
  "udp.dstport",
  "eth.src",
  "udp.payload",
];

function tshark(packets: Uint8Array[]): string[] {
  const checks = [
    ["-o", "ip.check_checksum:TRUE"],
    ["-o", "udp.check_checksum:TRUE"],
    ["-T", "fields"],
    ...TSHARK_FIELDS.map((field) => ["-e", field]),
  ];
  const text = withPcap(
    packets,
    (path) => run("tshark", ["-n", "-r", path, ...checks.flat()]),
  );
  return text.trimEnd().split("\n");
}

/** The line that tshark should print; status 1 is good, 0 is bad. */
function asTshark(packet: Uint8Array, status: number): string {
  const view = new DataView(packet.buffer);
  return [
    status,
    status,
    formatIPv4(view.getUint32(26)),
    formatIPv4(view.getUint32(30)),
    view.getUint16(36),
    formatMac(packet.subarray(6, 12)),
    formatMac(packet.subarray(42)).replaceAll(":", ""),
  ].join("\t");
}

function withPcap(
  packets: Uint8Array[],
  read: (path: string) => string,
): string {
  const path = Deno.makeTempFileSync({ suffix: ".pcap" });
  try {
    Deno.writeFileSync(path, pcapOf(packets));
    // tcpdump reads with the rights of a user of its own.
    Deno.chmodSync(path, 0o644);
    return read(path);
  } finally {
    Deno.removeSync(path);
  }
}

/** pcap-savefile(5), version 2.4, link type 1 (Ethernet). */
function pcapOf(packets: Uint8Array[]): Uint8Array {
  const header = Uint32Array.of(0xa1b2c3d4, 2 | (4 << 16), 0, 0, 65535, 1);
  const records = packets.flatMap((packet, second) => [
    ...new Uint8Array(
      Uint32Array.of(second, 0, packet.length, packet.length).buffer,
    ),
    ...packet,
  ]);
  return Uint8Array.from([...new Uint8Array(header.buffer), ...records]);
}

function run(program: string, args: string[]): string {
  const output = new Deno.Command(program, { args }).outputSync();
  const text = new TextDecoder();
  assert(output.success, text.decode(output.stderr));
  return text.decode(output.stdout);
}

/** Why the program cannot be run here, or null if it can. */
function reasonWithout(program: string): string | null {
  try {
    run(program, ["--version"]);
    return null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `no ${program}`;
    if (error instanceof Deno.errors.NotCapable) {
      return `no permission to run ${program}`;
    }
    throw error;
  }
}

function named(name: string, reason: string | null): string {
  return reason === null ? name : `${name} (ignored: ${reason})`;
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
