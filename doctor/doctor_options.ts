/**
 * Purpose: the arguments of `deno task doctor`.
 */
import { CommandLine, typed } from "../ffi/command_line.ts";
import { commandName } from "../ffi/command_name.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { asUsage, numberOption } from "../ffi/usage.ts";

/** The help text. */
export const DOCTOR_HELP =
  `Tells why a capture would receive nothing, or be slow, and what mends it.

Usage: ${commandName("doctor")} [-i PORT] [options]

  -i PORT      the port that is to be captured from (without: the machine alone)
  -c CORE      core of the capture thread                    (the last one)
  --seconds S  how long counters are watched, 0 to 3600      (1)
  --json       one object: findings, each with id, level, what, why and remedy, and facts
  --help, --version

It only looks: nothing is sent or changed. To see whether a udp: port can be had it binds a socket
for a moment, which takes packets from nobody. Levels: STOPS, no packet would come; HARMS, packets
or time are lost; note; ok. Exit code 1 if something would stop a capture. What others have
(processes, XDP programs) root sees best.`;

/** What `deno task doctor` is asked for. */
export interface DoctorOptions {
  port?: string;
  core?: number;
  seconds: number;
  json: boolean;
  help: boolean;
  version: boolean;
}

const KNOWN = {
  values: ["i", "c", "seconds"],
  switches: ["json", "help", "version"],
  defaults: { seconds: "1" },
};

/**
 * Parses and checks the arguments.
 *
 * @throws {UsageError} for the first that is wrong.
 */
export function parseDoctorOptions(args: string[]): DoctorOptions {
  const { values, switches } = new CommandLine(args, KNOWN), { i, c } = values;
  if (i !== undefined) asUsage(() => parsePortName(i));
  const number = (flag: string, high: number, whole: boolean) =>
    numberOption(typed(flag), values[flag], { low: 0, high, whole });
  return {
    port: i,
    core: c === undefined ? undefined : number("c", 1023, true),
    seconds: number("seconds", 3600, false),
    json: switches.json,
    help: switches.help,
    version: switches.version,
  };
}
