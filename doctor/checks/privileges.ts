/**
 * Purpose: may we open the port? Capabilities, locked memory, memory.
 */
import { capabilitiesOf } from "../../ffi/port_needs.ts";
import type { Facts } from "../facts/facts.ts";
import type { PortFacts } from "../facts/port.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";
import { holds, neverCounts } from "./capabilities.ts";

const MIB = 2 ** 20;
/** Frames of a queue of an xdp port: RX_FRAMES of FRAME_BYTES in xdp.h. */
const XDP_QUEUE_BYTES = 9216 * 2048;
/** Runtime, engine and the largest ports' rings. */
const COMFORTABLE_BYTES = 512 * MIB;

/** Permissions and limits. */
export function checkPrivileges(facts: Facts): Finding[] {
  return [...checkCapabilities(facts), ...checkLocked(facts), ...checkMemoryLimit(facts)];
}

/** Whether it is for its number that a socket cannot be bound to the port. */
export function lacksLowPort({ port, process }: Facts): boolean {
  const { refusal, port: number, firstFreePort } = port!.udp!;
  return refusal === "EACCES" && number < firstFreePort &&
    !holds(process, "CAP_NET_BIND_SERVICE");
}

/** Those that the port at hand cannot do without. */
function needed(facts: Facts): string[] {
  const { kind, udp } = facts.port!;
  if (udp !== undefined) return lacksLowPort(facts) ? ["CAP_NET_BIND_SERVICE"] : [];
  return [...capabilitiesOf({ kind })];
}

function checkCapabilities(facts: Facts): Finding[] {
  const { process, port } = facts, held = process.capabilities;
  if (port === undefined) {
    const list = held.length === 0 ? "none that ports ask for" : held.join(", ");
    return [ok("capabilities", `capabilities: ${list}`)];
  }
  const wanted = needed(facts), missing = wanted.filter((name) => !holds(process, name));
  if (missing.length === 0) {
    return [
      ok(
        "capabilities",
        wanted.length === 0 ? "no capability is needed" : `has ${wanted.join(", ")}`,
      ),
    ];
  }
  const inside = missing.filter((name) => neverCounts(process, name));
  if (inside.length > 0) return [countsForNothing(port, inside)];
  const never = missing.filter((name) => !process.obtainable.includes(name));
  return [stops(
    "capabilities",
    `${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} missing`,
    `"${port.text}" does not open without.` +
      (never.length > 0
        ? " Whoever started this session gave that away, for root, too."
        : process.noNewPrivileges
        ? " No program that is started from here can get any (no_new_privs)."
        : ""),
    ...(never.length > 0
      ? fromOutside(never)
      : grant(wanted, process.program, process.noNewPrivileges)),
  )];
}

/** As in a rootless container. */
function countsForNothing({ text, kind }: PortFacts, names: string[]): Finding {
  return stops(
    "capabilities",
    `in this user namespace ${names.join(", ")} count for nothing`,
    `"${text}" does not open without: the kernel wants them of the host's own users.`,
    "# run it outside, or in a container that root has started (not a rootless one)",
    ...(kind === "xdp" ? ["# or take a packet: or udp: port, which do without"] : []),
  );
}

function fromOutside(never: string[]): string[] {
  const added = never.map((name) => `--cap-add=${name.replace("CAP_", "")}`).join(" ");
  return [
    `# a container: docker run ${added} …`,
    `# a service: CapabilityBoundingSet=${never.join(" ")} in its unit`,
  ];
}

function grant(wanted: string[], program: string, sealed: boolean): string[] {
  const list = wanted.join(",").toLowerCase(), all = wanted.join(" ");
  const file = [
    `setcap ${list}+ep ${quoted(program)}`,
    "# every program that anybody runs with this deno then has them; a service alone, in its unit:",
  ];
  return [
    ...(sealed
      ? ["# start it from a session without no_new_privs, or as a service, with in its unit:"]
      : file),
    `# AmbientCapabilities=${all}`,
    `# CapabilityBoundingSet=${all}`,
  ];
}

function quoted(path: string): string {
  return /^[\w./+@-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Memory that the NIC's side writes to is locked; the kernel counts it by user, unless CAP_IPC_LOCK. */
function checkLocked(facts: Facts): Finding[] {
  const { process, port } = facts, { lockedLimit, lockedHardLimit } = process;
  const limit = lockedLimit === undefined ? "without limit" : `${mib(lockedLimit)} MiB`;
  const free = holds(process, "CAP_IPC_LOCK");
  const line = `locked memory: ${limit}${free ? ", which CAP_IPC_LOCK lifts" : ""}`;
  if (port !== undefined && port.kind !== "xdp") return [];
  if (port === undefined || free || lockedLimit === undefined) return [ok("locked-memory", line)];
  const queues = port.queue === undefined ? facts.interface?.queues ?? 1 : 1;
  const bytes = queues * XDP_QUEUE_BYTES, kib = Math.ceil(bytes / 1024);
  if (bytes <= lockedLimit) return [ok("locked-memory", line)];
  const mayRaise = lockedHardLimit === undefined || lockedHardLimit >= bytes;
  return [stops(
    "locked-memory",
    `${mib(lockedLimit)} MiB of memory may be locked, and this port locks ${mib(bytes)} MiB`,
    "The port does not open: its frames, 18 MiB a queue, stay where the NIC writes to them.",
    mayRaise ? `ulimit -l ${kib}` : `prlimit --pid $$ --memlock=${kib * 1024}:${kib * 1024}`,
    mayRaise
      ? "# in this shell, before the capture; for a service, in its unit:"
      : "# as root, for the capture's shell; or CAP_IPC_LOCK; for a service, in its unit:",
    "# LimitMEMLOCK=infinity",
  )];
}

function checkMemoryLimit({ process, memory }: Facts): Finding[] {
  const limit = process.controlGroup.bytes;
  if (limit !== undefined && limit.value < COMFORTABLE_BYTES) {
    return [harms(
      "memory.limit",
      `a control group allows ${mib(limit.value)} MiB of memory`,
      "A capture takes 100 to 500 MiB; what is more is refused, or the kernel kills it.",
      `echo ${COMFORTABLE_BYTES} > ${limit.file}`,
      "# lasting: MemoryMax= in the service's unit, docker run --memory, limits.memory in the pod",
    )];
  }
  if (memory.availableBytes === 0 || memory.availableBytes >= COMFORTABLE_BYTES) return [];
  return [note(
    "memory.free",
    `${mib(memory.availableBytes)} MiB of memory are free`,
    "A capture takes 100 to 500 MiB.",
    "ps -eo rss,pid,comm --sort -rss | head",
  )];
}

/** In whole numbers where there is a choice. */
function mib(bytes: number): number {
  return bytes < 10 * MIB ? Number((bytes / MIB).toFixed(1)) : Math.round(bytes / MIB);
}
