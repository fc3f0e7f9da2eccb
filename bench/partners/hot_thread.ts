/**
 * Purpose: the capture thread of monitor.bench.ts: pumps from a port that is always full, so many packets
 * whenever it is told to, on a core of its own, and says how much of its CPU time they took.
 */
import { PacketCapture } from "../../capture/packet_capture.ts";
import { CaptureState, COUNTER } from "../../capture/capture_state.ts";
import { TickRing } from "../../engine/tick_ring.ts";
import { threadCpuNs } from "../../ffi/host.ts";
import { loadLibrary } from "../../ffi/library.ts";
import { PacketFilter } from "../../filter/packet_filter.ts";
import { TimedPort } from "../harness/full_port.ts";
import { layPacket, tickPacket } from "../harness/packets.ts";
import { type HotOrders, ONE_OF, RUN } from "../harness/watched_run.ts";

const SLOTS = 512, BUFFER_BYTES = 2048, BURST = 256, PORT = 5001;

function work(orders: HotOrders): void {
  const { core, packets } = orders;
  // This program has been kept off that core, so pinToCore would not know it.
  if (loadLibrary().uspf_pin(core) < 0) {
    throw new Error(`Cannot pin to core ${core}: choose another`);
  }
  const port = new TimedPort({ slotCount: SLOTS, bufferBytes: BUFFER_BYTES }), [ring] = port.rx;
  for (let slot = 0; slot < SLOTS; slot++) {
    layPacket(ring, slot, tickPacket(slot % ONE_OF === 0 ? PORT : PORT + 1, slot / ONE_OF));
  }
  const state = new CaptureState(orders.state), ticks = TickRing.attach(orders.ticks);
  const filter = new PacketFilter({ destinationPort: PORT });
  const capture = new PacketCapture({ port, filter, ticks, burst: BURST, state });
  capture.warmUp();
  postMessage("ready");
  const flags = new Int32Array(orders.runs), times = new Float64Array(orders.runs);
  for (let run = 1;; run++) {
    while (Atomics.load(flags, RUN.asked) < run) Atomics.wait(flags, RUN.asked, run - 1);
    capture.resume();
    const began = threadCpuNs();
    for (let done = 0; done < packets;) done += capture.pump();
    state.counters[COUNTER.cpuNs] = threadCpuNs();
    times[RUN.cpuNs] = state.counters[COUNTER.cpuNs] - began;
    Atomics.store(flags, RUN.done, run);
  }
}

addEventListener("message", ({ data }: MessageEvent<HotOrders>) => work(data));
