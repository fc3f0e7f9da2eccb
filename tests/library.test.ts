import { assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BackgroundCapture,
  BypassIO,
  CaptureError,
  FakePort,
  Histogram,
  PacketCapture,
  PacketFilter,
  TickRing,
} from "../mod.ts";
import { tickPacket } from "./packets.ts";

Deno.test("BypassIO.rx and tx refuse what would harm the rings", () => {
  const io = new BypassIO(new FakePort({ slotCount: 16, bufferBytes: 256 })), packet = tickPacket();
  for (const max of [0, -1, 1.5, NaN]) assertThrows(() => io.rx(max), RangeError, "Cannot receive");
  for (const [offset, length] of [[0, -1], [0, 61], [50, 20], [-5, 10], [NaN, 1]]) {
    assertThrows(() => io.tx(packet, offset, length), RangeError, "Cannot send");
  }
  assertEquals(io.tx(new Uint8Array(257)), false);
  assertEquals(io.full, 1);
  assertEquals(io.tx(packet), true);
});

Deno.test("BypassIO.tx fills the ring, and says so", () => {
  const port = new FakePort({ slotCount: 16, bufferBytes: 256 }), io = new BypassIO(port);
  for (let i = 0; i < 15; i++) assertEquals(io.tx(tickPacket({ instrument: i })), true);
  assertEquals([io.tx(tickPacket()), io.full], [false, 1]);
  io.flush();
  assertEquals(port.sent.map((packet) => packet[42]), [...Array(15).keys()]);
  assertEquals(io.tx(tickPacket()), true);
});

Deno.test("PacketCapture refuses a filter whose payload holds no tick, and a burst out of range", () => {
  const port = new FakePort({ slotCount: 16, bufferBytes: 256 }), ticks = TickRing.create(256);
  const filter = new PacketFilter({ payloadBytes: 13 });
  assertThrows(() => new PacketCapture({ port, ticks, filter }), RangeError, "holds no tick");
  for (const burst of [0, 65537, 1.5]) {
    const options = { port, ticks, filter: new PacketFilter(), burst };
    assertThrows(() => new PacketCapture(options), RangeError, "burst");
  }
});

Deno.test("Histogram knows values to 1.6 %, and puts what is too large into the last bucket", () => {
  for (const value of [0, 0.5, 3, 7.9, 100, 12345, 1e6, 1e8]) {
    const histogram = new Histogram();
    histogram.recordShare(value * 3, 3);
    histogram.recordShare(1e9, 1);
    assertAlmostEquals(histogram.quantile(0.5), value, value * 0.016 + 0.0313);
    assertEquals(histogram.quantile(0.999) > 1e8, true);
    assertEquals(histogram.distribution().max, 1e9);
  }
});

Deno.test("Histogram knows half a second, too, and counts it under no smaller bound", () => {
  const histogram = new Histogram();
  histogram.recordShare(0.5e9 / 0.4, 1); // at 2.5 ticks a ns
  assertEquals(histogram.atMost([5e7, 1e8, 2e8, 4.9e8, 5.1e8, 1e9], 0.4), [0, 0, 0, 0, 1, 1]);
  assertAlmostEquals(histogram.quantile(0.5) * 0.4, 0.5e9, 0.5e9 * 0.016);
  histogram.recordShare(2 ** 31, 1);
  assertAlmostEquals(histogram.quantile(1), 2 ** 31, 2 ** 31 * 0.016);
});

Deno.test("Histogram.since knows the largest of what came since, though its count is read a moment before", () => {
  const histogram = new Histogram();
  histogram.recordShare(1e6, 1);
  const before = histogram.memory.slice();
  histogram.recordShare(300, 3);
  before[0] -= 2; // as one that is read while it is written: a count that its buckets do not have
  const rest = histogram.since(before);
  assertEquals(rest.count, 3);
  assertAlmostEquals(rest.quantile(1), 100, 2);
});

Deno.test("BackgroundCapture.start that fails gives its port back", async () => {
  const ticks = TickRing.create(256), port = "soft:t_fails:1";
  for (const wrong of [{ filter: { destinationPort: 70000 } }, { burst: 0 }]) {
    await assertRejects(() => BackgroundCapture.start({ port, ticks, ...wrong }), CaptureError);
  }
  const capture = await BackgroundCapture.start({ port, ticks });
  const error = await assertRejects(() => BackgroundCapture.start({ port, ticks }), CaptureError);
  assertEquals([error.code, error.expected], ["EBUSY", true]);
  await capture.stop();
  assertThrows(() => Deno.statSync("/dev/shm/uspf.switch.t_fails"), Deno.errors.NotFound);
});
