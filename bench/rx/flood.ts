/**
 * Purpose: one flood through one kind of port: starts the receiver, then the sender, and checks that what
 * both say adds up.
 */
import { Histogram } from "../../capture/histogram.ts";
import { openPort } from "../../ffi/open_port.ts";
import { RX } from "../../ffi/port.ts";
import type { SendStats } from "../../sender/packet_sender.ts";
import { Child, ChildError } from "../harness/child.ts";
import { coreDistanceNs } from "../harness/core_distance.ts";
import { stolenFrom } from "../harness/taken.ts";
import type { Kind } from "./kinds.ts";
import type { Received, ReceiveOrders } from "./receiver.ts";
import type { RxOptions } from "./rx_options.ts";
import type { Run } from "./rx_results.ts";

const START_MS = 120_000; // an emulated machine needs half a minute to start both

/** How a flood is made. */
export interface FloodOptions
  extends Pick<RxOptions, "seconds" | "burst" | "wait" | "paceUs" | "core" | "sendCore"> {
  /** Packets a second; 0: as fast as it goes. */
  rateHz: number;
  /** Whether every packet is written to a file as well. */
  write: boolean;
}

/** What both ends saw. */
export interface Flood {
  mode: string;
  run: Run;
  /** The service time histogram's memory of the run's middle, in TSC ticks. */
  service: number[];
  nsPerTick: number;
}

/**
 * Floods a kind of port.
 *
 * @throws {Error} where an end fails, or the figures of both do not add up.
 */
export async function flood(kind: Kind, options: FloodOptions): Promise<Flood> {
  const { seconds, core, sendCore } = options;
  const began = performance.now();
  const apartBefore = coreDistanceNs(core, sendCore), stolenBefore = stolenFrom([core, sendCore]);
  const file = options.write ? `${scratchDirectory()}/written.pcapng` : "";
  try {
    const timeoutMs = START_MS + seconds * 1000;
    const orders: ReceiveOrders = { ...options, port: kind.receive, file: file || undefined };
    const receiver = new Child("bench/rx/receiver.ts", [JSON.stringify(orders)], {
      inside: kind.receiveInside,
      timeoutMs,
    });
    await receiver.ready();
    const args = ["-i", kind.send, ...kind.sendArgs, "--seconds", String(seconds), "--json"]
      .concat("--core", String(sendCore), "-r", String(options.rateHz));
    const sender = new Child("sender/main.ts", args, {
      inside: kind.sendInside,
      permissions: "send",
      timeoutMs,
    });
    // Together: where the receiver fails, nobody waits for the sender's end.
    const [sent, got] = await Promise.all([
      sender.result<SendStats>(),
      receiver.result<Received>(),
    ]);
    check(kind, sent, got);
    const run = {
      ...runOf(sent, got),
      wallMs: performance.now() - began,
      stolenMs: stolenFrom([core, sendCore]) - stolenBefore,
      coresApartNs: Math.max(apartBefore, coreDistanceNs(core, sendCore)),
    };
    return {
      mode: got.mode,
      run,
      service: got.window.service,
      nsPerTick: got.nsPerTick,
    };
  } finally {
    if (file !== "") Deno.removeSync(file);
  }
}

function check({ name }: Kind, { sent }: SendStats, { total, consumed, written }: Received): void {
  const { received, accepted, delivered, dropped, lost } = total;
  const sums = [
    received > 0 && received <= sent,
    lost === null || received + lost <= sent,
    accepted === received,
    delivered + dropped === accepted,
    delivered === consumed,
    written === null || written <= accepted,
  ];
  if (sums.every((holds) => holds)) return;
  throw new ChildError(
    `Cannot trust "${name}": sent ${sent}, received ${received}, lost ${lost}, accepted ${accepted}, ` +
      `delivered ${delivered}, dropped ${dropped}, consumed ${consumed}, written ${written}: ` +
      `see that nobody else sends there`,
  );
}

function runOf(
  { sent, pps, bursts, ringFull }: SendStats,
  { total, window: w, ringSlots, nsPerTick, samples }: Received,
): Omit<Run, "wallMs" | "stolenMs" | "coresApartNs"> {
  const windowNs = w.seconds * 1e9;
  const busyNs = new Histogram(Float64Array.from(w.service)).distribution(nsPerTick).mean;
  return {
    sent,
    sentMpps: pps / 1e6,
    sendBursts: bursts,
    ringFull,
    received: total.received,
    delivered: total.delivered,
    lost: total.lost,
    missing: sent - total.received,
    mpps: w.delivered / w.seconds / 1e6,
    samples,
    occupancyMean: ratio(w.occupancySum, w.syncs - w.emptySyncs),
    occupancyMax: w.occupancyMax,
    ringSlots,
    burstMean: ratio(w.received, w.bursts),
    burstMax: w.burstMax,
    syncs: w.syncs,
    emptySyncs: w.emptySyncs,
    idleShare: Math.max(0, 1 - busyNs * w.received / windowNs),
    cpuNs: ratio(w.cpuNs, w.received),
    busyNs,
    waitedMs: w.waitedMs,
    switches: w.switches,
  };
}

let scratch: string | undefined;

/** A directory for what is written, made once. */
function scratchDirectory(): string {
  return scratch ??= Deno.makeTempDirSync({ prefix: "uspf-rx-" });
}

/** Removes what floods may have left when they were cut short: files, and ports in shared memory. */
export function removeLeftovers(kinds: Kind[]): void {
  if (scratch !== undefined) Deno.removeSync(scratch, { recursive: true });
  scratch = undefined;
  // Whoever opens a switch or a pipe clears away the ports of those that have died.
  for (const { receive } of kinds.filter(({ receive }) => receive.startsWith("soft:"))) {
    openPort(receive, RX).close();
  }
}

function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}
