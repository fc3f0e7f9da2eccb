/**
 * Purpose: what is asked of the link layer: which protocol is inside, by EtherType, 802.2 LLC, PPP or MPLS;
 * Ethernet addresses; kinds of LLC frames.
 */
import { type Context, masked, readAt, readNetwork, refuse } from "./context.ts";
import type { Direction } from "../language/syntax.ts";
import { and, type Node, not, number, operation, or, test, type Value } from "../plan/tree.ts";

/** EtherTypes: IEEE's list of them. */
export const ETHERTYPE = {
  IP: 0x0800,
  ARP: 0x0806,
  TEB: 0x6558,
  MOPDL: 0x6001,
  MOPRC: 0x6002,
  DECNET: 0x6003,
  LAT: 0x6004,
  SCA: 0x6007,
  RARP: 0x8035,
  ATALK: 0x809b,
  AARP: 0x80f3,
  VLAN: 0x8100,
  IPX: 0x8137,
  IP6: 0x86dd,
  MPLS: 0x8847,
  PPPOED: 0x8863,
  PPPOES: 0x8864,
  VLAN_AD: 0x88a8,
  LOOPBACK: 0x9000,
  VLAN_QINQ: 0x9100,
} as const;

/** Service access points of 802.2 LLC: IEEE's list of them. */
export const SAP = {
  IP: 0x06,
  STP: 0x42,
  SNAP: 0xaa,
  IPX: 0xe0,
  NETBEUI: 0xf0,
  ISO: 0xfe,
} as const;

const LARGEST_LENGTH = 1500; // IEEE 802.3: up to here the type field is a length

/** Protocols of PPP (IANA's "PPP DLL protocol numbers") by our number of the same. */
const PPP_PROTOCOL: Record<number, number> = {
  [ETHERTYPE.IP]: 0x0021,
  [ETHERTYPE.IP6]: 0x0057,
  [ETHERTYPE.DECNET]: 0x0027,
  [ETHERTYPE.ATALK]: 0x0029,
  0x0600: 0x0025, // Xerox NS
  [SAP.ISO]: 0x0023,
  [SAP.STP]: 0x0031,
  [SAP.IPX]: 0x002b,
};
/** MPLS in PPP (RFC 3032, 4.3). */
export const PPP_MPLS = 0x0281;

/** Control fields of LLC (ISO 8802-2, 5.4): mask and value of a kind of frame. */
const LLC_CONTROL: Record<string, [mask: number, value: number]> = {
  i: [0x01, 0x00],
  s: [0x03, 0x01],
  u: [0x03, 0x03],
  rr: [0x0f, 0x01],
  rnr: [0x0f, 0x05],
  rej: [0x0f, 0x09],
  ui: [0xef, 0x03],
  ua: [0xef, 0x63],
  disc: [0xef, 0x43],
  dm: [0xef, 0x0f],
  sabme: [0xef, 0x6f],
  test: [0xef, 0xe3],
  xid: [0xef, 0xaf],
  frmr: [0xef, 0x87],
};

/** Whether the protocol is inside: an EtherType, or an LLC service access point (1500 and below). */
export function carries(context: Context, protocol: number): Node {
  const { headers } = context;
  if (headers.labels > 0) return carriesBehindLabels(context, protocol);
  if (headers.link === "ppp") {
    return typeIs(context, PPP_PROTOCOL[protocol] ?? protocol);
  }
  switch (protocol) {
    case SAP.ISO:
    case SAP.IP:
    case SAP.NETBEUI:
      return and(isLlc(context), llcIs(context, 2, protocol << 8 | protocol));
    case SAP.IPX:
      return or(
        typeIs(context, ETHERTYPE.IPX),
        and(
          isLlc(context),
          or(
            isSnap(context, 0, ETHERTYPE.IPX),
            llcIs(context, 1, SAP.IPX),
            llcIs(context, 2, 0xffff),
          ),
        ),
      );
    case ETHERTYPE.ATALK:
      return or(
        typeIs(context, protocol),
        and(isLlc(context), isSnap(context, 0x080007, protocol)),
      );
    case ETHERTYPE.AARP:
      return or(typeIs(context, protocol), and(isLlc(context), isSnap(context, 0, protocol)));
    default:
      if (protocol > LARGEST_LENGTH) return typeIs(context, protocol);
      return and(isLlc(context), test("==", readAt(headers.type, 2, 1), protocol));
  }
}

/** Whether the type field is this. */
export function typeIs({ headers }: Context, type: number): Node {
  return test("==", readAt(headers.type, 0, 2), type);
}

/** A value that is 1 where IPv4 is inside, and 0 where not. */
export function ip4Flag(context: Context): Value {
  const { headers } = context;
  if (headers.labels > 0) {
    return isZero(
      operation("^", masked(context, readNetwork(context, 0, 1), 0xf0), number(0x40)),
    );
  }
  const type = headers.link === "ppp" ? PPP_PROTOCOL[ETHERTYPE.IP] : ETHERTYPE.IP;
  return isZero(operation("^", readAt(headers.type, 0, 2), number(type)));
}

/** 1 for 0, and 0 for other numbers below 2^31. */
export function isZero(value: Value): Value {
  return operation(">>", operation("-", value, number(1)), number(31));
}

/** Whether an end of the way has this Ethernet address. */
export function ethernetHost(
  context: Context,
  address: number[],
  direction: Direction | undefined,
): Node {
  const inside = linkTests(context, "Ethernet addresses");
  const [source, destination] = [6, 0].map((offset) => hasAddress(context, offset, address));
  return and(...inside, ends(source, destination, direction));
}

/** Whether it goes to all, or to a group. */
export function linkBroadcast(context: Context): Node {
  const inside = linkTests(context, "broadcast");
  return and(...inside, hasAddress(context, 0, [255, 255, 255, 255, 255, 255]));
}

/** Whether it goes to a group. */
export function linkMulticast(context: Context): Node {
  const inside = linkTests(context, "multicast");
  return and(...inside, hasBits(context, readAt(context.headers.linkHeader, 0, 1), 1));
}

/** Whether it is an LLC frame of the kind. */
export function llc(context: Context, kind: string | undefined): Node {
  if (context.headers.link === "ppp") refuse(context, "no LLC in PPP", 'expected "llc" before');
  const frame = and(isLlc(context), not(llcIs(context, 2, 0xffff)));
  if (kind === undefined) return frame;
  const control = LLC_CONTROL[kind.toLowerCase()];
  if (control === undefined) {
    refuse(context, `"${kind}" is no kind of LLC frame`, `expected ${listOf(LLC_CONTROL)}`);
  }
  const [mask, value] = control, field = readAt(context.headers.payload, 2, 1);
  if (value === 0) return and(frame, not(hasBits(context, field, mask)));
  return and(frame, test("==", masked(context, field, mask), value));
}

/** Both ends' tests as the direction joins them. */
export function ends(source: Node, destination: Node, direction: Direction | undefined): Node {
  switch (direction) {
    case "src":
      return source;
    case "dst":
      return destination;
    case "src and dst":
      return and(source, destination);
    default:
      return or(source, destination);
  }
}

/** Whether any of the bits is set; the read is left behind without the mask. */
export function hasBits(context: Context, value: Value, bits: number): Node {
  const found = test("!=", operation("&", value, number(bits)), 0);
  if (context.exact) found.written = "bits";
  return found;
}

function carriesBehindLabels(context: Context, protocol: number): Node {
  const version = protocol === ETHERTYPE.IP ? 4 : protocol === ETHERTYPE.IP6 ? 6 : undefined;
  if (version === undefined) {
    refuse(context, "behind MPLS labels this cannot be recognised", "expected IPv4 or IPv6");
  }
  const bottom = masked(context, readNetwork(context, -2, 1), 1);
  const first = masked(context, readNetwork(context, 0, 1), 0xf0);
  return and(test("==", bottom, 1), test("==", first, version << 4));
}

/** Whether the type field is a length. */
function isLlc({ headers }: Context): Node {
  return not(test(">", readAt(headers.type, 0, 2), LARGEST_LENGTH));
}

function llcIs({ headers }: Context, bytes: 1 | 2, value: number): Node {
  return test("==", readAt(headers.payload, 0, bytes), value);
}

/** LLC's header with the SNAP header behind, the latter half first, as libpcap has it. */
function isSnap({ headers }: Context, organisation: number, protocol: number): Node {
  const low = ((organisation & 0xffff) << 16 | protocol) >>> 0;
  const high = (SAP.SNAP << 24 | SAP.SNAP << 16 | 0x03 << 8 | organisation >> 16) >>> 0;
  return and(
    test("==", readAt(headers.payload, 4, 4), low),
    test("==", readAt(headers.payload, 0, 4), high),
  );
}

function hasAddress({ headers }: Context, offset: number, [a, b, c, d, e, f]: number[]): Node {
  return and(
    test("==", readAt(headers.linkHeader, offset + 2, 4), (c << 24 | d << 16 | e << 8 | f) >>> 0),
    test("==", readAt(headers.linkHeader, offset, 2), a << 8 | b),
  );
}

/** What must hold before the Ethernet header is looked at. */
function linkTests(context: Context, what: string): Node[] {
  if (context.headers.link === "ppp") {
    refuse(context, `no ${what} in PPP`, `expected this to the left of "pppoes"`);
  }
  const { ethernetInside } = context.headers;
  return ethernetInside === undefined ? [] : [ethernetInside];
}

function listOf(names: object): string {
  return Object.keys(names).map((name) => `"${name}"`).join(", ");
}
