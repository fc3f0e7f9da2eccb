/** What a PacketCapture makes of its port's own counts: those of one moment, since it began. */
import { assertEquals } from "@std/assert";
import { PacketCapture } from "../capture/packet_capture.ts";
import { pumpUntilStopped } from "../capture/pump_loop.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import type { PortCounts } from "../ffi/port.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { tickPacket } from "./packets.ts";

/** Counts something more each time it is asked. */
class CountingPort extends FakePort {
  asked = 0;
  unknown = false;

  constructor() {
    super({ slotCount: 16, bufferBytes: 2048 });
  }

  override counts(): PortCounts {
    const n = ++this.asked;
    return { lost: n, starved: null, rejectedEarly: this.unknown ? null : 100 * n };
  }
}

function captureOf(port: FakePort): PacketCapture {
  return new PacketCapture({ port, filter: new PacketFilter(), ticks: TickRing.create(256) });
}

function countsOf({ state }: PacketCapture): (number | null)[] {
  const { lost, starved, rejectedEarly } = state.read();
  return [lost, starved, rejectedEarly];
}

Deno.test("PacketCapture.housekeep asks its port once, and counts what was lost since begin", () => {
  const port = new CountingPort(), capture = captureOf(port);
  capture.housekeep();
  assertEquals([port.asked, ...countsOf(capture)], [1, 1, null, 100]);
  capture.begin(); // asks for what was before, and for what is now
  assertEquals([port.asked, ...countsOf(capture)], [3, 1, null, 300]);
  capture.housekeep();
  assertEquals([port.asked, ...countsOf(capture)], [4, 2, null, 400]);
});

Deno.test("PacketCapture.housekeep does not know what the port does not know, now or at the begin", () => {
  const port = new CountingPort(), capture = captureOf(port);
  capture.begin();
  port.unknown = true;
  capture.housekeep();
  assertEquals(countsOf(capture), [2, null, null]);
  capture.begin();
  port.unknown = false;
  capture.housekeep();
  assertEquals(countsOf(capture), [2, null, 600]);
});

Deno.test("FakePort says one by one what its counts say", () => {
  const port = new CountingPort();
  assertEquals([port.lost(), port.starved(), port.rejectedEarly()], [1, null, 300]);
});

Deno.test("pumpUntilStopped asks for the counts right after the last sync, which found nothing", () => {
  class Recorder extends CountingPort {
    readonly calls: string[] = [];

    override rxSync(): number {
      this.calls.push("sync");
      return super.rxSync();
    }

    override counts(): PortCounts {
      this.calls.push("counts");
      return super.counts();
    }
  }
  const port = new Recorder(), capture = captureOf(port);
  for (let i = 0; i < 10; i++) port.put(tickPacket({ instrument: i }));
  capture.state.stop();
  pumpUntilStopped(capture, capture.state, "spin");
  assertEquals(port.calls, ["counts", "counts", "sync", "sync", "counts"]);
  assertEquals([capture.state.read().received, ...countsOf(capture)], [10, 2, null, 300]);
});
