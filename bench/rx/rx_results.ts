/**
 * Purpose: what `deno task bench:rx` finds out, as it stands in its JSON under `results`.
 */
import type { Verdict } from "./verdict.ts";

/** The whole experiment. */
export interface RxResults {
  /** The interfaces, or what stands for them. */
  receive: string;
  send: string;
  /** Of the kernel, of the receive interface; `null` for what is no interface. */
  driver: string | null;
  /** Seconds of each run; the rates are over its middle. */
  seconds: number;
  repeats: number;
  /** Packets handled per sync at most; bytes of a packet, from the Ethernet header on. */
  burst: number;
  packetBytes: number;
  wait: string;
  /** µs from one look of the receiver to the next; 0: it does not pause. */
  paceUs: number;
  cores: { sender: number; receiver: number };
  kinds: KindResults[];
  skipped: { kind: string; why: string }[];
}

/** One kind of port, over all its runs. */
export interface KindResults {
  /** "udp" and so on; the baseline is the first of the experiment. */
  kind: string;
  /** The receiving port's name, the sender's, and what moves the packets to be received. */
  port: string;
  sendPort: string;
  mode: string;
  /** Millions of packets a second that became ticks: median, smallest, largest of the runs. */
  mpps: number;
  minMpps: number;
  maxMpps: number;
  /** The middle half of the runs lies so far apart, as a share of the median. */
  spread: number;
  /** To the baseline: the median of the ratios of each round; 1 for the baseline. */
  ratio: number;
  /** µs a packet, over the packets of all runs; each burst's share, its sync included. */
  serviceUs: { mean: number; p50: number; p99: number; p999: number; max: number };
  /** The same as a distribution: up to so many µs, so many packets; for the middle of each bucket that has any. */
  serviceBuckets: [us: number, packets: number][];
  /** Medians over the runs; see Run. */
  cpuNs: number;
  busyNs: number;
  verdict: Verdict;
  runs: Run[];
}

/** One flood through one port. */
export interface Run {
  /** Packets that the sender's port took, and at which rate. */
  sent: number;
  sentMpps: number;
  /** The sender's bursts, and how many of them found the transmit ring full. */
  sendBursts: number;
  ringFull: number;
  received: number;
  /** Became a tick in the ring. */
  delivered: number;
  /** Lost as the port counts; `null` where it cannot know. */
  lost: number | null;
  /** Sent and not received. */
  missing: number;
  /** Packets that became ticks, over the middle of the run. */
  mpps: number;
  /** Receive rate over time: milliseconds since the first packet, Mpps since the sample before. */
  samples: [ms: number, mpps: number][];
  /** Packets ready at a sync that found any; slots of the receive ring. */
  occupancyMean: number;
  occupancyMax: number;
  ringSlots: number;
  burstMean: number;
  burstMax: number;
  syncs: number;
  emptySyncs: number;
  /** Share of the time in which the receiver had no packet to handle. */
  idleShare: number;
  /** CPU time of the receiving thread a packet, with the syncs that found nothing; and what its bursts alone took, by the clock. */
  cpuNs: number;
  busyNs: number;
  /** How long it took in all, both programs' start included, and what the hypervisor took from the two cores. */
  wallMs: number;
  stolenMs: number;
  /** In the middle of the run: how long the receiver waited for its core, which others had; how often it was taken off. */
  waitedMs: number;
  switches: number;
  /** ns from one core to the other for a cache line, before and after: the larger. */
  coresApartNs: number;
}
