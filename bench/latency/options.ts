/**
 * Purpose: the arguments of `deno task bench:latency`.
 */
import { type Wait, WAITS } from "../../capture/pump_loop.ts";
import { CommandLine, typed } from "../../ffi/command_line.ts";
import { choiceOption, numberOption, UsageError } from "../../ffi/usage.ts";
import { type Kind, KINDS, type Layout, type Measure, MEASURES, parseLayout } from "./plan.ts";

const MIN_RATE_HZ = 100, MAX_RATE_HZ = 1e6;
const MIN_SECONDS = 0.1, MAX_SECONDS = 600;

/** The help text. */
export const LATENCY_HELP =
  `Measures how long a packet takes from the sender's ring to the engine, and from there
back onto the wire as an order.

Usage: deno task bench:latency [options]

  --measures LIST   ${MEASURES.join(",")}         (all)
  --kinds LIST      ${KINDS.join(",")}   (all)
  --wait LIST       all, or of ${WAITS.join(",")}               (all)
  --rate N          packets a second, ${MIN_RATE_HZ} to ${MAX_RATE_HZ}   (20000; 100000 without kernel)
  --seconds N       of each measurement, ${MIN_SECONDS} to ${MAX_SECONDS}, after two of warming up   (5)
  --threads LIST    which roles share a thread, as in "generator,capture+engine"
                    (a thread each; on two cores generator+engine,capture one way
                    and generator,capture+engine for tick to trade)
  --testbed         kernel ports on a veth pair in a namespace of the bench's own;
                    needs root, where it is the default
  -i IFACE -o IFACE kernel ports on these: receive on -i what is sent on -o
  --json FILE       also write the results to FILE, - for standard output
  --quiet           no tables
  --help`;

/** What `deno task bench:latency` is asked for. */
export interface LatencyOptions {
  measures: readonly Measure[];
  kinds: readonly Kind[];
  waits: readonly Wait[];
  /** Nothing: what suits the kind. */
  rateHz?: number;
  seconds: number;
  /** Nothing: what suits the measure and the cores. */
  layout?: Layout;
  testbed: boolean;
  receive?: string;
  send?: string;
  json?: string;
  quiet: boolean;
  help: boolean;
}

const DEFAULTS = { measures: "all", kinds: "all", wait: "all", seconds: "5" };
const KNOWN = {
  values: ["rate", "threads", "i", "o", "json", ...Object.keys(DEFAULTS)],
  switches: ["testbed", "quiet", "help"],
  defaults: DEFAULTS,
};

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseLatencyOptions(args: string[]): LatencyOptions {
  const { values, switches: { testbed, quiet, help } } = new CommandLine(args, KNOWN);
  const { i: receive, o: send, json } = values;
  if ((receive === undefined) !== (send === undefined)) {
    throw new UsageError(`Cannot use -i without -o: one end is missing: name both interfaces`);
  }
  if (testbed && receive !== undefined) {
    throw new UsageError(`Cannot use --testbed with -i: two networks: choose one`);
  }
  const number = (flag: string, low: number, high: number) =>
    numberOption(typed(flag), values[flag], { low, high, whole: flag === "rate" });
  return {
    measures: listOption("--measures", values.measures, MEASURES),
    kinds: listOption("--kinds", values.kinds, KINDS),
    waits: listOption("--wait", values.wait, WAITS),
    rateHz: values.rate === undefined ? undefined : number("rate", MIN_RATE_HZ, MAX_RATE_HZ),
    seconds: number("seconds", MIN_SECONDS, MAX_SECONDS),
    layout: values.threads === undefined ? undefined : parseLayout(values.threads),
    testbed,
    receive,
    send,
    json,
    quiet,
    help,
  };
}

function listOption<T extends string>(flag: string, text: string, choices: readonly T[]) {
  if (text === "all") return choices;
  return text.split(",").map((word) => choiceOption(flag, word, choices));
}
