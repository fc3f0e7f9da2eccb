/**
 * Purpose: can a capture file be read? Only regular files are opened to see: to open a FIFO waits for its
 * writer, and to close it again kills that one.
 */
import { openPort } from "../../ffi/open_port.ts";
import { RX } from "../../ffi/port.ts";
import { PortError } from "../../ffi/port_error.ts";

/** Whether it can be read, or why not. */
export type FileState =
  | "readable"
  /** A FIFO or a device, by its permissions. */
  | "no regular file"
  | "missing"
  | "forbidden"
  /** A folder on the way to it is closed to us. */
  | "out of reach"
  | "a folder"
  | "a socket"
  /** Among those that Deno lets nobody open, such as /dev/stdin. */
  | "reserved";

/** Looks at it, for a user; "-" is standard input. */
export function fileState(path: string, user: number): FileState {
  if (path === "-") return "readable";
  try {
    const info = Deno.statSync(path);
    if (info.isDirectory) return "a folder";
    if (info.isSocket) return "a socket";
    if (!info.isFile) return mayRead(info, user) ? "no regular file" : "forbidden";
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return "reserved";
    return error instanceof Deno.errors.PermissionDenied ? "out of reach" : "missing";
  }
  try {
    Deno.openSync(path).close();
    return "readable";
  } catch (error) {
    return error instanceof Deno.errors.NotCapable ? "reserved" : "forbidden";
  }
}

/** Why a port cannot read a file that can be opened: it is damaged at its begin, or no capture. */
export function captureRefusal(path: string): string | undefined {
  try {
    openPort(`pcap:${path}`, RX).close();
  } catch (error) {
    if (error instanceof PortError) return error.message;
    throw error;
  }
}

/** Whether a user may; our groups are not known here: what some group may read counts as ours to read. */
export function mayRead({ mode, uid }: Pick<Deno.FileInfo, "mode" | "uid">, user: number): boolean {
  if (user === 0 || mode === null) return true;
  return (mode & (user === uid ? 0o400 : 0o044)) !== 0;
}
