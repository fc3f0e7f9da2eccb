/**
 * Purpose: the arguments of `deno task capture`.
 */
import { parseArgs } from "@std/cli";
import { MAX_CAPACITY, MIN_CAPACITY } from "../engine/tick_ring.ts";
import { parseIPv4 } from "../ffi/ipv4_address.ts";
import { type PortOptions, XDP_MODES } from "../ffi/port.ts";
import { parsePortName } from "../ffi/port_name.ts";
import {
  asUsage,
  cannotLoop,
  choiceOption,
  numberOption,
  refuseUnknown,
  UsageError,
} from "../ffi/usage.ts";
import { type Wait, WAITS } from "./pump_loop.ts";
import { MAX_CAPTURES } from "./receive_ports.ts";
import { TICK_BYTES } from "./tick_decoder.ts";

/** The help text. */
export const CAPTURE_HELP =
  `Captures market data from a port, decodes it and runs a trading strategy on it.

Usage: deno task capture [-i PORT] [options]

  -i PORT           port to capture from: netmap:eth0, vale0:1, soft:lab:1, soft:lab{1,
                    udp:0.0.0.0:5001, udp:239.1.1.1:5001@eth0, xdp:eth0, xdp:eth0-2, packet:eth0,
                    packet:eth0@7, pcap:FILE, pcap:-
                    (without: a built-in soft switch with a built-in sender, for 10 seconds)
  -p PORT           UDP destination port to accept, 0: any         (0)
  -d ADDRESS        IPv4 destination address to accept             (any)
  -c CORE           core of the (first) capture thread             (the last one)
  --engine-core N   core of the engine                             (any)
  -b BURST          packets per sync, 1 to 65536                   (256)
  -r SECONDS        stop after so many seconds, 0: when told to    (0)
  --wait HOW        without packets: spin, poll or hybrid          (hybrid)
  --ring-size N     ticks in the ring to the engine, a power of two (65536)
  --rings HOW       one capture thread, core and tick ring a receive queue of the interface,
                    or of packet: a fanout member: all, or the first N (one thread for all)
  --xdp-mode MODE   xdp: auto, zerocopy, native, generic           (auto)
  --promiscuous     xdp, packet: take packets to other machines, too
  --speed FACTOR    pcap: 1 at the recorded times, 2 twice as fast, 0 as fast as it goes (0)
  --loop N          pcap: replay so often, 0: without end          (1)
  --write FILE      write the packets accepted to a pcapng file
  --write-all       write all packets received
  --rotate-size MB  begin a new file after so many megabytes, 0: don't   (0)
  --rotate-seconds S  and after so many seconds, 0: don't          (0)
  --rotate-files N  keep the newest N only, earlier runs' too, 0: all (0)
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
  /** One capture thread a receive queue: all, or so many; nothing: one thread for all. */
  rings?: "all" | number;
  portOptions: PortOptions;
  write?: WriteOptions;
  json: boolean;
  quiet: boolean;
  printCode: boolean;
  help: boolean;
  version: boolean;
}

/** What `--write` and its companions say. */
export interface WriteOptions {
  file: string;
  /** All packets received, not the accepted ones only. */
  all: boolean;
  /** A new file after so many bytes, or seconds; 0: never. */
  rotateBytes: number;
  rotateSeconds: number;
  /** Files to keep; 0: all. */
  rotateFiles: number;
}

const DEFAULTS = {
  p: "0",
  b: "256",
  wait: "hybrid",
  "ring-size": "65536",
  "xdp-mode": "auto",
  speed: "0",
  loop: "1",
  "rotate-size": "0",
  "rotate-seconds": "0",
  "rotate-files": "0",
};
const STRINGS = ["i", "d", "c", "engine-core", "r", "rings", "write", ...Object.keys(DEFAULTS)];
const BOOLEANS = ["json", "quiet", "print-code", "help", "version", "promiscuous", "write-all"];
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
    boolean: BOOLEANS,
    default: DEFAULTS,
    unknown: (arg: string) => (unknown.push(arg), false),
  }) as unknown as
    & Record<string, string>
    & Record<"json" | "quiet" | "help" | "version" | "promiscuous", boolean>;
  const { help, version } = flags;
  if ((help || version) && args.length > 0) return { ...parseCaptureOptions([]), help, version };
  if (flags.write === "") throw cannotWriteTo(unknown[0] === "-" ? "-" : ""); // "--write -" are two
  refuseUnknown([], unknown);
  const number = (flag: string, low: number, high: number, whole = true) =>
    numberOption(flag.length > 1 ? `--${flag}` : `-${flag}`, flags[flag], { low, high, whole });
  const maybe = (flag: string, high: number) =>
    flags[flag] === undefined ? undefined : number(flag, 0, high);
  const port = flags.i, name = port === undefined ? undefined : asUsage(() => parsePortName(port));
  const destinationPort = number("p", 0, 65535);
  const destinationAddress = flags.d === undefined ? undefined : asUsage(() => parseIPv4(flags.d));
  const loop = number("loop", 0, Number.MAX_SAFE_INTEGER);
  if (loop !== 1 && name?.kind === "pcap" && name.file === "-") {
    throw cannotLoop(loop);
  }
  return {
    port: port ?? "",
    destinationPort,
    destinationAddress,
    core: maybe("c", 1023),
    engineCore: maybe("engine-core", 1023),
    burst: number("b", 1, 65536),
    seconds: flags.r === undefined
      ? (port === undefined ? DEMO_SECONDS : 0)
      : number("r", 0, 1e9, false),
    wait: choiceOption("--wait", flags.wait, WAITS),
    ringSize: ringSizeOf(number("ring-size", MIN_CAPACITY, MAX_CAPACITY)),
    rings: ringsOf(flags.rings, () => number("rings", 1, MAX_CAPTURES)),
    portOptions: {
      wanted: { destinationPort, destinationAddress, payloadBytes: TICK_BYTES },
      xdpMode: choiceOption("--xdp-mode", flags["xdp-mode"], XDP_MODES),
      promiscuous: flags.promiscuous,
      speed: number("speed", 0, 1e6, false),
      loop,
    },
    write: writeOf(flags, number),
    json: flags.json,
    quiet: flags.quiet,
    printCode: Boolean(flags["print-code"]),
    help: flags.help,
    version: flags.version,
  };
}

function ringsOf(text: string | undefined, number: () => number): "all" | number | undefined {
  return text === undefined || text === "all" ? text : number();
}

function writeOf(
  flags: Record<string, string | boolean>,
  number: (flag: string, low: number, high: number, whole?: boolean) => number,
): WriteOptions | undefined {
  const rotation = ["rotate-size", "rotate-seconds", "rotate-files"].find((flag) =>
    flags[flag] !== "0"
  );
  if (flags.write === undefined) {
    const lone = flags["write-all"] ? "write-all" : rotation;
    if (lone === undefined) return undefined;
    throw new UsageError(`Cannot use --${lone}: nothing is written: give --write FILE`);
  }
  if (flags.write === "-") throw cannotWriteTo("-");
  const options = {
    file: String(flags.write),
    all: Boolean(flags["write-all"]),
    rotateBytes: number("rotate-size", 0, 1e9, false) * 1e6,
    rotateSeconds: number("rotate-seconds", 0, 1e9, false),
    rotateFiles: number("rotate-files", 0, 1e6),
  };
  if (options.rotateFiles > 0 && options.rotateBytes === 0 && options.rotateSeconds === 0) {
    throw new UsageError(
      "Cannot use --rotate-files: nothing begins a second file: " +
        "give --rotate-size or --rotate-seconds",
    );
  }
  return options;
}

function cannotWriteTo(text: string): UsageError {
  return new UsageError(`Cannot use --write "${text}": not a file: name one`);
}

function ringSizeOf(size: number): number {
  if ((size & (size - 1)) === 0) return size;
  const below = 2 ** Math.floor(Math.log2(size));
  throw new UsageError(
    `Cannot use --ring-size "${size}": not a power of two: take ${below} or ${below * 2}`,
  );
}
