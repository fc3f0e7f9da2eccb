/**
 * Purpose: facts about what a port's name asks for, beyond its interface.
 */
import { parseIPv4 } from "../../ffi/ipv4_address.ts";
import { allAddresses, type LinkFacts, routeTo } from "../../ffi/netlink.ts";
import type { PortName } from "../../ffi/port_name.ts";
import type { SystemFiles } from "../../ffi/system_files.ts";
import { bindRefusal } from "../../ffi/udp_port.ts";
import { captureRefusal, type FileState, fileState } from "./capture_file.ts";
import { type Holder, holdersOf } from "./holders.ts";
import { numberIn } from "./kernel.ts";

const GROUPS = parseIPv4("224.0.0.0"), LAST_GROUP = parseIPv4("239.255.255.255");

/** A port, and what stands in its way. */
export interface PortFacts {
  text: string;
  kind: PortName["kind"];
  /** The interface that it is on; empty where it is on none, or on all. */
  interface: string;
  /** The one queue that it wants. */
  queue?: number;
  udp?: UdpFacts;
  /** pcap: whether the file can be opened, or why not. */
  file?: FileState;
  /** pcap: why what can be opened cannot be read. */
  fileRefusal?: string;
  /** switch, pipe: somebody has it already. */
  exists?: boolean;
}

/** What a socket meets. */
export interface UdpFacts {
  port: number;
  group: boolean;
  /** A group without an interface goes by the route to it; nothing: there is none. */
  route?: string;
  /** The errno's name where a socket, as the port has it, cannot be bound there. */
  refusal?: string;
  /** Who has sockets on that port, as far as we are shown; any of them may be in the way. */
  holders: Holder[];
  /** The largest receive buffer that a socket may ask for, in bytes. */
  largestBuffer?: number;
  /** `net.core.busy_read`: for how many microseconds a read polls the driver, unless a socket says otherwise. */
  busyRead?: number;
  /** The first port that everybody may have. */
  firstFreePort: number;
}

/** What a bind meets, by its errno's name; nothing: it succeeds. */
export type Bind = (
  place: { address: number; port: number; interface: string },
) => string | undefined;

/** Asks for them. */
export function portFacts(
  files: SystemFiles,
  name: PortName,
  links: LinkFacts[],
  bind: Bind = bindRefusal,
): PortFacts {
  const { text, kind } = name;
  switch (kind) {
    case "netmap":
      return { text, kind, ...netmapInterface(name.netmap) };
    case "xdp":
      return { text, kind, interface: name.interface, queue: name.queue };
    case "packet":
      return { text, kind, interface: name.interface };
    case "udp": {
      const udp = udpFacts(files, name, links, bind);
      return { text, kind, interface: name.interface || ownerOf(name.address, links, udp), udp };
    }
    case "pcap":
      return { text, kind, interface: "", ...fileFacts(name.file, userOf(files)) };
    case "switch":
      return { text, kind, interface: "", exists: isShared(files, `switch.${name.network}`) };
    case "pipe": {
      const exists = isShared(files, `pipe.${name.network}.${name.pipe}`);
      return { text, kind, interface: "", exists };
    }
  }
}

function fileFacts(path: string, user: number): Pick<PortFacts, "file" | "fileRefusal"> {
  const file = fileState(path, user);
  return file === "readable" && path !== "-"
    ? { file, fileRefusal: captureRefusal(path) }
    : { file };
}

/** VALE ports and pipes live in netmap itself. */
function netmapInterface(
  { device, mode, ringId }: { device: string; mode: number; ringId: number },
): Pick<PortFacts, "interface" | "queue"> {
  const own = /^vale|[{}]/.test(device);
  return { interface: own ? "" : device, queue: !own && mode === 4 ? ringId : undefined };
}

function udpFacts(
  files: SystemFiles,
  name: { address: number; port: number; interface: string },
  links: LinkFacts[],
  bind: Bind,
): UdpFacts {
  const { address, port } = name, refusal = bind(name);
  const group = address >= GROUPS && address <= LAST_GROUP;
  const route = group ? routeTo(address) : undefined;
  return {
    port,
    group,
    route: links.find(({ index }) => index === route)?.name,
    refusal,
    holders: refusal === "EADDRINUSE" ? holdersOf(files, address, port) : [],
    largestBuffer: numberIn(files, "/proc/sys/net/core/rmem_max"),
    busyRead: numberIn(files, "/proc/sys/net/core/busy_read"),
    firstFreePort: numberIn(files, "/proc/sys/net/ipv4/ip_unprivileged_port_start") ?? 1024,
  };
}

function ownerOf(address: number, links: LinkFacts[], { group, route }: UdpFacts): string {
  if (group) return route ?? "";
  const index = allAddresses().find((own) => own.address === address)?.index;
  return links.find((link) => link.index === index)?.name ?? "";
}

/** Who we are, as permissions go: the second number is the effective one. */
function userOf(files: SystemFiles): number {
  return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(files.text("/proc/self/status") ?? "")?.[1]);
}

/** By its file's name, as in soft_switch.ts and soft_pipe.ts. */
function isShared(files: SystemFiles, name: string): boolean {
  return files.info(`/dev/shm/uspf.${name}`) !== undefined;
}
