import { assert, assertEquals, assertGreater } from "@std/assert";
import { compileHotLoop, hotLoopSource } from "../capture/hot_loop.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { plainLoop, takeSplit } from "../capture/plain_loop.ts";
import { TALLY_BYTES, TALLY_LENGTH } from "../capture/tally.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { advance, MORE_FRAGMENTS, RING, slotsReady } from "../ffi/layout.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { Random } from "../sender/random.ts";
import { randomPacket, tickPacket } from "./packets.ts";
import { type Record4, referenceVerdict } from "./reference_filter.ts";

const seed = Number(Deno.env.get("USPF_SEED") ?? Date.now() % 0x7fffffff);
const rerun = `rerun with USPF_SEED=${seed} deno test -P=test tests/hot_loop.test.ts`;

const WANTED = [
  { port: 5001, address: 0x0a000002, payloadBytes: 14 },
  { port: 5001, payloadBytes: 14 },
  { port: 0, address: 0x0a000002, payloadBytes: 14 },
  { port: 0, payloadBytes: 14 },
];

/** The plain loop over all ready slots, as PacketCapture would run it. */
function runPlain(port: FakePort, filter: PacketFilter, out: TickRing, tally: Int32Array): void {
  const ring = port.rx[0], picks = new Int32Array(ring.slotCount);
  while (slotsReady(ring) > 0) {
    const head = ring.words[ring.at + RING.head], at = out.tail + tally[VERDICT.accepted] | 0;
    const used = plainLoop(
      filter,
      ring,
      head,
      slotsReady(ring),
      out.words,
      at,
      out.mask,
      tally,
      picks,
    );
    advance(ring, used);
    if (slotsReady(ring) === 0) return;
    const next = ring.words[ring.at + RING.head], ready = slotsReady(ring);
    const behind = out.tail + tally[VERDICT.accepted] | 0;
    const split = takeSplit(filter, ring, next, ready, out.words, behind, out.mask, tally, picks);
    if (split === 0) return;
    advance(ring, split);
  }
}

for (const wanted of WANTED) {
  const name = `port ${wanted.port || "any"}, address ${wanted.address ? "given" : "any"}`;
  for (const [slotCount, bufferBytes] of [[64, 2048], [256, 2048], [96, 256]]) {
    Deno.test(`PacketCapture.pump gives what the plain loop and the reference give: ${name}, ${slotCount} slots of ${bufferBytes}`, () => {
      const random = Random.fromSeed(seed);
      const filter = new PacketFilter({
        destinationPort: wanted.port,
        destinationAddress: wanted.address,
      });
      const port = new FakePort({ slotCount, bufferBytes }),
        twin = new FakePort({ slotCount, bufferBytes });
      const ticks = TickRing.create(1024, 0xffffff00),
        plainTicks = TickRing.create(1024, 0xffffff00);
      const capture = new PacketCapture({
        port,
        filter,
        ticks,
        burst: 1 + (random.next() >>> 0) % 300,
      });
      const expected: Record4[] = [], counts = new Float64Array(TALLY_LENGTH);
      const plainTally = new Int32Array(TALLY_LENGTH);
      let packets = 0;
      for (let round = 0; round < 200; round++) {
        for (let n = (random.next() >>> 0) % slotCount; n > 0; n--) {
          const packet = randomPacket(random).subarray(0, bufferBytes);
          if (!port.put(packet) || !twin.put(packet)) break;
          const { verdict, tick } = referenceVerdict(packet, wanted);
          counts[verdict]++;
          counts[TALLY_BYTES] += packet.length;
          if (tick) expected.push(tick);
          packets++;
        }
        while (capture.pump() > 0);
        twin.rxSync();
        runPlain(twin, filter, plainTicks, plainTally);
        const count = ticks.take(1024);
        assertEquals(count, expected.length, rerun);
        assertEquals(plainTally[VERDICT.accepted], count, rerun);
        for (let i = 0; i < count; i++) {
          const at = RECORDS_WORD + ((ticks.head + i & ticks.mask) << 2);
          assertEquals([...ticks.words.subarray(at, at + 4)], expected[i], rerun);
          assertEquals([...plainTicks.words.subarray(at, at + 4)], expected[i], rerun);
        }
        ticks.release(count);
        plainTicks.publish(count);
        plainTicks.release(count);
        plainTally[VERDICT.accepted] = 0;
        expected.length = 0;
      }
      const c = capture.state.read();
      assertEquals([...capture.state.counters.subarray(0, 13)], [...counts.subarray(0, 13)], rerun);
      for (let verdict = 1; verdict < 13; verdict++) {
        assertEquals(plainTally[verdict], counts[verdict], rerun);
      }
      assertEquals(c.received, packets);
      assertEquals(c.bytes, counts[TALLY_BYTES]);
      assertEquals(c.received, c.accepted + c.rejected + c.malformed);
      assertGreater(c.accepted, 0);
      assertGreater(c.rejected + c.malformed, 0);
    });
  }
}

Deno.test("compileHotLoop takes plain packets itself and stops at any other", () => {
  const filter = new PacketFilter({ destinationPort: 5001 });
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), ring = port.rx[0];
  const ticks = TickRing.create(256), tally = new Int32Array(TALLY_LENGTH);
  const { run } = compileHotLoop(filter, ring, ticks);
  for (let i = 0; i < 10; i++) port.put(tickPacket({ port: i % 2 ? 5001 : 9 }));
  port.put(tickPacket({ tags: 1 }));
  port.put(tickPacket());
  port.rxSync();
  assertEquals(run(ring.slotsAt, ring.buffersAt, 0, 12, 0, tally), 10);
  assertEquals([tally[VERDICT.accepted], tally[VERDICT.port]], [5, 5]);
});

Deno.test("hotLoopSource shows the filter's port and the tick ring's mask as literals", () => {
  const shape = { slotCount: 1024, bufferBytes: 2048, strideBytes: 2048, hasOffsets: false };
  const source = hotLoopSource(new PacketFilter({ destinationPort: 5001 }), shape, 4096);
  assert(source.includes("0x16008913") && source.includes("& 4095") && source.includes("& 1023"));
});

Deno.test("PacketCapture.pump counts a packet over several slots once, as malformed, and goes on behind it", () => {
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), ticks = TickRing.create(256);
  const capture = new PacketCapture({ port, filter: new PacketFilter(), ticks, burst: 3 });
  port.put(tickPacket());
  for (let i = 0; i < 5; i++) port.put(new Uint8Array(2048), MORE_FRAGMENTS);
  assertEquals(capture.pump(), 1); // its end is not there yet
  assertEquals(capture.pump(), 0);
  port.put(tickPacket());
  port.put(tickPacket());
  while (capture.pump() > 0);
  const c = capture.state.read();
  assertEquals([c.received, c.accepted, c.malformedBy.split], [3, 2, 1]);
  assertEquals(c.bytes, 3 * 56 + 5 * 2048);
});

Deno.test("PacketCapture.pump takes a packet whose other pieces are empty as an ordinary one", () => {
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), ticks = TickRing.create(256);
  const capture = new PacketCapture({ port, filter: new PacketFilter(), ticks });
  port.put(tickPacket());
  port.put(new Uint8Array(0), MORE_FRAGMENTS);
  port.put(tickPacket({ instrument: 9 }));
  port.put(tickPacket());
  while (capture.pump() > 0);
  const c = capture.state.read();
  assertEquals([c.received, c.accepted, c.malformed, c.bytes], [3, 3, 0, 3 * 56]);
  assertEquals(ticks.words[RECORDS_WORD + ((ticks.head + 1 & ticks.mask) << 2)], 9);
});

Deno.test("PacketCapture.pump gives up a packet that fills the whole ring without an end", () => {
  const port = new FakePort({ slotCount: 16, bufferBytes: 256 }), ticks = TickRing.create(256);
  const capture = new PacketCapture({ port, filter: new PacketFilter(), ticks });
  while (port.put(new Uint8Array(100), MORE_FRAGMENTS));
  assertEquals(capture.pump(), 1);
  assertEquals(capture.state.read().malformedBy.split, 1);
});

Deno.test("PacketCapture.pump drops and counts what finds the tick ring full, and delivers again when there is room", () => {
  const port = new FakePort({ slotCount: 512, bufferBytes: 2048 }),
    ticks = TickRing.create(256, 0xffffff80);
  const capture = new PacketCapture({ port, filter: new PacketFilter(), ticks, burst: 100 });
  for (let i = 0; i < 500; i++) port.put(tickPacket({ instrument: i, tags: i % 7 === 0 ? 1 : 0 }));
  while (capture.pump() > 0);
  let c = capture.state.read();
  assertEquals([c.accepted, c.delivered, c.dropped], [500, 256, 244]);
  ticks.release(ticks.take(256));
  port.put(tickPacket({ instrument: 1000 }));
  capture.pump();
  c = capture.state.read();
  assertEquals([c.accepted, c.delivered, c.dropped, ticks.take(10)], [501, 257, 244, 1]);
  assertEquals(ticks.words[RECORDS_WORD + ((ticks.head & ticks.mask) << 2)], 1000);
});

Deno.test("PacketCapture.warmUp sends nothing, counts nothing and leaves the transmit ring as it was", () => {
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), ticks = TickRing.create(256);
  const region = port.tx[0].words;
  const capture = new PacketCapture({ port, filter: new PacketFilter(), ticks });
  const lengths = () =>
    Array.from({ length: 64 }, (_, i) => region[port.tx[0].slotsAt + i * 4 + 1]);
  const before = lengths();
  capture.warmUp(10_000);
  assertEquals(lengths(), before);
  port.txSync();
  assertEquals([port.sent.length, capture.state.read().received, ticks.take(1)], [0, 0, 0]);
});
