/**
 * Purpose: the arguments of `deno task send`.
 */
import { parseArgs } from "@std/cli";
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
import { parseMac } from "./mac_address.ts";

/** The help text. */
export const SEND_HELP = `Sends market data packets (Ethernet, IPv4, UDP, 14-byte ticks) on a port.

Usage: deno task send -i PORT [options]

  -i PORT           port to send on: soft:lab:2, soft:lab{1, udp:127.0.0.1:5001,
                    netmap:eth0, vale0:2, xdp:eth0, packet:eth0
  -s MAC            source MAC              (02:00:00:00:00:01)
  -d MAC            destination MAC         (ff:ff:ff:ff:ff:ff)
  -S ADDRESS        source IPv4 address     (10.0.0.1)
  -D ADDRESS        destination address     (10.0.0.2)
  -p PORT           UDP destination port    (5001)
  -c COUNT          packets to send, 0: endless                    (0)
  -r RATE           packets a second, 0: as fast as it goes        (0)
  -b BURST          packets per sync, 1 to 1024                    (256)
  --seconds N       stop after N seconds, 0: don't                 (0)
  --core N          core to stay on
  --seed N          same seed, same packets                        (1)
  --instruments N   number of instruments, 1 to 65536              (16)
  --file FILE       send the packets of a capture file instead, - for standard input,
                    at their recorded times; -r gives them a rate instead
  --speed FACTOR    of the recorded times; 2 twice as fast, 0 as fast as it goes (1)
  --loop N          send the file so often, 0: without end         (1)
  --xdp-mode MODE   xdp: auto, zerocopy, native, generic           (auto)
  --json            one JSON object at the end instead of text
  --help, --version

A udp port's own address and port say where datagrams go; of -s -d -S -D -p only what
a socket sends, the payload, arrives.`;

/** What `deno task send` is asked for. */
export interface SendOptions {
  port: string;
  sourceMac: Uint8Array;
  destinationMac: Uint8Array;
  sourceAddress: number;
  destinationAddress: number;
  destinationPort: number;
  count: number;
  rateHz: number;
  burst: number;
  seconds: number;
  core?: number;
  seed: number;
  instruments: number;
  /** A capture file to send instead of generated packets. */
  file?: string;
  speed: number;
  loop: number;
  portOptions: PortOptions;
  json: boolean;
  help: boolean;
  version: boolean;
}

const STRINGS = [
  "i",
  "s",
  "d",
  "S",
  "D",
  "p",
  "c",
  "r",
  "b",
  "seconds",
  "core",
  "seed",
  "instruments",
  "file",
  "speed",
  "loop",
  "xdp-mode",
];

/** "--file -" as "--file=-": a dash alone would be taken for an argument of its own. */
function joinDash(args: string[]): string[] {
  const at = args.indexOf("--file");
  return at >= 0 && args[at + 1] === "-" ? args.toSpliced(at, 2, "--file=-") : args;
}

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseSendOptions(args: string[]): SendOptions {
  const unknown: string[] = [];
  const flags = parseArgs(joinDash(args), {
    string: STRINGS,
    boolean: ["json", "help", "version"],
    default: {
      s: "02:00:00:00:00:01",
      d: "ff:ff:ff:ff:ff:ff",
      S: "10.0.0.1",
      D: "10.0.0.2",
      p: "5001",
      c: "0",
      r: "0",
      b: "256",
      seconds: "0",
      seed: "1",
      instruments: "16",
      speed: "1",
      loop: "1",
      "xdp-mode": "auto",
    },
    unknown: (arg: string) => (unknown.push(arg), false),
  }) as unknown as Record<string, string> & { json: boolean; help: boolean; version: boolean };
  const { help, version, json } = flags;
  if (help || version) return { ...parseSendOptions(["-i", "soft:help:1"]), help, version };
  refuseUnknown([], unknown);
  const number = (flag: string, low: number, high: number, whole = true) =>
    numberOption(flag.length > 1 ? `--${flag}` : `-${flag}`, flags[flag], { low, high, whole });
  if (!flags.i) {
    throw new UsageError(`Cannot send: no port: name one with -i, such as "soft:lab:2"`);
  }
  const port = flags.i ?? "";
  if (port !== "") asUsage(() => parsePortName(port));
  const loop = number("loop", 0, Number.MAX_SAFE_INTEGER);
  if (flags.file === "") throw new UsageError(`Cannot use --file "": no file: name one`);
  if (loop !== 1 && flags.file === "-") throw cannotLoop(loop);
  return {
    port,
    sourceMac: asUsage(() => parseMac(flags.s)),
    destinationMac: asUsage(() => parseMac(flags.d)),
    sourceAddress: asUsage(() => parseIPv4(flags.S)),
    destinationAddress: asUsage(() => parseIPv4(flags.D)),
    destinationPort: number("p", 1, 65535),
    count: number("c", 0, Number.MAX_SAFE_INTEGER),
    rateHz: number("r", 0, 1e9, false),
    burst: number("b", 1, 1024),
    seconds: number("seconds", 0, 1e9, false),
    core: flags.core === undefined ? undefined : number("core", 0, 1023),
    seed: number("seed", 0, 0xffffffff),
    instruments: number("instruments", 1, 65536),
    file: flags.file,
    speed: number("speed", 0, 1e6, false),
    loop,
    portOptions: { xdpMode: choiceOption("--xdp-mode", flags["xdp-mode"], XDP_MODES) },
    json,
    help,
    version,
  };
}
