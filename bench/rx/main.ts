/**
 * Purpose: `deno task bench:rx`: parse, make the network, run the experiment or the search, report.
 */
import { onStopSignals, runCommand, UsageError } from "../../ffi/usage.ts";
import { ChildError, killChildren } from "../harness/child.ts";
import { describeMachine, driverOf, machineLine } from "../harness/machine.ts";
import { checkResultFile, resultOf, writeResult } from "../harness/result.ts";
import { runExperiment, type Subject, subjectsOf } from "./experiment.ts";
import { findLimit, type Limit, limitTable, trialLine } from "./find_limit.ts";
import { removeLeftovers } from "./flood.ts";
import { type Kind, type Kinds, kindsHere } from "./kinds.ts";
import { type Network, type Site, siteOf } from "./network.ts";
import { parseRxOptions, RX_HELP, type RxOptions } from "./rx_options.ts";
import type { RxResults } from "./rx_results.ts";
import { drawRx } from "./svg.ts";
import { runLine, rxTables } from "./tables.ts";

const PACKET_BYTES = 60, INTERRUPTED = 130;

async function main(): Promise<number> {
  const options = parseRxOptions(Deno.args);
  if (options.help) {
    console.log(RX_HELP);
    return 0;
  }
  checkResultFile(options.json);
  checkResultFile(options.svg);
  let site: Site | undefined;
  let kinds: Kind[] = [];
  const cleanUp = async () => {
    await killChildren();
    removeLeftovers(kinds);
    site?.[Symbol.dispose]();
  };
  onStopSignals(async () => {
    await cleanUp();
    Deno.exit(INTERRUPTED);
  });
  try {
    site = await siteOf(options);
    const here = kindsHere(options, site);
    kinds = here.there;
    return await run(options, site, here);
  } finally {
    await cleanUp();
  }
}

async function run(options: RxOptions, site: Site, kinds: Kinds): Promise<number> {
  const print = options.quiet ? () => {} : (line: string) => console.log(line);
  const { there, skipped } = kinds, [first] = skipped;
  if (there.length === 0) throw new UsageError(`Cannot bench "${first.kind}": ${first.why}`);
  const subjects = subjectsOf(there, options.write), { network } = site;
  print(machineLine(describeMachine()));
  print(introduction(options, network, subjects));
  const work = options.findLimit ? search : experiment;
  return await work({ options, subjects, skipped, place: placeOf(options, network), print });
}

/** What there is to do. */
interface Work {
  options: RxOptions;
  subjects: Subject[];
  skipped: RxResults["skipped"];
  place: ReturnType<typeof placeOf>;
  print: (line: string) => void;
}

async function search({ options, subjects, skipped, place, print }: Work): Promise<number> {
  const { seconds, resolution, retries, json } = options, limits: Limit[] = [];
  for (const subject of subjects) {
    limits.push(await findLimit(subject, options, (label, t) => print(trialLine(label, t))));
  }
  print(`\nHighest rate without a loss, in trials of ${seconds} s\n${limitTable(limits)}`);
  for (const { kind, why } of skipped) print(`  ${kind}: skipped: ${why}`);
  const results = { ...place, seconds, resolution, retries, limits, skipped };
  if (json !== undefined) writeResult(json, resultOf("limit", command(), results));
  return 0;
}

async function experiment({ options, subjects, skipped, place, print }: Work): Promise<number> {
  const { kinds, failed, failures } = await runExperiment(subjects, options, {
    onRun: (round, { label }, run) => print(runLine(round, label, run)),
    onFailure: (round, { label }, why) => console.error(`round ${round}  ${label} failed: ${why}`),
  });
  if (kinds.length === 0) throw new ChildError(failed[0].why);
  const { seconds, repeats, burst, wait, paceUs, json, svg } = options;
  const circumstances = { seconds, repeats, burst, packetBytes: PACKET_BYTES, wait, paceUs };
  const results: RxResults = {
    ...place,
    ...circumstances,
    kinds,
    skipped: [...skipped, ...failed],
  };
  print(`\n${rxTables(results)}`);
  const result = resultOf("rx", command(), results);
  if (json !== undefined) writeResult(json, result);
  if (svg !== undefined) Deno.writeTextFileSync(svg, drawRx(result));
  return failures > 0 ? 1 : 0;
}

function command(): string {
  return ["bench:rx", ...Deno.args].join(" ");
}

function placeOf({ core, sendCore }: RxOptions, network: Network | undefined) {
  return {
    receive: network?.receive ?? "none",
    send: network?.send ?? "none",
    driver: network === undefined ? null : driverOf(network.receive, network.receiveInside),
    cores: { sender: sendCore, receiver: core },
  };
}

function introduction(
  { seconds, repeats, burst, wait, paceUs, core, sendCore, findLimit }: RxOptions,
  network: Network | undefined,
  subjects: Subject[],
): string {
  const kinds = subjects.map(({ label }) => label).join(", ");
  const where = network === undefined ? "" : `, from ${network.send} to ${network.receive}`;
  const how = paceUs > 0
    ? `looks every ${paceUs} µs`
    : `${{ spin: "spins", hybrid: "spins, then sleeps", poll: "sleeps" }[wait]} without packets`;
  const runs = findLimit ? `trials of ${seconds} s` : `${repeats} rounds of ${seconds} s`;
  const senders = [...new Set(subjects.map(({ kind }) => kind.send))].join(", ");
  return `${kinds}${where}: ${runs}; sender on core ${sendCore}, through ${senders}; receiver on core ` +
    `${core}, bursts of ${burst} at most, ${how}\n`;
}

await runCommand(main);
