/**
 * Purpose: which kinds of ports the experiment can have here, with their names at both ends; the others with
 * the reason why not.
 */
import { noTestbed, type Testbed } from "../../tests/testbed.ts";
import { INTERFACE } from "../../tests/testbed.ts";
import type { RxOptions } from "./rx_options.ts";

/** Kinds of ports, the baseline first. */
export const KIND_NAMES = ["udp", "packet", "xdp", "netmap", "vale", "soft", "pipe"] as const;
/** One of them. */
export type KindName = typeof KIND_NAMES[number];
/** What can flood an interface. */
export const SENDER_KINDS = ["netmap", "xdp", "packet"] as const;
/** One of them. */
export type SenderKind = typeof SENDER_KINDS[number];

/** Kinds that need no interface. */
export const LOCAL: readonly KindName[] = ["vale", "soft", "pipe"];

/** A kind of port that is there. */
export interface Kind {
  name: KindName;
  /** The receiver's port, and the sender's. */
  receive: string;
  send: string;
  /** Arguments of the sender besides its port. */
  sendArgs: string[];
  /** What the processes at each end are started with, for an interface in a namespace. */
  receiveInside: string[];
  sendInside: string[];
}

/** Where the packets of kernel ports go. */
export interface Network {
  receive: string;
  send: string;
  receiveInside: string[];
  sendInside: string[];
}

/** Kinds that were asked for and are there, and those that are not, with the reason. */
export interface Kinds {
  there: Kind[];
  skipped: { kind: string; why: string }[];
}

/** The interfaces that the experiment runs on; `undefined` where there are none. */
export function networkOf(options: RxOptions, testbed?: Testbed): Network | undefined {
  if (testbed !== undefined) {
    return {
      receive: INTERFACE.right,
      send: INTERFACE.left,
      receiveInside: testbed.inside("right", []),
      sendInside: testbed.inside("left", []),
    };
  }
  const { receive, send } = options;
  if (receive === undefined || send === undefined) return undefined;
  return { receive, send, receiveInside: [], sendInside: [] };
}

/** Looks which of the wanted kinds are there. */
export function kindsHere(options: RxOptions, network: Network | undefined): Kinds {
  const kinds: Kinds = { there: [], skipped: [] };
  for (const name of options.kinds ?? KIND_NAMES) {
    const why = whyNot(name, network);
    if (why === undefined) kinds.there.push(kindOf(name, options, network));
    else kinds.skipped.push({ kind: name, why });
  }
  return kinds;
}

function whyNot(name: KindName, network: Network | undefined): string | undefined {
  const needsNetmap = name === "netmap" || name === "vale";
  if (needsNetmap && !exists("/dev/netmap")) return "no /dev/netmap: load the netmap module";
  if (LOCAL.includes(name) || name === "udp" || network !== undefined) return undefined;
  return `no interface (${noTestbed ?? "none named"}): name two with -i and -o, or run as root`;
}

function kindOf(name: KindName, options: RxOptions, network: Network | undefined): Kind {
  const ours = `uspf-rx-${Deno.pid}`, local = { receiveInside: [], sendInside: [], sendArgs: [] };
  if (name === "soft") {
    return { name, receive: `soft:${ours}:rx`, send: `soft:${ours}:tx`, ...local };
  }
  if (name === "vale") {
    return { name, receive: `vale${Deno.pid}:rx`, send: `vale${Deno.pid}:tx`, ...local };
  }
  if (name === "pipe") return { name, receive: `soft:${ours}{1`, send: `soft:${ours}}1`, ...local };
  if (network === undefined) {
    // Without an interface of our own there is loopback, where the kernel does the same for a socket.
    return { name, receive: "udp:127.0.0.1:5001", send: "udp:127.0.0.1:5001", ...local };
  }
  const { receive, send, receiveInside, sendInside } = network, { source, destination } = options;
  const to = ["-S", source, "-D", destination, "-d", groupMac(destination)];
  const udp = `udp:${destination}:5001@${receive}`;
  return {
    name,
    receive: name === "udp" ? udp : `${name}:${receive}`,
    // The same for all but netmap, whose virtual pairs must have netmap at both ends.
    send: `${options.sendThrough ?? (name === "netmap" ? "netmap" : "xdp")}:${send}`,
    sendArgs: to,
    receiveInside,
    sendInside,
  };
}

/** The Ethernet address of a multicast group (RFC 1112, section 6.4); to any other address, all take it. */
function groupMac(address: string): string {
  const bytes = address.split(".").map(Number);
  if (bytes[0] < 224 || bytes[0] > 239) return "ff:ff:ff:ff:ff:ff";
  const last = [bytes[1] & 0x7f, bytes[2], bytes[3]];
  return ["01", "00", "5e", ...last.map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
