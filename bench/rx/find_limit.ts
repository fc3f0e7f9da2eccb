/**
 * Purpose: the highest rate that a kind of port takes without a loss, by bisection, as RFC 2544 (section 26.1)
 * does; but a trial with losses is repeated, which RFC 2544 does not know (`--retries 0` leaves it out).
 *
 * ```text
 *  0 ────────── lossless ──────────┼── ? ──┼────────── losses ────────── the sender's most
 *                                 low     high        halved until high - low is small
 * ```
 * The first trial goes as fast as the sender can: without a loss in it, the limit is the sender's, not the
 * receiver's. A trial whose rate the sender did not keep up is none. RFC 2544 wants trials of 60 seconds
 * (`--seconds 60`); short ones overlook rare losses.
 */
import { digits } from "../harness/numbers.ts";
import { flood } from "./flood.ts";
import type { Subject } from "./experiment.ts";
import type { RxOptions } from "./rx_options.ts";

const MOST_TRIALS = 24;
const KEPT = 0.98; // of the rate asked

/** One trial. */
export interface Trial {
  /** Asked; 0: as fast as it goes. */
  rateHz: number;
  sentMpps: number;
  sent: number;
  missing: number;
  /** Milliseconds that the hypervisor took from the two cores. */
  stolenMs: number;
  /** Milliseconds for which others had the receiver's core. */
  waitedMs: number;
}

/** What was found for a kind. */
export interface Limit {
  kind: string;
  port: string;
  mode: string;
  /** Millions of packets a second without a loss; 0: even the lowest rate tried lost some. */
  mpps: number;
  /** The lowest rate with losses; `null`: the sender could not send fast enough for any. */
  lossAtMpps: number | null;
  trials: Trial[];
}

/** Searches the limit; `onTrial` is told of each trial. */
export async function findLimit(
  { kind, label, write }: Subject,
  options: RxOptions,
  onTrial: (label: string, trial: Trial) => void,
): Promise<Limit> {
  const trials: Trial[] = [];
  let mode = "";
  const lossless = async (rateHz: number): Promise<Trial> => {
    for (let again = 0;; again++) {
      const done = await flood(kind, { ...options, write, rateHz });
      mode = done.mode;
      const { sentMpps, sent, missing, stolenMs, waitedMs } = done.run;
      const trial = { rateHz, sentMpps, sent, missing, stolenMs, waitedMs };
      trials.push(trial);
      onTrial(label, trial);
      if (missing === 0 || again === options.retries) return trial;
    }
  };
  const found = await bisect(lossless, options.resolution);
  return { kind: label, port: kind.receive, mode, ...found, trials };
}

/** The search alone; `trial` runs at a rate, 0 for the highest. */
export async function bisect(
  trial: (rateHz: number) => Promise<Pick<Trial, "sentMpps" | "missing">>,
  resolution: number,
): Promise<Pick<Limit, "mpps" | "lossAtMpps">> {
  const most = await trial(0);
  if (most.missing === 0) return { mpps: most.sentMpps, lossAtMpps: null };
  let low = 0, high = most.sentMpps;
  for (let i = 0; i < MOST_TRIALS && high > low && high - low > resolution * high; i++) {
    const middle = (low + high) / 2, { sentMpps, missing } = await trial(Math.round(middle * 1e6));
    if (missing > 0) high = Math.min(high, middle, sentMpps); // it may have sent less than asked
    else if (sentMpps >= KEPT * middle) low = middle;
    else {
      // The sender is slower when paced than when it floods: what it kept up is all that can be said.
      return { mpps: Math.max(low, sentMpps), lossAtMpps: high };
    }
  }
  return { mpps: low, lossAtMpps: high };
}

/** A line for each trial. */
export function trialLine(
  label: string,
  { rateHz, sentMpps, missing, stolenMs, waitedMs }: Trial,
): string {
  const asked = rateHz === 0 ? "as fast as it goes" : `${(rateHz / 1e6).toFixed(3)} Mpps asked`;
  return `${label.padEnd(12)} ${asked.padEnd(20)} ${
    sentMpps.toFixed(3)
  } Mpps sent, ${missing} lost` +
    (stolenMs > 0 ? `; the hypervisor took ${stolenMs} ms` : "") +
    (waitedMs >= 1 ? `; others had the core for ${waitedMs.toFixed(0)} ms` : "");
}

/** All limits, as text. */
export function limitTable(limits: Limit[]): string {
  return limits.map((limit) => {
    const { kind, mpps, lossAtMpps, trials } = limit, doubt = doubtOf(limit);
    const losses = lossAtMpps === null
      ? "which is all that the sender sent: the limit is higher"
      : `losses at ${digits(lossAtMpps)}`;
    return `  ${kind.padEnd(12)} ${
      digits(mpps)
    } Mpps without a loss, ${losses} (trials: ${trials.length})` +
      (doubt === undefined ? "" : `; doubtful: ${doubt}`);
  }).join("\n");
}

/** Why a limit may be lower than the port's; `undefined`: nothing says so. */
export function doubtOf({ trials }: Pick<Limit, "trials">): string | undefined {
  const lossy = trials.filter(({ missing }) => missing > 0);
  const disturbed = lossy.filter(({ stolenMs, waitedMs }) => stolenMs + waitedMs > 0).length;
  return disturbed === 0
    ? undefined
    : `in ${disturbed} of ${lossy.length} trials with losses others had the cores meanwhile`;
}
