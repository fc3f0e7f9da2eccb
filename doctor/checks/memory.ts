/**
 * Purpose: large pages, and the memory that soft ports share.
 */
import type { Facts } from "../facts/facts.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";

const MIB = 2 ** 20;
const BLOCK_BYTES = 2183168; // SOFT_SWITCH_BLOCK in soft.h: a ring and its buffers
/** What opening takes, of whichever kind, and be it there or not: check_room in soft.c. */
const OPEN_BYTES = 2 * BLOCK_BYTES;
const PIPE_BYTES = 8765440; // SOFT_PIPE_BYTES
/** Its header, what each of two ports sends from, and where the other receives. */
const SWITCH_BYTES = 3 * BLOCK_BYTES + 256 * 1024;
const LARGER = [
  "mount -o remount,size=256m /dev/shm",
  "# a container: docker run --shm-size=256m …",
];

/** What a program's memory is made of. */
export function checkMemory(facts: Facts): Finding[] {
  const { memory, port } = facts;
  const soft = port?.kind === "switch" || port?.kind === "pipe";
  if (port !== undefined && !soft) return [];
  return [...(soft || port === undefined ? checkShared(facts) : []), hugePages(memory)];
}

function hugePages({ hugePages, transparentHugePages }: Facts["memory"]): Finding {
  const { total, free, bytes } = hugePages;
  const some = total === 0 ? "none reserved" : `${free} of ${total} free, ${bytes / MIB} MiB each`;
  const transparent = transparentHugePages ?? "not there";
  // They did not help in any measurement: see "What prototypes measured".
  return ok("huge-pages", `huge pages: ${some}; transparent: ${transparent}; captures need none`);
}

function checkShared({ memory: { shared }, port }: Facts): Finding[] {
  const finding = port === undefined ? note : stops;
  const bad = (what: string, why: string, ...remedy: string[]) =>
    finding("shared-memory", what, why, ...remedy);
  const why = "soft: ports live there: they do not open.";
  if (shared === undefined) {
    return [bad("there is no /dev/shm", why, "mount -t tmpfs tmpfs /dev/shm")];
  }
  if (!shared.writable) return [bad("we may not write to /dev/shm", why, "chmod 1777 /dev/shm")];
  const left = `/dev/shm has ${(shared.freeBytes / MIB).toFixed(1)} MiB left`;
  if (shared.freeBytes >= 0 && shared.freeBytes < OPEN_BYTES) {
    return [bad(left, "soft: ports do not open with less than 4.2 MiB there.", ...LARGER)];
  }
  if (port === undefined) return [];
  const pipe = port.kind === "pipe", wanted = pipe ? PIPE_BYTES : SWITCH_BYTES;
  if (port.exists || shared.freeBytes < 0 || shared.freeBytes >= wanted) {
    return [ok("shared-memory", "/dev/shm is there, and ours to use")];
  }
  return [harms(
    "shared-memory",
    left,
    pipe
      ? "A pipe takes 8.4 MiB: it opens, but its other end may not, or memory runs out later."
      : "A switch with two ports takes 6.5 MiB: it opens, and its programs end when memory runs out.",
    ...LARGER,
  )];
}
