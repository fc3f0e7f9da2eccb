/** The filter's language against tcpdump: all packets, a corpus, and random expressions. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ExpressionError } from "../filter/expression/expression_error.ts";
import { compare, type Comparison, randomExpressions, shown } from "./filter_comparison.ts";
import { CORPUS, EVERYDAY, OURS_REFUSES, PRECEDENCE, REFUSED } from "./filter_corpus.ts";
import { JUDGES } from "./filter_judges.ts";
import { filterPackets } from "./filter_packets.ts";
import { recordTraffic } from "./filter_recording.ts";
import { testNetwork } from "./foreign.ts";
import { damagedExpression } from "./random_expression.ts";
import { noNames, noTcpdump } from "./tcpdump_oracle.ts";

const RANDOM = 900, DAMAGED = 500; // some 20 seconds
const MOST_EXCUSED = 0.02;
const NAMED = /\b(?:http|https|ssh|domain|bootps|loopback)\b|\\/; // what needs netbase's lists

const seed = Number(Deno.env.get("USPF_SEED") ?? Date.now() % 0x7fffffff);
const count = Number(Deno.env.get("USPF_COUNT") ?? RANDOM);
const again =
  `USPF_SEED=${seed} USPF_COUNT=${count} deno test -P=test tests/filter_language.test.ts`;
const packets = filterPackets();

function testWithTcpdump(sentence: string, fn: () => Promise<void>): void {
  const why = noTcpdump === undefined ? "" : ` (${noTcpdump})`;
  Deno.test({ name: `${sentence}${why}`, ignore: noTcpdump !== undefined, fn });
}

/** Without names of services and protocols tcpdump refuses what we take. */
function known(expressions: string[]): string[] {
  if (noNames === undefined) return expressions;
  const kept = expressions.filter((expression) => !NAMED.test(expression));
  console.log(`left out ${expressions.length - kept.length} expressions: ${noNames}`);
  return kept;
}

/** Of what may be otherwise for a known reason there must be little, else much is left untested. */
function assertSame({ differences, taken, chance, beyondLimits }: Comparison): void {
  assert(differences.length === 0, shown(differences));
  const excused = chance + beyondLimits;
  assert(excused <= taken * MOST_EXCUSED, `${excused} of ${taken} expressions are excused`);
}

testWithTcpdump(
  "parseExpression and expand mean by every expression of the corpus what tcpdump means",
  async () => {
    const result = await compare(known(CORPUS), packets);
    assertSame(result);
    assert(
      result.taken >= 450 && result.telling >= 450,
      `only ${result.telling} expressions tell packets apart`,
    );
  },
);

testWithTcpdump("parseExpression and expand refuse what tcpdump refuses", async () => {
  const result = await compare(REFUSED, packets.slice(0, 1));
  assertSame(result);
  assertEquals(result.taken, 0, "tcpdump took some of what it should refuse");
});

testWithTcpdump(
  "parseExpression and expand mean by random expressions what tcpdump means",
  async () => {
    const result = await compare(randomExpressions(seed, count), packets);
    assert(result.differences.length === 0, `${shown(result.differences)}\nrerun with ${again}`);
  },
);

testWithTcpdump(
  "parseExpression and expand refuse what is no expression as tcpdump does",
  async () => {
    const expressions = randomExpressions(seed, DAMAGED, damagedExpression);
    const { differences } = await compare(expressions, packets.slice(0, 200));
    assert(differences.length === 0, `${shown(differences)}\nrerun with ${again}`);
  },
);

testNetwork(
  "parseExpression and expand mean what tcpdump means on recorded traffic",
  {},
  async (testbed) => {
    const recorded = await recordTraffic(testbed);
    assert(recorded.length > 100, `only ${recorded.length} packets were recorded`);
    const result = await compare(known([...EVERYDAY, ...PRECEDENCE]), recorded);
    assertSame(result);
    assert(result.telling >= 50, `only ${result.telling} expressions tell packets apart`);
  },
);

Deno.test("parseExpression and expand refuse protochain by name", () => {
  for (const expression of OURS_REFUSES) {
    for (const { make } of JUDGES) {
      assertThrows(() => make(expression), ExpressionError, "protochain");
    }
  }
});
