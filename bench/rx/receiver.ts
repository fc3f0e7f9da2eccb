/**
 * Purpose: the receiver of one flood, a process of its own: port, hot loop, tick ring; and what it saw in the
 * middle of the flood.
 *
 * ```text
 *  first packet        from                              to            silence
 *  ├───── edge ────────┼──────────── window ─────────────┼──── edge ───┼─ 500 ms ─▶ end
 *                      rates, service time, occupancy, CPU time
 *  ├────────────── sent, received, lost: all of it ────────────────────┤
 * ```
 * The tick ring is emptied by the same thread: an engine's share is no part of this experiment.
 */
import { type CaptureCounts, CaptureState, COUNTER } from "../../capture/capture_state.ts";
import { CaptureWriter } from "../../capture/capture_writer.ts";
import { PacketCapture } from "../../capture/packet_capture.ts";
import { PacketLog } from "../../capture/packet_log.ts";
import { HYBRID_SPIN_S, SLEEP_US, type Wait } from "../../capture/pump_loop.ts";
import { TickRing } from "../../engine/tick_ring.ts";
import { contextSwitches, nowNs, pinToCore, threadCpuNs, tscHz } from "../../ffi/host.ts";
import { openPort } from "../../ffi/open_port.ts";
import { type Port, RX, ticksBetween, TX } from "../../ffi/port.ts";
import { runCommand } from "../../ffi/usage.ts";
import { PacketFilter } from "../../filter/packet_filter.ts";

const CAPACITY = 65536, QUIET_MS = 500, GIVE_UP_MS = 60_000, SAMPLE_MS = 50;
const LOOK_EVERY = 64; // pumps between two looks at the clock
const EDGE_SHARE = 0.2;

/** What it is told, as JSON in its first argument. */
export interface ReceiveOrders {
  port: string;
  core: number;
  burst: number;
  wait: Wait;
  paceUs: number;
  /** How long the flood will be. */
  seconds: number;
  /** A file to write all packets to. */
  file?: string;
}

/** What it reports, as JSON on its last line. */
export interface Received {
  mode: string;
  /** All of the flood. */
  total: Pick<CaptureCounts, "received" | "accepted" | "delivered" | "dropped" | "lost">;
  consumed: number;
  written: number | null;
  /** The middle of the flood. */
  window: {
    seconds: number;
    received: number;
    syncs: number;
    emptySyncs: number;
    bursts: number;
    burstMax: number;
    occupancySum: number;
    occupancyMax: number;
    cpuNs: number;
    switches: number;
    /** The service time histogram's memory, in TSC ticks. */
    service: number[];
  };
  ringSlots: number;
  nsPerTick: number;
  samples: [ms: number, mpps: number][];
}

/** What was counted at a moment. */
interface Snapshot {
  ms: number;
  counters: Float64Array;
  service: Float64Array;
  cpuNs: number;
  switches: number;
}

async function receive(orders: ReceiveOrders): Promise<Received> {
  const wanted = { destinationPort: 5001, payloadBytes: 14 };
  const directions = orders.port.startsWith("soft:") ? RX | TX : RX; // a pipe needs both
  const port = openPort(orders.port, directions, { wanted });
  const ticks = TickRing.create(CAPACITY), log = orders.file ? PacketLog.create() : undefined;
  const filter = new PacketFilter(wanted), state = new CaptureState();
  const capture = new PacketCapture({ port, filter, ticks, burst: orders.burst, log, state });
  const writer = log && await CaptureWriter.start({
    file: orders.file!,
    logs: [{ buffer: log.buffer, name: port.source, description: port.mode }],
    states: [state.buffer],
    onFailed: (message) => console.error(message),
  });
  pinToCore(orders.core); // now: a thread begins where its maker is
  const nsPerTick = 1e9 / tscHz();
  capture.warmUp();
  console.log("ready");
  const seen = pumpThrough(orders, capture, ticks);
  capture.housekeep();
  log?.close();
  await writer?.stop();
  const { mode } = port;
  const { received, accepted, delivered, dropped, lost } = state.read();
  port.close();
  return {
    mode,
    total: { received, accepted, delivered, dropped, lost },
    consumed: seen.consumed,
    written: writer?.stats().packets ?? null,
    window: windowOf(seen.from, seen.to),
    ringSlots: seen.ringSlots,
    nsPerTick,
    samples: seen.samples,
  };
}

/** Pumps from the first packet to the silence after the last one. */
function pumpThrough(orders: ReceiveOrders, capture: PacketCapture, ticks: TickRing) {
  const { port, state } = capture, { counters } = state, floodMs = orders.seconds * 1000;
  const waiting = waiter(orders, port, capture);
  const samples: [number, number][] = [];
  const started = performance.now();
  let ringSlots = 0; // a switch has a ring for each sender, while it is there
  let consumed = 0, began = 0, last = 0, seen = 0, sampleAt = 0, sampled = 0;
  let from: Snapshot | undefined, to: Snapshot | undefined, before = started, isOver = false;
  capture.begin();
  for (let i = 1;; i++) {
    const received = capture.pump(), ready = ticks.take(CAPACITY);
    ticks.release(ready);
    consumed += ready;
    if (waiting !== undefined) waiting(received);
    // While nothing comes yet, or no longer, each turn looks; then the first packet's time is exact.
    if (i % LOOK_EVERY !== 0 && began !== 0) continue;
    const now = performance.now(), total = counters[COUNTER.received];
    if ((i & 0xffff) === 0) capture.housekeep();
    if (total !== seen) {
      if (began === 0) [began, sampleAt] = [before, before];
      seen = total;
      last = now;
      const ms = now - began;
      if (from === undefined && ms >= EDGE_SHARE * floodMs) {
        from = snapshot(state, now);
        beginAnew(state);
        capture.resume();
        ringSlots = port.rx.reduce((sum, { slotCount }) => sum + slotCount, 0);
      }
      if (now - sampleAt >= SAMPLE_MS) {
        samples.push([ms, (total - sampled) / (now - sampleAt) / 1000]);
        [sampleAt, sampled] = [now, total];
        // Anew with each sample: of a flood that ends early, the silence behind it does not count.
        if (from !== undefined && !isOver) {
          to = snapshot(state, now);
          capture.resume();
          isOver = ms >= (1 - EDGE_SHARE) * floodMs;
        }
      }
    }
    before = now;
    if (began !== 0 && now - last > QUIET_MS || now - started > GIVE_UP_MS + floodMs) break;
  }
  if (from === undefined || to === undefined) {
    throw new Error("Cannot measure: the flood ended at once: see what the sender said");
  }
  return { consumed, samples, ringSlots, from, to };
}

/** What is done after each pump; nothing where the receiver spins. */
function waiter(
  { wait, paceUs }: ReceiveOrders,
  port: Port,
  capture: PacketCapture,
): ((received: number) => void) | undefined {
  if (paceUs > 0) {
    let next = nowNs();
    return () => {
      while (nowNs() < next);
      next = nowNs() + paceUs * 1000;
      capture.resume();
    };
  }
  if (wait === "spin") return undefined;
  const spinTicks = wait === "hybrid" ? HYBRID_SPIN_S * tscHz() | 0 : 0;
  let busyAt = port.clock();
  return (received) => {
    const now = port.clock();
    if (received > 0) busyAt = now;
    else if (ticksBetween(busyAt, now) >= spinTicks) {
      port.wait(RX, SLEEP_US);
      capture.resume();
    }
  };
}

function snapshot({ counters, service }: CaptureState, ms: number): Snapshot {
  return {
    ms,
    counters: counters.slice(),
    service: service.memory.slice(),
    cpuNs: threadCpuNs(),
    switches: contextSwitches(),
  };
}

/** What has no difference: largest values, and the histogram's own largest one. */
function beginAnew({ counters, service }: CaptureState): void {
  counters[COUNTER.burstMax] = counters[COUNTER.occupancyMax] = 0;
  service.memory.fill(0);
}

function windowOf(from: Snapshot, to: Snapshot): Received["window"] {
  const grown = (name: keyof typeof COUNTER) =>
    to.counters[COUNTER[name]] - from.counters[COUNTER[name]];
  return {
    seconds: (to.ms - from.ms) / 1000,
    received: grown("received"),
    syncs: grown("syncs"),
    emptySyncs: grown("emptySyncs"),
    bursts: grown("bursts"),
    burstMax: to.counters[COUNTER.burstMax],
    occupancySum: grown("occupancySum"),
    occupancyMax: to.counters[COUNTER.occupancyMax],
    cpuNs: to.cpuNs - from.cpuNs,
    switches: to.switches - from.switches,
    service: Array.from(to.service),
  };
}

await runCommand(async () => {
  console.log(JSON.stringify(await receive(JSON.parse(Deno.args[0]))));
  return 0;
});
