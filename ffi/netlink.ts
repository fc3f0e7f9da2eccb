/**
 * Purpose: what the kernel says of links, addresses and routes, by netlink (rtnetlink(7)), for the network
 * namespace that we are in: /sys/class/net shows that of whoever mounted it.
 *
 * ```text
 * message    u32 length, u16 type, u16 flags, u32 sequence, u32 sender, then a header by type,
 *            then attributes: u16 length, u16 type, value, each from a multiple of 4
 * ```
 * Offsets are those of linux/rtnetlink.h and linux/if_link.h; inquiry.c asserts them.
 */
import { loadLibrary } from "./library.ts";
import { zeroEnded } from "./system_files.ts";

const ROUTE = 0, GENERIC = 16; // protocols
const HEADER_BYTES = 16;
const REQUEST = 1, DUMP = 0x300; // NLM_F_*
const TYPE = {
  newLink: 16,
  getLink: 18,
  newAddress: 20,
  getAddress: 22,
  newRoute: 24,
  getRoute: 26,
};
const LINK_BYTES = 16, ADDRESS_BYTES = 8, ROUTE_BYTES = 12, GENERIC_BYTES = 4;
const ROOM = 4 << 20, AF_INET = 2;
const IFLA = {
  name: 3,
  mtu: 4,
  lower: 5,
  master: 10,
  state: 16,
  info: 18,
  statistics: 23,
  promiscuity: 30,
  carrier: 33,
  xdp: 43,
  allMulticast: 61,
};
const XDP = { attached: 2, id: 4 };
const STATISTICS = [
  "rx_packets",
  "tx_packets",
  "rx_bytes",
  "tx_bytes",
  "rx_errors",
  "tx_errors",
  "rx_dropped",
  "tx_dropped",
  "multicast",
  "collisions",
  "rx_length_errors",
  "rx_over_errors",
  "rx_crc_errors",
  "rx_frame_errors",
  "rx_fifo_errors",
  "rx_missed_errors",
]; // struct rtnl_link_stats64
const FLAG = {
  up: 1,
  loopback: 8,
  running: 0x40,
  noarp: 0x80,
  promiscuous: 0x100,
  allMulticast: 0x200,
};
const STATES = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];
const XDP_MODES = ["none", "native", "generic", "offloaded", "several"];
const XDP_FEATURES = ["basic", "redirect", "send", "zerocopy", "offload", "pieces", "send-pieces"];

/** An interface, as `ip -d link` shows it. */
export interface LinkFacts {
  name: string;
  index: number;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  type: number;
  /** As it was set. */
  up: boolean;
  carrier: boolean;
  loopback: boolean;
  state: string;
  mtu: number;
  /** `veth`, `vlan`, `bond`, …; nothing for a NIC. */
  kind?: string;
  /** Index of the interface below, or of the other end. */
  lower?: number;
  /** Index of the bond or bridge that it belongs to. */
  master?: number;
  /** How many want all packets, and all groups' packets. */
  promiscuity: number;
  allMulticast: boolean;
  /** The XDP program. */
  xdp?: { mode: string; id: number };
  /** Totals since the interface is there. */
  statistics: Record<string, number>;
}

/** An IPv4 address of an interface. */
export interface AddressFacts {
  index: number;
  /** As an unsigned number. */
  address: number;
  prefix: number;
}

/** All interfaces. */
export function allLinks(): LinkFacts[] {
  return ask(ROUTE, TYPE.getLink, DUMP, new Uint8Array(LINK_BYTES)).filter((message) =>
    message.type === TYPE.newLink
  ).map(linkOf);
}

/** All IPv4 addresses. */
export function allAddresses(): AddressFacts[] {
  const header = new Uint8Array(ADDRESS_BYTES);
  header[0] = AF_INET;
  return ask(ROUTE, TYPE.getAddress, DUMP, header).filter(({ type }) => type === TYPE.newAddress)
    .map(({ body }) => {
      const found = attributes(body, ADDRESS_BYTES), value = found.get(2) ?? found.get(1);
      return {
        index: body.getUint32(4, true),
        address: value?.getUint32(0) ?? 0,
        prefix: body.getUint8(1),
      };
    });
}

/** The index of the interface by which packets to an address leave; `undefined` without a route. */
export function routeTo(address: number): number | undefined {
  const request = new Uint8Array(ROUTE_BYTES + 8), view = new DataView(request.buffer);
  request[0] = AF_INET;
  request[1] = 32;
  view.setUint16(ROUTE_BYTES, 8, true);
  view.setUint16(ROUTE_BYTES + 2, 1, true); // RTA_DST
  view.setUint32(ROUTE_BYTES + 4, address);
  const [answer] = ask(ROUTE, TYPE.getRoute, 0, request);
  if (answer?.type !== TYPE.newRoute) return undefined;
  return attributes(answer.body, ROUTE_BYTES).get(4)?.getUint32(0, true); // RTA_OIF
}

/** What XDP can do there: words of `XDP_FEATURES`; `undefined` where the kernel does not tell (before 6.3). */
export function xdpFeatures(index: number): string[] | undefined {
  const family = genericFamily("netdev");
  if (family === undefined) return undefined;
  const request = new Uint8Array(GENERIC_BYTES + 8), view = new DataView(request.buffer);
  view.setUint8(0, 1); // NETDEV_CMD_DEV_GET
  view.setUint8(1, 1);
  view.setUint16(4, 8, true);
  view.setUint16(6, 1, true); // NETDEV_A_DEV_IFINDEX
  view.setUint32(8, index, true);
  const [answer] = ask(GENERIC, family, 0, request);
  const mask = answer && attributes(answer.body, GENERIC_BYTES).get(3); // NETDEV_A_DEV_XDP_FEATURES
  if (mask === undefined) return undefined;
  return XDP_FEATURES.filter((_, bit) => (mask.getUint32(0, true) >>> bit & 1) === 1);
}

/** The name of a BPF program, which takes CAP_SYS_ADMIN to see. */
export function programName(id: number): string | undefined {
  const name = new Uint8Array(16);
  if (loadLibrary().uspf_program_name(id, name) < 0) return undefined;
  return new TextDecoder().decode(name).replace(/\0.*$/s, "");
}

interface Message {
  type: number;
  /** Behind the message's header. */
  body: DataView;
}

let room: Uint8Array<ArrayBuffer> | undefined;

/** Asks; no answer is no messages. */
function ask(protocol: number, type: number, flags: number, body: Uint8Array): Message[] {
  const request = new Uint8Array(HEADER_BYTES + body.length), view = new DataView(request.buffer);
  view.setUint32(0, request.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, REQUEST | flags, true);
  view.setUint32(8, 1, true);
  request.set(body, HEADER_BYTES);
  room ??= new Uint8Array(ROOM);
  const { uspf_netlink } = loadLibrary();
  const bytes = uspf_netlink(protocol, request, request.length, room, room.length);
  return bytes < 0 ? [] : messagesIn(room.slice(0, bytes));
}

function messagesIn(bytes: Uint8Array<ArrayBuffer>): Message[] {
  const view = new DataView(bytes.buffer), messages: Message[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    const body = new DataView(bytes.buffer, at + HEADER_BYTES, length - HEADER_BYTES);
    messages.push({ type: view.getUint16(at + 4, true), body });
    at += length + 3 & ~3;
  }
  return messages;
}

function attributes(body: DataView, from: number): Map<number, DataView> {
  const found = new Map<number, DataView>();
  for (let at = from; at + 4 <= body.byteLength;) {
    const length = body.getUint16(at, true), type = body.getUint16(at + 2, true) & 0x3fff;
    if (length < 4 || at + length > body.byteLength) break;
    found.set(type, new DataView(body.buffer, body.byteOffset + at + 4, length - 4));
    at += length + 3 & ~3;
  }
  return found;
}

function linkOf({ body }: Message): LinkFacts {
  const found = attributes(body, LINK_BYTES), flags = body.getUint32(8, true);
  const number = (type: number) => found.get(type)?.getUint32(0, true);
  const byte = (type: number) => found.get(type)?.getUint8(0);
  const info = found.get(IFLA.info), kind = info && attributes(info, 0).get(1); // IFLA_INFO_KIND
  return {
    name: textOf(found.get(IFLA.name)),
    index: body.getInt32(4, true),
    type: body.getUint16(2, true),
    up: (flags & FLAG.up) !== 0,
    carrier: byte(IFLA.carrier) === 1,
    loopback: (flags & FLAG.loopback) !== 0,
    state: STATES[byte(IFLA.state) ?? 0],
    mtu: number(IFLA.mtu) ?? 0,
    kind: kind && textOf(kind),
    lower: number(IFLA.lower),
    master: number(IFLA.master),
    promiscuity: number(IFLA.promiscuity) ?? 0,
    allMulticast: (flags & FLAG.allMulticast) !== 0 || (number(IFLA.allMulticast) ?? 0) > 0,
    xdp: xdpOf(found.get(IFLA.xdp)),
    statistics: statisticsOf(found.get(IFLA.statistics)),
  };
}

function xdpOf(nested: DataView | undefined): LinkFacts["xdp"] {
  const found = nested && attributes(nested, 0);
  const mode = found?.get(XDP.attached)?.getUint8(0) ?? 0;
  if (mode === 0) return undefined;
  return { mode: XDP_MODES[mode], id: found?.get(XDP.id)?.getUint32(0, true) ?? 0 };
}

function statisticsOf(view: DataView | undefined): Record<string, number> {
  if (view === undefined) return {};
  return Object.fromEntries(
    STATISTICS.map((name, i) => [name, Number(view.getBigUint64(i * 8, true))]),
  );
}

/** The number by which a family of generic netlink is asked. */
function genericFamily(name: string): number | undefined {
  const text = zeroEnded(name), bytes = 4 + text.length;
  const request = new Uint8Array(GENERIC_BYTES + (bytes + 3 & ~3));
  const view = new DataView(request.buffer);
  view.setUint8(0, 3); // CTRL_CMD_GETFAMILY
  view.setUint8(1, 1);
  view.setUint16(4, bytes, true);
  view.setUint16(6, 2, true); // CTRL_ATTR_FAMILY_NAME
  request.set(text, GENERIC_BYTES + 4);
  const [answer] = ask(GENERIC, 16, 0, request); // GENL_ID_CTRL
  return answer && attributes(answer.body, GENERIC_BYTES).get(1)?.getUint16(0, true); // CTRL_ATTR_FAMILY_ID
}

function textOf(view: DataView | undefined): string {
  if (view === undefined) return "";
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
}
