import { assertEquals, assertGreater } from "@std/assert";
import { FakePort } from "../ffi/fake_port.ts";
import { advance, RING } from "../ffi/layout.ts";
import { buildPacket } from "../sender/build_packet.ts";
import { compileBurstWriter } from "../sender/burst_writer.ts";
import { makeBook } from "../sender/packet_book.ts";
import { Market } from "../sender/market.ts";
import { PacketTemplate } from "../sender/packet_template.ts";

const FIELDS = {
  sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 1),
  destinationMac: Uint8Array.of(255, 255, 255, 255, 255, 255),
  sourceAddress: 0x0a000001,
  destinationAddress: 0xc0a80102,
  sourcePort: 5000,
  destinationPort: 5001,
  ttl: 64,
};

const SHAPES = [
  { slotCount: 64, bufferBytes: 2048, payloadBytes: 14 },
  { slotCount: 96, bufferBytes: 2112, payloadBytes: 14 },
  { slotCount: 64, bufferBytes: 2048, payloadBytes: 100 },
];

for (const { slotCount, bufferBytes, payloadBytes } of SHAPES) {
  Deno.test(`compileBurstWriter writes what buildPacket builds: ${slotCount} slots of ${bufferBytes}, payload of ${payloadBytes}`, () => {
    const port = new FakePort({ slotCount, bufferBytes }), ring = port.tx[0];
    const template = new PacketTemplate({ ...FIELDS, payloadBytes });
    const book = makeBook(template, new Market({ seed: 3 }), 256);
    const market = new Market({ seed: 3, maxBurst: 50 }); // the same ticks again, for the oracle
    const packetBytes = Math.max(60, template.packetBytes);
    ring.bytes.fill(0xee, 256 + slotCount * 16); // what buffers held before must not show
    const write = compileBurstWriter(template, ring, book, packetBytes);
    const expected: Uint8Array[] = [];
    for (const wanted of [1, 50, 7, 50, 2, 50, 3, 43]) {
      const count = market.fill(wanted);
      write(ring.words[ring.at + RING.head], expected.length, count);
      advance(ring, count);
      port.txSync();
      const ticks = new Uint8Array(market.ticks.buffer);
      for (let i = 0; i < count; i++) {
        const payload = new Uint8Array(payloadBytes), from = i * 16;
        payload.set(ticks.subarray(from, from + 6));
        payload.set(ticks.subarray(from + 8, from + 16), 6);
        const packet = new Uint8Array(packetBytes);
        packet.set(buildPacket(FIELDS, payload));
        expected.push(packet);
      }
    }
    assertGreater(expected.length, slotCount);
    assertEquals(port.sent, expected);
  });
}
