/**
 * Purpose: a PacketCapture on a thread of its own, as seen from the isolate that consumes its ticks.
 *
 * ```text
 *  this isolate                           capture thread
 *  start ── port, filter, core ─────────▶ opens, warms up
 *        ◀───────────────── "ready" ─────
 *  ticks ◀── ticks, counters (shared memory) ── pumps
 *  stop ──── a flag in shared memory ───▶ drains, closes, ends
 * ```
 */
import type { TickRing } from "../engine/tick_ring.ts";
import { libraryFile } from "../ffi/library.ts";
import type { PortOptions } from "../ffi/port.ts";
import { parsePortName } from "../ffi/port_name.ts";
import type { PacketFilterOptions } from "../filter/packet_filter.ts";
import { CaptureState } from "./capture_state.ts";
import type { Wait } from "./pump_loop.ts";
import { TICK_BYTES } from "./tick_decoder.ts";
import type { WorkerNews, WorkerOrders } from "./worker.ts";

/** What to capture, and how. */
export interface BackgroundCaptureOptions {
  /** The port's name. */
  port: string;
  /** How to open it; of an xdp port only what the filter can want is taken, unless `wanted` says otherwise. */
  portOptions?: PortOptions;
  /** Which packets to keep; by default all that carry a tick. */
  filter?: PacketFilterOptions;
  /** Where the ticks go; the capture thread is its only producer. */
  ticks: TickRing;
  /** Packets of a ring handled per sync; 256 by default. */
  burst?: number;
  /** How to wait where there are no packets; hybrid by default. */
  wait?: Wait;
  /** Core that the thread stays on; nothing: anywhere. */
  core?: number;
  /** Memory of a PacketLog, where copies of packets go; the capture thread is its only producer. */
  log?: SharedArrayBuffer;
  /** Whether all packets go there, or only the accepted ones, as by default. */
  logAll?: boolean;
  /** Whether to wait for `go` before the first packet is taken. */
  hold?: boolean;
}

/** A capture thread could not start, or died; the message says why. */
export class CaptureError extends Error {
  /** Always `CaptureError`. */
  override readonly name = "CaptureError";

  /** `expected`: a port's or a caller's fault, not a bug of ours; `code`: the errno's name, if it was a port. */
  constructor(
    message: string,
    readonly expected: boolean,
    readonly code?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * A capture that runs on its own thread.
 *
 * @example Count ticks for a tenth of a second
 * ```ts
 * import { BackgroundCapture, TickRing } from "@uspf/uspf";
 *
 * const ticks = TickRing.create(16384);
 * await using capture = await BackgroundCapture.start({ port: "soft:doc_thread:1", ticks });
 * await new Promise((resolve) => setTimeout(resolve, 100));
 * await capture.stop();
 * const { received, rejected, malformed, delivered, dropped } = capture.state.read();
 * console.assert(received === rejected + malformed + delivered + dropped);
 * ```
 */
export class BackgroundCapture {
  /** The port's name; of a member of a fanout group with the group's number. */
  readonly port: string;
  /** What it counts, live. */
  readonly state: CaptureState;
  /** What moves the packets, for people. */
  readonly mode: string;
  /** What they come from, as capture files name it. */
  readonly source: string;
  /** The fanout group that its port has founded. */
  readonly fanout?: number;
  /** Memory of the log that it fills. */
  readonly log?: SharedArrayBuffer;
  /** The core it started on. */
  readonly core: number;
  /** Packets that its port's receive rings can hold, 0 where that is not known. */
  readonly slots: number;
  /** The source of its hot loop; empty where the port has no ring yet. */
  readonly code: string;
  /** Resolves when the thread has ended after `stop`; rejects with a CaptureError if it dies. */
  readonly ended: Promise<void>;

  private constructor(
    { port, log }: BackgroundCaptureOptions,
    state: CaptureState,
    ended: Promise<void>,
    ready: Ready,
  ) {
    this.port = ready.fanout === undefined || port.includes("@") ? port : `${port}@${ready.fanout}`;
    this.log = log;
    this.state = state;
    this.ended = ended;
    this.mode = ready.mode;
    this.source = ready.source;
    this.fanout = ready.fanout;
    this.core = ready.core;
    this.code = ready.code;
    this.slots = ready.slots;
  }

  /**
   * Starts the thread; resolves once its port is open and its loop is warm. The thread has permissions
   * of its own: the native library, and reading this program.
   *
   * @throws {TypeError} for a name that is no port's.
   * @throws {CaptureError} where it cannot start.
   * @throws {LibraryError} where there is no native library.
   */
  static async start(options: BackgroundCaptureOptions): Promise<BackgroundCapture> {
    const state = new CaptureState();
    const worker = newWorker(options.port);
    const ready = Promise.withResolvers<Ready>(), ended = Promise.withResolvers<void>();
    ended.promise.catch(() => {}); // who does not look at it is told by `start`
    const fail = (error: CaptureError) => {
      ready.reject(error);
      ended.reject(error);
    };
    worker.onmessage = ({ data }: MessageEvent<WorkerNews>) => {
      if (data.type === "ready") ready.resolve(data);
      else if (data.type === "stopped") ended.resolve();
      else fail(new CaptureError(data.message, data.expected, data.code, { cause: data.stack }));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(
        new CaptureError(
          `Cannot go on capturing: the capture thread died: ${event.message}`,
          false,
        ),
      );
    };
    worker.postMessage(ordersOf(options, state));
    return new BackgroundCapture(options, state, ended.promise, await ready.promise);
  }

  /** Begins, if it was started with `hold`; resolves when every packet counts, as received or as lost. */
  async go(): Promise<void> {
    this.state.go();
    while (!this.state.begun && !this.state.finished) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Ends the capture: the rings are drained and the port is closed when it resolves. */
  stop(): Promise<void> {
    this.state.stop();
    return this.ended;
  }

  /** Ends it with its block (`await using`), however that is left; whether it has failed, `ended` tells. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {});
  }
}

type Ready = WorkerNews & { type: "ready" };

/** All that a thread of ours may do: call the native library, and read this program, and a capture file if need be. */
export function workerPermissions(file?: string): Deno.PermissionOptionsObject {
  const { path } = libraryFile();
  const read = [...programFolder(), path, ...(file === undefined ? [] : [file])];
  return { ffi: [path], read, import: programHost() };
}

const home = new URL("..", import.meta.url), isLocal = home.protocol === "file:";

/** What a thread reads the program from; nothing where a registry has it. */
function programFolder(): string[] {
  return isLocal ? [decodeURIComponent(home.pathname)] : [];
}

/** Where a thread gets the program from if it does not lie here. */
function programHost(): string[] {
  return isLocal ? [] : [home.host];
}

function newWorker(port: string): Worker {
  const file = fileOf(port), permissions = workerPermissions(file);
  try {
    return new Worker(import.meta.resolve("./worker.ts"), {
      type: "module",
      name: "capture",
      deno: { permissions },
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new CaptureError(
      `Cannot open "${port}": reading the program${
        file === undefined ? "" : " and the file"
      }, or ` +
        `the native library, was not allowed: run with ${flagsOf(permissions)}`,
      true,
    );
  }
}

/** What gives these permissions, as of `deno run`. */
function flagsOf(permissions: Deno.PermissionOptionsObject): string {
  return Object.entries(permissions).filter(([, scope]) => scope.length > 0)
    .map(([name, scope]) => `--allow-${name}=${scope.join(",")}`).join(" ");
}

/** The file that a port reads. */
function fileOf(port: string): string | undefined {
  const name = parsePortName(port);
  return name.kind === "pcap" && name.file !== "-" ? name.file : undefined;
}

function ordersOf(options: BackgroundCaptureOptions, state: CaptureState): WorkerOrders {
  const { filter = {}, burst = 256, wait = "hybrid", ticks, portOptions } = options;
  const { decode = true, destinationPort, destinationAddress, payloadBytes = TICK_BYTES } = filter;
  const wanted = decode ? { destinationPort, destinationAddress, payloadBytes } : undefined;
  return {
    ...options,
    library: libraryFile(),
    filter,
    burst,
    wait,
    portOptions: { wanted, ...portOptions },
    ticks: ticks.buffer,
    bell: ticks.bell?.buffer,
    state: state.buffer,
  };
}
