/**
 * Purpose: what a trading host sees, for the bench of expressions: seeded packets of 42 to 1514 bytes.
 *
 * ```text
 *  of 100    53 market data over UDP   24 TCP    6 other UDP   5 VLAN   5 IPv6   3 ARP   2 ICMP   1 MPLS   1 fragment
 * ```
 */
import { Dice } from "../../tests/dice.ts";
import {
  be16,
  ethernet,
  ipv4,
  ipv6,
  join,
  mpls,
  resolution,
  tcp,
  text,
  type Typed,
  udp,
  vlan,
} from "../../tests/filter_layers.ts";
import { groupMac } from "./market_data.ts";

const LEAST_BYTES = 42, PADDED_BYTES = 60, MOST_PAYLOAD = 1472, MOST_SEGMENT = 1460; // 60: what others' NICs send at least
const US = "02:00:00:00:00:02", GATEWAY = "02:00:00:00:00:01", ALL = "ff:ff:ff:ff:ff:ff";
const HOST = "10.0.0.2", EXCHANGE = "10.0.0.1", TCP = 6, UDP = 17, ICMP = 1, IGMP = 2, ICMP6 = 58;
const PEERS = ["10.0.0.3", "10.0.0.4", "192.0.2.7", "192.0.2.8", "192.0.2.9", "172.16.0.5"];
const GROUPS = ["239.1.1.1", "239.1.1.2", "239.1.1.3", "239.2.1.1"];
const SYN = 2, ACK = 0x10, PUSH_ACK = 0x18, FIN_ACK = 0x11;
const REQUEST = "GET /quotes?symbol=X HTTP/1.1\r\nHost: quotes\r\n\r\n";

/** A kind of packet, and how many of 100 are so. */
interface Kind {
  share: number;
  make(dice: Dice): Uint8Array;
}

const KINDS: Kind[] = [
  { share: 53, make: marketData },
  { share: 24, make: session },
  { share: 6, make: (dice) => toUs(question(dice)) },
  { share: 5, make: tagged },
  { share: 5, make: sixth },
  { share: 3, make: arp },
  { share: 2, make: control },
  { share: 1, make: (dice) => toUs(mpls([dice.pick([1000, 1001])], question(dice))) },
  { share: 1, make: fragment },
];

/** Packets in a random order; a seed gives the same ones everywhere. */
export function expressionTraffic(count: number, seed: number): Uint8Array[] {
  const dice = new Dice(seed);
  const bag = KINDS.flatMap((kind) => Array<Kind>(kind.share).fill(kind));
  return Array.from({ length: count }, () => padded(dice, dice.pick(bag).make(dice)));
}

/** Packets that this host sent itself were recorded without padding. */
function padded(dice: Dice, packet: Uint8Array): Uint8Array {
  const least = dice.once(3) ? LEAST_BYTES : PADDED_BYTES;
  return packet.length >= least ? packet : join(packet, new Uint8Array(least - packet.length));
}

/** A tick of ours, or several messages in a datagram, as exchanges send them. */
function marketData(dice: Dice): Uint8Array {
  const length = dice.once(3) ? dice.between(60, MOST_PAYLOAD) : 14;
  const datagram = udp(30001, dice.between(5001, 5004), dice.bytes(length));
  const to = dice.once(4) ? HOST : dice.pick(GROUPS);
  const typed = ipv4({ protocol: UDP, from: EXCHANGE, to }, datagram);
  return ethernet(to === HOST ? US : groupMac(to), GATEWAY, typed);
}

/** Orders and HTTP, both ways; half of it acknowledgements only. */
function session(dice: Dice): Uint8Array {
  const peer = dice.pick(PEERS), service = dice.pick([80, 80, 443, 22, 9000]);
  const local = dice.between(40000, 40007), out = dice.once(2), options = dice.pick([0, 12]);
  const [from, to] = out ? [local, service] : [service, local];
  const segment = dice.once(2)
    ? tcp(from, to, dice.pick([ACK, ACK, ACK, ACK, SYN, FIN_ACK]), [], options)
    : tcp(from, to, PUSH_ACK, said(dice, out && service === 80, options), options);
  const header = { protocol: TCP, from: out ? HOST : peer, to: out ? peer : HOST };
  const typed = ipv4(header, segment);
  return out ? ethernet(GATEWAY, US, typed) : toUs(typed);
}

function said(dice: Dice, asks: boolean, options: number): Uint8Array {
  const most = MOST_SEGMENT - options;
  return asks ? text(REQUEST) : dice.bytes(dice.once(3) ? most : dice.between(1, most));
}

/** A question to a name server, or its answer. */
function question(dice: Dice): Typed {
  const peer = dice.pick(PEERS), bytes = dice.bytes(dice.between(0, 120));
  const [from, to] = dice.pick([[53, 33000], [33000, 53], [123, 123]]);
  return ipv4({ protocol: UDP, from: peer, to: HOST }, udp(from, to, bytes));
}

function tagged(dice: Dice): Uint8Array {
  const id = dice.pick([100, 100, 200]);
  return toUs(vlan(id, 0x8100, question(dice)));
}

function sixth(dice: Dice): Uint8Array {
  const [next, payload] = dice.pick([
    [TCP, tcp(443, 40000, ACK, dice.bytes(dice.between(0, 800)))],
    [UDP, udp(53, 33000, dice.bytes(80))],
    [ICMP6, join(135, 0, 0, 0, new Uint8Array(20))],
  ]);
  return toUs(ipv6({ next, from: "fe80::1", to: "2001:db8::2" }, payload));
}

function arp(dice: Dice): Uint8Array {
  const asks = dice.once(2), [from, to] = asks ? [GATEWAY, ALL] : [US, GATEWAY];
  const typed = resolution(0x0806, asks ? 1 : 2, [from, EXCHANGE, "00:00:00:00:00:00", HOST]);
  return ethernet(to, from, typed);
}

/** ICMP of three types, and IGMP. */
function control(dice: Dice): Uint8Array {
  const type = dice.pick([8, 0, 3, 0x16]);
  const message = join(type, type === 3 ? 3 : 0, new Uint8Array(dice.pick([6, 54])));
  const header = { protocol: type === 0x16 ? IGMP : ICMP, from: dice.pick(PEERS), to: HOST };
  return toUs(ipv4(header, message));
}

/** One behind the first. */
function fragment(dice: Dice): Uint8Array {
  const header = { protocol: UDP, from: EXCHANGE, to: HOST, fragment: dice.pick([0x2000, 185]) };
  return toUs(ipv4(header, join(be16(5001), be16(5001), dice.bytes(600))));
}

function toUs(typed: Typed): Uint8Array {
  return ethernet(US, GATEWAY, typed);
}
