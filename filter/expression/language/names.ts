/**
 * Purpose: the words of the language: keywords, named numbers, and words that are refused, with why and what
 * to do.
 */
import type { Protocol } from "./syntax.ts";

const PROTOCOL_NAMES = words(
  "tcp udp ip ip6 arp icmp icmp6 ether sctp rarp igmp igrp pim vrrp carp ah esp atalk aarp decnet lat",
  "sca moprc mopdl iso esis isis clnp l1 l2 iih lsp snp csnp psnp stp ipx netbeui",
) as Protocol[];

/** Protocols by keyword. */
export const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  ...PROTOCOL_NAMES.map((name) => [name, name] as const),
  ...["link", "ppp", "slip", "fddi", "tr", "wlan"].map((name) => [name, "ether"] as const),
  ["es-is", "esis"],
  ["is-is", "isis"],
]);

/** What may stand between a protocol and a value. */
export const QUALIFIERS = ["src", "dst", "host", "net", "port", "portrange", "proto"];

const OTHER_WORDS = words(
  "and or not mask less greater byte broadcast multicast len length vlan mpls pppoed pppoes geneve llc",
);
const ATM = "lane metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect";
const MTP = "fisu lssu lsu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls";
const PF = "on ifname rset ruleset rnr rulenum srnr subrulenum reason action";
const WLAN =
  "radio subtype direction dir address1 addr1 address2 addr2 address3 addr3 address4 addr4 ra ta";
const LIVE = 'capture on that interface, or compare addresses, as in "ether src 02:00:00:00:00:01"';

/** Keywords that are refused: what is wrong with them, and what to do. */
export const REFUSED: ReadonlyMap<string, readonly [why: string, remedy: string]> = new Map([
  [
    "protochain",
    [
      "follows a chain of headers of any length, which needs a loop",
      'test the next header, as in "ip6 proto 17" or "ip6[6] == 17"',
    ],
  ],
  [
    "gateway",
    ["needs a name server", 'give the addresses, as in "ether host … and not host …"'],
  ],
  ["inbound", ["asks for a direction, which a packet does not carry", LIVE]],
  ["outbound", ["asks for a direction, which a packet does not carry", LIVE]],
  ["ifindex", ["asks for an interface, which a packet does not carry", LIVE]],
  [
    "type",
    [
      "is a word of wireless links, and packets are Ethernet's",
      'for the type of an instrument write "tick.type"',
    ],
  ],
  ...refused(WLAN, "wireless links"),
  ...refused(ATM, "ATM links"),
  ...refused(MTP, "MTP links"),
  ...refused(PF, "PF's logs"),
]);

/** All keywords, the usual ones first. */
export const KEYWORDS: ReadonlySet<string> = new Set([
  ...PROTOCOLS.keys(),
  ...QUALIFIERS,
  ...OTHER_WORDS,
  ...REFUSED.keys(),
]);

/** Numbers by name: offsets, ICMP's types (RFC 792), ICMPv6's as IANA lists them, TCP's flags (RFC 793, 3168). */
export const NAMED_NUMBERS: ReadonlyMap<string, number> = new Map([
  ...numbered("", "icmptype=0 icmpcode=1 icmp6type=0 icmp6code=1 tcpflags=13"),
  ...numbered("tcp-", "fin=1 syn=2 rst=4 push=8 ack=16 urg=32 ece=64 cwr=128"),
  ...numbered(
    "icmp-",
    "echoreply=0 unreach=3 sourcequench=4 redirect=5 echo=8 routeradvert=9 routersolicit=10 " +
      "timxceed=11 paramprob=12 tstamp=13 tstampreply=14 ireq=15 ireqreply=16 maskreq=17 maskreply=18",
  ),
  ...numbered(
    "icmp6-",
    "destinationunreach=1 packettoobig=2 timeexceeded=3 parameterproblem=4 echo=128 echoreply=129 " +
      "multicastlistenerquery=130 multicastlistenerreportv1=131 multicastlistenerdone=132 " +
      "routersolicit=133 routeradvert=134 neighborsolicit=135 neighboradvert=136 redirect=137 " +
      "routerrenum=138 nodeinformationquery=139 nodeinformationresponse=140 " +
      "ineighbordiscoverysolicit=141 ineighbordiscoveryadvert=142 multicastlistenerreportv2=143 " +
      "homeagentdiscoveryrequest=144 homeagentdiscoveryreply=145 mobileprefixsolicit=146 " +
      "mobileprefixadvert=147 certpathsolicit=148 certpathadvert=149 multicastrouteradvert=151 " +
      "multicastroutersolicit=152 multicastrouterterm=153",
  ),
]);

/** Names of LLC's frames: formats, then supervisory and unnumbered ones (IEEE 802.2). */
export const LLC_TYPES = words("i s u rr rnr rej ui ua disc dm sabme test xid frmr");

/** The keyword or name that is nearest to a word that is none; nothing where none is near. */
export function nearest(word: string, others: Iterable<string> = []): string | undefined {
  if (word.length < 2 || word.length > 20) return undefined;
  const small = word.toLowerCase();
  let best: string | undefined, least = small.length < 6 ? 2 : 3;
  for (const candidate of [...KEYWORDS, ...NAMED_NUMBERS.keys(), ...others]) {
    if (
      candidate === word || REFUSED.has(candidate) || Math.min(candidate.length, small.length) < 3
    ) continue;
    const distance = distanceOf(small, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Letters added, left out, exchanged, or swapped with their neighbour. */
function distanceOf(a: string, b: string): number {
  let before: number[] = [], last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], before[j - 2] + 1);
      }
    }
    [before, last] = [last, row];
  }
  return last[b.length];
}

function refused(list: string, links: string): [string, readonly [string, string]][] {
  const why = `is a word of ${links}, and packets are Ethernet's`;
  return words(list).map((word) => [word, [why, "leave it out"]]);
}

function numbered(prefix: string, numbers: string): [string, number][] {
  return words(numbers).map((pair) => {
    const [name, value] = pair.split("=");
    return [prefix + name, Number(value)];
  });
}

function words(...lists: string[]): string[] {
  return lists.join(" ").split(" ");
}
