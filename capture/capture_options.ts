/**
 * Purpose: the arguments of `deno task capture`.
 */
import { parseArgs } from "@std/cli";
import { MAX_CAPACITY, MIN_CAPACITY } from "../engine/tick_ring.ts";
import { parseIPv4 } from "../ffi/ipv4_address.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { asUsage, numberOption, refuseUnknown, UsageError } from "../ffi/usage.ts";
import { type Wait, WAITS } from "./pump_loop.ts";

/** The help text. */
export const CAPTURE_HELP =
  `Captures market data from a port, decodes it and runs a trading strategy on it.

Usage: deno task capture [-i PORT] [options]

  -i PORT           port to capture from: netmap:eth0, vale0:1, soft:lab:1, soft:lab{1,
                    udp:0.0.0.0:5001, udp:239.1.1.1:5001@eth0
                    (without: a built-in soft switch with a built-in sender, for 10 seconds)
  -p PORT           UDP destination port to accept, 0: any         (0)
  -d ADDRESS        IPv4 destination address to accept             (any)
  -c CORE           core of the capture thread                     (the last one)
  --engine-core N   core of the engine                             (any)
  -b BURST          packets per sync, 1 to 65536                   (256)
  -r SECONDS        stop after so many seconds, 0: when told to    (0)
  --wait HOW        without packets: spin, poll or hybrid          (hybrid)
  --ring-size N     ticks in the ring to the engine, a power of two (65536)
  --json            one JSON object a second and at the end, instead of text
  --quiet           only the summary
  --print-code      print the generated packet loop, and go on
  --help, --version

USPF_DEBUG=1 in the environment logs every stage once a second, to standard error.`;

/** What `deno task capture` is asked for. */
export interface CaptureOptions {
  /** Empty: the built-in demonstration. */
  port: string;
  destinationPort: number;
  destinationAddress?: number;
  core?: number;
  engineCore?: number;
  burst: number;
  seconds: number;
  wait: Wait;
  ringSize: number;
  json: boolean;
  quiet: boolean;
  printCode: boolean;
  help: boolean;
  version: boolean;
}

const STRINGS = ["i", "p", "d", "c", "engine-core", "b", "r", "wait", "ring-size"];
const DEMO_SECONDS = 10;

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseCaptureOptions(args: string[]): CaptureOptions {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    string: STRINGS,
    boolean: ["json", "quiet", "print-code", "help", "version"],
    default: { p: "0", b: "256", wait: "hybrid", "ring-size": "65536" },
    unknown: (arg: string) => (unknown.push(arg), false),
  }) as unknown as Record<string, string> & Record<"json" | "quiet" | "help" | "version", boolean>;
  const { help, version } = flags;
  if ((help || version) && args.length > 0) return { ...parseCaptureOptions([]), help, version };
  refuseUnknown([], unknown);
  const number = (flag: string, low: number, high: number, whole = true) =>
    numberOption(flag.length > 1 ? `--${flag}` : `-${flag}`, flags[flag], { low, high, whole });
  const maybe = (flag: string, high: number) =>
    flags[flag] === undefined ? undefined : number(flag, 0, high);
  const port = flags.i;
  if (port !== undefined) asUsage(() => parsePortName(port));
  return {
    port: port ?? "",
    destinationPort: number("p", 0, 65535),
    destinationAddress: flags.d === undefined ? undefined : asUsage(() => parseIPv4(flags.d)),
    core: maybe("c", 1023),
    engineCore: maybe("engine-core", 1023),
    burst: number("b", 1, 65536),
    seconds: flags.r === undefined
      ? (port === undefined ? DEMO_SECONDS : 0)
      : number("r", 0, 1e9, false),
    wait: waitOf(flags.wait),
    ringSize: ringSizeOf(number("ring-size", MIN_CAPACITY, MAX_CAPACITY)),
    json: flags.json,
    quiet: flags.quiet,
    printCode: Boolean(flags["print-code"]),
    help: flags.help,
    version: flags.version,
  };
}

function waitOf(text: string): Wait {
  const wait = WAITS.find((name) => name === text);
  if (wait) return wait;
  throw new UsageError(`Cannot use --wait "${text}": no such way: choose ${WAITS.join(", ")}`);
}

function ringSizeOf(size: number): number {
  if ((size & (size - 1)) === 0) return size;
  const below = 2 ** Math.floor(Math.log2(size));
  throw new UsageError(
    `Cannot use --ring-size "${size}": not a power of two: take ${below} or ${below * 2}`,
  );
}
