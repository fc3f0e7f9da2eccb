/**
 * Purpose: which capabilities count; capabilities(7), user_namespaces(7).
 */
import type { ProcessFacts } from "../facts/process.ts";

/** For these the kernel asks the first user namespace, whatever its network namespace may belong to. */
const FIRST_ONLY = ["CAP_IPC_LOCK", "CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"];
/** What they allow CAP_SYS_ADMIN allows, too: they were parts of it, until Linux 5.8. */
const PARTS = ["CAP_BPF", "CAP_PERFMON"];

/** Whether a capability is had that the kernel goes by. */
export function holds({ capabilities, userNamespace }: ProcessFacts, name: string): boolean {
  if (userNamespace && FIRST_ONLY.includes(name)) return false;
  return capabilities.includes(name) ||
    PARTS.includes(name) && capabilities.includes("CAP_SYS_ADMIN");
}

/** Whether it can be had by no means in this user namespace. */
export function neverCounts({ userNamespace }: ProcessFacts, name: string): boolean {
  return userNamespace && FIRST_ONLY.includes(name);
}

/** Large buffers and busy polling take it in the first user namespace. */
export function administersNetworks({ capabilities, userNamespace }: ProcessFacts): boolean {
  return !userNamespace && capabilities.includes("CAP_NET_ADMIN");
}
