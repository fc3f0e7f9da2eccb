/**
 * Purpose: the experiment: each kind of port in turn, round by round (A B C A B C …), and what all rounds say.
 */
import { Histogram } from "../../capture/histogram.ts";
import { median, range, spread } from "../harness/numbers.ts";
import { ChildError } from "../harness/child.ts";
import { type Flood, flood } from "./flood.ts";
import type { Kind } from "./kinds.ts";
import type { RxOptions } from "./rx_options.ts";
import type { KindResults, Run } from "./rx_results.ts";
import { judge } from "./verdict.ts";

/** What is flooded: a kind of port, alone or with each packet written as well. */
export interface Subject {
  label: string;
  kind: Kind;
  write: boolean;
}

/** The subjects of an experiment, the baseline first. */
export function subjectsOf(kinds: Kind[], write: boolean): Subject[] {
  const plain = kinds.map((kind) => ({ label: kind.name as string, kind, write: false }));
  if (!write) return plain;
  return [...plain, ...plain.map((s) => ({ ...s, label: `${s.label}+write`, write: true }))];
}

/** What came of an experiment. */
export interface Outcome {
  kinds: KindResults[];
  /** Subjects without a single run, with the reason. */
  failed: { kind: string; why: string }[];
  /** Runs that failed, of any subject. */
  failures: number;
}

/** Who is told how it goes. */
export interface Listener {
  onRun(round: number, subject: Subject, run: Run): void;
  onFailure(round: number, subject: Subject, why: string): void;
}

/** Floods every subject, `repeats` times in turn. A run that fails costs no other. */
export async function runExperiment(
  subjects: Subject[],
  options: RxOptions,
  listener: Listener,
): Promise<Outcome> {
  const floods: (Flood | string)[][] = subjects.map(() => []);
  for (let round = 1; round <= options.repeats; round++) {
    for (const [i, subject] of subjects.entries()) {
      const done = await tryFlood(subject, options);
      floods[i].push(done);
      if (typeof done === "string") listener.onFailure(round, subject, done);
      else listener.onRun(round, subject, done.run);
    }
  }
  // The first that ran at all.
  const baseline = floods.find((tried) => tried.some((done) => typeof done !== "string")) ?? [];
  const kinds = subjects.flatMap((subject, i) => resultsOf(subject, floods[i], baseline, options));
  const failed = subjects.flatMap(({ label: kind }, i) => {
    const why = floods[i][0];
    return kinds.some((other) => other.kind === kind) ? [] : [{ kind, why: String(why) }];
  });
  const failures = floods.flat().filter((done) => typeof done === "string").length;
  return { kinds, failed, failures };
}

/** A flood, or why it failed. */
async function tryFlood({ kind, write }: Subject, options: RxOptions): Promise<Flood | string> {
  try {
    return await flood(kind, { ...options, write });
  } catch (error) {
    if (error instanceof ChildError) return error.message;
    throw error;
  }
}

function resultsOf(
  { label, kind }: Subject,
  tried: (Flood | string)[],
  baseline: (Flood | string)[],
  { seconds, rateHz, paceUs, core, sendCore }: RxOptions,
): KindResults[] {
  const floods = tried.filter((done) => typeof done !== "string");
  if (floods.length === 0) return [];
  const runs = floods.map(({ run }) => run), mpps = runs.map((run) => run.mpps);
  const ratios = tried.flatMap((done, i) => {
    const base = baseline[i];
    return typeof done === "string" || typeof base === "string"
      ? []
      : done.run.mpps / base.run.mpps;
  });
  const service = new Histogram();
  service.add(floods.map((done) => new Histogram(Float64Array.from(done.service))));
  const usPerTick = floods[0].nsPerTick / 1000, { min, max } = range(mpps);
  const circumstances = { seconds, paced: rateHz > 0, paceUs, sameCore: core === sendCore };
  const verdict = judge(runs, circumstances), missed = tried.length - floods.length;
  if (missed > 0) verdict.warnings.push(`${missed} of ${tried.length} runs failed`);
  return [{
    kind: label,
    port: kind.receive,
    sendPort: kind.send,
    mode: floods[0].mode,
    mpps: median(mpps),
    minMpps: min,
    maxMpps: max,
    spread: spread(mpps),
    ratio: median(ratios),
    serviceUs: service.distribution(usPerTick),
    serviceBuckets: service.buckets(usPerTick),
    cpuNs: median(runs.map((run) => run.cpuNs)),
    busyNs: median(runs.map((run) => run.busyNs)),
    verdict,
    runs,
  }];
}
