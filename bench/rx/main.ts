/**
 * Purpose: `deno task bench:rx`: parse, make the network, run the experiment or the search, report.
 */
import { noTestbed, Testbed } from "../../tests/testbed.ts";
import { runCommand, UsageError } from "../../ffi/usage.ts";
import { killChildren } from "../harness/child.ts";
import { describeMachine, driverOf, machineLine } from "../harness/machine.ts";
import { resultOf, writeResult } from "../harness/result.ts";
import { runExperiment, type Subject, subjectsOf } from "./experiment.ts";
import { findLimit, type Limit, limitTable, trialLine } from "./find_limit.ts";
import { kindsHere, LOCAL, type Network, networkOf } from "./kinds.ts";
import { parseRxOptions, RX_HELP, type RxOptions } from "./rx_options.ts";
import type { RxResults } from "./rx_results.ts";
import { drawRx } from "./svg.ts";
import { runLine, rxTables } from "./tables.ts";

const PACKET_BYTES = 60;

async function main(): Promise<number> {
  const options = parseRxOptions(Deno.args);
  if (options.help) {
    console.log(RX_HELP);
    return 0;
  }
  const testbed = makeTestbed(options);
  const cleanUp = () => {
    killChildren();
    testbed?.[Symbol.dispose]();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      cleanUp();
      Deno.exit(130);
    });
  }
  try {
    await run(options, networkOf(options, testbed));
  } finally {
    cleanUp();
  }
  return 0;
}

function makeTestbed({ testbed, receive, kinds }: RxOptions): Testbed | undefined {
  const useful = kinds === undefined || kinds.some((kind) => !LOCAL.includes(kind));
  if (receive !== undefined || !testbed && (noTestbed !== undefined || !useful)) return undefined;
  if (noTestbed === undefined) return Testbed.create();
  throw new UsageError(`Cannot make a test network: ${noTestbed}: run as root, or name -i and -o`);
}

async function run(options: RxOptions, network: Network | undefined): Promise<void> {
  const print = options.quiet ? () => {} : (line: string) => console.log(line);
  const { there, skipped } = kindsHere(options, network);
  const first = skipped[0];
  if (there.length === 0) throw new UsageError(`Cannot bench "${first.kind}": ${first.why}`);
  const subjects = subjectsOf(there, options.write);
  print(machineLine(describeMachine()));
  print(introduction(options, network, subjects));
  const command = ["bench:rx", ...Deno.args].join(" ");
  if (options.findLimit) {
    const limits: Limit[] = [];
    for (const subject of subjects) {
      limits.push(await findLimit(subject, options, (label, t) => print(trialLine(label, t))));
    }
    print(
      `\nHighest rate without a loss, in trials of ${options.seconds} s\n${limitTable(limits)}`,
    );
    for (const { kind, why } of skipped) print(`  ${kind}: skipped: ${why}`);
    const { seconds, resolution, retries } = options;
    const results = { ...placeOf(options, network), seconds, resolution, retries, limits, skipped };
    if (options.json !== undefined) {
      writeResult(options.json, resultOf("limit", command, results));
    }
    return;
  }
  const kinds = await runExperiment(subjects, options, (round, { label }, run) => {
    print(runLine(round, label, run));
  });
  const { seconds, repeats, burst, wait, paceUs } = options;
  const results: RxResults = {
    ...placeOf(options, network),
    seconds,
    repeats,
    burst,
    packetBytes: PACKET_BYTES,
    wait,
    paceUs,
    kinds,
    skipped,
  };
  print(`\n${rxTables(results)}`);
  const result = resultOf("rx", command, results);
  if (options.json !== undefined) writeResult(options.json, result);
  if (options.svg !== undefined) Deno.writeTextFileSync(options.svg, drawRx(result));
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
    : { spin: "spins", hybrid: "spins, then sleeps", poll: "sleeps" }[wait];
  const runs = findLimit ? `trials of ${seconds} s` : `${repeats} rounds of ${seconds} s`;
  return `${kinds}${where}: ${runs}; sender on core ${sendCore}; receiver on core ${core}, bursts of ` +
    `${burst} at most, ${how} without packets\n`;
}

await runCommand(main);
