/**
 * Purpose: "vlan", "mpls", "pppoed", "pppoes" and "geneve": each asks for its header, and moves the headers
 * that all primitives to its right look at behind it.
 *
 * ```text
 *  vlan    type and payload 4 bytes on
 *  mpls    the network header 4 bytes on; what is behind is told by its version field
 *  pppoes  PPP begins 6 bytes into the payload, with its protocol; no Ethernet header any more
 *  geneve  all places depend on the packet: on the outer IP header's length, on Geneve's options, and on
 *          whether an Ethernet header is inside
 * ```
 */
import {
  type Context,
  masked,
  type Place,
  readAt,
  readNetwork,
  refuse,
  refuseValue,
} from "./context.ts";
import { carries, ETHERTYPE, ip4Flag, isZero, PPP_MPLS, typeIs } from "./link_layer.ts";
import { headerBytes, loadAt } from "../plan/tree.ts";
import { and, type Node, number, operation, or, test, type Value } from "../plan/tree.ts";
import { ipPort, transportPlace } from "./transport_layer.ts";

const GENEVE_PORT = 6081; // RFC 8926, 3.3
const MOST_GENEVES = 2; // each makes the places nine times larger, and nobody sends more

/** Whether there is a VLAN tag, with this number. */
export function vlan(context: Context, id: number | undefined): Node {
  const { headers } = context;
  if (headers.labels > 0) refuse(context, "no VLAN behind MPLS labels", 'expected "vlan" before');
  if (headers.link === "ppp") refuse(context, "no VLAN in PPP", 'expected "vlan" before');
  const { VLAN, VLAN_AD, VLAN_QINQ } = ETHERTYPE;
  const tagged = or(...[VLAN, VLAN_AD, VLAN_QINQ].map((type) => carries(context, type)));
  const tests = [tagged];
  if (id !== undefined) {
    check(context, id, 0xfff, "VLAN");
    tests.push(test("==", masked(context, readNetwork(context, 0, 2), 0xfff), id));
  }
  headers.type = moved(headers.type, 4);
  headers.payload = moved(headers.payload, 4);
  return and(...tests);
}

/** Whether there is an MPLS label, with this number. */
export function mpls(context: Context, label: number | undefined): Node {
  const { headers } = context;
  const tests = [
    headers.labels > 0
      ? test("==", masked(context, readNetwork(context, -2, 1), 1), 0)
      : headers.link === "ppp"
      ? typeIs(context, PPP_MPLS)
      : carries(context, ETHERTYPE.MPLS),
  ];
  if (label !== undefined) {
    check(context, label, 0xfffff, "MPLS label");
    tests.push(
      test("==", masked(context, readNetwork(context, 0, 4), 0xfffff000), number(label << 12)),
    );
  }
  headers.network += 4;
  headers.networkBehindLlc += 4;
  headers.labels++;
  return and(...tests);
}

/** Whether it sets up a PPPoE session. */
export function pppoed(context: Context): Node {
  return carries(context, ETHERTYPE.PPPOED);
}

/** Whether it is of a PPPoE session, with this number. */
export function pppoes(context: Context, session: number | undefined): Node {
  const { headers } = context;
  const tests = [carries(context, ETHERTYPE.PPPOES)];
  if (session !== undefined) {
    check(context, session, 0xffff, "PPPoE session");
    tests.push(test("==", masked(context, readNetwork(context, 0, 4), 0xffff), session));
  }
  const ppp = moved(headers.payload, headers.network + 6);
  Object.assign(headers, {
    link: "ppp",
    linkHeader: ppp,
    type: ppp,
    payload: moved(ppp, 2),
    network: 0,
    networkBehindLlc: 0,
    ethernetInside: undefined,
  });
  return and(...tests);
}

/** Whether it is Geneve over UDP, with this virtual network. */
export function geneve(context: Context, network: number | undefined): Node {
  const { headers } = context;
  if (network !== undefined) check(context, network, 0xffffff, "Geneve network");
  if (headers.geneves === MOST_GENEVES) {
    refuse(context, `more than ${MOST_GENEVES} times "geneve"`, "expected fewer");
  }
  const tests = ([4, 6] as const).map((version) => geneveOver(context, version, network));
  enterGeneve(context);
  return or(...tests);
}

/** Tests of the header over one version of IP, and reads of its first bytes that all else builds on. */
function geneveOver(context: Context, version: 4 | 6, network: number | undefined): Node {
  const start = moved(transportPlace(context, version), 8);
  const tests = [
    ipPort(context, version, [17], "dst", { from: GENEVE_PORT, to: GENEVE_PORT, isRange: false }),
    test("==", masked(context, readAt(start, 0, 1), 0xc0), 0),
  ];
  if (network !== undefined) {
    tests.push(test("==", masked(context, readAt(start, 4, 4), 0xffffff00), number(network << 8)));
  }
  const inside = test("<=", readAt(start, 2, 2), 0xffff); // always, where the packet is long enough
  const last = test("==", number(0), 0); // libpcap's, which leaves 0 behind
  return and(...tests, inside, last);
}

/** Moves the headers inside; what they are computed of was read by the tests of the header. */
function enterGeneve(context: Context): void {
  const { headers } = context, { payload, network } = headers;
  const outer = headerBytes((payload.offset + network) >>> 0, payload.base);
  const less = operation("*", ip4Flag(context), operation("-", outer, number(40))); // 40: of IPv6
  const start = plus(plus(less, payload.base), number(payload.offset + network + 40 + 8));
  const options = operation("<<", operation("&", loadAt(0, 1, start), number(0x3f)), number(2));
  const type = loadAt(2, 2, start);
  const isEthernet = isZero(operation("^", type, number(ETHERTYPE.TEB)));
  const end = plus(plus(start, number(8)), options);
  Object.assign(headers, {
    link: "ethernet",
    linkHeader: { base: end, offset: 0 },
    type: {
      base: plus(
        plus(start, number(2)),
        operation("*", isEthernet, plus(options, number(6 + 12))),
      ),
      offset: 0,
    },
    payload: { base: plus(end, operation("*", isEthernet, number(14))), offset: 0 },
    network: 0,
    ethernetInside: test("==", type, ETHERTYPE.TEB),
    geneves: headers.geneves + 1,
  });
}

function plus(left: Value, right: Value | undefined): Value {
  return right === undefined ? left : operation("+", left, right);
}

function moved({ base, offset }: Place, bytes: number): Place {
  return { base, offset: (offset + bytes) >>> 0 };
}

function check(context: Context, value: number, most: number, what: string): void {
  if (value > most) refuseValue(context, `${what} ${value}`, `expected at most ${most}`);
}
