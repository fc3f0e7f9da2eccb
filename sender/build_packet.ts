/**
 * One Ethernet, IPv4 and UDP packet, byte by byte: the plain form of what
 * `PacketTemplate` writes word by word.
 *
 * ```
 *  0            14           34         42
 *  ├─ Ethernet ─┼─── IPv4 ───┼── UDP ───┼─ payload ─┤
 *  0 to MAC     14 0x45, 0   34 ports   42
 *  6 from MAC   16 length    38 length
 * 12 0x0800     20 flags     40 checksum
 *               22 ttl, 17
 *               24 checksum
 *               26 addresses
 * ```
 *
 * @module
 */

const IPV4_AT = 14;
const UDP_AT = 34;
const PAYLOAD_AT = 42;

/** What fits an Ethernet payload of 1500 bytes after the two headers. */
export const MAX_PAYLOAD_BYTES = 1472;

/** The header fields that a sender chooses. */
export interface PacketFields {
  /** Six bytes, in the order of the wire. */
  sourceMac: Uint8Array;
  /** Six bytes, in the order of the wire. */
  destinationMac: Uint8Array;
  /** An unsigned 32-bit number: `10.0.0.1` is 0x0a000001. */
  sourceAddress: number;
  /** An unsigned 32-bit number. */
  destinationAddress: number;
  /** From 0 to 65535. */
  sourcePort: number;
  /** From 0 to 65535. */
  destinationPort: number;
  /** Hops that the packet may take, from 1 to 255. */
  ttl: number;
}

/**
 * Builds a packet around a payload of at most 1472 bytes, with both checksums.
 *
 * @throws {RangeError} If a field or the payload's length is out of range.
 */
export function buildPacket(
  fields: PacketFields,
  payload: Uint8Array,
): Uint8Array {
  checkFields(fields, payload.length);
  const packet = new Uint8Array(PAYLOAD_AT + payload.length);
  packet.set(payload, PAYLOAD_AT);
  const view = new DataView(packet.buffer);
  writeEthernet(view, packet, fields);
  writeIPv4(view, fields);
  writeUdp(view, fields);
  return packet;
}

function writeEthernet(
  view: DataView,
  packet: Uint8Array,
  fields: PacketFields,
): void {
  packet.set(fields.destinationMac, 0);
  packet.set(fields.sourceMac, 6);
  view.setUint16(12, 0x0800);
}

/** RFC 791; not to be fragmented, so the identification may be 0 (RFC 6864). */
function writeIPv4(view: DataView, fields: PacketFields): void {
  view.setUint8(IPV4_AT, 0x45);
  view.setUint16(IPV4_AT + 2, view.byteLength - IPV4_AT);
  view.setUint16(IPV4_AT + 6, 0x4000);
  view.setUint8(IPV4_AT + 8, fields.ttl);
  view.setUint8(IPV4_AT + 9, 17);
  view.setUint32(IPV4_AT + 12, fields.sourceAddress);
  view.setUint32(IPV4_AT + 16, fields.destinationAddress);
  view.setUint16(IPV4_AT + 10, checksum(sumOf(view, IPV4_AT, UDP_AT)));
}

/** RFC 768: the sum covers the addresses, protocol and length as well. */
function writeUdp(view: DataView, fields: PacketFields): void {
  const length = view.byteLength - UDP_AT;
  view.setUint16(UDP_AT, fields.sourcePort);
  view.setUint16(UDP_AT + 2, fields.destinationPort);
  view.setUint16(UDP_AT + 4, length);
  const pseudoHeader = sumOf(view, IPV4_AT + 12, UDP_AT) + 17 + length;
  const sum = pseudoHeader + sumOf(view, UDP_AT, view.byteLength);
  // On the wire 0 means "no checksum", so a computed 0 is sent as its twin.
  view.setUint16(UDP_AT + 6, checksum(sum) || 0xffff);
}

function sumOf(view: DataView, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at + 1 < to; at += 2) sum += view.getUint16(at);
  return (to - from) % 2 === 0 ? sum : sum + (view.getUint8(to - 1) << 8);
}

/** RFC 1071: the complement of the sum with its carries added back. */
function checksum(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function checkFields(fields: PacketFields, payloadBytes: number): void {
  checkRange("source port", fields.sourcePort, 0, 0xffff);
  checkRange("destination port", fields.destinationPort, 0, 0xffff);
  checkRange("source address", fields.sourceAddress, 0, 0xffffffff);
  checkRange("destination address", fields.destinationAddress, 0, 0xffffffff);
  checkRange("time to live", fields.ttl, 1, 255);
  checkRange("source MAC length", fields.sourceMac.length, 6, 6);
  checkRange("destination MAC length", fields.destinationMac.length, 6, 6);
  checkRange("payload length", payloadBytes, 0, MAX_PAYLOAD_BYTES);
}

function checkRange(
  name: string,
  value: number,
  min: number,
  max: number,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const wanted = min === max ? `${min}` : `an integer from ${min} to ${max}`;
  throw new RangeError(
    `Cannot build a packet: ${name} is "${value}": it must be ${wanted}`,
  );
}
