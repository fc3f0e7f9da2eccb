import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { CaptureState, COUNTER, sumOf } from "../capture/capture_state.ts";
import { Histogram } from "../capture/histogram.ts";
import { receivePorts } from "../capture/receive_ports.ts";
import { WallClock } from "../capture/wall_clock.ts";
import { loadLibrary } from "../ffi/library.ts";
import { UsageError } from "../ffi/usage.ts";
import { VERDICT } from "../filter/verdict.ts";

Deno.test("sumOf adds counts up, takes the larger of maxima, and knows no loss where one does not", () => {
  const a = new CaptureState(), b = new CaptureState();
  a.counters.set([10, 20, 5, 7], COUNTER.received);
  b.counters.set([1, 2, 3, 4], COUNTER.received);
  a.counters[VERDICT.accepted] = 6;
  b.counters[VERDICT.accepted] = 1;
  a.counters[COUNTER.burstMax] = 9;
  b.counters[COUNTER.burstMax] = 12;
  a.counters[COUNTER.lost] = 4;
  b.counters[COUNTER.lost] = 3;
  let { counts } = sumOf([a, b]);
  assertEquals([counts.received, counts.bytes, counts.delivered, counts.dropped], [11, 22, 8, 11]);
  assertEquals([counts.accepted, counts.burstMax, counts.lost], [7, 12, 7]);
  b.counters[COUNTER.lost] = -1;
  assertEquals(sumOf([a, b]).counts.lost, null);
  assertEquals(sumOf([b, a]).counts.lost, null);
  ({ counts } = sumOf([]));
  assertEquals([counts.received, counts.lost], [0, 0]);
});

Deno.test("Histogram.add gives what one histogram of all values would", () => {
  const parts = [new Histogram(), new Histogram()], whole = new Histogram(), sum = new Histogram();
  for (let i = 1; i < 2000; i++) {
    parts[i % 2].recordShare(i * i, 1);
    whole.recordShare(i * i, 1);
  }
  sum.add(parts);
  assertEquals(sum.distribution(), whole.distribution());
});

Deno.test("WallClock follows the system's clock between readings", async () => {
  const now = () => loadLibrary().uspf_clock(), clock = new WallClock({ clock: now });
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    clock.advance(now());
    assertAlmostEquals(clock.seconds * 1000 + clock.nanoseconds / 1e6, Date.now(), 5);
    assert(clock.nanoseconds >= 0 && clock.nanoseconds < 1e9);
  }
});

Deno.test("receivePorts gives what has one queue as it is, and refuses more", () => {
  assertEquals(receivePorts("soft:lab:1", "all"), ["soft:lab:1"]);
  assertEquals(receivePorts("udp:0.0.0.0:5001", 1), ["udp:0.0.0.0:5001"]);
  assertEquals(receivePorts("xdp:lo-3", "all"), ["xdp:lo-3"]);
  assertEquals(receivePorts("xdp:lo", "all"), ["xdp:lo-0"]);
  assertEquals(receivePorts("packet:lo", 3), ["packet:lo", "packet:lo", "packet:lo"]);
  const { message } = assertThrows(() => receivePorts("pcap:x", 2), UsageError);
  assertEquals(
    message,
    `Cannot use --rings "2": "pcap:x" has 1 receive queue: give 1 at most, or "all"`,
  );
});
