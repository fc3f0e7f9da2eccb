/**
 * Purpose: a family of comparisons judged as a whole: by the geometric mean of their ratios, which is the same
 * whichever side is the baseline.
 */
import type { Family } from "./compare.ts";
import { geometricMean, range } from "./numbers.ts";
import { type Measured, verdictOf } from "./run_comparisons.ts";

/** A family's results in the form of a comparison's: each way with the means, and the range, of its members. */
export function meansOf({ name, means }: Family, members: Measured[]): Measured {
  const [first] = members;
  const judged = members.every(({ ways }) =>
    ways.every(({ met, wanted }) => met !== null || !wanted)
  );
  return {
    group: `${name}, geometric mean of ${members.length}`,
    family: name,
    meanOf: members.length,
    unit: first.unit,
    rounds: Math.min(...members.map(({ rounds }) => rounds)),
    farRounds: 0,
    ways: first.ways.map((way, i) => {
      const all = members.map(({ ways }) => ways[i]), times = all.map(({ ns }) => ns);
      const ns = geometricMean(times), { min: minNs, max: maxNs } = range(times);
      const ratio = geometricMean(all.map(({ ratio }) => ratio));
      const target = means[way.name] ?? {};
      return {
        name: way.name,
        ns,
        minNs,
        maxNs,
        ratio,
        moreNs: null,
        ...verdictOf(target, { ns, ratio }, judged),
      };
    }),
  };
}
