/**
 * Purpose: the README's figures of comparisons that are judged together: a row for each, and their means.
 */
import { digits } from "../harness/numbers.ts";
import type { ComparisonResult, Measured } from "../harness/run_comparisons.ts";
import { table } from "./figures.ts";

/** A section for each family that was measured. */
export function familySections(results: ComparisonResult[]): string[] {
  const measured = results.filter((result) => "ways" in result);
  return measured.filter(({ meanOf }) => meanOf !== undefined).map((whole) =>
    section(whole, measured.filter((one) => one.family === whole.family && one !== whole))
  );
}

function section(whole: Measured, members: Measured[]): string {
  const { family, meanOf, unit, ways } = whole, [baseline, ...others] = ways;
  const head = [
    family!,
    ...ways.map(({ name }) => `${name}, ns`),
    ...others.map(({ name }) => `${name}, of ${baseline.name}`),
  ];
  const means = `**geometric mean of ${meanOf}**`;
  const rows = members.map((member) => [code(member.group), ...cellsOf(member)]);
  return [
    `### ${family!.charAt(0).toUpperCase()}${family!.slice(1)}`,
    `Time a ${unit}; the ratio is the median of the rounds.`,
    table(head, [...rows, [means, ...cellsOf(whole)]]),
    ...verdicts(whole, members).map((line) => `${line}.`),
  ].join("\n\n");
}

function cellsOf({ ways }: Measured): string[] {
  return [
    ...ways.map(({ ns }) => digits(ns)),
    ...ways.slice(1).map(({ ratio }) => ratio.toFixed(2)),
  ];
}

/** What was wanted of each way: of every member, and of the mean. */
function verdicts(whole: Measured, members: Measured[]): string[] {
  return whole.ways.flatMap(({ name, wanted, met }, i) => {
    const each = members.map(({ ways }) => ways[i]).filter((way) => way.wanted !== null);
    const reached = each.filter((way) => way.met === true).length;
    const judged = met === null ? "not judged" : met ? "met" : "**missed**";
    return [
      ...(each.length === 0
        ? []
        : [`${name}, ${each[0].wanted}: met by ${reached} of ${each.length}`]),
      ...(wanted === null ? [] : [`${name}, geometric mean ${wanted}: ${judged}`]),
    ];
  });
}

/** In a table's cell "|" would end it, in code as well. */
function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}
