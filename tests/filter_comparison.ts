/**
 * Purpose: compares what judges say of packets with what tcpdump says, and tells where they differ.
 *
 * As a program it does so for expressions, for the corpus, or for random ones:
 *
 *     deno run -A tests/filter_comparison.ts [--corpus] [--random=COUNT] [--damaged=COUNT] [--seed=N] [-O] [EXPRESSION …]
 */
import { ExpressionError } from "../filter/expression/expression_error.ts";
import { Dice } from "./dice.ts";
import { CORPUS, OURS_REFUSES, REFUSED } from "./filter_corpus.ts";
import { type Judge, JUDGES } from "./filter_judges.ts";
import { type FilterPacket, filterPackets } from "./filter_packets.ts";
import { damagedExpression, randomExpression } from "./random_expression.ts";
import { Tcpdump, type Verdicts } from "./tcpdump_oracle.ts";

/** What a judge decides otherwise than tcpdump. */
export interface Difference {
  expression: string;
  judge: string;
  /** In words, with the shortest packet that shows it. */
  what: string;
}

/** What came of a comparison. */
export interface Comparison {
  /** Expressions that tcpdump took, and that it refused. */
  taken: number;
  refused: number;
  /** Expressions that want some packets and not others: what the rest shows is less. */
  telling: number;
  differences: Difference[];
}

/** Asks tcpdump, with these options, and all judges. */
export async function compare(
  expressions: Iterable<string>,
  packets: FilterPacket[],
  judges: Judge[] = JUDGES,
  options: string[] = [],
): Promise<Comparison> {
  const result: Comparison = { taken: 0, refused: 0, telling: 0, differences: [] };
  using tcpdump = new Tcpdump(packets, options);
  await tcpdump.each(expressions, (expression, verdicts) => {
    if (!(verdicts instanceof Uint8Array)) result.refused++;
    else {
      result.taken++;
      if (verdicts.includes(0) && verdicts.includes(1)) result.telling++;
    }
    for (const judge of judges) {
      const what = difference(judge, expression, packets, verdicts);
      if (what !== undefined) result.differences.push({ expression, judge: judge.name, what });
    }
  });
  return result;
}

/** Differences as text, the first few of them. */
export function shown(differences: Difference[], most = 10): string {
  const texts = differences.slice(0, most).map(({ expression, judge, what }) =>
    `${JSON.stringify(expression)}, ${judge}: ${what}`
  );
  return `${differences.length} expressions are judged otherwise than by tcpdump:\n${
    texts.join("\n")
  }`;
}

/** As many random expressions as wanted; the seed alone decides which. */
export function randomExpressions(seed: number, count: number, make = randomExpression): string[] {
  const dice = new Dice(seed);
  return Array.from({ length: count }, () => make(dice));
}

function difference(
  judge: Judge,
  expression: string,
  packets: FilterPacket[],
  verdicts: Verdicts,
): string | undefined {
  let wants;
  try {
    wants = judge.make(expression);
  } catch (error) {
    if (!(error instanceof ExpressionError)) return `threw ${error}`;
    return verdicts instanceof Uint8Array ? `refused: ${error.message}` : undefined;
  }
  if (!(verdicts instanceof Uint8Array)) return `taken; ${verdicts.error}`;
  const others = packets.map((_, i) => i).filter((i) => wants(packets[i]) !== (verdicts[i] === 1));
  return others.length === 0 ? undefined : shortest(others, packets, verdicts);
}

function shortest(others: number[], packets: FilterPacket[], verdicts: Uint8Array): string {
  const length = (index: number) => packets[index].bytes.length;
  const index = others.reduce((best, next) => length(next) < length(best) ? next : best);
  const { bytes, wireLength } = packets[index], wanted = verdicts[index] === 1;
  return `${others.length} packets; tcpdump ${wanted ? "takes" : "rejects"}, ours ` +
    `${wanted ? "rejects" : "takes"} packet ${index}, ${bytes.length} bytes of ${wireLength}: ${
      hex(bytes)
    }`;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

if (import.meta.main) await main(Deno.args);

async function main(args: string[]): Promise<void> {
  const option = (name: string) => args.find((arg) => arg.startsWith(`--${name}=`))?.split("=")[1];
  const seed = Number(option("seed") ?? 1);
  const expressions = [
    ...args.filter((arg) => arg !== "-O" && !arg.startsWith("--")),
    ...(args.includes("--corpus") ? [...CORPUS, ...REFUSED, ...OURS_REFUSES] : []),
    ...randomExpressions(seed, Number(option("random") ?? 0)),
    ...randomExpressions(seed, Number(option("damaged") ?? 0), damagedExpression),
  ];
  const { taken, refused, telling, differences } = await compare(
    expressions,
    filterPackets(),
    JUDGES,
    args.filter((arg) => arg === "-O"),
  );
  console.log(`tcpdump took ${taken} (${telling} tell packets apart) and refused ${refused}`);
  if (differences.length > 0) console.log(shown(differences, Infinity));
  Deno.exitCode = differences.length > 0 ? 1 : 0;
}
