/**
 * Purpose: what the live view remembers: the samples of the last second, for rates that glide, and a rate
 * for each second of the last minute.
 */
import type { InstrumentStats } from "../../../engine/simulated_market.ts";
import type { Distribution, Histogram } from "../../histogram.ts";
import type { Sample, Statistics } from "../statistics.ts";

const WINDOW_NS = 1e9;
/** A sample a little early still ends a second. */
const SLACK_NS = 0.1e9;
const MINUTE = 60;
/** An instrument moves up past one with fewer ticks by this factor: near equals would change places all the time. */
const AHEAD = 1.05;

/** What is drawn. */
export interface Recent {
  now: Statistics;
  /** About a second before; at the start the first sample. */
  before: Statistics;
  /** Service times in ns, of what came between them. */
  service: Distribution & { atMost: number[] };
  /** Millions of packets a second and Gbit/s, of each second, the newest last. */
  mpps: readonly number[];
  gbps: readonly number[];
  /** The busiest instruments, each where it was before as far as possible. */
  instruments: readonly InstrumentStats[];
}

/** Samples, and what they say. */
export class History {
  readonly #samples: Sample[] = [];
  readonly #mpps: number[] = [];
  readonly #gbps: number[] = [];
  #instruments: readonly InstrumentStats[] = [];
  #second: Statistics | undefined;

  /** `boundsNs`: of the buckets of service times. */
  constructor(readonly nsPerTick: number, readonly boundsNs: readonly number[]) {}

  /** Adds a sample, and says what there is to draw now. */
  add(sample: Sample): Recent {
    const samples = this.#samples, now = sample.statistics;
    samples.push(sample);
    const old = (next: Sample) => now.elapsedNs - next.statistics.elapsedNs >= WINDOW_NS - SLACK_NS;
    while (samples.length > 2 && old(samples[1])) samples.shift();
    this.#second ??= now;
    if (now.elapsedNs - this.#second.elapsedNs >= WINDOW_NS - SLACK_NS) this.#endSecond(now);
    const [first] = samples;
    this.#instruments = settled(this.#instruments, now.instruments);
    return {
      now,
      before: first.statistics,
      service: this.#serviceOf(sample.service.since(first.service.memory)),
      mpps: this.#mpps,
      gbps: this.#gbps,
      instruments: this.#instruments,
    };
  }

  #endSecond(now: Statistics): void {
    const per = perSecond(now, this.#second!);
    push(this.#mpps, per((s) => s.received) / 1e6);
    push(this.#gbps, per((s) => s.bytes) * 8 / 1e9);
    this.#second = now;
  }

  #serviceOf(recent: Histogram): Recent["service"] {
    const { nsPerTick, boundsNs } = this, all = recent.distribution(nsPerTick);
    // The histogram keeps the largest of all times only.
    const max = recent.count > 0 ? recent.quantile(1) * nsPerTick : 0;
    return { ...all, max, atMost: recent.atMost(boundsNs, nsPerTick) };
  }
}

/** How fast a number grew between two sets of statistics; what is unknown grows by an unknown number. */
export function perSecond(now: Statistics, before: Statistics) {
  const seconds = (now.elapsedNs - before.elapsedNs) / 1e9;
  return <N extends number | null>(field: (s: Statistics) => N): N => {
    const [end, begin] = [field(now), field(before)];
    if (end === null || begin === null) return null as N;
    return (seconds > 0 ? (end - begin) / seconds : 0) as N;
  };
}

/** `next`, in the order of `last` but for those that are clearly ahead; who is new takes the place of who is gone. */
function settled(
  last: readonly InstrumentStats[],
  next: readonly InstrumentStats[],
): readonly InstrumentStats[] {
  const stay = new Set(last.map(({ instrument }) => instrument));
  const found = (id: number) => next.find(({ instrument }) => instrument === id);
  const fresh = next.filter(({ instrument }) => !stay.has(instrument));
  const order = last.map(({ instrument }) => found(instrument) ?? fresh.shift())
    .filter((one) => one !== undefined).concat(fresh);
  for (let i = 1; i < order.length; i++) {
    for (let at = i; at > 0 && order[at].ticks > order[at - 1].ticks * AHEAD; at--) {
      [order[at - 1], order[at]] = [order[at], order[at - 1]];
    }
  }
  return order;
}

function push(values: number[], value: number): void {
  values.push(value);
  if (values.length > MINUTE) values.shift();
}
