/**
 * Purpose: the arguments of `deno task soak`.
 */
import { CommandLine } from "../../ffi/command_line.ts";
import { parsePortName } from "../../ffi/port_name.ts";
import { asUsage, choiceOption, numberOption, UsageError } from "../../ffi/usage.ts";

const KINDS = ["pipe", "soft"] as const;
const ENGINES = ["auto", "thread", "inline"] as const;
const DEFAULTS = { minutes: "10", interval: "60", engine: "auto" };
const MOST_MINUTES = 7 * 24 * 60;

/** The help text. */
export const SOAK_HELP =
  `Captures at full rate for a while; then checks that memory is flat, that the
counters add up to the last packet, and that the service time holds. Exits 1 if not.

Usage: deno task soak [options]

  --minutes N       how long                                        (10)
  --interval S      seconds between two lines, 1 to 3600            (60)
  --port KIND       pipe: a soft pipe, which holds the sender up, so that nothing is
                    lost; soft: a soft switch                       (pipe)
  -i PORT -o PORT   any other two ports: receive on the one, send on the other
  --engine WAY      thread: the capture has a thread of its own, as in production;
                    inline: engine and capture take turns on one;
                    auto: thread, if there are three cores          (auto)
  --json FILE       also write all figures to FILE; - is standard output
  --help            show this

Columns, each of its interval alone:
  min               when it ended
  Mpps              millions of packets received a second
  P50, P99, P99.9   ns that a packet took, its share of its burst's sync included
  heap, ext.        MB in use after a collection, by objects of V8, and by what
                    lies outside its heap (ext., external: buffers, rings)
  resident          MB of the receiver's process
  scavenge, mark-compact   V8's collections of young objects, and of all
  deopt             functions whose optimised code V8 threw away
  lost              packets that the port lost before the capture
  dropped           ticks for which the tick ring had no room
  stolen            ms that the hypervisor took from the cores, all together
  waited            ms that the receiver's threads wanted to run and others did

Checks of memory and service time compare the last interval with the second: they
take three.

Ctrl-C ends it early, with the checks on what was done.`;

/** What `deno task soak` is asked for. */
export interface SoakOptions {
  minutes: number;
  intervalS: number;
  /** Name of the port to receive on, and of the one to send on. */
  receive: string;
  send: string;
  engine: typeof ENGINES[number];
  json?: string;
  help: boolean;
}

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseSoakOptions(args: string[]): SoakOptions {
  const { values, switches: { help } } = new CommandLine(args, {
    values: ["port", "i", "o", "json", ...Object.keys(DEFAULTS)],
    switches: ["help"],
    defaults: DEFAULTS,
  });
  const low = 0.01, high = MOST_MINUTES;
  const minutes = numberOption("--minutes", values.minutes, { low, high, whole: false });
  const intervalS = numberOption("--interval", values.interval, { low: 1, high: 3600 });
  if (minutes * 60 < intervalS) {
    throw new UsageError(
      `Cannot soak for ${minutes} minutes: less than an interval: give --interval seconds as well`,
    );
  }
  const engine = choiceOption("--engine", values.engine, ENGINES);
  return { minutes, intervalS, ...portsOf(values), engine, json: values.json, help };
}

function portsOf(
  { i, o, port }: Readonly<Record<string, string | undefined>>,
): Pick<SoakOptions, "receive" | "send"> {
  if (i === undefined && o === undefined) {
    const kind = choiceOption("--port", port ?? KINDS[0], KINDS);
    const [a, b] = kind === "pipe" ? ["{1", "}1"] : [":1", ":2"];
    return { receive: `soft:soak_${Deno.pid}${a}`, send: `soft:soak_${Deno.pid}${b}` };
  }
  if (port !== undefined) {
    throw new UsageError(`Cannot use --port "${port}": the ports are named: leave one of them out`);
  }
  const name = (flag: string, text = "") => {
    if (text === "") throw new UsageError(`Cannot soak: no port: name both with -i and -o`);
    if (asUsage(() => parsePortName(text)).kind !== "pcap") return text;
    throw new UsageError(`Cannot use ${flag} "${text}": a file is no wire: name a live port`);
  };
  return { receive: name("-i", i), send: name("-o", o) };
}
