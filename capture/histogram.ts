/**
 * Purpose: a log-linear histogram over shared memory: 64 buckets between one power of two and the next,
 * so a value is known to 1.6 %. Written by one thread, readable by any other at any time.
 *
 * ```text
 *  value (f64 ≥ 0)  × 16 ─▶ integer v      v < 128: bucket v
 *                                          else:   its leading 7 bits and its shift
 * ```
 */

const SUB = 64, SUB_BITS = 6;
const SCALE_BITS = 4, SCALE = 1 << SCALE_BITS; // values are kept in sixteenths
const BUCKETS = SUB * (32 - SUB_BITS + SCALE_BITS);
const MOST = 0x7fffffff; // the time stamp counter's differences are less
const COUNT = 0, SUM = 1, MAX = 2, FIRST = 3;

/** Float64 elements that a histogram needs. */
export const HISTOGRAM_LENGTH = FIRST + BUCKETS;

/** What a histogram says, in the unit of its values. */
export interface Distribution {
  /** The mean, exact. */
  mean: number;
  /** The median. */
  p50: number;
  /** 99 % are below. */
  p99: number;
  /** 99.9 % are below. */
  p999: number;
  /** The largest, exact. */
  max: number;
}

/**
 * A histogram in `memory`, which begins with zeros.
 *
 * @example The time that each packet of a burst took
 * ```ts
 * import { Histogram } from "@uspf/uspf";
 *
 * const histogram = new Histogram();
 * histogram.recordShare(6400, 64); // 64 packets in 6400 ticks
 * console.assert(Math.abs(histogram.distribution(1).p50 - 100) < 5);
 * ```
 */
export class Histogram {
  /** `memory`: HISTOGRAM_LENGTH elements, of one's own by default. */
  constructor(readonly memory: Float64Array = new Float64Array(HISTOGRAM_LENGTH)) {}

  /** Counts a value (from 2^31 on it falls into the last bucket) `weight` times: the share of each, where `total` fell to `weight` alike. */
  recordShare(total: number, weight: number): void {
    const memory = this.memory, value = total / weight;
    // An int32 has room for the sixteenths of values below 2^27; of larger ones they would say nothing.
    const coarse = value * SCALE > MOST ? SCALE_BITS : 0;
    const v = (coarse === 0 ? value * SCALE : Math.min(value, MOST)) | 0;
    const shift = 31 - SUB_BITS - Math.clz32(v | SUB);
    memory[FIRST + (shift + coarse << SUB_BITS) + (v >>> shift)] += weight;
    memory[COUNT] += weight;
    memory[SUM] += value * weight;
    if (value > memory[MAX]) memory[MAX] = value;
  }

  /** Adds what others hold. */
  add(others: readonly Histogram[]): void {
    const memory = this.memory;
    for (const { memory: other } of others) {
      const max = Math.max(memory[MAX], other[MAX]);
      for (let i = 0; i < memory.length; i++) memory[i] += other[i];
      memory[MAX] = max;
    }
    this.#recount();
  }

  /** What was counted since `before`, a copy of the memory, was taken; but its `max` is that of all. */
  since(before: Float64Array): Histogram {
    const memory = this.memory.slice();
    for (let i = 0; i < memory.length; i++) if (i !== MAX) memory[i] -= before[i];
    const rest = new Histogram(memory);
    rest.#recount();
    return rest;
  }

  /** What is being written may have another count than its buckets: who compares them must not be misled. */
  #recount(): void {
    let count = 0;
    for (let i = FIRST; i < this.memory.length; i++) count += this.memory[i];
    this.memory[COUNT] = count;
  }

  /** The value below which the share `q` of all lies: the middle of its bucket; 0 where there is none. */
  quantile(q: number): number {
    const memory = this.memory, target = q * memory[COUNT];
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += memory[FIRST + bucket];
      if (seen > 0 && seen >= target) return Math.min(middleOf(bucket) / SCALE, memory[MAX]);
    }
    return memory[MAX];
  }

  /** The middle of each bucket that holds any, multiplied by `unit`, and how many it holds. */
  buckets(unit = 1): [value: number, count: number][] {
    const counts = Array.from(this.memory.subarray(FIRST), (count, i) => ({ count, i }));
    return counts.filter(({ count }) => count > 0)
      .map(({ count, i }) => [middleOf(i) / SCALE * unit, count]);
  }

  /** How many values, multiplied by `unit`, are at most each of `bounds`, which rise; a value counts as its bucket's middle. */
  atMost(bounds: readonly number[], unit = 1): number[] {
    const memory = this.memory, counts = bounds.map(() => 0);
    let bound = 0, seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = memory[FIRST + bucket];
      if (count === 0) continue;
      const value = middleOf(bucket) / SCALE * unit;
      while (bound < bounds.length && value > bounds[bound]) counts[bound++] = seen;
      seen += count;
    }
    return counts.fill(seen, bound);
  }

  /** How many values there are. */
  get count(): number {
    return this.memory[COUNT];
  }

  /** All values added up. */
  get sum(): number {
    return this.memory[SUM];
  }

  /** Mean and quantiles, each multiplied by `unit`. */
  distribution(unit = 1): Distribution {
    const count = this.memory[COUNT];
    return {
      mean: count === 0 ? 0 : this.memory[SUM] / count * unit,
      p50: this.quantile(0.5) * unit,
      p99: this.quantile(0.99) * unit,
      p999: this.quantile(0.999) * unit,
      max: this.memory[MAX] * unit,
    };
  }
}

/** Bucket i of exponent e holds the integers from (i % 64 (+ 64)) << e; see `record`. */
function middleOf(bucket: number): number {
  if (bucket < 2 * SUB) return bucket + 0.5;
  const shift = (bucket >>> SUB_BITS) - 1;
  return ((bucket & SUB - 1) + SUB + 0.5) * 2 ** shift;
}
