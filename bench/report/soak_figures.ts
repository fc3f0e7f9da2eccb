/**
 * Purpose: the README's soak, from the results of `deno task soak`.
 */
import { digits } from "../harness/numbers.ts";
import type { Result } from "../harness/result.ts";
import type { SoakResults } from "../soak/main.ts";
import { commandOf, table } from "./figures.ts";

/** The section. */
export function soakSection(result: Result<SoakResults>): string {
  const { receive, sent, intervals, intervalS, checks } = result.results;
  const rows = checks.map(({ name, verdict, figures }) => [name, verdict, figures]);
  return [
    "### Staying power",
    `${commandOf(result)}: ${
      sent.toLocaleString("en")
    } packets through \`${receive}\`, with the engine and its ` +
    `strategy; ${intervals.length} intervals of ${intervalS} s, ` +
    `${digits(Math.min(...intervals.map(({ mpps }) => mpps)))} to ` +
    `${digits(Math.max(...intervals.map(({ mpps }) => mpps)))} Mpps.`,
    table(["check", "verdict", "figures"], rows).replace("---: | ---: |", "--- | --- |"),
  ].join("\n\n");
}
