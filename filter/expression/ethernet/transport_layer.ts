/**
 * Purpose: ports and ranges of ports of TCP, UDP and SCTP.
 *
 * In IPv4 behind the header of any length, but of the first fragment only; in IPv6 right behind the fixed
 * header, so that extension headers hide them: as libpcap has it.
 */
import { type Context, type Place, readAt, readNetwork } from "./context.ts";
import { carries, ends, ETHERTYPE, hasBits } from "./link_layer.ts";
import type { Direction } from "../language/syntax.ts";
import { and, headerBytes, type Node, not, operation, or, test } from "../plan/tree.ts";

/** Numbers of the protocols that have ports. */
export const TRANSPORT = { tcp: 6, udp: 17, sctp: 132 } as const;

const IP6_HEADER = 40;
const ALL = [TRANSPORT.sctp, TRANSPORT.tcp, TRANSPORT.udp]; // in libpcap's order

/** From a port to another; of "portrange" both are tested, even if they are the same. */
export interface Ports {
  from: number;
  to: number;
  isRange: boolean;
}

/** Whether a port of the packet is one of these; `protocol` nothing: of TCP, UDP or SCTP. */
export function portRange(
  context: Context,
  protocol: number | undefined,
  direction: Direction | undefined,
  range: Ports,
): Node {
  const protocols = protocol === undefined ? ALL : [protocol];
  return or(
    ipPort(context, 6, protocols, direction, range),
    ipPort(context, 4, protocols, direction, range),
  );
}

/** The same for one version of IP. */
export function ipPort(
  context: Context,
  version: 4 | 6,
  protocols: number[],
  direction: Direction | undefined,
  range: Ports,
): Node {
  const field = () => readNetwork(context, version === 4 ? 9 : 6, 1);
  const first = () => version === 4 ? [isFirstFragment(context)] : [];
  const ports = () => {
    const place = transportPlace(context, version);
    const [source, destination] = [0, 2].map((offset) => isPort(context, place, offset, range));
    return ends(source, destination, direction);
  };
  const linked = carries(context, version === 4 ? ETHERTYPE.IP : ETHERTYPE.IP6);
  if (context.exact) {
    const each = protocols.map((one) => and(test("==", field(), one), ...first(), ports()));
    return and(linked, or(...each));
  }
  const transport = or(...protocols.map((one) => test("==", field(), one)));
  return and(linked, transport, ...first(), ports());
}

/** Where the transport header begins. */
export function transportPlace({ headers }: Context, version: 4 | 6): Place {
  const { base, offset } = headers.payload, start = (offset + headers.network) >>> 0;
  if (version === 6) return { base, offset: (start + IP6_HEADER) >>> 0 };
  const header = headerBytes(start, base);
  return { base: base === undefined ? header : operation("+", header, base), offset: start };
}

/** Whether an IPv4 packet has the begin of what it carries. */
export function isFirstFragment(context: Context): Node {
  return not(hasBits(context, readNetwork(context, 6, 2), 0x1fff));
}

function isPort({ exact }: Context, place: Place, offset: number, range: Ports): Node {
  const port = readAt(place, offset, 2), { from, to, isRange } = range;
  if (from === to && !(exact && isRange)) return test("==", port, from);
  return and(test(">=", port, Math.min(from, to)), not(test(">", port, Math.max(from, to))));
}
