/**
 * Purpose: link types: what a capture file's packets begin with. Those without an Ethernet header get one,
 * in place of their own, so that one pipeline serves all.
 *
 * ```text
 *  raw IP            │ IP ...            14 bytes in front of it are ours to write
 *  loopback      │ 4 │ IP ...            address family: of the host that wrote (NULL), or big-endian (LOOP)
 *  Linux cooked v1   │ 2 type │ 2 ARPHRD │ 2 size │ 8 address │ 2 protocol │ ...
 *  Linux cooked v2   │ 2 protocol │ 2 │ 4 interface │ 2 ARPHRD │ 1 type │ 1 size │ 8 address │ ...
 *  becomes           │ 6 destination │ 6 source │ 2 EtherType │ ...
 * ```
 * Addresses that a file does not have are made: 02:00:00:00:00:00. The source of a cooked packet is its
 * own where it has six bytes, and what was broadcast goes to ff:ff:ff:ff:ff:ff. A cooked protocol that is
 * no EtherType (1: Novell's raw 802.3, 4: 802.2, ...) stays what it is. An address family or an IP version
 * that is unknown becomes EtherType 0xffff, which is reserved (RFC 1701).
 *
 * Numbers: https://www.tcpdump.org/linktypes.html.
 */

/** How a packet becomes an Ethernet packet. */
export const LINK = {
  ethernet: 0,
  raw: 1,
  ipv4: 2,
  ipv6: 3,
  cooked: 4,
  cooked2: 5,
  loopback: 6,
  loop: 7,
} as const;

/** By kind: bytes by which the header grows. A packet's own header has 14 bytes less that. */
export const GROWTH = [0, 14, 14, 14, 14 - 16, 14 - 20, 14 - 4, 14 - 4];

const KINDS = new Map<number, number>([
  [1, LINK.ethernet],
  [12, LINK.raw], // DLT_RAW, written as it is by some; 14 is OpenBSD's
  [14, LINK.raw],
  [101, LINK.raw],
  [228, LINK.ipv4],
  [229, LINK.ipv6],
  [113, LINK.cooked],
  [276, LINK.cooked2],
  [0, LINK.loopback],
  [108, LINK.loop],
]);

const NAMES: Record<number, string> = {
  0: "BSD loopback",
  1: "Ethernet",
  6: "Token Ring",
  8: "SLIP",
  9: "PPP",
  10: "FDDI",
  12: "raw IP",
  14: "raw IP",
  50: "PPP in HDLC",
  51: "PPPoE",
  100: "ATM",
  101: "raw IP",
  104: "Cisco HDLC",
  105: "IEEE 802.11",
  107: "Frame Relay",
  108: "OpenBSD loopback",
  113: "Linux cooked v1",
  114: "LocalTalk",
  117: "OpenBSD pflog",
  119: "IEEE 802.11 with Prism header",
  122: "IP over Fibre Channel",
  127: "IEEE 802.11 with radiotap header",
  129: "Linux ARCNET",
  138: "IP over IEEE 1394",
  143: "DOCSIS",
  144: "Linux IrDA",
  163: "IEEE 802.11 with AVS header",
  187: "Bluetooth HCI",
  189: "USB of Linux",
  192: "PPI",
  195: "IEEE 802.15.4",
  197: "ERF",
  201: "Bluetooth HCI with direction",
  220: "USB of Linux, mapped",
  224: "Fibre Channel",
  226: "Solaris ipnet",
  227: "SocketCAN",
  228: "raw IPv4",
  229: "raw IPv6",
  230: "IEEE 802.15.4 without FCS",
  231: "D-Bus",
  239: "Linux nflog",
  240: "netANALYZER",
  247: "InfiniBand",
  249: "USBPcap",
  251: "Bluetooth LE",
  253: "Linux netlink",
  254: "Bluetooth monitor",
  258: "Apple pktap",
  271: "vsock monitor",
  272: "Nordic Bluetooth LE",
  274: "Ethernet mPackets",
  276: "Linux cooked v2",
};

const PRIVATE = [147, 162];
const TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_UNKNOWN = 0xffff;
const FAMILY_IPV4 = 2;
/** AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin. */
const FAMILIES_IPV6 = [10, 23, 24, 28, 30];
const COOKED_BROADCAST = 1, MAC_BYTES = 6;

/** The kind of a link type; `undefined` where its packets cannot become Ethernet packets. */
export function linkKind(type: number): number | undefined {
  return KINDS.get(type);
}

/** A link type's name, for people. */
export function linkName(type: number): string {
  if (type >= PRIVATE[0] && type <= PRIVATE[1]) return "for private use";
  return NAMES[type] ?? "unknown";
}

/** Why a file's packets cannot be taken, with the remedy. */
export function refusedLink(type: number): string {
  return `its link type is ${type}, ${linkName(type)}: give a file of Ethernet, raw IP, ` +
    "Linux cooked or loopback packets";
}

/**
 * Puts an Ethernet header in place of the one at `at` of a packet of another kind, which has all of its
 * own header; returns where the packet begins now.
 */
export function toEthernet(bytes: Uint8Array, at: number, length: number, kind: number): number {
  const start = at - GROWTH[kind];
  switch (kind) {
    case LINK.cooked:
      cookedAddresses(bytes, start, bytes[at + 1], bytes[at + 5], at + 6);
      return start; // the protocol is in its place already
    case LINK.cooked2: {
      const protocol = bytes[at] << 8 | bytes[at + 1];
      cookedAddresses(bytes, start, bytes[at + 10], bytes[at + 11], at + 12);
      setType(bytes, start, protocol);
      return start;
    }
  }
  const type = kind === LINK.loopback || kind === LINK.loop
    ? typeOfFamily(bytes, at, kind)
    : typeOfRaw(bytes, at, length, kind);
  bytes.fill(0, start, start + 12);
  bytes[start] = bytes[start + 6] = 0x02;
  setType(bytes, start, type);
  return start;
}

/** The source first: it may lie where the destination comes. */
function cookedAddresses(
  bytes: Uint8Array,
  start: number,
  type: number,
  addressBytes: number,
  address: number,
): void {
  if (addressBytes === MAC_BYTES) bytes.copyWithin(start + 6, address, address + MAC_BYTES);
  else {
    bytes.fill(0, start + 6, start + 12);
    bytes[start + 6] = 0x02;
  }
  bytes.fill(type === COOKED_BROADCAST ? 0xff : 0, start, start + 6);
  if (type !== COOKED_BROADCAST) bytes[start] = 0x02;
}

/** Of LINK.loopback the byte order is its writer's, whatever the file's: families are small numbers. */
function typeOfFamily(bytes: Uint8Array, at: number, kind: number): number {
  const big = (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
  const little = (bytes[at + 3] << 24 | bytes[at + 2] << 16 | bytes[at + 1] << 8 | bytes[at]) >>> 0;
  const family = kind === LINK.loop || big < little ? big : little;
  if (family === FAMILY_IPV4) return TYPE_IPV4;
  return FAMILIES_IPV6.includes(family) ? TYPE_IPV6 : TYPE_UNKNOWN;
}

function typeOfRaw(bytes: Uint8Array, at: number, length: number, kind: number): number {
  if (kind === LINK.ipv4) return TYPE_IPV4;
  if (kind === LINK.ipv6) return TYPE_IPV6;
  const version = length > 0 ? bytes[at] >> 4 : 0;
  return version === 4 ? TYPE_IPV4 : version === 6 ? TYPE_IPV6 : TYPE_UNKNOWN;
}

function setType(bytes: Uint8Array, start: number, type: number): void {
  bytes[start + 12] = type >>> 8;
  bytes[start + 13] = type;
}
