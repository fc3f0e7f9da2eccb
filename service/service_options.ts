/**
 * Purpose: the arguments of `deno task service`: its own, and those of the capture, which are checked now
 * and not when the service starts.
 */
import { posix } from "node:path";
import { type CaptureOptions, parseCaptureOptions } from "../capture/capture_options.ts";
import { CommandLine } from "../ffi/command_line.ts";
import { parsePortName, type PortName } from "../ffi/port_name.ts";
import { UsageError } from "../ffi/usage.ts";
import { canBeOwn, directoryOf } from "./write_directory.ts";

/** The help text. */
export const SERVICE_HELP =
  `Prints a hardened systemd unit for a capture: an unprivileged user, only the
capabilities that the port needs, and nothing of the system to write to.

Usage: deno task service -i PORT [options] [options of deno task capture]

  -i PORT           port to capture from
  --name NAME       the unit will be uspf-NAME.service              (from the port)
  --program PATH    where uspf-capture lies on the host             (/opt/uspf/bin/uspf-capture)
  --user NAME       user to run as (one of systemd's making, or "uspf" where it must be
                    a known one: soft: and netmap: ports, and --write)
  --cores LIST      cores that it may use, such as 0,2-3 (those of -c and --engine-core,
                    if both are given and --rings is not; else all)
  --help, --version

All other options are those of the capture: see deno task capture --help. Paths must be whole ones.

  deno task service -i xdp:eth0 -p 5001 > /etc/systemd/system/uspf-xdp-eth0.service`;

/** What `deno task service` is asked for. */
export interface ServiceOptions {
  /** What the capture is told, as it was given. */
  args: string[];
  /** The same, parsed. */
  capture: CaptureOptions;
  port: PortName;
  /** The unit is "uspf-NAME". */
  name: string;
  program: string;
  /** Nothing: whom the port needs. */
  user?: string;
  /** The cores that the service may use; nothing: all. */
  cores?: number[];
}

const OWN = ["name", "program", "user", "cores"];
const PROGRAM = "/opt/uspf/bin/uspf-capture";
const HIDDEN = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const USER = /^[a-z_][a-z0-9_-]{0,30}$/;
const MAX_CORE = 1023;

/**
 * Parses and checks the arguments; or says that only help, or the version, is wanted.
 *
 * @throws {UsageError} for the first that is wrong, or that no service can do.
 */
export function parseServiceOptions(args: readonly string[]): ServiceOptions | "help" | "version" {
  const only = (["help", "version"] as const).find((name) => args.includes(`--${name}`));
  if (only !== undefined) return only;
  const { own, rest } = divide(args);
  const { values } = new CommandLine(own, { values: OWN, switches: [], defaults: {} });
  const capture = parseCaptureOptions(rest);
  const port = serviceablePort(capture), name = values.name ?? nameOf(port);
  check("--name", name, NAME, 'letters, digits, "_", "." and "-", 64 at most');
  const program = values.program ?? PROGRAM;
  checkFiles({ "--program": program, "--write": capture.write?.file, "-i": fileOf(port) }, name);
  check(
    "--program",
    program,
    /^[\w.+/-]+$/,
    'a path of letters, digits and "_.+-", without blanks',
  );
  if (values.user !== undefined) checkUser(values.user);
  return {
    args: rest,
    capture,
    port,
    name,
    program,
    user: values.user,
    cores: coresOf(capture, values.cores),
  };
}

/** Our own options with their values, and all others. */
function divide(args: readonly string[]): { own: string[]; rest: string[] } {
  const own: string[] = [], rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [word] = args[i].split("=", 1),
      ours = OWN.includes(word.slice(2)) && word.startsWith("--");
    (ours ? own : rest).push(args[i]);
    if (ours && word === args[i] && i + 1 < args.length) own.push(args[++i]);
  }
  return { own, rest };
}

/** A service has no terminal, no standard input, and nobody who would look at a demonstration. */
function serviceablePort({ port, watch }: CaptureOptions): PortName {
  if (port === "") {
    throw new UsageError("Cannot write a unit: no port: name one, such as -i xdp:eth0");
  }
  if (watch) {
    throw new UsageError(
      "Cannot use --watch: a service has no terminal: use --dashboard 127.0.0.1:8080",
    );
  }
  const name = parsePortName(port);
  if (name.kind === "pcap" && name.file === "-") {
    throw new UsageError('Cannot use "pcap:-": a service has no standard input: name a file');
  }
  return name;
}

/** A file that the port itself reads or maps. */
export function fileOf(port: PortName): string | undefined {
  if (port.kind === "pcap") return port.file;
  return port.kind === "netmap" && port.netmap.extmemFile !== ""
    ? port.netmap.extmemFile
    : undefined;
}

function nameOf(port: PortName): string {
  const text = port.kind === "pcap" ? `pcap-${posix.basename(port.file)}` : port.text;
  return text.replace(/[^A-Za-z0-9_.]+/g, "-").replace(/^[-_.]+|-+$/g, "").slice(0, 64);
}

function checkFiles(files: Record<string, string | undefined>, name: string): void {
  for (const [option, file] of Object.entries(files)) {
    if (file === undefined) continue;
    const place = option === "--program" ? "/opt/uspf" : `/var/lib/uspf-${name}`;
    if (!file.startsWith("/")) {
      throw new UsageError(
        `Cannot use ${option} with "${file}": a service starts in no directory of yours: ` +
          `give the whole path, such as "${place}/${posix.basename(file)}"`,
      );
    }
    const path = posix.normalize(file);
    const hidden = HIDDEN.find((directory) => path.startsWith(`${directory}/`));
    if (hidden !== undefined) {
      throw new UsageError(
        `Cannot use ${option} with "${file}": the service will not see ${hidden}: ` +
          `put it elsewhere, such as into "${place}"`,
      );
    }
    const directory = directoryOf(file);
    if (option === "--write" && !canBeOwn(directory)) {
      throw new UsageError(
        `Cannot use --write with "${file}": "${directory}" can be no directory of the service's own: ` +
          `give one that can, such as "${place}/${posix.basename(file)}"`,
      );
    }
  }
}

function checkUser(user: string): void {
  check("--user", user, USER, 'a name of a-z, 0-9, "_" and "-"');
  if (user === "root") {
    throw new UsageError('Cannot use --user "root": root may do everything: name another user');
  }
}

function check(option: string, value: string, pattern: RegExp, wanted: string): void {
  if (pattern.test(value)) return;
  throw new UsageError(`Cannot use ${option} "${value}": not one for a unit: give ${wanted}`);
}

/** With --rings it is the machine that says which cores the threads get. */
function coresOf(
  { core, engineCore, rings }: CaptureOptions,
  list: string | undefined,
): number[] | undefined {
  if (list === undefined) {
    if (core === undefined || engineCore === undefined || rings !== undefined) return undefined;
    return [...new Set([core, engineCore])].sort((a, b) => a - b);
  }
  const cores = parseCores(list);
  for (const [option, named] of [["-c", core], ["--engine-core", engineCore]] as const) {
    if (named === undefined || cores.includes(named)) continue;
    throw new UsageError(`Cannot use --cores "${list}": ${option} names core ${named}: add it`);
  }
  return cores;
}

function parseCores(list: string): number[] {
  const cores = list.split(",").flatMap((part) => {
    const range = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part);
    const first = Number(range?.[1]), last = Number(range?.[2] ?? first);
    if (range === null || last < first || last > MAX_CORE) {
      throw new UsageError(
        `Cannot use --cores "${list}": not a list of cores: write it like 0,2-3`,
      );
    }
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  return [...new Set(cores)].sort((a, b) => a - b);
}
