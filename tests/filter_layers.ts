/**
 * Purpose: headers of packets, each written around what it carries: from the inside outwards.
 *
 * ```text
 *  ethernet(to, from, vlan(7, 0x8100, ipv4({protocol: 6, …}, tcp(…))))
 * ```
 * Checksums are 0: no filter looks at them.
 */

/** What stands behind an EtherType, or behind the length that 802.3 has in its place. */
export interface Typed {
  type: number;
  bytes: Uint8Array;
}

/** What an IPv4 header says. */
export interface Ipv4Header {
  protocol: number;
  from: string;
  to: string;
  /** Of the header in units of 4 bytes, 5 to 15. */
  words?: number;
  /** Flags and fragment offset. */
  fragment?: number;
}

/** What an IPv6 header says. */
export interface Ipv6Header {
  next: number;
  from: string;
  to: string;
}

/** Bytes and lists of bytes behind each other. */
export function join(...parts: (number | ArrayLike<number>)[]): Uint8Array {
  const lists = parts.map((part) => typeof part === "number" ? [part] : part);
  const all = new Uint8Array(lists.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all;
}

export function be16(value: number): number[] {
  return [value >>> 8 & 255, value & 255];
}

export function be32(value: number): number[] {
  return [...be16(value >>> 16), ...be16(value)];
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function ethernetAddress(written: string): number[] {
  return written.split(":").map((byte) => parseInt(byte, 16));
}

export function ipv4Address(written: string): number[] {
  return written.split(".").map(Number);
}

export function ipv6Address(written: string): number[] {
  const [left, right] = written.split("::").map((half) => half ? half.split(":") : []);
  const zeros = Array(8 - left.length - (right?.length ?? 0)).fill("0");
  return [...left, ...zeros, ...(right ?? [])].flatMap((word) => be16(parseInt(word, 16)));
}

export function ethernet(to: string, from: string, { type, bytes }: Typed): Uint8Array {
  return join(ethernetAddress(to), ethernetAddress(from), be16(type), bytes);
}

export function vlan(id: number, tag: number, inner: Typed): Typed {
  return { type: tag, bytes: join(be16(0x6000 | id), be16(inner.type), inner.bytes) };
}

/** A stack of labels, the outermost first, over an IP packet. */
export function mpls(labels: number[], { bytes }: Typed, type = 0x8847): Typed {
  const entries = labels.map((label, i) =>
    be32(label << 12 | (i === labels.length - 1 ? 0x100 : 0) | 64)
  );
  return { type, bytes: join(...entries, bytes) };
}

/** A PPPoE session's packet; `protocol` as of PPP. */
export function pppoeSession(id: number, protocol: number, bytes: Uint8Array): Typed {
  const header = join(0x11, 0, be16(id), be16(bytes.length + 2));
  return { type: 0x8864, bytes: join(header, be16(protocol), bytes) };
}

export function pppoeDiscovery(code: number, id: number): Typed {
  const tags = [1, 1, 0, 0];
  return { type: 0x8863, bytes: join(0x11, code, be16(id), be16(tags.length), tags) };
}

export function ipv4(header: Ipv4Header, payload: Uint8Array): Typed {
  const { words = 5, fragment = 0 } = header;
  const bytes = join(
    [0x40 | words, 0, ...be16(words * 4 + payload.length), 0x12, 0x34, ...be16(fragment)],
    [64, header.protocol, 0, 0, ...ipv4Address(header.from), ...ipv4Address(header.to)],
    new Uint8Array(words * 4 - 20).fill(1),
    payload,
  );
  return { type: 0x0800, bytes };
}

export function ipv6(header: Ipv6Header, payload: Uint8Array): Typed {
  const first = [0x60, 0, 0, 0, ...be16(payload.length), header.next, 64];
  return {
    type: 0x86dd,
    bytes: join(first, ipv6Address(header.from), ipv6Address(header.to), payload),
  };
}

/** An extension header of 8 bytes (RFC 8200); `rest` is what follows its first two bytes. */
export function extension(next: number, rest: number[], payload: Uint8Array): Uint8Array {
  return join(next, 0, [...rest, 0, 0, 0, 0, 0, 0].slice(0, 6), payload);
}

/** An authentication header (RFC 4302), of 24 bytes. */
export function authentication(next: number, payload: Uint8Array): Uint8Array {
  return join(next, 4, 0, 0, be32(0x100), be32(1), new Uint8Array(12).fill(0xaa), payload);
}

/** `options` is a multiple of 4 bytes. */
export function tcp(
  from: number,
  to: number,
  flags: number,
  payload: ArrayLike<number>,
  options = 0,
): Uint8Array {
  const ports = [...be16(from), ...be16(to)], words = 5 + options / 4;
  const rest = [words << 4, flags, 0x20, 0, 0, 0, 0, 0];
  return join(ports, be32(1000), be32(2000), rest, new Uint8Array(options).fill(1), payload);
}

export function udp(from: number, to: number, payload: ArrayLike<number>): Uint8Array {
  return join(be16(from), be16(to), be16(8 + payload.length), 0, 0, payload);
}

export function sctp(from: number, to: number): Uint8Array {
  return join(be16(from), be16(to), be32(7), be32(0), [1, 0, 0, 20], new Uint8Array(16));
}

/** A datagram's payload (RFC 8926); `options` is a multiple of 4 bytes. */
export function geneve(id: number, inner: Typed, options = 0): Uint8Array {
  const head = [options / 4, 0, ...be16(inner.type), id >>> 16, id >>> 8 & 255, id & 255, 0];
  return join(head, new Uint8Array(options).fill(0x11), inner.bytes);
}

/** With 802.3's length in place of a type. */
export function logicalLink(
  to: number,
  from: number,
  control: number[],
  payload: ArrayLike<number>,
): Typed {
  const bytes = join(to, from, control, payload);
  return { type: bytes.length, bytes };
}

export function snap(organisation: number, type: number, payload: ArrayLike<number>): Typed {
  const head = [organisation >>> 16, ...be16(organisation), ...be16(type)];
  return logicalLink(0xaa, 0xaa, [3], join(head, payload));
}

/** A packet of IS-IS, of a type (RFC 1142). */
export function isis(type: number): Typed {
  return logicalLink(0xfe, 0xfe, [3], [0x83, 27, 1, 0, type, 1, 0, 0, ...Array(24).fill(type)]);
}

/** A packet of ARP or RARP, by its type, for `protocol` over Ethernet. */
export function resolution(
  type: number,
  operation: number,
  [fromHardware, from, toHardware, to]: string[],
  protocol = 0x0800,
): Typed {
  const head = [...be16(1), ...be16(protocol), 6, 4, ...be16(operation)];
  const sender = [...ethernetAddress(fromHardware), ...ipv4Address(from)];
  return { type, bytes: join(head, sender, ethernetAddress(toHardware), ipv4Address(to)) };
}
