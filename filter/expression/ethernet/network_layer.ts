/**
 * Purpose: what is asked of the network layer: hosts and nets of IPv4, ARP, IPv6 and DECnet; the protocol
 * that IPv4, IPv6 and ISO's network layer carry; broadcast and multicast by IP address.
 */
import { type Context, masked, readAt, readNetwork, refuse } from "./context.ts";
import { carries, ends, ETHERTYPE, linkBroadcast, linkMulticast, SAP } from "./link_layer.ts";
import type { Direction, Protocol } from "../language/syntax.ts";
import { and, type Node, or, test } from "../plan/tree.ts";

const IP6_FRAGMENT = 44; // next header of IPv6: IANA's "assigned internet protocol numbers"

/** First bytes of ISO network protocols (ISO/IEC TR 9577), and types of IS-IS messages (ISO/IEC 10589, 9). */
export const ISO = { clnp: 0x81, esis: 0x82, isis: 0x83 } as const;
const ISIS = {
  l1Hello: 15,
  l2Hello: 16,
  pointHello: 17,
  l1Link: 18,
  l2Link: 20,
  l1Complete: 24,
  l2Complete: 25,
  l1Partial: 26,
  l2Partial: 27,
} as const;

/** EtherType or service access point of a protocol that is recognised by it alone. */
const LINK_NUMBER: Partial<Record<Protocol, number>> = {
  ip: ETHERTYPE.IP,
  ip6: ETHERTYPE.IP6,
  arp: ETHERTYPE.ARP,
  rarp: ETHERTYPE.RARP,
  atalk: ETHERTYPE.ATALK,
  aarp: ETHERTYPE.AARP,
  decnet: ETHERTYPE.DECNET,
  sca: ETHERTYPE.SCA,
  lat: ETHERTYPE.LAT,
  mopdl: ETHERTYPE.MOPDL,
  moprc: ETHERTYPE.MOPRC,
  iso: SAP.ISO,
  stp: SAP.STP,
  ipx: SAP.IPX,
  netbeui: SAP.NETBEUI,
};

/** What a protocol is carried by, and its number there. */
const CARRIED: Partial<Record<Protocol, [number: number, by?: Carrier]>> = {
  tcp: [6],
  udp: [17],
  sctp: [132],
  pim: [103],
  ah: [51],
  esp: [50],
  icmp: [1, "ip"],
  igmp: [2, "ip"],
  igrp: [9, "ip"],
  vrrp: [112, "ip"],
  carp: [112, "ip"],
  icmp6: [58, "ip6"],
  esis: [ISO.esis, "iso"],
  isis: [ISO.isis, "iso"],
  clnp: [ISO.clnp, "iso"],
};

/** Types of IS-IS messages, in libpcap's order. */
const ISIS_TYPES: Partial<Record<Protocol, number[]>> = {
  l1: [ISIS.l1Partial, ISIS.l1Complete, ISIS.l1Link, ISIS.l1Hello, ISIS.pointHello],
  l2: [ISIS.l2Partial, ISIS.l2Complete, ISIS.l2Link, ISIS.l2Hello, ISIS.pointHello],
  iih: [ISIS.pointHello, ISIS.l1Hello, ISIS.l2Hello],
  lsp: [ISIS.l1Link, ISIS.l2Link],
  snp: [ISIS.l2Partial, ISIS.l1Partial, ISIS.l1Complete, ISIS.l2Complete],
  csnp: [ISIS.l1Complete, ISIS.l2Complete],
  psnp: [ISIS.l1Partial, ISIS.l2Partial],
};

/** What may stand before "proto" besides "ether". */
export type Carrier = "ip" | "ip6" | "iso" | "isis";

/** Whether it is of a protocol: "tcp" alone, and what an index of it asks for. */
export function isOf(context: Context, protocol: Protocol): Node {
  const link = LINK_NUMBER[protocol];
  if (link !== undefined) return carries(context, link);
  const types = ISIS_TYPES[protocol];
  if (types !== undefined) return or(...types.map((type) => carriesIn(context, "isis", type)));
  const carried = CARRIED[protocol];
  if (carried === undefined) {
    refuse(context, `"${protocol}" says nothing alone`, 'expected "ether host", "ether proto", …');
  }
  return carriesIn(context, carried[1], carried[0]);
}

/** Its number in IPv4. */
export function ipNumber(protocol: Protocol): number {
  return CARRIED[protocol]![0];
}

/** Whether a protocol is carried by another; by nothing: by IPv4 or IPv6. */
export function carriesIn(context: Context, by: Carrier | undefined, value: number): Node {
  switch (by) {
    case undefined:
      return or(carriesIn(context, "ip", value), carriesIn(context, "ip6", value));
    case "ip":
      return and(carries(context, ETHERTYPE.IP), test("==", readNetwork(context, 9, 1), value));
    case "ip6": {
      const next = () => readNetwork(context, 6, 1);
      const fragment = [
        test("==", next(), IP6_FRAGMENT),
        test("==", readNetwork(context, 40, 1), value),
      ];
      return and(
        carries(context, ETHERTYPE.IP6),
        or(test("==", next(), value), and(...fragment)),
      );
    }
    case "iso":
      return and(carries(context, SAP.ISO), test("==", readBehindLlc(context, 0), value));
    case "isis":
      return and(
        carriesIn(context, "iso", ISO.isis),
        test("==", readBehindLlc(context, 4), value),
      );
  }
}

/** Whether an end has an IPv4 address in the net; ARP's and RARP's addresses count too. */
export function ip4Net(
  context: Context,
  protocol: "ip" | "arp" | "rarp" | undefined,
  direction: Direction | undefined,
  address: number,
  mask: number,
): Node {
  if (protocol === undefined) {
    const protocols = context.headers.labels > 0 ? ["ip"] as const : ["ip", "arp", "rarp"] as const;
    return or(...protocols.map((one) => ip4Net(context, one, direction, address, mask)));
  }
  const [source, destination] = (protocol === "ip" ? [12, 16] : [14, 24]).map((offset) =>
    test("==", masked(context, readNetwork(context, offset, 4), mask), address >>> 0)
  );
  return ofEnds(context, LINK_NUMBER[protocol]!, source, destination, direction);
}

/** Whether an end has an IPv6 address in the net: four words each. */
export function ip6Net(
  context: Context,
  direction: Direction | undefined,
  address: number[],
  mask: number[],
): Node {
  const [source, destination] = [8, 24].map((offset) =>
    and(
      ...address.map((word, i) =>
        test("==", masked(context, readNetwork(context, offset + 4 * i, 4), mask[i]), word)
      ),
    )
  );
  return ofEnds(context, ETHERTYPE.IP6, source, destination, direction);
}

/** Whether an end has this DECnet address (phase IV, area << 10 | node). */
export function decnetHost(
  context: Context,
  direction: Direction | undefined,
  address: number,
): Node {
  const swapped = (address & 0xff) << 8 | address >> 8 & 0xff;
  const end = (short: number, long: number) => {
    const forms: [flags: number, bytes: 1 | 2, mask: number, offset: number][] = [
      [0x02, 1, 0x07, 2 + short],
      [0x8102, 2, 0xff07, 3 + short],
      [0x06, 1, 0x07, 2 + long],
      [0x8106, 2, 0xff07, 3 + long],
    ];
    return or(...forms.map(([flags, bytes, mask, offset]) =>
      and(
        test("==", masked(context, readNetwork(context, 2, bytes), mask), flags),
        test("==", readNetwork(context, offset, 2), swapped),
      )
    ));
  };
  return ofEnds(context, ETHERTYPE.DECNET, end(3, 15), end(1, 7), direction);
}

/** Whether it goes to all: of the link, or of an IPv4 network whose mask is not known. */
export function broadcast(context: Context, protocol: Protocol | undefined): Node {
  if (protocol === undefined || protocol === "ether") return linkBroadcast(context);
  if (protocol !== "ip") {
    refuse(
      context,
      `no broadcast in "${protocol}"`,
      'expected "ether broadcast" or "ip broadcast"',
    );
  }
  const [none, all] = [0, 0xffffffff].map((address) =>
    test("==", readNetwork(context, 16, 4), address)
  );
  return and(carries(context, ETHERTYPE.IP), or(none, all));
}

/** Whether it goes to a group. */
export function multicast(context: Context, protocol: Protocol | undefined): Node {
  if (protocol === undefined || protocol === "ether") return linkMulticast(context);
  if (protocol === "ip") {
    return and(carries(context, ETHERTYPE.IP), test(">=", readNetwork(context, 16, 1), 224));
  }
  if (protocol === "ip6") {
    return and(carries(context, ETHERTYPE.IP6), test("==", readNetwork(context, 24, 1), 255));
  }
  refuse(context, `no multicast in "${protocol}"`, 'expected "ether", "ip" or "ip6" before');
}

/** The link's test once, or with each end's, as libpcap has it. */
function ofEnds(
  context: Context,
  link: number,
  source: Node,
  destination: Node,
  direction: Direction | undefined,
): Node {
  if (!context.exact) return and(carries(context, link), ends(source, destination, direction));
  return ends(
    and(carries(context, link), source),
    and(carries(context, link), destination),
    direction,
  );
}

function readBehindLlc({ headers }: Context, offset: number) {
  return readAt(headers.payload, headers.networkBehindLlc + offset, 1);
}
