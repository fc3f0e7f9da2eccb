import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { EXPRESSIONS } from "../bench/harness/expressions.ts";
import { expressionTraffic } from "../bench/harness/expression_traffic.ts";
import { meansOf } from "../bench/harness/family.ts";
import { geometricMean } from "../bench/harness/numbers.ts";
import type { ComparisonResult, Measured, WayResult } from "../bench/harness/run_comparisons.ts";
import { allMet } from "../bench/harness/run_comparisons.ts";
import { familySections } from "../bench/report/family_figures.ts";
import { PacketFilter } from "../filter/packet_filter.ts";

const nothing = { moreNs: null, wanted: null, met: null };

function way(name: string, ns: number, ratio: number, more: Partial<WayResult> = {}): WayResult {
  return { name, ns, minNs: ns / 2, maxNs: ns * 2, ratio, ...nothing, ...more };
}

/** A comparison of C, 10 ns, with ours. */
function member(group: string, ratio: number, met: boolean | null): Measured {
  const ours = way("ours", 10 * ratio, ratio, { wanted: "at most 1 times", met });
  const ways = [way("C", 10, 1), ours];
  return { group, family: "pieces", unit: "packet", rounds: 7, farRounds: 0, ways };
}

const members = [member("a", 0.5, true), member("a|b", 0.125, true)];
const atMost = (most: number) => ({ name: "pieces", means: { ours: { atMost: most } } });

Deno.test("geometricMean: of none, of one, and of values whose product it is the root of", () => {
  assertEquals(geometricMean([]), NaN);
  assertAlmostEquals(geometricMean([7]), 7);
  assertAlmostEquals(geometricMean([0.5, 0.125]), 0.25);
  assertAlmostEquals(geometricMean([1, 10, 100]), 10);
});

Deno.test("meansOf gives each way the geometric mean of its ratios, and judges that", () => {
  const whole = meansOf(atMost(1 / 3), members), [c, ours] = whole.ways;
  assertEquals([whole.family, whole.meanOf, whole.rounds], ["pieces", 2, 7]);
  assertAlmostEquals(c.ratio, 1);
  assertAlmostEquals(ours.ratio, 0.25);
  assertAlmostEquals(ours.ns, 2.5);
  assertEquals([ours.minNs, ours.maxNs], [1.25, 5]);
  assertEquals([c.wanted, ours.wanted, ours.met], [null, "at most 0.333 times", true]);
  assert(allMet([...members, whole]));
});

Deno.test("meansOf misses a target that only single members reach, and judges nothing where a member was not", () => {
  const missed = meansOf(atMost(0.2), members);
  assertEquals(missed.ways[1].met, false);
  assert(!allMet([...members, missed]));
  const unsure = meansOf(atMost(0.2), [...members, member("c", 0.1, null)]);
  assertEquals(unsure.ways[1].met, null);
});

Deno.test("familySections shows a row for each member and their means, and nothing without a family", () => {
  const alone: ComparisonResult = { ...members[0], family: undefined };
  assertEquals(familySections([alone, { group: "pieces", skipped: "no C here" }]), []);
  const whole = meansOf(atMost(1 / 3), members);
  const [section, ...rest] = familySections([alone, ...members, whole]);
  assertEquals(rest, []);
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  assertEquals(lines, [
    "| pieces | C, ns | ours, ns | ours, of C |",
    "| --- | ---: | ---: | ---: |",
    "| `a` | 10.0 | 5.00 | 0.50 |",
    "| `a\\|b` | 10.0 | 1.25 | 0.13 |",
    "| **geometric mean of 2** | 10.0 | 2.50 | 0.25 |",
  ]);
  assertStringIncludes(section, "ours, at most 1 times: met by 2 of 2.");
  assertStringIncludes(section, "ours, geometric mean at most 0.333 times: met.");
});

Deno.test("EXPRESSIONS are 30 that differ, and each takes some of the bench's packets and not all", () => {
  assertEquals(new Set(EXPRESSIONS).size, 30);
  const packets = expressionTraffic(1024, 1), lengths = packets.map(({ length }) => length);
  assertEquals([Math.min(...lengths), Math.max(...lengths)], [42, 1514]);
  for (const expression of EXPRESSIONS) {
    const filter = PacketFilter.compile(expression, { decode: false });
    const taken = packets.filter((packet) => filter.matches(packet)).length;
    assert(taken > 0 && taken < packets.length, `${taken}: ${expression}`);
  }
});
