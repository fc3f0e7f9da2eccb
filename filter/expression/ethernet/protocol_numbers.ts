/**
 * Purpose: names of protocols behind "proto": of IPv4 and IPv6 as in /etc/protocols (netbase 6.4), of
 * Ethernet, and of ISO's network layer.
 */
import { ETHERTYPE, SAP } from "./link_layer.ts";
import { ISO } from "./network_layer.ts";

/** Numbers assigned by IANA, each behind its name. */
const IP = table(`
  ip 0 hopopt 0 icmp 1 igmp 2 ggp 3 ipencap 4 IP-ENCAP 4 st 5 tcp 6 egp 8 igp 9 pup 12 udp 17 hmp 20
  xns-idp 22 rdp 27 iso-tp4 29 dccp 33 xtp 36 ddp 37 idpr-cmtp 38 ipv6 41 IPv6 41 ipv6-route 43
  IPv6-Route 43 ipv6-frag 44 IPv6-Frag 44 idrp 45 rsvp 46 gre 47 esp 50 IPSEC-ESP 50 ah 51 IPSEC-AH 51
  skip 57 ipv6-icmp 58 IPv6-ICMP 58 ipv6-nonxt 59 IPv6-NoNxt 59 ipv6-opts 60 IPv6-Opts 60 rspf 73 CPHB 73
  vmtp 81 eigrp 88 ospf 89 OSPFIGP 89 ax.25 93 ipip 94 etherip 97 encap 98 pim 103 ipcomp 108 vrrp 112
  l2tp 115 isis 124 sctp 132 fc 133 mobility-header 135 Mobility-Header 135 udplite 136 UDPLite 136
  mpls-in-ip 137 MPLS-in-IP 137 manet 138 hip 139 shim6 140 Shim6 140 wesp 141 rohc 142 ethernet 143
  Ethernet 143 mptcp 262`);

/** Names that are there in capitals as well. */
const CAPITALS = new Set(
  `ip hopopt icmp igmp ggp st tcp egp igp pup udp hmp xns-idp rdp iso-tp4 dccp xtp ddp idpr-cmtp idrp rsvp
  gre skip rspf vmtp eigrp ax.25 ipip etherip encap pim ipcomp vrrp l2tp isis sctp fc hip wesp rohc mptcp`
    .split(/\s+/),
);

const ETHER: Record<string, number> = {
  aarp: ETHERTYPE.AARP,
  arp: ETHERTYPE.ARP,
  atalk: ETHERTYPE.ATALK,
  decnet: ETHERTYPE.DECNET,
  ip: ETHERTYPE.IP,
  ip6: ETHERTYPE.IP6,
  lat: ETHERTYPE.LAT,
  loopback: ETHERTYPE.LOOPBACK,
  mopdl: ETHERTYPE.MOPDL,
  moprc: ETHERTYPE.MOPRC,
  rarp: ETHERTYPE.RARP,
  sca: ETHERTYPE.SCA,
  iso: SAP.ISO,
  stp: SAP.STP,
  ipx: SAP.IPX,
  netbeui: SAP.NETBEUI,
};

/** Number of a name behind "ip proto", "ip6 proto" or "proto". */
export function ipProtocol(name: string): number | undefined {
  const lower = name.toLowerCase();
  return IP.get(name) ??
    (name === lower.toUpperCase() && CAPITALS.has(lower) ? IP.get(lower) : undefined);
}

/** EtherType or LLC service access point of a name behind "ether proto". */
export function etherProtocol(name: string): number | undefined {
  return Object.hasOwn(ETHER, name) ? ETHER[name] : undefined;
}

/** Number of a name behind "iso proto". */
export function isoProtocol(name: string): number | undefined {
  return Object.hasOwn(ISO, name) ? ISO[name as keyof typeof ISO] : undefined;
}

function table(text: string): Map<string, number> {
  const words = text.trim().split(/\s+/), names = new Map<string, number>();
  for (let i = 0; i < words.length; i += 2) names.set(words[i], Number(words[i + 1]));
  return names;
}
