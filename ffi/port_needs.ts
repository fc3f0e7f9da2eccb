/**
 * Purpose: what a port asks of the kernel's permissions, for those who are not root.
 */
import type { PortName } from "./port_name.ts";

/** Capabilities by their names in capabilities(7). */
export type Capability =
  | "CAP_NET_RAW"
  | "CAP_NET_ADMIN"
  | "CAP_BPF"
  | "CAP_PERFMON";

const NEEDS: Record<PortName["kind"], readonly Capability[]> = {
  netmap: [], // access to /dev/netmap instead
  switch: [],
  pipe: [],
  udp: [],
  xdp: ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF", "CAP_PERFMON"],
  packet: ["CAP_NET_RAW"],
  pcap: [],
};

/** The capabilities without which a port of this kind does not open. */
export function capabilitiesOf({ kind }: Pick<PortName, "kind">): readonly Capability[] {
  return NEEDS[kind];
}
