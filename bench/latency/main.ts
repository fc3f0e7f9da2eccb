/**
 * Purpose: `deno task bench:latency`: measures one way and tick to trade, kind by kind, each measurement in a
 * process of its own: what one does to V8's code and heap shall not reach the next.
 */
import { allowedCores, currentCore } from "../../ffi/host.ts";
import { onStopSignals, runCommand, UsageError } from "../../ffi/usage.ts";
import { Child, killChildren } from "../harness/child.ts";
import { describeMachine, machineLine } from "../harness/machine.ts";
import { checkResultFile, resultOf, writeResult } from "../harness/result.ts";
import { judge, type Verdict, verdictLine } from "./judge.ts";
import { CORRECTION } from "./latency_histogram.ts";
import type { Measured } from "./measurement.ts";
import { LATENCY_HELP, type LatencyOptions, parseLatencyOptions } from "./options.ts";
import {
  defaultLayout,
  defaultRateHz,
  fitLayout,
  type Kind,
  layoutText,
  type Measure,
  type Plan,
  portsOf,
  whyNot,
} from "./plan.ts";
import { type Site, siteOf } from "./site.ts";
import { LEGEND, setupLine, tableHead, tableRows } from "./table.ts";

const MEASUREMENT = "bench/latency/measurement.ts";
const START_MS = 60_000, GIVE_UP_MS = 3000;
const INTERRUPTED = 130;

/** A measurement that was not made. */
interface Skipped {
  measure: Measure;
  kind: Kind;
  skipped: string;
}

/** What goes into the JSON. */
export interface Results {
  /** How coordinated omission is dealt with. */
  correction: string;
  /** Measurements, in ns. */
  measurements: Measured[];
  skipped: Skipped[];
  /** Those that could not be made, or did not add up. */
  failed: Skipped[];
  verdicts: Verdict[];
}

class Command {
  readonly #options: LatencyOptions;
  readonly #cores = allowedCores();
  readonly #results: Results = {
    correction: CORRECTION,
    measurements: [],
    skipped: [],
    failed: [],
    verdicts: [],
  };
  #child: Child | undefined;
  #interrupted = false;

  constructor(options: LatencyOptions) {
    this.#options = options;
    const threads = options.layout?.length ?? 0;
    if (threads > this.#cores.length) {
      throw new UsageError(
        `Cannot use --threads "${layoutText(options.layout!)}": ${threads} threads that spin and ` +
          `${this.#cores.length} cores: put more roles on a thread`,
      );
    }
  }

  async run(args: string[]): Promise<number> {
    const { json } = this.#options;
    onStopSignals(() => this.#interrupt());
    using site = await siteOf(this.#options);
    this.#refuseNothing(site);
    this.#print(machineLine(describeMachine()));
    this.#print(LEGEND);
    for (const measure of this.#options.measures) await this.#table(measure, site);
    if (this.#interrupted) return INTERRUPTED;
    const { measurements, failed, verdicts } = this.#results;
    if (verdicts.length > 0) this.#print("");
    for (const verdict of verdicts) this.#print(verdictLine(verdict));
    const command = ["bench:latency", ...args].join(" ");
    if (json !== undefined) writeResult(json, resultOf("latency", command, this.#results));
    const missed = verdicts.some(({ met }) => met === false);
    return failed.length > 0 || missed || measurements.length === 0 ? 1 : 0;
  }

  /** Where all would be skipped, there is nothing to print but why. */
  #refuseNothing({ interfaces, noInterfaces }: Site): void {
    const { measures, kinds } = this.#options;
    const reasons = measures.flatMap((measure) =>
      kinds.map((kind) => ({ kind, why: whyNot(measure, kind, interfaces, noInterfaces) }))
    );
    const [{ kind, why }] = reasons;
    if (reasons.some(({ why }) => why === undefined)) return;
    throw new UsageError(`Cannot measure "${kind}": ${why}`);
  }

  async #table(measure: Measure, site: Site): Promise<void> {
    const { kinds, waits } = this.#options;
    if (this.#interrupted) return;
    this.#print("");
    for (const line of tableHead(measure)) this.#print(line);
    for (const kind of kinds) {
      const why = whyNot(measure, kind, site.interfaces, site.noInterfaces);
      if (why !== undefined) {
        this.#results.skipped.push({ measure, kind, skipped: why });
        this.#print(`  ${kind.padEnd(8)}skipped: ${why}`);
        continue;
      }
      this.#print(`  ${setupLine(this.#plan(measure, kind, site))}`);
      for (const wait of waits) {
        if (this.#interrupted) return;
        await this.#one({ ...this.#plan(measure, kind, site), wait }, site);
      }
    }
  }

  #plan(measure: Measure, kind: Kind, site: Site): Plan {
    const { rateHz, seconds, layout: forced } = this.#options;
    const layout = fitLayout(kind, forced ?? defaultLayout(measure, kind, this.#cores.length));
    return {
      measure,
      kind,
      wait: "spin",
      layout,
      cores: this.#cores.slice(0, layout.length),
      ports: portsOf(kind, site.interfaces, layout, Deno.pid),
      rateHz: rateHz ?? defaultRateHz(kind),
      seconds,
    };
  }

  async #one(plan: Plan, site: Site): Promise<void> {
    const { inside } = site, timeoutMs = START_MS + plan.seconds * 2000;
    this.#child = new Child(MEASUREMENT, [JSON.stringify(plan)], { inside, timeoutMs });
    try {
      const measured = await this.#child.result<Measured>();
      this.#results.measurements.push(measured);
      this.#results.verdicts.push(...judge(measured));
      for (const line of tableRows(measured)) this.#print(line);
    } catch (error) {
      if (this.#interrupted) return;
      const { measure, kind } = plan, { message } = error as Error;
      this.#results.failed.push({ measure, kind, skipped: message });
      this.#print(`  ${kind.padEnd(8)}${plan.wait.padEnd(7)}FAILED: see above`);
    }
  }

  #interrupt(): void {
    this.#interrupted = true;
    this.#child?.stop();
    setTimeout(killChildren, GIVE_UP_MS);
  }

  #print(line: string): void {
    if (!this.#options.quiet) console.log(line);
  }
}

await runCommand(async () => {
  const options = parseLatencyOptions(Deno.args);
  if (options.help) {
    console.log(LATENCY_HELP);
    return 0;
  }
  checkResultFile(options.json);
  currentCore(); // says at once if the native library is missing
  return await new Command(options).run(Deno.args);
});
