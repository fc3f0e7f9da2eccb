/** Starts peers (port_peer.ts) in processes and workers, and sees to it that they end. */

import { type Network, type PortKind, SENDER } from "./port_kinds.ts";
import type { PeerJob, PeerReport } from "./port_peer.ts";

const PEER = new URL("./port_peer.ts", import.meta.url);

/** A peer that waits for "go". */
export interface Peer {
  go(): Promise<void>;
  /** What it says when it has done its job. */
  report: Promise<PeerReport>;
  /** SIGKILL; returns when it is gone. */
  kill(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A job for sender `id` of a network; `seed` makes its packets. */
export function senderJob(
  { wholePackets }: PortKind,
  network: Network,
  id: number,
  seed: number,
  more: Partial<PeerJob> = {},
): PeerJob {
  return {
    role: "send",
    port: network.sender(id),
    directions: SENDER,
    stream: network.stream(id, seed),
    wholePackets,
    count: 1,
    delayMs: 0,
    ...more,
  };
}

/** Starts a peer in a process of its own; returns when it has opened its port. */
export async function startProcess(job: PeerJob): Promise<Peer> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", PEER.pathname, JSON.stringify(job)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const rest = (async () => {
    let text = "";
    for (let part; !(part = await output.read()).done;) {
      text += part.value;
      if (text.includes("\n")) break;
    }
    return text;
  })();
  const first = await rest;
  const end = async () => {
    try {
      child.kill("SIGKILL");
    } catch { /* it has ended */ }
    await input.close().catch(() => {});
    await output.cancel().catch(() => {});
    await child.status;
  };
  if (!first.startsWith("ready\n")) {
    await end();
    throw new Error(`the peer did not start: ${first}`);
  }
  return {
    go: () => input.write(new TextEncoder().encode("go\n")),
    report: readReport(output),
    kill: end,
    [Symbol.asyncDispose]: end,
  };
}

async function readReport(output: ReadableStreamDefaultReader<string>): Promise<PeerReport> {
  let text = "";
  for (let part; !(part = await output.read()).done;) text += part.value;
  return text === "" ? { sent: 0, startedNs: 0, error: "killed" } : JSON.parse(text);
}

/** Starts a peer in a worker; returns when it has opened its port. It can only end by itself. */
export async function startWorker(job: PeerJob): Promise<Peer> {
  const worker = new Worker(PEER, { type: "module" });
  const ready = Promise.withResolvers<void>(), report = Promise.withResolvers<PeerReport>();
  worker.onmessage = ({ data }) => {
    if (data === "ready") return ready.resolve();
    report.resolve(data);
    ready.reject(new Error(data.error));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    ready.reject(new Error(event.message));
  };
  worker.postMessage(job);
  const end = () => {
    worker.terminate();
    return Promise.resolve();
  };
  await ready.promise;
  return {
    go: () => Promise.resolve(worker.postMessage("go")),
    report: report.promise,
    kill: end,
    [Symbol.asyncDispose]: end,
  };
}
