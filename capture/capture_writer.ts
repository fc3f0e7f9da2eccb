/**
 * Purpose: the thread that writes captured packets to a file, as seen from the main isolate.
 *
 * ```text
 *  capture threads                        writing thread
 *  PacketLog.write ── logs, counters ───▶ pcapng files
 *                    (shared memory)         │ "failed", once
 *  this isolate   ◀──────────────────────────┘
 * ```
 */
import { type BackgroundCapture, CaptureError } from "./background_capture.ts";
import { type FileIdentity, inputOf } from "./input_file.ts";
import { directoryOf } from "./output_files.ts";
import { type LogCounts, logCounts } from "./packet_log_layout.ts";
import { PacketLogReader } from "./packet_log_reader.ts";
import type { LogOrders, WriteNews, WriteOrders } from "./write_worker.ts";

/** What to write, and where. */
export interface CaptureWriterOptions {
  /** The file; with a limit "x.pcapng" becomes x_00001.pcapng, and so on, behind those that are there. */
  file: string;
  /** Largest size of a file in bytes; 0 by default: no limit. */
  rotateBytes?: number;
  /** Seconds after which the next file is begun; 0 by default: never. */
  rotateSeconds?: number;
  /** How many files are kept, with those of that row that are there already; 0 by default: all. */
  rotateFiles?: number;
  /** A log for each capture thread, whose `interfaceId` is its index here, and where its packets come from. */
  logs: LogOrders[];
  /** `CaptureState.buffer` of the same captures. */
  states: SharedArrayBuffer[];
  /** The file that the packets are read from: it is never written to. */
  input?: FileIdentity;
  /** Is told, at most once, why nothing more is written. */
  onFailed?: (message: string) => void;
}

/** What to write of captures, and where. */
export type RecordOptions = Omit<CaptureWriterOptions, "logs" | "states" | "input">;

/** What has been written so far. */
export interface WriteStats extends LogCounts {
  /** Files begun. */
  files: number;
  /** Why nothing more is written. */
  failed?: string;
}

/**
 * A thread that writes.
 *
 * @example Write what a capture accepts
 * ```ts
 * import { BackgroundCapture, CaptureWriter, PacketLog, TickRing } from "@uspf/uspf";
 *
 * await using capture = await BackgroundCapture.start({
 *   port: "soft:doc_writer:1",
 *   ticks: TickRing.create(256),
 *   filter: { decode: false },
 *   log: PacketLog.create().buffer,
 *   hold: true, // until the file is open
 * });
 * const file = Deno.makeTempFileSync({ suffix: ".pcapng" });
 * const writer = await CaptureWriter.record([capture], { file });
 * await capture.go();
 * await capture.stop();
 * await writer.stop();
 * console.log(writer.stats());
 * Deno.removeSync(file);
 * ```
 */
export class CaptureWriter {
  readonly #logs: LogOrders[];
  readonly #files: Int32Array;
  readonly #ended: Promise<void>;
  #failed: string | undefined;

  private constructor(logs: LogOrders[], files: SharedArrayBuffer, ended: Promise<void>) {
    this.#logs = logs;
    this.#files = new Int32Array(files);
    this.#ended = ended;
  }

  /**
   * Starts the thread; resolves once its file is open. The thread may write into that file's directory
   * (and where it rotates list it), and nothing else; before it has started, this isolate must keep its own permission to do so.
   *
   * @throws {CaptureError} where the file cannot be opened.
   */
  static async start(options: CaptureWriterOptions): Promise<CaptureWriter> {
    const files = new SharedArrayBuffer(4);
    const ready = Promise.withResolvers<void>(), ended = Promise.withResolvers<void>();
    const worker = newWorker(options);
    const writer = new CaptureWriter(options.logs, files, ended.promise);
    let isReady = false;
    const fail = (message: string, expected: boolean) => {
      if (!isReady) return ready.reject(new CaptureError(message, expected));
      if (writer.#failed !== undefined) return;
      writer.#failed = message;
      options.onFailed?.(message);
    };
    worker.onmessage = ({ data }: MessageEvent<WriteNews>) => {
      if (data.type === "failed") return fail(data.message, true);
      if (data.type === "stopped") return ended.resolve();
      isReady = true;
      ready.resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      for (const { buffer } of options.logs) new PacketLogReader(buffer).abandon();
      fail(`Cannot write "${options.file}": the writing thread died: ${event.message}`, false);
      ended.resolve();
    };
    worker.postMessage(ordersOf(options, files));
    await ready.promise;
    return writer;
  }

  /**
   * As `start`, for captures that were started with a log each, in the order of the logs' interface ids. Where
   * they read a file, that needs the permission to read it here, too.
   *
   * @throws {TypeError} for a capture without a log.
   * @throws {CaptureError} where the file cannot be opened.
   */
  static record(
    captures: readonly BackgroundCapture[],
    options: RecordOptions,
  ): Promise<CaptureWriter> {
    return CaptureWriter.start({
      ...options,
      logs: captures.map(logOrdersOf),
      states: captures.map(({ state }) => state.buffer),
      input: inputOf(captures[0].port),
    });
  }

  /** What has been written and missed so far, in all logs together. */
  stats(): WriteStats {
    const sum = { packets: 0, bytes: 0, missed: 0, missedBytes: 0 };
    for (const { buffer } of this.#logs) {
      const counts = logCounts(buffer);
      for (const name of Object.keys(sum) as (keyof LogCounts)[]) sum[name] += counts[name];
    }
    return { ...sum, files: Atomics.load(this.#files, 0), failed: this.#failed };
  }

  /**
   * To be called when the capture threads have closed their logs, or are gone. When it resolves, the file
   * is complete, and every packet that was offered to a log is counted.
   */
  async stop(): Promise<void> {
    const readers = this.#logs.map(({ buffer }) => new PacketLogReader(buffer));
    for (const reader of readers) reader.close();
    await this.#ended;
    for (const reader of readers) reader.discard(); // nothing, unless the thread died
  }
}

function logOrdersOf({ log, source, port, mode }: BackgroundCapture): LogOrders {
  if (log === undefined) {
    throw new TypeError(`Cannot record "${port}": its capture has no log: start it with one`);
  }
  return { buffer: log, name: source, description: `${port} (${mode})` };
}

/** To go on behind earlier files of a row, it must see which there are. */
function newWorker({ file, rotateBytes = 0, rotateSeconds = 0 }: CaptureWriterOptions): Worker {
  const directory = directoryOf(file), inRow = rotateBytes > 0 || rotateSeconds > 0;
  const permissions = inRow ? { read: [directory], write: [directory] } : { write: [directory] };
  try {
    return new Worker(import.meta.resolve("./write_worker.ts"), {
      type: "module",
      name: "writer",
      deno: { permissions },
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const remedy = Object.keys(permissions).map((what) => `--allow-${what}=${directory}`).join(" ");
    throw new CaptureError(`Cannot write "${file}": not permitted: allow it with ${remedy}`, true);
  }
}

function ordersOf(options: CaptureWriterOptions, files: SharedArrayBuffer): WriteOrders {
  const { file, rotateBytes = 0, rotateSeconds = 0, rotateFiles = 0 } = options;
  const { input, logs, states } = options;
  return { file, rotateBytes, rotateSeconds, rotateFiles, input, logs, states, files };
}
