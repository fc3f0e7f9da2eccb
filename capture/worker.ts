/**
 * Purpose: the capture thread. It opens the port, warms the loop up, says "ready", and pumps until the
 * shared state says stop. It hears nothing else meanwhile: its event loop stands still.
 */
import { Doorbell } from "../engine/doorbell.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { currentCore, pinToCore } from "../ffi/host.ts";
import { useLibrary } from "../ffi/library.ts";
import type { LibraryFile } from "../ffi/library_record.ts";
import { LibraryError } from "../ffi/find_library.ts";
import { openPort } from "../ffi/open_port.ts";
import { PacketPort } from "../ffi/packet_port.ts";
import { type PortOptions, RX } from "../ffi/port.ts";
import { PortError } from "../ffi/port_error.ts";
import { ExpressionError } from "../filter/expression/expression_error.ts";
import { PacketFilter, type PacketFilterOptions } from "../filter/packet_filter.ts";
import { CaptureState } from "./capture_state.ts";
import { PacketCapture } from "./packet_capture.ts";
import { PacketLog } from "./packet_log.ts";
import { pumpUntilStopped, type Wait } from "./pump_loop.ts";

/** What the worker is told. */
export interface WorkerOrders {
  /** The native library that the main isolate has loaded. */
  library: LibraryFile;
  port: string;
  portOptions: PortOptions;
  filter: PacketFilterOptions;
  burst: number;
  wait: Wait;
  /** Core to stay on; nothing: anywhere. */
  core?: number;
  ticks: SharedArrayBuffer;
  /** Memory of its doorbell. */
  bell?: SharedArrayBuffer;
  state: SharedArrayBuffer;
  /** Whether to begin only when the state says so. */
  hold?: boolean;
  /** Memory of a PacketLog. */
  log?: SharedArrayBuffer;
  logAll?: boolean;
}

/** What the worker says. */
export type WorkerNews =
  | {
    type: "ready";
    mode: string;
    source: string;
    core: number;
    code: string;
    /** The fanout group that the port has founded. */
    fanout?: number;
  }
  | { type: "stopped" }
  | { type: "failed"; message: string; expected: boolean; code?: string; stack?: string };

function work(orders: WorkerOrders, tell: (news: WorkerNews) => void): void {
  useLibrary(orders.library);
  if (orders.core !== undefined) pinToCore(orders.core);
  const state = new CaptureState(orders.state), ticks = attachRing(orders);
  const log = orders.log && PacketLog.attach(orders.log);
  const port = openPort(orders.port, RX, orders.portOptions);
  try {
    const capture = new PacketCapture({
      port,
      filter: new PacketFilter(orders.filter),
      ticks,
      burst: orders.burst,
      state,
      log,
      logAll: orders.logAll,
    });
    capture.warmUp();
    const ring = port.rx[0] ?? port.scratch; // a switch has no receive ring before somebody sends
    const code = ring === undefined ? "" : capture.code(ring);
    const fanout = port instanceof PacketPort ? port.fanout : undefined;
    const { mode, source } = port;
    tell({ type: "ready", mode, source, core: currentCore(), code, fanout });
    if (orders.hold) state.hold();
    pumpUntilStopped(capture, state, orders.wait);
  } finally {
    log?.close();
    state.finish();
    port.close();
  }
}

function attachRing({ ticks, bell }: WorkerOrders): TickRing {
  return TickRing.attach(ticks, bell && new Doorbell(bell));
}

addEventListener("message", ({ data }: MessageEvent<WorkerOrders>) => {
  let ready = false;
  const tell = (news: WorkerNews) => {
    ready ||= news.type === "ready";
    postMessage(news);
  };
  try {
    work(data, tell);
    tell({ type: "stopped" });
  } catch (error) {
    const { message, stack } = error as Error;
    // Before we are ready these are a caller's mistake, afterwards a bug of ours.
    const mistake = [TypeError, RangeError, ExpressionError].some((kind) => error instanceof kind);
    const expected = error instanceof PortError || error instanceof LibraryError ||
      mistake && !ready;
    const code = error instanceof PortError ? error.code : undefined;
    tell({ type: "failed", message, expected, code, stack });
  }
  close();
});
