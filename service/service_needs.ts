/**
 * Purpose: what a capture needs of its host, which a unit then grants, and nothing else.
 */
import { posix } from "node:path";
import type { ListenAddress } from "../capture/monitor/listen_address.ts";
import { capabilitiesOf, type Capability } from "../ffi/port_needs.ts";
import type { PortName } from "../ffi/port_name.ts";
import { fileOf, type ServiceOptions } from "./service_options.ts";
import { directoryOf, type Writable, writableDirectory } from "./write_directory.ts";

const PRIVILEGED_PORTS = 1024; // net.ipv4.ip_unprivileged_port_start
const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** What is granted. */
export interface ServiceNeeds {
  capabilities: (Capability | "CAP_NET_BIND_SERVICE")[];
  /** Kinds of sockets that may be opened. */
  families: string[];
  /** Whom it may talk to over IP: a port in memory or a file to nobody. */
  network: "none" | "no IP" | "loopback" | "open";
  /** The interface without which there is nothing to capture. */
  interface?: string;
  /** A device file besides the harmless ones. */
  device?: string;
  /** All that it may write to. */
  writable: Writable[];
  /** Whether its user must be one that others know, for what they share or what it leaves. */
  knownUser: boolean;
}

/** Looks at the port and at what else is asked for. */
export function needsOf(options: ServiceOptions): ServiceNeeds {
  const { port, capture } = options;
  const { metrics, dashboard, write } = capture;
  const listening = [metrics, dashboard].filter((one) => one !== undefined);
  return {
    capabilities: [...capabilitiesOf(port), ...bindsLow(port, listening)],
    families: familiesOf(port, listening),
    network: networkOf(port, listening),
    interface: interfaceOf(port),
    device: port.kind === "netmap" ? "/dev/netmap" : undefined,
    writable: writableOf(options),
    knownUser: ["switch", "pipe", "netmap"].includes(port.kind) || write !== undefined,
  };
}

function bindsLow(port: PortName, listening: ListenAddress[]): ["CAP_NET_BIND_SERVICE"] | [] {
  const ports = listening.map((one) => one.port).concat(port.kind === "udp" ? port.port : []);
  return ports.some((number) => number > 0 && number < PRIVILEGED_PORTS)
    ? ["CAP_NET_BIND_SERVICE"]
    : [];
}

/** All that ask about an interface do so by a socket of AF_INET. */
function familiesOf({ kind }: PortName, listening: ListenAddress[]): string[] {
  const families: Record<PortName["kind"], string[]> = {
    netmap: ["AF_INET"],
    switch: [],
    pipe: [],
    udp: ["AF_INET"],
    xdp: ["AF_INET", "AF_PACKET", "AF_XDP"],
    packet: ["AF_INET", "AF_PACKET"],
    pcap: [],
  };
  const own = listening.flatMap(({ hostname }) =>
    hostname.includes(":")
      ? ["AF_INET6"]
      : hostname === "localhost"
      ? ["AF_INET", "AF_INET6"]
      : ["AF_INET"]
  );
  return [...new Set([...families[kind], ...own])].sort();
}

function networkOf({ kind }: PortName, listening: ListenAddress[]): ServiceNeeds["network"] {
  if (kind === "udp" || listening.some(({ hostname }) => !LOOPBACK.test(hostname))) return "open";
  if (listening.length > 0) return "loopback";
  return ["switch", "pipe", "pcap"].includes(kind) ? "none" : "no IP";
}

function interfaceOf(port: PortName): string | undefined {
  switch (port.kind) {
    case "xdp":
    case "packet":
      return port.interface;
    case "udp":
      return port.interface || undefined;
    case "netmap": // those of a pipe or a switch of VALE's are no interfaces
      return /^netmap:[^{}]*$/.test(port.text) ? port.netmap.device : undefined;
    default:
      return undefined;
  }
}

/** The directory of --write; memory that rings shall lie in is a file that is there already. */
function writableOf({ port, capture: { write } }: ServiceOptions): Writable[] {
  const extmem = port.kind === "netmap" ? fileOf(port) : undefined;
  return [
    ...(write === undefined ? [] : [writableDirectory(directoryOf(write.file))]),
    ...(extmem === undefined
      ? []
      : [{ setting: "ReadWritePaths" as const, path: posix.normalize(extmem), make: false }]),
  ];
}
