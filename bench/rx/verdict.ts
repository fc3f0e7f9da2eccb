/**
 * Purpose: what held a flood back, and so which of its figures mean anything. The README has the same rules.
 *
 * | receiver idle | lost    | sender's ring full | held back by                                   |
 * | ------------- | ------- | ------------------ | ---------------------------------------------- |
 * | hardly        | yes     |                    | the receiver                                   |
 * | hardly        | no      | often              | the receiver, and the port holds the sender up |
 * | often         | no      | often              | the link                                       |
 * | often         | no      | seldom             | the sender                                     |
 * | often         | yes     |                    | unclear: it lost packets though it had time    |
 * | hardly        | no      | seldom             | unclear: both are near their limit             |
 */
import { NEAR_NS } from "../harness/core_distance.ts";
import { median, percent, spread } from "../harness/numbers.ts";
import type { Run } from "./rx_results.ts";

/** Shares from which on something is said to happen: idle time, packets lost, bursts that found the ring full. */
const IDLE = 0.2, LOST = 1e-4, FULL = 0.1;
/** Shares from which on a figure is doubtful. */
const SPREAD = 0.1, STOLEN = 0.01;

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
  sameCore: boolean;
}

/** Judges the runs of a kind. */
export function judge(runs: Run[], circumstances: Circumstances): Verdict {
  const of = (value: (run: Run) => number) => median(runs.map(value));
  const idle = of((run) => run.idleShare), empty = of((run) => run.emptySyncs / run.syncs || 0);
  const lost = of((run) => run.missing / run.sent);
  const full = of((run) => run.ringFull / run.sendSyncs || 0);
  const warnings = warningsOf(runs, circumstances);
  const is = { idle: idle > IDLE, lost: lost > LOST, full: full > FULL };
  const { bottleneck, why } = rule(is, circumstances.paced);
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
}

function rule(is: Signs, paced: boolean): { bottleneck: Verdict["bottleneck"]; why: string } {
  if (is.idle && is.lost) {
    return {
      bottleneck: "unclear",
      why:
        "packets were lost although the receiver had time: it was kept from its core, or bursts " +
        "were larger than its ring",
    };
  }
  if (is.lost) return { bottleneck: "receiver", why: "it had no time left, and lost packets" };
  if (is.full && !is.idle) {
    return { bottleneck: "receiver", why: "it had no time left, and held the sender up" };
  }
  if (is.full) return { bottleneck: "link", why: "the sender waited, and the receiver too" };
  if (is.idle) {
    const why = paced ? "its rate was chosen" : "the receiver waited for it";
    return { bottleneck: "sender", why };
  }
  return { bottleneck: "unclear", why: "sender and receiver are both near their limit" };
}

function warningsOf(runs: Run[], { seconds, sameCore }: Circumstances): string[] {
  const apart = spread(runs.map(({ mpps }) => mpps));
  const stolen = Math.max(...runs.map(({ stolenMs }) => stolenMs)) / (seconds * 1000);
  const far = runs.filter(({ coresApartNs }) => coresApartNs > NEAR_NS).length;
  const uncounted = Math.max(...runs.map((run) => run.lost === null ? 0 : run.missing - run.lost));
  const warnings = [
    sameCore && "sender and receiver shared a core",
    runs.length > 1 && apart > SPREAD && `the middle half of the runs differs by ${percent(apart)}`,
    stolen > STOLEN && `the hypervisor took up to ${percent(stolen)} of a core's time`,
    far > 0 && far < runs.length &&
    `the cores were far apart in ${far} of ${runs.length} runs (more than ${NEAR_NS} ns a cache line)`,
    far === runs.length && `the cores were far apart (more than ${NEAR_NS} ns a cache line)`,
    uncounted > 0 && `${uncounted} packets of a run were lost before the port could count them`,
  ];
  return warnings.filter((warning) => warning !== false);
}
