import { assert, assertEquals, assertGreater } from "@std/assert";
import { compileHotLoop } from "../capture/hot_loop.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { TALLY_BYTES, TALLY_LENGTH } from "../capture/tally.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { bufferByte, MORE_FRAGMENTS, type Ring, SLOT_WORDS } from "../ffi/layout.ts";
import { PacketFilter, type PacketFilterOptions } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { Random } from "../sender/random.ts";
import { filterPackets } from "./filter_packets.ts";
import { randomPacket, tickPacket } from "./packets.ts";
import { type Record4, referenceVerdict } from "./reference_filter.ts";

const seed = Number(Deno.env.get("USPF_SEED") ?? Date.now() % 0x7fffffff);
const rerun = `rerun with USPF_SEED=${seed} deno test -P=test tests/expression_loop.test.ts`;

const FILTERS: PacketFilterOptions[] = [
  { expression: "udp dst port 5001" },
  { expression: "udp dst port 5001 and tick.instrument > 1000", destinationPort: 5001 },
  { expression: "not arp", destinationPort: 5001, destinationAddress: 0x0a000002 },
  { expression: "tick.side == bid or tcp", destinationAddress: 0x0a000002 },
  { expression: "len < 70" },
  { expression: "vlan or udp" },
  { expression: "udp dst port 5001", decode: false },
  { expression: "tcp port 80 or 443 or icmp6", decode: false },
  { expression: "ip[0] & 0xf > 5 or tcp[((tcp[12] & 0xf0) >> 2):2] != 0", decode: false },
  { expression: "greater 100", decode: false },
  { decode: false },
];
const OTHERS = filterPackets().filter(({ bytes }) => bytes.length > 0);

for (const options of FILTERS) {
  const name = `${options.expression ?? "everything"}${
    options.decode === false ? ", not decoded" : ""
  }`;
  for (const [slotCount, bufferBytes] of [[256, 2048], [96, 256]]) {
    Deno.test(`PacketCapture.pump gives what a look at each packet gives: ${name}, ${slotCount} slots of ${bufferBytes}`, () => {
      const random = Random.fromSeed(seed), filter = new PacketFilter(options);
      const port = new FakePort({ slotCount, bufferBytes }), ticks = TickRing.create(1024);
      const capture = new PacketCapture({ port, filter, ticks, burst: 1 + below(random, 300) });
      capture.warmUp(2000);
      const expected: Record4[] = [], counts = new Float64Array(TALLY_LENGTH);
      let packets = 0;
      for (let round = 0; round < 150; round++) {
        for (let n = below(random, slotCount); n > 0; n--) {
          const packet = anyPacket(random).subarray(0, bufferBytes);
          if (!port.put(packet)) break;
          const { verdict, tick } = expectedOf(filter, options, packet);
          counts[verdict]++;
          counts[TALLY_BYTES] += packet.length;
          if (tick) expected.push(tick);
          packets++;
        }
        while (capture.pump() > 0);
        assertEquals(takeAll(ticks), expected, rerun);
        expected.length = 0;
      }
      const c = capture.state.read();
      assertEquals([...capture.state.counters.subarray(0, 13)], [...counts.subarray(0, 13)], rerun);
      assertEquals([c.received, c.bytes], [packets, counts[TALLY_BYTES]], rerun);
      assertEquals(c.received, c.accepted + c.rejected + c.malformed);
      assertEquals([c.delivered, c.dropped], [filter.decodes ? c.accepted : 0, 0]);
      assertGreater(c.accepted, 0);
    });
  }
}

Deno.test("compileHotLoop with an expression counts what it rejects, and stops only at what is odd", () => {
  const filter = PacketFilter.compile("udp dst port 5001");
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), [ring] = port.rx;
  const { run } = compileHotLoop(filter, ring, TickRing.create(256));
  const tally = new Int32Array(TALLY_LENGTH);
  for (let i = 0; i < 20; i++) port.put(tickPacket({ port: 5000 + i % 2, padding: i }));
  port.put(tickPacket({ options: 4 })); // accepted, but not plain
  port.rxSync();
  assertEquals(run(ring.slotsAt, ring.buffersAt, 0, 21, 0, tally), 20);
  assertEquals([tally[VERDICT.accepted], tally[VERDICT.expression]], [10, 10]);
});

Deno.test("compileHotLoop that decodes nothing stops only at packets in several slots or beyond their buffers", () => {
  const filter = PacketFilter.compile("tcp or udp", { decode: false });
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), [ring] = port.rx;
  const picks = new Int32Array(64), tally = new Int32Array(TALLY_LENGTH);
  const { run } = compileHotLoop(filter, ring, TickRing.create(256), picks);
  for (let i = 0; i < 9; i++) {
    port.put(tickPacket({ tags: i % 3 === 0 ? 1 : 0, options: i % 3 * 4 }));
  }
  port.put(tickPacket(), MORE_FRAGMENTS);
  port.rxSync();
  assertEquals(run(ring.slotsAt, ring.buffersAt, 0, 10, 0, tally), 9);
  assertEquals([tally[VERDICT.accepted], tally[VERDICT.expression]], [6, 3]);
  assertEquals([...picks.subarray(0, 6)], [1, 2, 4, 5, 7, 8].map((i) => slotAt(ring, i)));
  ring.words[slotAt(ring, 0) + 1] = 2049;
  assertEquals(run(ring.slotsAt, ring.buffersAt, 0, 10, 0, tally), 0);
});

Deno.test("compileHotLoop takes what a packet had on the wire for its length, where the port knows it", () => {
  const [ring] = new FakePort({ slotCount: 64, bufferBytes: 256 }).rx;
  const originals = new Int32Array(64), tally = new Int32Array(TALLY_LENGTH);
  for (let i = 0; i < 64; i++) {
    ring.bytes.set(tickPacket(), bufferByte(ring, slotAt(ring, i)));
    ring.words[slotAt(ring, i) + 1] = 50;
    originals[i] = i % 4 === 0 ? 1500 : i % 4 === 1 ? 10 : 0;
  }
  const filter = PacketFilter.compile("len == 1500 or len < 50", { decode: false });
  const { run } = compileHotLoop(filter, { ...ring, originals }, TickRing.create(256));
  assertEquals(run(ring.slotsAt, ring.buffersAt, 0, 64, 0, tally), 64);
  assertEquals([tally[VERDICT.accepted], tally[VERDICT.expression]], [16, 48]);
});

Deno.test("PacketFilter refuses what is for ticks where nothing is decoded", () => {
  for (const option of ["destinationPort", "destinationAddress", "payloadBytes"]) {
    let message = "";
    try {
      new PacketFilter({ decode: false, [option]: 1 });
    } catch (error) {
      message = (error as Error).message;
    }
    assert(message.startsWith(`Cannot make a packet filter: ${option} is for ticks`), message);
  }
});

function below(random: Random, n: number): number {
  return (random.next() >>> 0) % n;
}

function anyPacket(random: Random): Uint8Array {
  if (below(random, 3) === 0) return OTHERS[below(random, OTHERS.length)].bytes;
  return below(random, 2) === 0
    ? randomPacket(random)
    : tickPacket({ instrument: below(random, 2000), padding: below(random, 2) * 4 });
}

/** The expression first; then the tick. */
function expectedOf(filter: PacketFilter, options: PacketFilterOptions, packet: Uint8Array) {
  if (!filter.matches(packet)) return { verdict: VERDICT.expression };
  if (!filter.decodes) return { verdict: VERDICT.accepted };
  return referenceVerdict(packet, {
    port: options.destinationPort ?? 0,
    address: options.destinationAddress,
    payloadBytes: 14,
  });
}

function takeAll(ticks: TickRing): Record4[] {
  const count = ticks.take(ticks.capacity);
  const records = Array.from({ length: count }, (_, i) => {
    const at = RECORDS_WORD + ((ticks.head + i & ticks.mask) << 2);
    return [...ticks.words.subarray(at, at + 4)] as Record4;
  });
  ticks.release(count);
  return records;
}

function slotAt(ring: Ring, index: number): number {
  return ring.slotsAt + index * SLOT_WORDS;
}
