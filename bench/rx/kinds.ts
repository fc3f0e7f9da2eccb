/**
 * Purpose: which kinds of ports the experiment can have here, with their names at both ends; the others with
 * the reason why not.
 */
import { groupMac, UDP_PORT } from "../harness/market_data.ts";
import { noNetmap } from "../harness/netmap.ts";
import type { Network, Site } from "./network.ts";
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

/** Kinds that were asked for and are there, and those that are not, with the reason. */
export interface Kinds {
  there: Kind[];
  skipped: { kind: string; why: string }[];
}

/** Looks which of the wanted kinds are there. */
export function kindsHere(options: RxOptions, site: Site): Kinds {
  const kinds: Kinds = { there: [], skipped: [] };
  for (const name of options.kinds ?? KIND_NAMES) {
    const why = whyNot(name, site);
    if (why === undefined) kinds.there.push(kindOf(name, options, site.network));
    else kinds.skipped.push({ kind: name, why });
  }
  return kinds;
}

function whyNot(name: KindName, { network, why }: Site): string | undefined {
  const missing = name === "netmap" || name === "vale" ? noNetmap() : undefined;
  if (missing !== undefined) return missing;
  if (LOCAL.includes(name) || name === "udp" || network !== undefined) return undefined;
  return `no interface (${why}): name two with -i and -o, or run as root`;
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
    const loopback = `udp:127.0.0.1:${UDP_PORT}`;
    return { name, receive: loopback, send: loopback, ...local };
  }
  const { receive, send, receiveInside, sendInside } = network, { source, destination } = options;
  const to = ["-S", source, "-D", destination, "-d", groupMac(destination)];
  const udp = `udp:${destination}:${UDP_PORT}@${receive}`;
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
