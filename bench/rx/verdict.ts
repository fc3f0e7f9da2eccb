/**
 * Purpose: what held a flood back, and so which of its figures mean anything. The README has the same rules.
 *
 * | receiver idle | lost    | sender's ring full | held back by                                     |
 * | ------------- | ------- | ------------------ | ------------------------------------------------ |
 * | hardly        | yes     | any                | the receiver                                     |
 * | hardly        | no      | often              | the receiver, and the port holds the sender up   |
 * | hardly        | no      | seldom             | the receiver, if it was slower than the sender,  |
 * |               |         |                    | and the port keeps the rest; otherwise unclear:  |
 * |               |         |                    | both are near their limit                        |
 * | often         | no      | often              | the link                                         |
 * | often         | no      | seldom             | the sender                                       |
 * | often         | yes     | any                | unclear: it lost packets though it had time      |
 *
 * A receiver that looks now and then only (--pace) is never idle here: its pauses are its own.
 */
import { NEAR_NS } from "../harness/core_distance.ts";
import { median, percent, spread } from "../harness/numbers.ts";
import type { Run } from "./rx_results.ts";

/** Of the sender's rate: below, a receiver that has lost nothing has fallen behind it. */
const BEHIND = 0.9;
/** Shares from which on something is said to happen: idle time, packets lost, bursts that found the ring full. */
const IDLE = 0.2, LOST = 1e-4, FULL = 0.1;
/** Shares from which on a figure is doubtful. */
const SPREAD = 0.1, TAKEN = 0.01;
const CORES = 2, WINDOW = 0.6; // of a run, see flood_watch.ts

/** What a kind's figures are worth. */
export interface Verdict {
  /** What held the flood back. */
  bottleneck: "sender" | "link" | "receiver" | "unclear";
  /** The rule that says so, and the figures that it is drawn from; each part of a sentence. */
  because: string;
  signs: string;
  /** Whether the throughput is the receiver's own; whether its service time and CPU time can be believed. */
  throughputMeans: boolean;
  serviceMeans: boolean;
  /** What makes the figures doubtful: a machine that was disturbed, runs that disagree. */
  warnings: string[];
}

/** Where a kind's runs were made. */
export interface Circumstances {
  seconds: number;
  /** Whether a rate was asked of the sender. */
  paced: boolean;
  /** µs from one look of the receiver to the next; 0: it does not pause. */
  paceUs: number;
  sameCore: boolean;
}

/** Judges the runs of a kind. */
export function judge(runs: Run[], circumstances: Circumstances): Verdict {
  const of = (value: (run: Run) => number) => median(runs.map(value));
  const idle = of((run) => run.idleShare), empty = of((run) => run.emptySyncs / run.syncs || 0);
  const lost = of((run) => run.missing / run.sent);
  const full = of((run) => run.ringFull / run.sendBursts || 0);
  const warnings = warningsOf(runs, circumstances);
  const is = {
    idle: idle > IDLE && circumstances.paceUs === 0,
    lost: lost > LOST,
    full: full > FULL,
    behind: of((run) => run.mpps / run.sentMpps) < BEHIND,
  };
  const { bottleneck, why } = rule(is, circumstances);
  const shares = [
    `the receiver was idle ${percent(idle)} of the time`,
    `${percent(empty)} of its syncs were empty`,
    `${percent(lost)} of the packets were lost`,
    `${percent(full)} of the sender's bursts found its ring full`,
  ];
  return {
    bottleneck,
    because: why,
    signs: shares.join(", "),
    throughputMeans: bottleneck === "receiver",
    serviceMeans: !circumstances.sameCore && !(is.idle && is.lost),
    warnings,
  };
}

/** What a reader may make of a verdict, in a sentence. */
export function meaning({ bottleneck, serviceMeans }: Verdict): string {
  const throughput = {
    receiver: "the throughput is the receiver's own",
    sender: "the throughput is the sender's: the receiver could take more",
    link: "the throughput is the link's: the receiver could take more",
    unclear: "the throughput is no more than a lower bound",
  }[bottleneck];
  return `${throughput}; service and CPU time ${
    serviceMeans ? "are the receiver's" : "should not be believed"
  }`;
}

interface Signs {
  idle: boolean;
  lost: boolean;
  full: boolean;
  behind: boolean;
}

function rule(
  is: Signs,
  { paced, paceUs, sameCore }: Circumstances,
): { bottleneck: Verdict["bottleneck"]; why: string } {
  if (sameCore) return { bottleneck: "unclear", why: "sender and receiver shared a core" };
  if (is.idle && is.lost) {
    return {
      bottleneck: "unclear",
      why:
        "packets were lost although the receiver had time: it was kept from its core, or bursts " +
        "were larger than its ring",
    };
  }
  const busy = paceUs > 0 ? `it looked every ${paceUs} µs only` : "it had no time left";
  if (is.lost) return { bottleneck: "receiver", why: `${busy}, and lost packets` };
  if (is.full && !is.idle) {
    return { bottleneck: "receiver", why: `${busy}, and held the sender up` };
  }
  if (is.behind && !is.idle) {
    return { bottleneck: "receiver", why: `${busy}, and its port kept what it had not taken` };
  }
  if (is.full) return { bottleneck: "link", why: "the sender waited, and the receiver too" };
  if (is.idle || paceUs > 0) {
    const why = paced ? "its rate was chosen" : "the receiver waited for it";
    return { bottleneck: "sender", why };
  }
  return { bottleneck: "unclear", why: "sender and receiver are both near their limit" };
}

function warningsOf(runs: Run[], { seconds }: Circumstances): string[] {
  const apart = spread(runs.map(({ mpps }) => mpps));
  const stolen = Math.max(...runs.map(({ stolenMs, wallMs }) => stolenMs / (CORES * wallMs)));
  const waited = Math.max(...runs.map(({ waitedMs }) => waitedMs)) / (seconds * WINDOW * 1000);
  const far = runs.filter(({ coresApartNs }) => coresApartNs > NEAR_NS).length;
  const uncounted = Math.max(...runs.map((run) => run.lost === null ? 0 : run.missing - run.lost));
  const warnings = [
    apart > SPREAD && `the middle half of the runs differs by ${percent(apart)}`,
    stolen > TAKEN && `the hypervisor took up to ${percent(stolen)} of the cores' time`,
    waited > TAKEN && `other programs had the receiver's core up to ${percent(waited)} of the time`,
    far > 0 && far < runs.length &&
    `a cache line took over ${NEAR_NS} ns between the cores in ${far} of ${runs.length} runs: far, or busy`,
    far === runs.length && `a cache line took over ${NEAR_NS} ns between the cores: far, or busy`,
    uncounted > 0 && `${uncounted} packets of a run were lost before the port could count them`,
  ];
  return warnings.filter((warning) => warning !== false);
}
