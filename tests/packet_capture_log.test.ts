/** What a PacketCapture hands to its log, whichever way a packet goes, and what a patient port does. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { PacketCapture } from "../capture/packet_capture.ts";
import { PacketLog } from "../capture/packet_log.ts";
import { PacketLogReader } from "../capture/packet_log_reader.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { bufferByte, MORE_FRAGMENTS, type Ring } from "../ffi/layout.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { Random } from "../sender/random.ts";
import { randomPacket, tickPacket } from "./packets.ts";
import { referenceVerdict } from "./reference_filter.ts";

const seed = Number(Deno.env.get("USPF_SEED") ?? Date.now() % 0x7fffffff);
const rerun = `rerun with USPF_SEED=${seed} deno test -P=test tests/packet_capture_log.test.ts`;

/** A log that keeps copies, with room for as many as it is told. */
class Copies {
  readonly packets: Uint8Array[] = [];
  readonly times: number[] = [];
  room = Infinity;

  roomFor(packets: number): boolean {
    return this.room >= packets;
  }

  write(ring: Ring, picks: Int32Array, count: number, seconds: number, ns: number): void {
    for (let i = 0; i < count; i++) {
      const at = bufferByte(ring, picks[i]), length = ring.words[picks[i] + 1] & 0xffff;
      this.packets.push(ring.bytes.slice(at, at + length));
      this.times.push(seconds * 1000 + ns / 1e6);
    }
  }

  flush(): void {}
}

const hex = (packets: Uint8Array[]) => packets.map((packet) => packet.toHex());

for (const all of [false, true]) {
  Deno.test(`PacketCapture.pump hands ${all ? "all packets" : "the packets accepted"} to its log, dropped ones too, in order`, () => {
    const random = Random.fromSeed(seed), log = new Copies();
    const port = new FakePort({ slotCount: 128, bufferBytes: 2048 }), ticks = TickRing.create(256);
    const filter = new PacketFilter({ destinationPort: 5001 });
    const capture = new PacketCapture({
      port,
      filter,
      ticks,
      burst: 1 + (random.next() >>> 0) % 100,
      log: log as unknown as PacketLog,
      logAll: all,
    });
    const expected: Uint8Array[] = [], before = Date.now();
    for (let round = 0; round < 100; round++) {
      for (let n = (random.next() >>> 0) % 127; n > 0; n--) {
        const packet = randomPacket(random).subarray(0, 2048);
        if (!port.put(packet)) break;
        const { verdict } = referenceVerdict(packet, { port: 5001, payloadBytes: 14 });
        if (all || verdict === VERDICT.accepted) expected.push(packet);
      }
      while (capture.pump() > 0);
      if (round % 90 === 89) ticks.release(ticks.take(256)); // full now and then
    }
    const { accepted, received, dropped } = capture.state.read();
    assertEquals(hex(log.packets), hex(expected), rerun);
    assertEquals(log.packets.length, all ? received : accepted);
    assertGreater(dropped, 0);
    for (const ms of log.times) assert(ms >= before - 1 && ms <= Date.now() + 5, `${ms}`);
    for (let i = 1; i < log.times.length; i++) assert(log.times[i] >= log.times[i - 1]);
  });
}

Deno.test("PacketCapture.pump hands every piece of a split packet to a log of all packets", () => {
  const log = new Copies(), ticks = TickRing.create(256);
  const port = new FakePort({ slotCount: 64, bufferBytes: 256 });
  const capture = new PacketCapture({
    port,
    filter: new PacketFilter(),
    ticks,
    burst: 2,
    log: log as unknown as PacketLog,
    logAll: true,
  });
  for (let i = 0; i < 20; i++) port.put(new Uint8Array(100 + i), MORE_FRAGMENTS);
  port.put(new Uint8Array(7));
  port.put(tickPacket());
  while (capture.pump() > 0);
  assertEquals(log.packets.map(({ length }) => length), [
    ...Array(20).keys().map((i) => 100 + i),
    7,
    56,
  ]);
  assertEquals(capture.state.read().received, 2);
});

Deno.test("PacketCapture.pump hands an accepted packet in several slots, of which one holds it, to its log as one of one slot", () => {
  const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), ticks = TickRing.create(256);
  const log = PacketLog.create({ chunks: 4, chunkBytes: 4096 });
  const capture = new PacketCapture({ port, filter: new PacketFilter(), ticks, log });
  port.put(tickPacket(), MORE_FRAGMENTS);
  port.put(new Uint8Array(0));
  port.put(tickPacket());
  while (capture.pump() > 0);
  log.close();
  const reader = new PacketLogReader(log.buffer);
  assertEquals(capture.state.read().accepted, 2);
  assertEquals(reader.take()?.packets, 2);
});

class PatientPort extends FakePort {
  override readonly patient = true;
}

Deno.test("PacketCapture.pump leaves a patient port's packets where they are while the tick ring or the log is full", () => {
  const log = new Copies(), ticks = TickRing.create(256);
  const port = new PatientPort({ slotCount: 512, bufferBytes: 2048 });
  const capture = new PacketCapture({
    port,
    filter: new PacketFilter(),
    ticks,
    log: log as unknown as PacketLog,
  });
  for (let i = 0; i < 500; i++) port.put(tickPacket({ instrument: i }));
  while (capture.pump() > 0);
  let c = capture.state.read();
  assertEquals([c.received, c.delivered, c.dropped], [256, 256, 0]);
  log.room = 0;
  ticks.release(ticks.take(256));
  assertEquals(capture.pump(), 0);
  log.room = Infinity;
  while (capture.pump() > 0);
  c = capture.state.read();
  assertEquals([c.received, c.delivered, c.dropped, log.packets.length], [500, 500, 0, 500]);
});
