/**
 * Purpose: facts about a network interface: its link, its driver, who else is on it.
 */
import { type DeviceFacts, deviceFacts } from "../../ffi/ethtool.ts";
import { formatIPv4 } from "../../ffi/ipv4_address.ts";
import {
  allAddresses,
  type LinkFacts,
  programName,
  routeTo,
  xdpFeatures,
} from "../../ffi/netlink.ts";
import type { SystemFiles } from "../../ffi/system_files.ts";
import { type Holder, holderOfProgram } from "./holders.ts";
import { numberIn } from "./kernel.ts";

const SOMEWHERE = 0xc6336401; // 198.51.100.1, of a network for documentation: the default route leads there

/** An interface, as far as a capture is concerned. */
export interface InterfaceFacts {
  link: Omit<LinkFacts, "statistics">;
  device: DeviceFacts;
  /** Names of the interface below (of a VLAN), of the bond or bridge above, and of those in it. */
  lower?: string;
  master?: { name: string; kind?: string };
  members: string[];
  /** Receive queues; nothing where /sys shows another network namespace. */
  queues?: number;
  /** NUMA node that the NIC is attached to. */
  node?: number;
  /** Interrupts of the NIC, by number. */
  interrupts: number[];
  addresses: string[];
  /** IPv4 groups that somebody here has joined. */
  groups: string[];
  /** What XDP can do there, as the driver says. */
  xdpFeatures?: string[];
  program?: ProgramFacts;
  /** Whether the default route leads there. */
  defaultRoute: boolean;
  /** `rp_filter` as it holds there: 0 off, 1 strict, 2 loose. */
  reversePath: number;
}

/** An XDP program on an interface. */
export interface ProgramFacts {
  id: number;
  mode: string;
  /** Nothing: we may not see it. */
  name?: string;
  holder?: Holder;
}

/** Asks for them; `links` are all interfaces. */
export function interfaceFacts(
  files: SystemFiles,
  links: LinkFacts[],
  { statistics: _, ...link }: LinkFacts,
): InterfaceFacts {
  const named = (index: number | undefined) => links.find((other) => other.index === index);
  const folder = `/sys/class/net/${link.name}`, master = named(link.master);
  const shown = numberIn(files, `${folder}/ifindex`) === link.index;
  const queues = files.names(`${folder}/queues`).filter((name) => name.startsWith("rx-")).length;
  const node = shown ? numberIn(files, `${folder}/device/numa_node`) : undefined;
  const strictness = (name: string) =>
    numberIn(files, `/proc/sys/net/ipv4/conf/${name}/rp_filter`) ?? 0;
  return {
    link,
    device: deviceFacts(link.name),
    lower: link.kind === "veth" ? undefined : named(link.lower)?.name,
    master: master && { name: master.name, kind: master.kind },
    members: links.filter((other) => other.master === link.index).map(({ name }) => name),
    queues: shown ? queues : undefined,
    node: node === undefined || node < 0 ? undefined : node,
    interrupts: shown ? files.names(`${folder}/device/msi_irqs`).map(Number) : [],
    addresses: allAddresses().filter(({ index }) => index === link.index)
      .map(({ address }) => formatIPv4(address)),
    groups: groupsOf(files.text("/proc/net/igmp") ?? "", link.name),
    xdpFeatures: xdpFeatures(link.index),
    program: link.xdp && {
      ...link.xdp,
      name: programName(link.xdp.id),
      holder: holderOfProgram(files, link.xdp.id),
    },
    defaultRoute: routeTo(SOMEWHERE) === link.index,
    reversePath: Math.max(strictness("all"), strictness(link.name)),
  };
}

/** /proc/net/igmp: a line for an interface, then one for each group, as a number in our byte order. */
function groupsOf(text: string, name: string): string[] {
  let ours = false;
  return text.split("\n").flatMap((line) => {
    const device = /^\d+\s+(\S+)/.exec(line)?.[1], group = /^\s+([0-9A-F]{8})\s/.exec(line)?.[1];
    if (device !== undefined) ours = device === name;
    if (!ours || group === undefined) return [];
    const bytes = group.match(/../g)!.map((byte) => parseInt(byte, 16));
    return [bytes.reverse().join(".")];
  });
}
