/**
 * Purpose: the experiment: each kind of port in turn, round by round (A B C A B C …), and what all rounds say.
 */
import { Histogram } from "../../capture/histogram.ts";
import { median, range, spread } from "../harness/numbers.ts";
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

/** Floods every subject, `repeats` times in turn; `onRun` is told of each run. */
export async function runExperiment(
  subjects: Subject[],
  options: RxOptions,
  onRun: (round: number, subject: Subject, run: Run) => void,
): Promise<KindResults[]> {
  const floods: Flood[][] = subjects.map(() => []);
  for (let round = 1; round <= options.repeats; round++) {
    for (const [i, subject] of subjects.entries()) {
      const done = await flood(subject.kind, { ...options, write: subject.write });
      floods[i].push(done);
      onRun(round, subject, done.run);
    }
  }
  return subjects.map((subject, i) => resultsOf(subject, floods[i], floods[0], options));
}

function resultsOf(
  { label, kind }: Subject,
  floods: Flood[],
  baseline: Flood[],
  { seconds, rateHz, core, sendCore }: RxOptions,
): KindResults {
  const runs = floods.map(({ run }) => run), mpps = runs.map((run) => run.mpps);
  const { min, max } = range(mpps);
  const service = new Histogram();
  service.add(floods.map((done) => new Histogram(Float64Array.from(done.service))));
  const usPerTick = floods[0].nsPerTick / 1000;
  return {
    kind: label,
    port: kind.receive,
    mode: floods[0].mode,
    mpps: median(mpps),
    minMpps: min,
    maxMpps: max,
    spread: spread(mpps),
    ratio: median(mpps.map((value, i) => value / baseline[i].run.mpps)),
    serviceUs: service.distribution(usPerTick),
    serviceBuckets: service.buckets(usPerTick),
    cpuNs: median(runs.map((run) => run.cpuNs)),
    busyNs: median(runs.map((run) => run.busyNs)),
    verdict: judge(runs, { seconds, paced: rateHz > 0, sameCore: core === sendCore }),
    runs,
  };
}
