import { assert, assertEquals, assertThrows } from "@std/assert";
import { PacketLog } from "../capture/packet_log.ts";
import { PacketLogReader } from "../capture/packet_log_reader.ts";
import { warmUpLog } from "../capture/warm_up_log.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { MORE_FRAGMENTS } from "../ffi/layout.ts";
import { seededRandom } from "./engine_seed.ts";
import { type LaidPacket, laidPacket, LogRing, type RingShapeChoice } from "./log_ring.ts";
import { type ParsedPacket, parsePackets } from "./pcapng_parser.ts";

const SHAPES: Record<string, RingShapeChoice> = {
  "buffers on 8 bytes": {},
  "buffers on 4 bytes": { odd: true },
  "buffers 2052 apart": { strideBytes: 2052 },
  "buffers on any byte": { strideBytes: 2049 },
  "buffer indices by 16 bytes": { strideBytes: 16, odd: true },
  "buffers of 40 bytes": { bufferBytes: 40, strideBytes: 40, slotCount: 512 },
  "buffers of 66000 bytes": { bufferBytes: 66000, strideBytes: 66000 },
  "packets inside their buffers": { hasOffsets: true },
  "times in slots": { hasTimes: true },
  "times in slots, buffers on 2 bytes": { hasTimes: true, strideBytes: 2050 },
  "packets that were cut": { hasTimes: true, hasOriginals: true },
};

/** Reads all that waits. */
function drain(reader: PacketLogReader, into: ParsedPacket[]): void {
  for (let chunk = reader.take(); chunk !== undefined; chunk = reader.take()) {
    const packets = parsePackets(chunk.blocks.slice());
    const bytes = packets.reduce((sum, { bytes }) => sum + bytes.length, 0);
    assertEquals([chunk.packets, chunk.packetBytes], [packets.length, bytes]);
    reader.countWritten(chunk.packets, chunk.packetBytes);
    into.push(...packets);
    reader.release();
  }
}

function nsOf({ seconds, nanoseconds }: LaidPacket): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

function assertSame(got: ParsedPacket[], expected: LaidPacket[], interfaceId: number): void {
  assertEquals(got.length, expected.length);
  got.forEach((packet, i) => {
    const name = `packet ${i} of ${expected[i].bytes.length} bytes`;
    assertEquals([packet.interfaceId, packet.ns], [interfaceId, nsOf(expected[i])], name);
    assertEquals(packet.bytes, expected[i].bytes, name);
    assertEquals(packet.original, Math.max(expected[i].original ?? 0, packet.bytes.length), name);
  });
}

for (const [name, shape] of Object.entries(SHAPES)) {
  Deno.test(`PacketLog writes every packet, byte for byte and in order, many times around its chunks: ${name}`, () => {
    const seed = 11, random = seededRandom(seed), laid = new LogRing(shape);
    const log = PacketLog.create({ chunks: 5, chunkBytes: 12288, interfaceId: 3 });
    const reader = new PacketLogReader(log.buffer);
    const expected: LaidPacket[] = [], got: ParsedPacket[] = [];
    let second = 1_700_000_000;
    for (let burst = 0; burst < 600; burst++) {
      const picks: number[] = [];
      const burstNs = random() % 1_000_000_000;
      if (random() % 4 === 0) second = random() % 3 === 0 ? random() >>> 0 : second + 1;
      while (picks.length < random() % 20) {
        const packet = laidPacket(random);
        // Those of a buffer of 40 bytes would have more slots than the ring.
        packet.bytes = packet.bytes.subarray(0, laid.ring.bufferBytes * 4);
        if (random() % 5 === 0) second += second < 0xffffffff ? 1 : 0;
        packet.seconds = second;
        if (!laid.ring.hasTimes) packet.nanoseconds = burstNs;
        if (shape.hasOriginals) packet.original = [0, -1, random() % 9000, 70_000][random() % 4];
        expected.push(packet);
        laid.put(packet, picks, random);
      }
      const firstOfBurst = expected.length - countPackets(laid, picks);
      if (!laid.ring.hasTimes) expected.slice(firstOfBurst).forEach((p) => p.seconds = second);
      // What was not ready lies before and behind the picks that count.
      log.write(laid.ring, Int32Array.from([...picks, 0, 0]), picks.length, second, burstNs);
      if (random() % 3 === 0) log.flush();
      drain(reader, got);
    }
    log.close();
    drain(reader, got);
    assertSame(got, expected, 3);
    assert(reader.ended);
    const bytes = expected.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const counts = { packets: expected.length, bytes, missed: 0, missedBytes: 0 };
    assertEquals(log.counts(), counts);
  });
}

function countPackets({ ring }: LogRing, picks: number[]): number {
  return picks.filter((slot) => (ring.words[slot + 1] >>> 16 & MORE_FRAGMENTS) === 0).length;
}

Deno.test("PacketLog writes 64-bit times, whatever the carry", () => {
  for (const hasTimes of [true, false]) {
    const laid = new LogRing({ hasTimes }), random = seededRandom(2);
    const log = PacketLog.create({ chunks: 2, chunkBytes: 8192 });
    const reader = new PacketLogReader(log.buffer), expected: LaidPacket[] = [];
    const got: ParsedPacket[] = [];
    for (let i = 0; i < 3000; i++) {
      const bytes = new Uint8Array(10);
      const seconds = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, random() >>> 0][random() % 6];
      // ns around where the low word runs over, and at both ends of a second
      const over = Number(0x100000000n - BigInt(seconds) * 1_000_000_000n % 0x100000000n);
      const ns = [0, 999_999_999, over, over - 1, over + 1, random()][random() % 6];
      const packet = { bytes, seconds, nanoseconds: ns >= 0 && ns < 1e9 ? ns : 5 };
      const picks: number[] = [];
      // The first of a chunk goes another way than those after it.
      for (let copy = 0; copy < 2; copy++) laid.put(packet, picks, () => 3);
      log.write(laid.ring, Int32Array.from(picks), picks.length, seconds, packet.nanoseconds);
      expected.push(packet, packet);
      log.flush();
      drain(reader, got);
    }
    assertSame(got, expected, 0);
  }
});

Deno.test("PacketLog misses and counts what finds no free chunk, and writes again when there is one", () => {
  const seed = 5, random = seededRandom(seed), laid = new LogRing();
  const log = PacketLog.create({ chunks: 3, chunkBytes: 12288 });
  const reader = new PacketLogReader(log.buffer), got: ParsedPacket[] = [];
  let offered = 0, offeredBytes = 0;
  const sent = new Set<string>();
  for (let burst = 0; burst < 2000; burst++) {
    const picks: number[] = [];
    for (let i = random() % 10; i >= 0; i--) {
      const packet = laidPacket(random);
      offered++;
      offeredBytes += packet.bytes.length;
      sent.add(packet.bytes.join());
      laid.put(packet, picks, random);
    }
    log.write(laid.ring, Int32Array.from(picks), picks.length, 1, 1);
    if (random() % 16 === 0) log.flush();
    if (random() % 32 === 0) drain(reader, got);
  }
  log.close();
  drain(reader, got);
  for (const { bytes } of got) assert(sent.has(bytes.join()), "a packet that was never offered");
  const { packets, bytes, missed, missedBytes } = log.counts();
  assertEquals(packets, got.length);
  assertEquals([packets + missed, bytes + missedBytes], [offered, offeredBytes]);
  assert(packets > 1000 && missed > 1000, `${packets} written, ${missed} missed`);
});

Deno.test("PacketLog misses a packet that no chunk can hold, and only that", () => {
  const laid = new LogRing({ bufferBytes: 8192, strideBytes: 8192 });
  const log = PacketLog.create({ chunks: 3, chunkBytes: 4096 });
  const packet = (length: number) => ({
    bytes: new Uint8Array(length),
    seconds: 0,
    nanoseconds: 0,
  });
  const picks: number[] = [];
  for (const length of [60, 4096 - 32, 4096 - 31, 60]) laid.put(packet(length), picks, () => 7);
  log.write(laid.ring, Int32Array.from(picks), picks.length, 0, 0);
  log.close();
  assertEquals(log.counts().missed, 1);
  const got: ParsedPacket[] = [];
  drain(new PacketLogReader(log.buffer), got);
  assertEquals(got.map(({ bytes }) => bytes.length), [60, 4064, 60]);
  assertEquals(log.counts().missedBytes, 4065);
});

Deno.test("PacketLog.write reads nothing beyond a slot's buffer, nor beyond the region", () => {
  const laid = new LogRing({ slotCount: 4 }), { ring } = laid;
  const log = PacketLog.create({ chunks: 16, chunkBytes: 8192 }), got: ParsedPacket[] = [];
  const slot = ring.slotsAt, reader = new PacketLogReader(log.buffer);
  const write = (index: number, length: number) => {
    ring.words[slot] = index;
    ring.words[slot + 1] = length;
    log.write(ring, Int32Array.of(slot), 1, 0, 0);
  };
  write(1, 5000);
  write(3, 2048);
  write(4, 60);
  write(-1, 60);
  write(0x7fffffff, 60);
  write(0, 60);
  log.close();
  drain(reader, got);
  assertEquals(got.map(({ bytes }) => bytes.length), [2048, 2048, 0, 0, 0, 60]);
});

Deno.test("PacketLog.roomFor promises no room that is not there", () => {
  const random = seededRandom(9), laid = new LogRing({ slotCount: 512 });
  const log = PacketLog.create({ chunks: 6, chunkBytes: 12288 });
  const reader = new PacketLogReader(log.buffer);
  let yes = 0, no = 0;
  for (let burst = 0; burst < 3000; burst++) {
    const picks: number[] = [], count = 1 + random() % 30;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const packet = laidPacket(random);
      packet.bytes = packet.bytes.subarray(0, 3000);
      bytes += packet.bytes.length;
      laid.put(packet, picks, random);
    }
    if (log.roomFor(count, bytes)) {
      yes++;
      log.write(laid.ring, Int32Array.from(picks), picks.length, 0, 0);
      assertEquals(log.counts().missed, 0, `burst ${burst} of seed 9`);
    } else {
      no++;
      if (reader.take() !== undefined) reader.release();
      else log.flush();
    }
  }
  assert(yes > 500 && no > 500, `${yes} times room, ${no} times none`);
});

Deno.test("PacketLog.roomFor lets a source go on where it would wait for ever", () => {
  const log = PacketLog.create({ chunks: 2, chunkBytes: 4096 }), laid = new LogRing();
  assert(log.roomFor(1, 100_000), "more than the log can hold");
  const picks: number[] = [];
  for (let i = 0; i < 60; i++) laid.put(laidPacket(() => 60), picks, () => 7);
  while (log.roomFor(60, 3600)) log.write(laid.ring, Int32Array.from(picks), 60, 0, 0);
  const reader = new PacketLogReader(log.buffer);
  assertEquals(log.roomFor(60, 3600), false);
  reader.abandon();
  assert(log.roomFor(60, 3600), "nobody writes any more");
});

Deno.test("PacketLog.flush publishes what is there, and nothing where nothing is", () => {
  const laid = new LogRing(), log = PacketLog.create({ chunks: 2, chunkBytes: 4096 });
  const reader = new PacketLogReader(log.buffer), picks: number[] = [];
  log.flush();
  log.write(laid.ring, new Int32Array(0), 0, 0, 0);
  log.flush();
  assertEquals(reader.take(), undefined);
  laid.put({ bytes: new Uint8Array(0), seconds: 0, nanoseconds: 0 }, picks, () => 7);
  log.write(laid.ring, Int32Array.from(picks), 1, 0, 0);
  assertEquals(reader.take(), undefined);
  log.flush();
  assertEquals([reader.take()?.packets, reader.take()?.blocks.length], [1, 32]);
  log.close();
  assertEquals(reader.ended, false);
  assert(reader.discard());
  assert(reader.ended);
  assertEquals(log.counts(), { packets: 0, bytes: 0, missed: 1, missedBytes: 0 });
});

Deno.test("warmUpLog logs nothing, counts nothing and leaves the scratch ring as it was", () => {
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 });
  const log = PacketLog.create({ chunks: 2, chunkBytes: 4096 });
  const reader = new PacketLogReader(log.buffer), before = port.rx[0].words.slice();
  assertEquals(warmUpLog(log, port.rx[0], port.scratch, 5000) >= 5000, true);
  assertEquals(port.rx[0].words, before);
  assertEquals(warmUpLog(log, port.rx[0], undefined), 0);
  assertEquals([log.counts().missed, reader.take()], [0, undefined]);
  port.put(new Uint8Array(60).fill(7));
  log.write(port.rx[0], Int32Array.of(port.rx[0].slotsAt), 1, 0, 9);
  log.close();
  const got: ParsedPacket[] = [];
  drain(reader, got);
  assertEquals(got.map(({ ns, bytes }) => [ns, bytes]), [[9n, new Uint8Array(60).fill(7)]]);
});

Deno.test("PacketLog refuses sizes out of range and memory that is no log", () => {
  for (const sizes of [{ chunks: 1 }, { chunkBytes: 5000 }, { chunks: 4096 }, { chunkBytes: 0 }]) {
    assertThrows(() => PacketLog.create(sizes), RangeError, "Cannot create packet log");
  }
  for (const bytes of [0, 64, 4096]) {
    assertThrows(() => PacketLog.attach(new SharedArrayBuffer(bytes)), TypeError, "Cannot attach");
  }
});
