/**
 * Purpose: one flood through one kind of port: starts the receiver, then the sender, and checks that what
 * both say adds up.
 */
import { Histogram } from "../../capture/histogram.ts";
import type { SendStats } from "../../sender/packet_sender.ts";
import { Child } from "../harness/child.ts";
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
  const apartBefore = coreDistanceNs(core, sendCore), stolenBefore = stolenFrom([core, sendCore]);
  const file = options.write
    ? Deno.makeTempFileSync({ prefix: "uspf-rx-", suffix: ".pcapng" })
    : "";
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
  throw new Error(
    `Cannot trust "${name}": sent ${sent}, received ${received}, lost ${lost}, accepted ${accepted}, ` +
      `delivered ${delivered}, dropped ${dropped}, consumed ${consumed}, written ${written}: ` +
      `see that nobody else sends there`,
  );
}

function runOf(
  { sent, pps, syncs, ringFull }: SendStats,
  { total, window: w, ringSlots, nsPerTick, samples }: Received,
): Omit<Run, "stolenMs" | "coresApartNs"> {
  const windowNs = w.seconds * 1e9;
  const busyNs = new Histogram(Float64Array.from(w.service)).distribution(nsPerTick).mean;
  return {
    sent,
    sentMpps: pps / 1e6,
    sendSyncs: syncs,
    ringFull,
    received: total.received,
    delivered: total.delivered,
    lost: total.lost,
    missing: sent - total.received,
    mpps: w.received / w.seconds / 1e6,
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
    switches: w.switches,
  };
}

function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}
