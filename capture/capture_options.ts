/**
 * Purpose: the arguments of `deno task capture`.
 */
import { MAX_CAPACITY, MIN_CAPACITY } from "../engine/tick_ring.ts";
import { CommandLine, type PortNeeds, typed } from "../ffi/command_line.ts";
import { commandName } from "../ffi/command_name.ts";
import { type PortOptions, XDP_MODES } from "../ffi/port.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { asUsage, cannotLoop, choiceOption, numberOption, UsageError } from "../ffi/usage.ts";
import { LOG_STYLES, type LogStyle } from "../ffi/voice.ts";
import type { PacketFilter, PacketFilterOptions } from "../filter/packet_filter.ts";
import { filterArguments } from "./filter_options.ts";
import { type ListenAddress, parseListenAddress } from "./monitor/listen_address.ts";
import { type Wait, WAITS } from "./pump_loop.ts";
import type { Push } from "./push_filter.ts";
import { MAX_CAPTURES } from "./receive_ports.ts";

/** The help text. */
export const CAPTURE_HELP =
  `Captures market data from a port, decodes it and runs a trading strategy on it.

Usage: ${commandName("capture")} [-i PORT] [options]

  -i PORT           port to capture from: netmap:eth0, vale0:1, soft:lab:1, soft:lab{1,
                    udp:0.0.0.0:5001, udp:239.1.1.1:5001@eth0, xdp:eth0, xdp:eth0-2, packet:eth0,
                    packet:eth0@7, pcap:FILE, pcap:-
                    (without: a built-in soft switch with a built-in sender, for 10 seconds)
  -f EXPRESSION     packets to accept, in tcpdump's language, in quotes: "udp port 5001" (all);
                    see pcap-filter(7), and the README for what is more: tick.price > 100.5
  --no-decode       accept packets whatever they carry: count and write them, without an engine
  --push HOW        where -f runs first: auto, as early as the port allows (packet:, udp: in the
                    kernel; xdp: in the driver), or off, in user space only   (auto)
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
  --watch           a live view on the terminal, four times a second, instead of lines
  --dashboard ADDRESS  the same as a web page, such as 127.0.0.1:8080
  --metrics ADDRESS  serve numbers for Prometheus at /metrics, and whether the capture goes on
                    at /health, such as on 127.0.0.1:9464
  --log HOW         what happens: text, or json: an object a line on standard error, with the
                    numbers at the end only, and nothing on standard output (text)
  --print-code      print what the filter becomes, and the packet loop, and go on
  --help, --version

USPF_DEBUG=1 in the environment logs every stage once a second, to standard error.`;

/** What `deno task capture` is asked for. */
export interface CaptureOptions {
  /** Empty: the built-in demonstration. */
  port: string;
  /** Which packets are wanted: as it travels to the capture threads, and compiled. */
  filter: PacketFilterOptions;
  compiled: PacketFilter;
  push: Push;
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
  /** A live view on the terminal. */
  watch: boolean;
  metrics?: ListenAddress;
  dashboard?: ListenAddress;
  /** How messages are written. */
  log: LogStyle;
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
  push: "auto",
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
  log: "text",
};
const KNOWN = {
  values: [
    "i",
    "f",
    "d",
    "c",
    "engine-core",
    "r",
    "rings",
    "write",
    "metrics",
    "dashboard",
    ...Object.keys(DEFAULTS),
  ],
  switches: [
    "json",
    "quiet",
    "watch",
    "print-code",
    "help",
    "version",
    "promiscuous",
    "write-all",
    "no-decode",
  ],
  defaults: DEFAULTS,
  empty: ["f"], // as in tcpdump, for scripts: -f "$FILTER"
  aliases: { filter: "f" },
  words: true, // which are refused, with a better reason
};
const NEEDS: PortNeeds = {
  "xdp-mode": ["xdp"],
  promiscuous: ["xdp", "packet"],
  speed: ["pcap"],
  loop: ["pcap"],
};
const WRITING = ["write-all", "rotate-size", "rotate-seconds", "rotate-files"];
const DEMO_SECONDS = 10;

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseCaptureOptions(args: string[]): CaptureOptions {
  const line = new CommandLine(args, KNOWN), { values, switches } = line;
  const { help, version } = switches;
  if (help || version) return { ...parseCaptureOptions([]), help, version };
  const number = (flag: string, low: number, high: number, whole = true) =>
    numberOption(typed(flag), values[flag], { low, high, whole });
  const maybe = (flag: string, high: number) =>
    values[flag] === undefined ? undefined : number(flag, 0, high);
  const port = values.i, name = port === undefined ? undefined : asUsage(() => parsePortName(port));
  line.checkPort(name?.kind ?? "switch", name ? `"${port}"` : "the built-in switch", NEEDS);
  const { options: filter, filter: compiled, push } = filterArguments(line, number);
  const other = line.changed(["json", "quiet"]);
  if (switches.watch && other !== undefined) {
    throw new UsageError(
      `Cannot use --${other} with --watch: both have standard output for themselves: leave one out`,
    );
  }
  const loop = number("loop", 0, Number.MAX_SAFE_INTEGER);
  if (loop !== 1 && name?.kind === "pcap" && name.file === "-") {
    throw cannotLoop(loop);
  }
  return {
    port: port ?? "",
    filter,
    compiled,
    push,
    core: maybe("c", 1023),
    engineCore: maybe("engine-core", 1023),
    burst: number("b", 1, 65536),
    seconds: values.r === undefined
      ? (port === undefined ? DEMO_SECONDS : 0)
      : number("r", 0, 1e9, false),
    wait: choiceOption("--wait", values.wait, WAITS),
    ringSize: ringSizeOf(number("ring-size", MIN_CAPACITY, MAX_CAPACITY)),
    rings: ringsOf(values.rings, () => number("rings", 1, MAX_CAPTURES)),
    portOptions: {
      xdpMode: choiceOption("--xdp-mode", values["xdp-mode"], XDP_MODES),
      promiscuous: switches.promiscuous,
      speed: number("speed", 0, 1e6, false),
      loop,
    },
    write: writeOf(line, number),
    json: switches.json,
    quiet: switches.quiet,
    watch: switches.watch,
    metrics: addressOf(values.metrics),
    dashboard: addressOf(values.dashboard),
    log: choiceOption("--log", values.log, LOG_STYLES),
    printCode: switches["print-code"],
    help,
    version,
  };
}

function addressOf(text: string | undefined): ListenAddress | undefined {
  return text === undefined ? undefined : asUsage(() => parseListenAddress(text));
}

function ringsOf(text: string | undefined, number: () => number): "all" | number | undefined {
  return text === undefined || text === "all" ? text : number();
}

function writeOf(
  line: CommandLine,
  number: (flag: string, low: number, high: number, whole?: boolean) => number,
): WriteOptions | undefined {
  const { write } = line.values;
  if (write === undefined) {
    const lone = line.changed(WRITING);
    if (lone === undefined) return undefined;
    throw new UsageError(`Cannot use --${lone}: nothing is written: give --write FILE`);
  }
  if (write === "-") throw new UsageError(`Cannot use --write "-": not a file: name one`);
  const options = {
    file: write,
    all: line.switches["write-all"],
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

function ringSizeOf(size: number): number {
  if ((size & (size - 1)) === 0) return size;
  const below = 2 ** Math.floor(Math.log2(size));
  throw new UsageError(
    `Cannot use --ring-size "${size}": not a power of two: take ${below} or ${below * 2}`,
  );
}
