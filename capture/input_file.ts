/**
 * Purpose: keeps a capture from writing over the file that it reads, by whatever name, and into a pipe.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { CaptureError } from "./background_capture.ts";
import { parsePortName } from "../ffi/port_name.ts";

const STDIN = 0;

/** What tells a file from all others: symbolic and hard links to it have the same. */
export interface FileIdentity {
  /** The device that it lies on. */
  dev: bigint;
  /** Its number there. */
  ino: bigint;
}

/** The file that a port reads; nothing where it reads none. Needs the permission to read it. */
export function inputOf(port: string): FileIdentity | undefined {
  const name = port === "" ? undefined : parsePortName(port);
  if (name?.kind !== "pcap") return undefined;
  const found = name.file === "-"
    ? fstatSync(STDIN, { bigint: true })
    : statSync(name.file, { bigint: true, throwIfNoEntry: false });
  return found && { dev: found.dev, ino: found.ino };
}

/**
 * Refuses what is there and is no file: opening a pipe would wait for its reader, and hear no signal.
 *
 * @throws {CaptureError} for a pipe, a socket or a device.
 */
export function checkOutput(file: string): void {
  const found = lookAt(file);
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  throw new CaptureError(`Cannot write "${file}": it is no regular file: name one`, true);
}

/**
 * Whether a file that may be written is that one; it is made if it is not there. It takes no permission
 * to read, as looking at it by its name would.
 */
export function isInput(file: string, input: FileIdentity): boolean {
  const opened = openSync(file, constants.O_WRONLY | constants.O_CREAT);
  try {
    const { dev, ino } = fstatSync(opened, { bigint: true });
    return dev === input.dev && ino === input.ino;
  } finally {
    closeSync(opened);
  }
}

/** What may not be looked at is refused, and explained, where it is opened. */
function lookAt(file: string): ReturnType<typeof statSync> {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
