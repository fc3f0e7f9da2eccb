/**
 * Purpose: facts about what we may do: capabilities(7), limits, memory.
 */
import type { SystemFiles } from "../../ffi/system_files.ts";
import { type ControlGroupFacts, controlGroupFacts } from "./control_group.ts";

/** By their numbers, those that a capture may need. */
const CAPABILITIES: Record<number, string> = {
  10: "CAP_NET_BIND_SERVICE",
  12: "CAP_NET_ADMIN",
  13: "CAP_NET_RAW",
  14: "CAP_IPC_LOCK",
  21: "CAP_SYS_ADMIN",
  38: "CAP_PERFMON",
  39: "CAP_BPF",
};

/** What this process may do, and with which memory. */
export interface ProcessFacts {
  /** The program that would be given capabilities. */
  program: string;
  root: boolean;
  /** Those of `CAPABILITIES` that we have, and those that we could be given. */
  capabilities: string[];
  obtainable: string[];
  /** No program that we start gets more than we have. */
  noNewPrivileges: boolean;
  /** In a user namespace of its own, where capabilities count for less. */
  userNamespace: boolean;
  /** Bytes that we may lock; nothing: any number. */
  lockedLimit?: number;
  /** And that we could allow ourselves. */
  lockedHardLimit?: number;
  controlGroup: ControlGroupFacts;
}

/** Reads them. */
export function processFacts(files: SystemFiles, program: string): ProcessFacts {
  const status = files.text("/proc/self/status") ?? "";
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  const locked = /^Max locked memory\s+(\S+)\s+(\S+)/m.exec(files.text("/proc/self/limits") ?? "");
  const identity = (files.text("/proc/self/uid_map") ?? "").trim().split(/\s+/).join(" ");
  return {
    program,
    root: field("Uid").split(/\s+/)[1] === "0",
    capabilities: namesOf(field("CapEff")),
    obtainable: namesOf(field("CapBnd")),
    noNewPrivileges: field("NoNewPrivs") === "1",
    userNamespace: identity !== "" && identity !== "0 0 4294967295",
    lockedLimit: limitOf(locked?.[1]),
    lockedHardLimit: limitOf(locked?.[2]),
    controlGroup: controlGroupFacts(files),
  };
}

function namesOf(mask: string): string[] {
  const bits = BigInt(`0x${mask || "0"}`);
  return Object.keys(CAPABILITIES).filter((bit) => (bits >> BigInt(bit) & 1n) === 1n)
    .map((bit) => CAPABILITIES[Number(bit)]);
}

function limitOf(text: string | undefined): number | undefined {
  return text === undefined || text === "unlimited" ? undefined : Number(text);
}
