/**
 * Purpose: `deno task bench`'s runner of what compare.ts declares. The ways take turns (A B C A B C), so that a
 * noisy neighbour meets all of them, and what is judged is the median of the ratios, round by round.
 */
import { type Comparison, declared, type Family, type Way } from "./compare.ts";
import { coreDistanceNs, NEAR_NS } from "./core_distance.ts";
import { meansOf } from "./family.ts";
import { digits, median, range } from "./numbers.ts";

const LEAST_ROUNDS = 7, MOST_ROUNDS = 50;
const FAR_SHARE = 3, MOST_FAR_ROUNDS = 30, LEAST_NEAR_ROUNDS = 3;

/** What a way shall reach. */
type Target = Pick<Way, "atMost" | "atLeastHz" | "atMostMoreNs">;

/** What was measured of a way. */
export interface WayResult {
  name: string;
  /** ns a unit: median, and smallest and largest of the rounds. */
  ns: number;
  minNs: number;
  maxNs: number;
  /** Time as a ratio to the baseline's: the median over the rounds. */
  ratio: number;
  /** ns a unit more than the baseline: the median over the rounds; `null` where no target asks. */
  moreNs: number | null;
  /** What was wanted, and whether it was reached; `null` without a target, or where too few rounds could be judged. */
  wanted: string | null;
  met: boolean | null;
}

/** What was measured of a comparison, or of a family of them as a whole. */
export interface Measured {
  group: string;
  /** The family's name, where it is of one. */
  family?: string;
  /** Of a family as a whole: how many comparisons; their means stand in `ways`, their ranges in min and max. */
  meanOf?: number;
  unit: string;
  rounds: number;
  farRounds: number;
  ways: WayResult[];
}

/** What was measured; or why it was skipped. */
export type ComparisonResult = Measured | { group: string; skipped: string };

/** Runs what was declared, each for about `seconds`, prints each comparison, and gives the results. */
export async function runComparisons(
  seconds: number,
  print: (line: string) => void,
): Promise<ComparisonResult[]> {
  using _after = { [Symbol.dispose]: disposeAll }; // also where a way fails
  const results: ComparisonResult[] = [], families = new Map<Family, Measured[]>();
  for (const comparison of declared) {
    print(`\n${comparison.group}`);
    if ("skipped" in comparison) {
      print(`  skipped: ${comparison.skipped}`);
      results.push(comparison);
      continue;
    }
    const result = await measure(comparison, seconds);
    report(result, print);
    results.push(result);
    const { family } = comparison;
    if (family !== undefined) families.set(family, [...families.get(family) ?? [], result]);
  }
  for (const [family, members] of families) {
    const whole = meansOf(family, members);
    print(`\n${whole.group}`);
    report(whole, print);
    results.push(whole);
  }
  return results;
}

function disposeAll(): void {
  for (const comparison of declared) if (!("skipped" in comparison)) comparison.dispose?.();
}

/** Whether no target was missed. */
export function allMet(results: ComparisonResult[]): boolean {
  return results.every((r) => "skipped" in r || r.ways.every(({ met }) => met !== false));
}

async function measure(comparison: Comparison, seconds: number): Promise<Measured> {
  const { group, family, unit, count, ways, cores } = comparison;
  await takeTurns(ways, count); // warms up
  const near: number[][] = [], far: number[][] = [];
  const end = performance.now() + seconds * 1000;
  const last = end + FAR_SHARE * seconds * 1000; // near cores may come back
  const enough = () => {
    const rounds = near.length + far.length, now = performance.now();
    if (near.length >= MOST_ROUNDS || far.length >= MOST_FAR_ROUNDS) return true;
    return near.length >= LEAST_ROUNDS && now > end || rounds >= LEAST_ROUNDS && now > last;
  };
  while (!enough()) {
    const before = cores ? coreDistanceNs(...cores) : 0, times = await takeTurns(ways, count);
    const apart = cores ? Math.max(before, coreDistanceNs(...cores)) : 0;
    (apart > NEAR_NS ? far : near).push(times);
  }
  const judged = near.length >= LEAST_NEAR_ROUNDS;
  const rounds = near.length > 0 ? near : far;
  return {
    group,
    family: family?.name,
    unit,
    rounds: near.length,
    farRounds: far.length,
    ways: ways.map((way, i) =>
      resultOf(way, rounds.map((r) => r[i]), rounds.map((r) => r[0]), judged)
    ),
  };
}

/** One run of each way; ns a unit. */
async function takeTurns(ways: Way[], count: number): Promise<number[]> {
  const times: number[] = [];
  for (const way of ways) {
    await way.prepare?.();
    const start = performance.now(), done = way.run();
    if (done !== undefined) await done;
    const wallNs = (performance.now() - start) * 1e6;
    times.push((way.tookNs?.() ?? wallNs) / count);
    await way.verify();
  }
  return times;
}

function resultOf(way: Way, times: number[], base: number[], judged: boolean): WayResult {
  const { name, atMostMoreNs } = way;
  const ns = median(times), { min: minNs, max: maxNs } = range(times);
  const ratio = median(times.map((time, i) => time / base[i]));
  const moreNs = median(times.map((time, i) => time - base[i]));
  return {
    name,
    ns,
    minNs,
    maxNs,
    ratio,
    moreNs: atMostMoreNs === undefined ? null : moreNs,
    ...verdictOf(way, { ns, ratio, moreNs }, judged),
  };
}

/** What was wanted, and whether it was reached. */
export function verdictOf(
  target: Target,
  { ns, ratio, moreNs = 0 }: { ns: number; ratio: number; moreNs?: number },
  judged: boolean,
): Pick<WayResult, "wanted" | "met"> {
  const { atMost, atLeastHz, atMostMoreNs } = target, wanted = wantedOf(target);
  const reached = (atMost === undefined || ratio <= atMost) &&
    (atLeastHz === undefined || 1e9 / ns >= atLeastHz) &&
    (atMostMoreNs === undefined || moreNs <= atMostMoreNs);
  return { wanted, met: wanted === null || !judged ? null : reached };
}

function wantedOf({ atMost, atLeastHz, atMostMoreNs }: Target): string | null {
  const wants: string[] = [];
  if (atMost !== undefined) wants.push(`at most ${Number(atMost.toPrecision(3))} times`);
  if (atLeastHz !== undefined) wants.push(`at least ${digits(atLeastHz / 1e6)} M/s`);
  if (atMostMoreNs !== undefined) wants.push(`at most ${atMostMoreNs} ns more`);
  return wants.length === 0 ? null : wants.join(", ");
}

function report({ unit, rounds, farRounds, ways }: Measured, print: (line: string) => void): void {
  const width = Math.max(...ways.map(({ name }) => name.length));
  const per = `ns a ${unit}`;
  print(`  ${"".padEnd(width)}  ${per.padStart(16)}         (min … max)     M/s  of baseline`);
  for (const { name, ns, minNs, maxNs, ratio, moreNs, wanted, met } of ways) {
    const more = moreNs === null ? "" : `  ${digits(moreNs)} ns more`;
    const verdict = wanted === null
      ? ""
      : `${more}  ${wanted} wanted: ${met === null ? "not judged" : met ? "met" : "MISSED"}`;
    print(
      `  ${name.padEnd(width)}  ${digits(ns).padStart(16)}  ` +
        `${`(${digits(minNs)} … ${digits(maxNs)})`.padStart(18)}  ` +
        `${digits(1e3 / ns).padStart(6)}  ${
          ratio.toFixed(ratio < 0.1 ? 4 : 2).padStart(11)
        }${verdict}`,
    );
  }
  const judged = rounds === 0 ? "no round" : rounds === 1 ? "1 round" : `${rounds} rounds`;
  if (farRounds > 0) {
    print(
      `  ${judged} with near cores; in ${farRounds} they were more than ${NEAR_NS} ns apart` +
        `${rounds === 0 ? ": shown, not judged" : ": left out"}`,
    );
  } else print(`  ${judged}`);
}
