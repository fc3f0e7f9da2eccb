/**
 * Purpose: the receiver of one flood, a process of its own: port, hot loop, tick ring.
 * The ring is emptied by the same thread: an engine's share is no part of this experiment.
 */
import { type CaptureCounts, CaptureState } from "../../capture/capture_state.ts";
import { CaptureWriter } from "../../capture/capture_writer.ts";
import { PacketCapture } from "../../capture/packet_capture.ts";
import { PacketLog } from "../../capture/packet_log.ts";
import { HYBRID_SPIN_S, SLEEP_US, type Wait } from "../../capture/pump_loop.ts";
import { TickRing } from "../../engine/tick_ring.ts";
import { nowNs, pinToCore, tscHz } from "../../ffi/host.ts";
import { openPort } from "../../ffi/open_port.ts";
import { type Port, RX, ticksBetween, TX } from "../../ffi/port.ts";
import { runCommand } from "../../ffi/usage.ts";
import { PacketFilter } from "../../filter/packet_filter.ts";
import { WANTED } from "../harness/market_data.ts";
import { FloodWatch, type FloodWindow } from "./flood_watch.ts";

const CAPACITY = 65536;
const LOOK_EVERY = 64, HOUSEKEEP_EVERY = 65536; // pumps, powers of two

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
  window: FloodWindow;
  ringSlots: number;
  nsPerTick: number;
  samples: [ms: number, mpps: number][];
}

async function receive(orders: ReceiveOrders): Promise<Received> {
  const directions = orders.port.startsWith("soft:") ? RX | TX : RX; // a pipe needs both
  const port = openPort(orders.port, directions, { wanted: WANTED });
  const ticks = TickRing.create(CAPACITY), log = orders.file ? PacketLog.create() : undefined;
  const filter = new PacketFilter(WANTED), state = new CaptureState();
  const capture = new PacketCapture({ port, filter, ticks, burst: orders.burst, log, state });
  const writer = log && await CaptureWriter.start({
    file: orders.file!,
    logs: [{ buffer: log.buffer, name: port.source, description: port.mode }],
    states: [state.buffer],
    onFailed: (message) => console.error(message),
  });
  pinToCore(orders.core); // now: a thread begins where its maker is
  tscHz(); // the first call takes 20 ms
  capture.warmUp();
  console.log("ready");
  const watch = new FloodWatch(capture, orders.seconds);
  const consumed = pumpThrough(orders, capture, watch);
  capture.housekeep();
  log?.close();
  await writer?.stop();
  const { mode } = port;
  const { received, accepted, delivered, dropped, lost } = state.read();
  port.close();
  return {
    mode,
    total: { received, accepted, delivered, dropped, lost },
    consumed,
    written: writer?.stats().packets ?? null,
    window: watch.window(),
    ringSlots: watch.ringSlots,
    nsPerTick: 1e9 / tscHz(),
    samples: watch.samples,
  };
}

/** Pumps from before the first packet to the silence after the last one; returns the ticks consumed. */
function pumpThrough(orders: ReceiveOrders, capture: PacketCapture, watch: FloodWatch): number {
  const { port, ticks } = capture, waiting = waiter(orders, port, capture);
  let consumed = 0;
  capture.begin();
  for (let i = 1;; i = i + 1 & HOUSEKEEP_EVERY - 1) {
    const received = capture.pump(), ready = ticks.take(CAPACITY);
    ticks.release(ready);
    consumed += ready;
    if (waiting !== undefined) waiting(received);
    // While nothing comes yet, each turn looks; then the first packet's time is exact.
    if ((i & LOOK_EVERY - 1) !== 0 && watch.hasBegun) continue;
    if (!watch.goesOn()) return consumed;
    if (i === 0) capture.housekeep();
  }
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

await runCommand(async () => {
  console.log(JSON.stringify(await receive(JSON.parse(Deno.args[0]))));
  return 0;
});
