/**
 * Purpose: the arguments of `deno task send`.
 */
import { CommandLine, typed } from "../ffi/command_line.ts";
import { commandName } from "../ffi/command_name.ts";
import { parseIPv4 } from "../ffi/ipv4_address.ts";
import { type PortOptions, XDP_MODES } from "../ffi/port.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { asUsage, cannotLoop, choiceOption, numberOption, UsageError } from "../ffi/usage.ts";
import { LOG_STYLES, type LogStyle } from "../ffi/voice.ts";
import { parseMac } from "./mac_address.ts";

/** The help text. */
export const SEND_HELP = `Sends market data packets (Ethernet, IPv4, UDP, 14-byte ticks) on a port.

Usage: ${commandName("send")} -i PORT [options]

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
  --log HOW         what happens: text, or json: an object a line on standard error, and
                    nothing on standard output                     (text)
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
  /** How messages are written. */
  log: LogStyle;
  help: boolean;
  version: boolean;
}

const DEFAULTS = {
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
  log: "text",
};
const KNOWN = {
  values: ["i", "core", "file", ...Object.keys(DEFAULTS)],
  switches: ["json", "help", "version"],
  defaults: DEFAULTS,
};
const FOR_FILES = ["speed", "loop"];
const FOR_GENERATED = ["s", "d", "S", "D", "p", "seed", "instruments"];

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseSendOptions(args: string[]): SendOptions {
  const line = new CommandLine(args, KNOWN), { values } = line;
  const { help, version, json } = line.switches;
  if (help || version) return { ...parseSendOptions(["-i", "soft:help:1"]), help, version };
  const number = (flag: string, low: number, high: number, whole = true) =>
    numberOption(typed(flag), values[flag], { low, high, whole });
  const port = values.i;
  if (port === undefined) {
    throw new UsageError(`Cannot send: no port: name one with -i, such as "soft:lab:2"`);
  }
  line.checkPort(asUsage(() => parsePortName(port)).kind, `"${port}"`, { "xdp-mode": ["xdp"] });
  checkSource(line);
  const loop = number("loop", 0, Number.MAX_SAFE_INTEGER);
  if (loop !== 1 && values.file === "-") throw cannotLoop(loop);
  return {
    port,
    sourceMac: asUsage(() => parseMac(values.s)),
    destinationMac: asUsage(() => parseMac(values.d)),
    sourceAddress: asUsage(() => parseIPv4(values.S)),
    destinationAddress: asUsage(() => parseIPv4(values.D)),
    destinationPort: number("p", 1, 65535),
    count: number("c", 0, Number.MAX_SAFE_INTEGER),
    rateHz: number("r", 0, 1e9, false),
    burst: number("b", 1, 1024),
    seconds: number("seconds", 0, 1e9, false),
    core: values.core === undefined ? undefined : number("core", 0, 1023),
    seed: number("seed", 0, 0xffffffff),
    instruments: number("instruments", 1, 65536),
    file: values.file,
    speed: number("speed", 0, 1e6, false),
    loop,
    portOptions: { xdpMode: choiceOption("--xdp-mode", values["xdp-mode"], XDP_MODES) },
    json,
    log: choiceOption("--log", values.log, LOG_STYLES),
    help,
    version,
  };
}

/** What is sent is a file's, or generated: options of the one mean nothing to the other. */
function checkSource(line: CommandLine): void {
  const { file } = line.values;
  const useless = line.changed(file === undefined ? FOR_FILES : FOR_GENERATED);
  if (useless === undefined) return;
  throw new UsageError(
    `Cannot use ${typed(useless)}: ` +
      (file === undefined
        ? "the packets are generated, not a file's: give --file FILE"
        : "the packets are sent as they are in the file: leave it out"),
  );
}
