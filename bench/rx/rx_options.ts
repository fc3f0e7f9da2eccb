/**
 * Purpose: the options of `deno task bench:rx`.
 */
import { type Wait, WAITS } from "../../capture/pump_loop.ts";
import { allowedCores } from "../../ffi/host.ts";
import { CommandLine, typed } from "../../ffi/command_line.ts";
import { choiceOption, numberOption, UsageError } from "../../ffi/usage.ts";
import { GROUP } from "../harness/market_data.ts";
import { KIND_NAMES, type KindName, SENDER_KINDS, type SenderKind } from "./kinds.ts";

/** What `--help` prints. */
export const RX_HELP =
  `Compares kinds of ports under the same flood: a sender on one core, the pipeline up to the tick ring on
another, each kind in turn, again and again.

Usage: deno task bench:rx [--testbed | -i RECEIVE -o SEND] [options]

  --testbed            on a veth pair in network namespaces of its own, removed afterwards (root);
                       this is done where no interfaces are named
  -i RECEIVE -o SEND   on two interfaces that are cabled together: they are flooded
  --kinds K,K,…        of ${KIND_NAMES.join(", ")}; all that this machine has, by
                       default; ratios are to the first
  --seconds N          length of each flood, 0.5 to 600      (3)
  --repeats N          rounds of all kinds, 1 to 1000        (5)
  -b BURST             packets handled per sync              (1024)
  --wait MODE          spin, hybrid, poll                    (spin)
  --pace US            the receiver looks every US µs only: large bursts, as beside other work (0)
  --write              each kind also with every packet written to a file, as capture --write does
  --send-through KIND  netmap, xdp, packet: what the sender floods an interface through; by default
                       netmap for netmap, xdp for the others
  -r RATE              packets a second, 0: as fast as it goes (0)
  -S ADDRESS           source address of the packets         (10.77.0.1)
  -D ADDRESS           destination address, a multicast group (${GROUP})
  --core N, --send-core N   the receiver's core, the sender's (the first, the last)
  --find-limit         search each kind's highest rate without loss instead, as RFC 2544 does
  --resolution SHARE   of the limit, to which it is known    (0.02)
  --retries N          a trial with losses is repeated so often before it counts; RFC 2544 has none (2)
  --json FILE          results as JSON; - is standard output
  --svg FILE           throughput over time and the distribution of the service time, drawn
  --quiet              print nothing but errors
  --help`;

/** Checked options. */
export interface RxOptions {
  /** Interfaces; none: a test network, where there is root. */
  receive?: string;
  send?: string;
  testbed: boolean;
  kinds?: KindName[];
  seconds: number;
  repeats: number;
  burst: number;
  wait: Wait;
  paceUs: number;
  write: boolean;
  sendThrough?: SenderKind;
  rateHz: number;
  source: string;
  destination: string;
  core: number;
  sendCore: number;
  findLimit: boolean;
  resolution: number;
  retries: number;
  json?: string;
  svg?: string;
  quiet: boolean;
  help: boolean;
}

const DEFAULTS = {
  seconds: "3",
  repeats: "5",
  b: "1024",
  wait: "spin",
  pace: "0",
  r: "0",
  S: "10.77.0.1",
  D: GROUP,
  resolution: "0.02",
  retries: "2",
};
const KNOWN = {
  values: [
    "i",
    "o",
    "kinds",
    "send-through",
    "core",
    "send-core",
    "json",
    "svg",
    ...Object.keys(DEFAULTS),
  ],
  switches: ["testbed", "write", "find-limit", "quiet", "help"],
  defaults: DEFAULTS,
};

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseRxOptions(args: string[]): RxOptions {
  const line = new CommandLine(args, KNOWN), { values, switches } = line, cores = allowedCores();
  refuseUseless(line);
  const number = (name: string, low: number, high: number, whole = true) =>
    numberOption(typed(name), values[name], { low, high, whole });
  const core = (name: string, otherwise: number) =>
    values[name] === undefined ? otherwise : coreOption(name, values[name], cores);
  if ((values.i === undefined) !== (values.o === undefined)) {
    throw new UsageError(
      `Cannot use ${values.i ? "-i" : "-o"} alone: one interface is missing: name both`,
    );
  }
  if (values.i !== undefined && switches.testbed) {
    throw new UsageError(`Cannot use -i with --testbed: two networks: choose one`);
  }
  return {
    receive: values.i,
    send: values.o,
    testbed: switches.testbed,
    kinds: values.kinds?.split(",").map((name) => choiceOption("--kinds", name, KIND_NAMES)),
    seconds: number("seconds", 0.5, 600, false),
    repeats: number("repeats", 1, 1000),
    burst: number("b", 1, 65536),
    wait: choiceOption("--wait", values.wait, WAITS),
    paceUs: number("pace", 0, 1e6),
    write: switches.write,
    sendThrough: values["send-through"] === undefined
      ? undefined
      : choiceOption("--send-through", values["send-through"], SENDER_KINDS),
    rateHz: number("r", 0, 1e9),
    source: values.S,
    destination: values.D,
    core: core("core", cores[0]),
    sendCore: core("send-core", cores.at(-1)!),
    findLimit: switches["find-limit"],
    resolution: number("resolution", 0.001, 0.5, false),
    retries: number("retries", 0, 100),
    json: values.json,
    svg: values.svg,
    quiet: switches.quiet || values.json === "-",
    help: switches.help,
  };
}

/** Options that would have no effect. */
function refuseUseless(line: CommandLine): void {
  const { values, switches } = line, isSearch = switches["find-limit"];
  const useless = line.changed(isSearch ? ["svg", "r", "repeats"] : ["resolution", "retries"]);
  if (useless !== undefined) {
    const way = isSearch ? "with" : "without";
    throw new UsageError(
      `Cannot use ${typed(useless)} ${way} --find-limit: it would do nothing: leave it out`,
    );
  }
  if (line.changed(["wait"]) && line.changed(["pace"])) {
    throw new UsageError(
      `Cannot use --wait with --pace: the receiver pauses in one way: choose one`,
    );
  }
  const kinds = values.kinds?.split(",") ?? [];
  if (new Set(kinds).size < kinds.length) {
    throw new UsageError(`Cannot use --kinds "${values.kinds}": a kind twice: name each once`);
  }
}

function coreOption(name: string, text: string, cores: number[]): number {
  const core = numberOption(`--${name}`, text, { low: 0, high: 1023 });
  if (cores.includes(core)) return core;
  throw new UsageError(
    `Cannot use --${name} "${text}": no such core here: choose one of ${cores.join(", ")}`,
  );
}
