/**
 * Purpose: the writing thread: from packet logs into pcapng files, until all logs are closed and empty.
 *
 * ```text
 *  log of capture thread 0 ─┐
 *  log of capture thread 1 ─┼─ a chunk of each in turn ─▶ PcapngWriter ─▶ file
 *  ...                      ┘        nothing there: a nap
 * ```
 * It looks for chunks every few milliseconds instead of being woken: waking costs the capture thread a
 * system call, here 10 µs and more, and the default log holds 64 MiB, at 10 million small packets a second
 * those of 70 ms. A log's packets are in order; those of several are as their chunks came.
 *
 * After a failure it says so once, goes on emptying the logs, and counts their packets as unwritten.
 */
import { VERSION } from "../ffi/version.ts";
import { CaptureState } from "./capture_state.ts";
import { logCounts } from "./packet_log_layout.ts";
import { PacketLogReader } from "./packet_log_reader.ts";
import {
  interfaceDescription,
  type InterfaceInfo,
  interfaceStatistics,
  joined,
  sectionHeader,
} from "./pcapng_format.ts";
import { type Frame, PcapngWriter, type PcapngWriterOptions, WriteError } from "./pcapng_writer.ts";

const NAP_MS = 2;

/** A log, and the interface that its packets came from. */
export interface LogOrders extends InterfaceInfo {
  /** The log's memory; its interface id is its index in the list. */
  buffer: SharedArrayBuffer;
}

/** What the worker is told. */
export interface WriteOrders extends PcapngWriterOptions {
  logs: LogOrders[];
  /** The state of the capture behind each log, for its statistics. */
  states: SharedArrayBuffer[];
  /** One word: files begun so far. */
  files: SharedArrayBuffer;
}

/** What the worker says; `failed` comes before `ready`, or at most once thereafter. */
export type WriteNews =
  | { type: "ready" }
  | { type: "failed"; message: string }
  | { type: "stopped" };

function frameOf({ logs, states }: WriteOrders): Frame {
  const startNs = nowNs();
  const section = { hardware: Deno.build.arch, os: Deno.build.os, application: `uspf ${VERSION}` };
  const statistics = (log: LogOrders, interfaceId: number) => {
    const { received, lost, accepted } = new CaptureState(states[interfaceId]).read();
    const { packets: written, missed } = logCounts(log.buffer);
    const counts = { received: received + (lost ?? 0), lost, accepted, missed, written };
    return interfaceStatistics(interfaceId, { startNs, endNs: nowNs(), ...counts });
  };
  const tail = () => joined(logs.map(statistics));
  const most = logs.map((_, i) => interfaceStatistics(i, { ...NO_STATISTICS, lost: 0 }));
  return {
    head: joined([sectionHeader(section), ...logs.map(interfaceDescription)]),
    tail,
    tailBytes: joined(most).length,
  };
}

const NO_STATISTICS = {
  startNs: 0n,
  endNs: 0n,
  received: 0,
  lost: null,
  accepted: 0,
  missed: 0,
  written: 0,
};

function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;
}

function work(orders: WriteOrders, tell: (news: WriteNews) => void): void {
  const writer = new PcapngWriter(orders, frameOf(orders));
  const readers = orders.logs.map(({ buffer }) => new PacketLogReader(buffer));
  const files = new Int32Array(orders.files), nobody = new Int32Array(new SharedArrayBuffer(4));
  Atomics.store(files, 0, writer.files);
  tell({ type: "ready" });
  let failed = false;
  const attempt = (action: () => boolean) => {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof WriteError)) throw error;
      failed = true;
      tell({ type: "failed", message: `${error.message}; the capture goes on` });
      return true;
    }
  };
  while (!readers.every((reader) => reader.ended)) {
    let any = false;
    for (const reader of readers) {
      if (failed ? reader.discard() : attempt(() => writeChunk(writer, reader))) any = true;
    }
    Atomics.store(files, 0, writer.files);
    if (!any) Atomics.wait(nobody, 0, 0, NAP_MS);
  }
  if (!failed) attempt(() => (writer.close(), true));
}

/** Writes one chunk, if there is one. */
function writeChunk(writer: PcapngWriter, reader: PacketLogReader): boolean {
  const chunk = reader.take();
  if (chunk === undefined) return false;
  const { blocks, packets, packetBytes } = chunk;
  try {
    writer.write(blocks, { bytes: blocks.length, packets, packetBytes }, reader);
  } finally {
    reader.release();
  }
  return true;
}

addEventListener("message", ({ data }: MessageEvent<WriteOrders>) => {
  const tell = (news: WriteNews) => postMessage(news);
  try {
    work(data, tell);
    tell({ type: "stopped" });
  } catch (error) {
    if (!(error instanceof WriteError)) throw error;
    tell({ type: "failed", message: error.message });
  }
  close();
});
