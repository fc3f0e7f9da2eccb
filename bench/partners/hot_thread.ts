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

/** What it is told. */
export interface HotOrders {
  core: number;
  /** Packets of a run. */
  packets: number;
  state: SharedArrayBuffer;
  ticks: SharedArrayBuffer;
  /** See RUN. */
  runs: SharedArrayBuffer;
}

/** Of `runs`, as 32-bit words: runs asked for, and done; then as f64 from byte 8: CPU time of the last one. */
export const RUN = { asked: 0, done: 1, cpuNs: 1 } as const;
export const RUN_BYTES = 16;

/** One packet of so many is wanted, so that the engine has something to do, and a core to spare. */
export const ONE_OF = 128;
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

if ("postMessage" in globalThis) {
  addEventListener("message", ({ data }: MessageEvent<HotOrders>) => work(data));
}
