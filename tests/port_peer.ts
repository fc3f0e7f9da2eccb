/**
 * The other side of a test, as a process or as a worker: opens a port, says "ready", waits for "go",
 * then sends or receives, and reports.
 *
 * It ends by itself after a minute, whatever happens.
 */
import { openPort } from "../ffi/open_port.ts";
import { nowNs, sleepNs } from "../ffi/host.ts";
import { type Port, RX } from "../ffi/port.ts";
import type { Stream } from "./port_packets.ts";
import { allSent, Arrivals, send } from "./port_traffic.ts";

/** What a peer is to do. */
export interface PeerJob {
  /** `send` sends `count`, `flood` sends until it is killed, `receive` receives until it is killed. */
  role: "send" | "flood" | "receive";
  port: string;
  directions: number;
  stream: Stream;
  wholePackets: boolean;
  count: number;
  delayMs: number;
}

/** What a peer says at the end. */
export interface PeerReport {
  sent: number;
  /** CLOCK_MONOTONIC before the first packet was sent. */
  startedNs: number;
  error?: string;
}

const BURST = 64;
const LIFE_MS = 60_000;

/** Does the job; `ready` is called when the port is open. */
async function work(job: PeerJob, ready: () => Promise<void>): Promise<PeerReport> {
  const port = openPort(job.port, job.directions);
  await ready();
  sleepNs(job.delayMs * 1e6);
  const startedNs = nowNs();
  try {
    if (job.role === "receive") return receiveForever(port, job);
    return { sent: sendAll(port, job), startedNs };
  } finally {
    port.close();
  }
}

function sendAll(port: Port, { role, stream, count }: PeerJob): number {
  const end = nowNs() + LIFE_MS * 1e6;
  const wanted = role === "flood" ? Infinity : count;
  let sent = 0;
  while ((sent < wanted || !allSent(port)) && nowNs() < end) {
    sent += send(port, stream, sent, Math.min(BURST, wanted - sent));
  }
  return sent;
}

function receiveForever(port: Port, { stream, wholePackets }: PeerJob): never {
  const end = nowNs() + LIFE_MS * 1e6, arrivals = new Arrivals(wholePackets, [stream]);
  while (nowNs() < end) {
    if (arrivals.take(port) === 0) port.wait(RX, 1000);
  }
  throw new Error("nobody killed the receiver");
}

async function report(job: PeerJob, ready: () => Promise<void>): Promise<PeerReport> {
  try {
    return await work(job, ready);
  } catch (error) {
    return { sent: 0, startedNs: 0, error: String(error) };
  }
}

async function asProcess(job: PeerJob): Promise<void> {
  const lines = Deno.stdin.readable.getReader();
  const ended = await report(job, async () => {
    console.log("ready");
    await lines.read();
  });
  console.log(JSON.stringify(ended));
  Deno.exit(0);
}

function asWorker(): void {
  const worker = self as unknown as Worker;
  let go: () => void;
  worker.onmessage = ({ data }) => {
    if (data === "go") return go();
    const ready = () => {
      worker.postMessage("ready");
      return new Promise<void>((resolve) => go = resolve);
    };
    report(data as PeerJob, ready).then((ended) => worker.postMessage(ended));
  };
}

if ("WorkerGlobalScope" in globalThis) asWorker();
else if (import.meta.main) await asProcess(JSON.parse(Deno.args[0]));
