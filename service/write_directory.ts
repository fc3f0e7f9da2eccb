/**
 * Purpose: where a service may write: a directory of its own, never one that others rely on.
 *
 * ```text
 *  /var/lib/uspf…  /var/log/uspf…   systemd makes it, and gives it to the user
 *  /srv/x  /data/x  /var/lib/x …    whoever installs makes it, unless it is there
 *  all else                         refused
 * ```
 */
import { posix } from "node:path";

/** With all that is below: the system's, other programs', or gone at the next boot. */
const CLOSED = [
  "/bin",
  "/boot",
  "/dev",
  "/etc",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/opt",
  "/proc",
  "/run", // RuntimeDirectory= would be removed with the service, and the file in it
  "/sbin",
  "/sys",
  "/usr",
  "/var/cache/private",
  "/var/lib/private", // where systemd keeps what users of its making leave, out of all others' sight
  "/var/lock",
  "/var/log/private",
  "/var/run",
];
/** Directories below which others are the system's. */
const ROOTS = ["/", "/var"];
/**
 * Roots below which systemd makes directories. It gives all that is in there to the user, so only names
 * of ours; ":" would have a meaning, see systemd.exec(5).
 */
const MADE = { "/var/lib/": "StateDirectory", "/var/log/": "LogsDirectory" } as const;
const OURS = /^uspf[\w.-]*(\/[\w.-]+)*$/;

/** A setting that makes a place writable. */
export interface Writable {
  setting: "StateDirectory" | "LogsDirectory" | "ReadWritePaths";
  path: string;
  /** Whether it is a directory that is to be made, where it is missing. */
  make: boolean;
}

/** The directory of a file. */
export function directoryOf(file: string): string {
  return posix.dirname(posix.normalize(file));
}

/** Whether a service can have this directory as its own. */
export function canBeOwn(directory: string): boolean {
  if (directory === "/" || ROOTS.includes(posix.dirname(directory))) return false;
  return !CLOSED.some((one) => `${directory}/`.startsWith(`${one}/`));
}

/** What makes a directory writable that {@linkcode canBeOwn}. */
export function writableDirectory(directory: string): Writable {
  for (const [root, setting] of Object.entries(MADE)) {
    const path = directory.slice(root.length);
    if (directory.startsWith(root) && OURS.test(path)) return { setting, path, make: false };
  }
  return { setting: "ReadWritePaths", path: directory, make: true };
}
