/**
 * Purpose: opens a file or standard input to be read, and says in one line why it cannot be.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";
import type { ByteSource } from "./file_window.ts";
import { loadLibrary } from "./library.ts";
import { PortError } from "./port_error.ts";

const STDIN = "-", STDIN_FD = 0;
const STDIN_FILES = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]; // which Deno lets nobody open

/**
 * Opens `file`, `"-"` for standard input; `again` where it must be possible to go back to its beginning.
 *
 * @throws {PortError} where it cannot be opened, or is a directory or a terminal.
 */
export function openBytes(port: string, file: string, again: boolean): ByteSource {
  const refuse = (code: string, why: string): never => {
    throw new PortError(`Cannot open "${port}": ${why}`, code);
  };
  if (file === STDIN) {
    if (again) refuse("ESPIPE", "standard input can be read only once: give a file to replay");
    if (Deno.stdin.isTerminal()) {
      refuse(
        "ENOTTY",
        `standard input is a terminal: pipe a capture into it, as in "tcpdump -w - | ..."`,
      );
    }
    const library = loadLibrary();
    // It is the process's, not the port's: it stays open.
    return {
      readSync: (bytes) => Deno.stdin.readSync(bytes),
      ready: (timeoutUs) => library.uspf_readable(STDIN_FD, timeoutUs) !== 0,
      close() {},
    };
  }
  if (STDIN_FILES.includes(file)) {
    refuse("EPERM", `standard input goes by another name here: use "-", as in "pcap:-"`);
  }
  const { isDirectory, isFile, isFifo } = attempt(file, refuse, () => Deno.statSync(file));
  if (isDirectory) refuse("EISDIR", "it is a directory: give one of its files");
  if (again && !isFile) {
    refuse(
      "ESPIPE",
      "it is a pipe or a device, which can be read only once: give a file to replay",
    );
  }
  const open = () => isFifo ? openPipe(file) : Deno.openSync(file, { read: true });
  return attempt(file, refuse, open);
}

/** A named pipe. To open it waits for no writer, and a read for nothing else but bytes or the end. */
function openPipe(file: string): ByteSource {
  const { uspf_readable } = loadLibrary();
  const pipe = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  return {
    readSync(bytes) {
      // Without this, a pipe that nobody has opened to write to would be at its end.
      while (uspf_readable(pipe, -1) === 0);
      return readSync(pipe, bytes) || null;
    },
    ready: (timeoutUs) => uspf_readable(pipe, timeoutUs) !== 0,
    close: () => closeSync(pipe),
  };
}

/** Does something with the file; says why it cannot be. */
function attempt<T>(
  file: string,
  refuse: (code: string, why: string) => never,
  action: () => T,
): T {
  try {
    return action();
  } catch (error) {
    const { NotFound, NotCapable, PermissionDenied, NotADirectory } = Deno.errors;
    if (error instanceof NotFound) return refuse("ENOENT", "no such file: check its name");
    if (error instanceof NotADirectory) {
      return refuse("ENOTDIR", "no such file: a part of its path is no directory");
    }
    if (error instanceof NotCapable) {
      return refuse("EPERM", `reading it was not allowed: allow it with --allow-read=${file}`);
    }
    if (error instanceof PermissionDenied || codeOf(error) === "EACCES") {
      return refuse("EACCES", `no permission: see "ls -l ${file}"`);
    }
    if (codeOf(error) === "ENAMETOOLONG") {
      return refuse("ENAMETOOLONG", "its name is too long: shorten it, 255 bytes between slashes");
    }
    return refuse(codeOf(error), `${codeOf(error)}: see errno(3)`);
  }
}

/** A read that failed, in one line. */
export function readError(file: string, error: unknown): unknown {
  if (error instanceof PortError || !isSystems(error)) return error;
  const code = codeOf(error);
  return new PortError(`Cannot read "${file}": ${code}: check the disk that it lies on`, code);
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: string; name: string };
  return code ?? name;
}

/** Errors of system calls have their errno's name; others are bugs, and stay what they are. */
function isSystems(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === "string";
}
