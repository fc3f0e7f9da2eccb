/**
 * Purpose: primitives of qualifiers and a value, as in `tcp dst port 80`: which belong together, and what
 * they ask for.
 */
import { type Context, refuse, refuseValue } from "./context.ts";
import { carries, ethernetHost } from "./link_layer.ts";
import { type Carrier, carriesIn, decnetHost, ip4Net, ip6Net } from "./network_layer.ts";
import { etherProtocol, ipProtocol, isoProtocol } from "./protocol_numbers.ts";
import { type Service, serviceOf } from "./services.ts";
import type { Identifier, Qualifiers } from "../language/syntax.ts";
import { quoted } from "../language/lexer.ts";
import { nearest, QUALIFIERS } from "../language/names.ts";
import { portRange, TRANSPORT } from "./transport_layer.ts";
import type { Node } from "../plan/tree.ts";

const ALL_BITS = 0xffffffff, MOST_PORT = 0xffff;

type Ip4 = Extract<Identifier, { kind: "ipv4" }>;
type Ip6 = Extract<Identifier, { kind: "ipv6" }>;
type Transport = keyof typeof TRANSPORT;

/** What the primitive asks for. */
export function address(context: Context, qualifiers: Qualifiers, id: Identifier): Node {
  switch (id.kind) {
    case "number":
      return ofNumber(context, qualifiers, id.value);
    case "ipv4":
      return ofIp4(context, qualifiers, id);
    case "ipv6":
      return ofIp6(context, qualifiers, id);
    case "ethernet":
      if (qualifiers.protocol !== "ether" || (qualifiers.type ?? "host") !== "host") {
        refuse(
          context,
          "an Ethernet address",
          'expected "ether host", "ether src" or the like before',
        );
      }
      return ethernetHost(context, id.numbers, qualifiers.direction);
    case "name":
      return ofName(context, qualifiers, id.text);
  }
}

function ofNumber(context: Context, qualifiers: Qualifiers, value: number): Node {
  switch (qualifiers.type) {
    case "port":
    case "portrange":
      return ports(context, qualifiers, transportOf(context, qualifiers), value, value);
    case "proto":
      return protocol(context, qualifiers, value);
    case "net": { // leading zero bytes are trailing ones: "net 10" is 10.0.0.0/8
      const zeros = value === 0 ? 0 : Math.clz32(value) & ~7;
      return host(context, qualifiers, (value << zeros) >>> 0, (ALL_BITS << zeros) >>> 0, value);
    }
    default:
      return host(context, qualifiers, value, ALL_BITS);
  }
}

function ofIp4(context: Context, qualifiers: Qualifiers, id: Ip4): Node {
  const isNet = id.prefix !== undefined || id.mask !== undefined;
  const type = qualifiers.type ?? "host";
  if (isNet ? type !== "net" : type !== "net" && type !== "host") {
    refuse(context, `an address ${isNet ? "with a mask " : ""}behind "${type}"`, 'expected "net"');
  }
  if (!isNet && qualifiers.protocol === "decnet") {
    return decnetHost(
      context,
      qualifiers.direction,
      (id.numbers[0] & 63) << 10 | id.numbers[1] & 1023,
    );
  }
  const wordOf = (numbers: number[]) => {
    const wrong = numbers.find((number) => number > 255);
    if (wrong !== undefined) refuseValue(context, `${wrong} in an address`, "expected at most 255");
    return numbers.reduce((word, number, i) => (word | number << 24 - 8 * i) >>> 0, 0);
  };
  const word = wordOf(id.numbers);
  if (id.prefix !== undefined && id.prefix > 32) {
    refuseValue(context, `a prefix of ${id.prefix} bits`, "expected at most 32");
  }
  const mask = id.mask !== undefined
    ? wordOf(id.mask)
    : prefixMask(id.prefix ?? 8 * id.numbers.length);
  if (isNet) checkNet(context, [word], [mask]);
  return host(context, qualifiers, word, mask);
}

function ofIp6(context: Context, qualifiers: Qualifiers, id: Ip6): Node {
  const { protocol, type = "host", direction } = qualifiers, { prefix = 128 } = id;
  if (prefix > 128) refuseValue(context, `a prefix of ${prefix} bits`, "expected at most 128");
  const address = [0, 2, 4, 6].map((i) => (id.numbers[i] << 16 | id.numbers[i + 1]) >>> 0);
  const mask = [0, 32, 64, 96].map((bits) => prefixMask(Math.max(0, Math.min(32, prefix - bits))));
  checkNet(context, address, mask);
  if (type !== "net" && (type !== "host" || prefix !== 128)) {
    refuse(context, `an IPv6 address behind "${type}"`, 'expected "host", or "net" for a prefix');
  }
  if (protocol !== undefined && protocol !== "ip6") {
    refuse(context, `an IPv6 address behind "${protocol}"`, 'expected "ip6" or nothing');
  }
  return ip6Net(context, direction, address, mask);
}

function ofName(context: Context, qualifiers: Qualifiers, name: string): Node {
  switch (qualifiers.type) {
    case "port": {
      const service = serviceIn(context, name);
      const transport = agreed(context, qualifiers, service.protocol, name);
      return ports(context, qualifiers, transport, service.port, service.port);
    }
    case "portrange":
      return namedRange(context, qualifiers, name);
    case "proto":
      return namedProtocol(context, qualifiers, name);
    default: {
      const near = qualifiers.type === undefined ? nearest(name) : undefined;
      if (near !== undefined && QUALIFIERS.includes(near)) {
        refuseValue(context, `${quoted(name)} is no keyword`, `expected "${near}"`);
      }
      refuseValue(
        context,
        `${quoted(name)} is no address, and names are not looked up`,
        "expected an address",
      );
    }
  }
}

function namedRange(context: Context, qualifiers: Qualifiers, name: string): Node {
  const numbers = /^(\d+)-(\d+)/.exec(name);
  if (numbers !== null) {
    const transport = transportOf(context, qualifiers);
    return ports(context, qualifiers, transport, Number(numbers[1]), Number(numbers[2]));
  }
  const dash = name.indexOf("-");
  if (dash < 0) {
    refuseValue(context, `${quoted(name)} is no range of ports`, 'expected one like "8000-8080"');
  }
  const [from, to] = [name.slice(0, dash), name.slice(dash + 1)].map((end) =>
    serviceIn(context, end)
  );
  const common = from.protocol === to.protocol ? from.protocol : undefined;
  return ports(context, qualifiers, agreed(context, qualifiers, common, name), from.port, to.port);
}

function namedProtocol(context: Context, qualifiers: Qualifiers, name: string): Node {
  const by = qualifiers.protocol;
  const value = by === undefined || by === "ip" || by === "ip6"
    ? ipProtocol(name)
    : by === "ether"
    ? etherProtocol(name)
    : by === "iso"
    ? isoProtocol(name)
    : undefined;
  if (value === undefined) {
    refuseValue(
      context,
      `${quoted(name)} is no protocol in ${by ?? "IP"}`,
      "expected its number, or another name",
    );
  }
  return protocol(context, qualifiers, value);
}

/** "proto", with its number. */
function protocol(context: Context, { protocol: by, direction }: Qualifiers, value: number): Node {
  if (direction !== undefined) {
    refuse(context, `"${direction}" before "proto"`, "expected no direction");
  }
  if (by === "ether") return carries(context, value);
  if (by !== undefined && !["ip", "ip6", "iso", "isis"].includes(by)) {
    refuse(context, `"${by}" before "proto"`, 'expected "ether", "ip", "ip6", "iso" or "isis"');
  }
  return carriesIn(context, by as Carrier | undefined, value);
}

/** "host" or "net", with an IPv4 address; DECnet takes the number as it was written. */
function host(
  context: Context,
  { protocol, direction }: Qualifiers,
  word: number,
  mask: number,
  written = word,
): Node {
  if (protocol === "decnet") return decnetHost(context, direction, written);
  if (protocol !== undefined && protocol !== "ip" && protocol !== "arp" && protocol !== "rarp") {
    refuse(context, `an IPv4 address behind "${protocol}"`, 'expected "ip", "arp" or "rarp"');
  }
  return ip4Net(context, protocol, direction, word, mask);
}

function ports(
  context: Context,
  { direction, type }: Qualifiers,
  transport: Transport | undefined,
  from: number,
  to: number,
): Node {
  const most = Math.max(from, to);
  if (most > MOST_PORT) refuseValue(context, `port ${most}`, `expected at most ${MOST_PORT}`);
  const number = transport === undefined ? undefined : TRANSPORT[transport];
  return portRange(context, number, direction, { from, to, isRange: type === "portrange" });
}

/** The qualifier's transport protocol, which the service must have too. */
function agreed(
  context: Context,
  qualifiers: Qualifiers,
  service: Service["protocol"],
  name: string,
): Transport | undefined {
  const wanted = transportOf(context, qualifiers);
  if (wanted !== undefined && service !== undefined && wanted !== service) {
    refuseValue(
      context,
      `${quoted(name)} is a service of ${service}`,
      `expected one of ${wanted}, or a number`,
    );
  }
  return wanted ?? service;
}

function transportOf(context: Context, { protocol, type }: Qualifiers): Transport | undefined {
  if (protocol === undefined || Object.hasOwn(TRANSPORT, protocol)) {
    return protocol as Transport | undefined;
  }
  refuse(context, `"${protocol}" before "${type}"`, 'expected "tcp", "udp", "sctp" or nothing');
}

function serviceIn(context: Context, name: string): Service {
  const service = serviceOf(name);
  if (service === undefined) {
    refuseValue(context, `${quoted(name)} is no service`, "expected a port's number");
  }
  return service;
}

function checkNet(context: Context, words: number[], masks: number[]): void {
  if (words.some((word, i) => (word & ~masks[i]) !== 0)) {
    refuseValue(context, "bits are set behind the net's mask", "expected zeros there");
  }
}

function prefixMask(bits: number): number {
  return bits === 0 ? 0 : (ALL_BITS << 32 - bits) >>> 0;
}
