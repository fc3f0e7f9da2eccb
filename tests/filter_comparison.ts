/**
 * Purpose: compares what judges say of packets with what tcpdump says, and tells where they differ.
 *
 * One thing is not held against a judge, and counted: "geneve" with or, not. tcpdump remembers where Geneve's
 * payload begins only if there is Geneve. What stands behind looks for it there in any case, in memory that
 * nobody has written.
 *
 * What tcpdump refuses since nothing can match ("expression rejects all packets") a judge may take: it then has
 * to reject all packets.
 *
 * As a program it compares expressions, the corpus, or random ones:
 *
 *     deno run -A tests/filter_comparison.ts --corpus --random=COUNT --damaged=COUNT --seed=N EXPRESSION …
 */
import { ExpressionError } from "../filter/expression/expression_error.ts";
import { Dice } from "./dice.ts";
import { CORPUS, REFUSED } from "./filter_corpus.ts";
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
  /** Expressions of which tcpdump's verdict is chance. */
  chance: number;
  /** Expressions that we refuse knowingly. */
  beyondLimits: number;
  differences: Difference[];
}

/**
 * What we refuse though tcpdump takes it: what is too large, and computed numbers that cannot be shifted or
 * divided by, of which tcpdump does not tell where it finds that no packet gets there. An address behind a
 * backslash is a name, and tcpdump lets the resolver read it.
 */
const LIMITS =
  /more than \d+ times "geneve"|behind too many tests|bits to shift is \d+|the divisor is 0|"[\d.]+" is no address/;

/** Asks tcpdump and all judges. */
export async function compare(
  expressions: Iterable<string>,
  packets: FilterPacket[],
  judges: Judge[] = JUDGES,
): Promise<Comparison> {
  const counts = { taken: 0, refused: 0, telling: 0, chance: 0, beyondLimits: 0 };
  const result: Comparison = { ...counts, differences: [] };
  using tcpdump = new Tcpdump(packets);
  await tcpdump.each(expressions, (expression, verdicts) => {
    if (verdicts.error === undefined) result.taken++;
    else result.refused++;
    if (verdicts.of.includes(0) && verdicts.of.includes(1)) result.telling++;
    for (const judge of judges) {
      const found = difference(judge, expression, packets, verdicts);
      if (found === undefined) continue;
      const note = (what: string) =>
        result.differences.push({ expression, judge: judge.name, what });
      if (typeof found === "string") {
        if (LIMITS.test(found)) result.beyondLimits++;
        else note(found);
        continue;
      }
      if (isChance(expression)) result.chance++;
      else note(shortest(found, packets, verdicts.of));
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

/** Packets that a judge decides otherwise; or in words what else is different. */
function difference(
  judge: Judge,
  expression: string,
  packets: FilterPacket[],
  { of, error: refusal, never }: Verdicts,
): number[] | string | undefined {
  let wants;
  try {
    wants = judge.make(expression);
  } catch (error) {
    if (!(error instanceof ExpressionError)) return `threw ${error}`;
    return refusal ?? never ? undefined : `refused: ${error.message}`;
  }
  if (refusal !== undefined) return `taken; ${refusal}`;
  const others: number[] = [], { every = 1 } = judge;
  for (let i = 0; i < packets.length; i += every) {
    if (wants(packets[i]) !== (of[i] === 1)) others.push(i);
  }
  return others.length === 0 ? undefined : others;
}

function isChance(expression: string): boolean {
  return /geneve/.test(expression) && /\b(?:or|not)\b|\|\||!(?!=)/.test(expression);
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
    ...args.filter((arg) => !arg.startsWith("--")),
    ...(args.includes("--corpus") ? [...CORPUS, ...REFUSED] : []),
    ...randomExpressions(seed, Number(option("random") ?? 0)),
    ...randomExpressions(seed, Number(option("damaged") ?? 0), damagedExpression),
  ];
  const { differences, ...counts } = await compare(expressions, filterPackets());
  console.log(counts);
  if (differences.length > 0) console.log(shown(differences, Infinity));
  Deno.exitCode = differences.length > 0 ? 1 : 0;
}
