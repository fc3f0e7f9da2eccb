/**
 * Purpose: large pages, and the memory that soft ports share.
 */
import type { Facts } from "../facts/facts.ts";
import { type Finding, note, ok, stops } from "../finding.ts";

const MIB = 2 ** 20;
/** A pipe takes 8.4 MiB, a switch 2.1 MiB for each sender and for each pair of ports. */
const SOFT_BYTES = 16 * MIB;

/** What a program's memory is made of. */
export function checkMemory({ memory, port }: Facts): Finding[] {
  const soft = port?.kind === "switch" || port?.kind === "pipe";
  if (port !== undefined && !soft) return [];
  return [...(soft || port === undefined ? checkShared(memory, soft) : []), hugePages(memory)];
}

function hugePages({ hugePages, transparentHugePages }: Facts["memory"]): Finding {
  const { total, free, bytes } = hugePages;
  const some = total === 0 ? "none reserved" : `${free} of ${total} free, ${bytes / MIB} MiB each`;
  const transparent = transparentHugePages ?? "not there";
  // They did not help in any measurement: see "What prototypes measured".
  return ok("huge-pages", `huge pages: ${some}; transparent: ${transparent}; captures need none`);
}

function checkShared({ shared }: Facts["memory"], soft: boolean): Finding[] {
  const finding = soft ? stops : note, why = "soft: ports live there: they do not open.";
  if (shared === undefined) {
    return [finding("shared-memory", "there is no /dev/shm", why, "mount -t tmpfs tmpfs /dev/shm")];
  }
  if (!shared.writable) {
    return [finding("shared-memory", "we may not write to /dev/shm", why, "chmod 1777 /dev/shm")];
  }
  if (shared.freeBytes >= 0 && shared.freeBytes < SOFT_BYTES) {
    return [finding(
      "shared-memory",
      `/dev/shm has ${Math.floor(shared.freeBytes / MIB)} MiB left`,
      "A pipe takes 9 MiB there, a switch 2 MiB for each pair of its ports: soft: ports do not open.",
      "mount -o remount,size=256m /dev/shm",
      "# a container: docker run --shm-size=256m …",
    )];
  }
  return soft ? [ok("shared-memory", "/dev/shm is there, and ours to use")] : [];
}
