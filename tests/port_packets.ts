/**
 * Packets whose every byte follows from who sent them and their number, so that a receiver anywhere
 * can tell whether they are what was sent.
 *
 * ```text
 *  Ethernet 14 │ IPv4 20 │ UDP 8 │ stream u32 │ number u32 │ filling
 * ```
 * Written from RFC 791 and RFC 768, without the sender's templates: the two are each other's check.
 */

/** Bytes before the payload. */
export const HEADER_BYTES = 42;

/** One sender's packets. */
export interface Stream {
  id: number;
  seed: number;
  sourceMac: number;
  destinationMac: number;
  sourcePort: number;
  destinationPort: number;
  /** Bytes of a packet at least and at most. */
  sizes: [number, number];
}

const LOOPBACK = 0x7f000001;

/** A stream with what most tests want: 60 to 1500 bytes, an unknown destination. */
export function streamOf(id: number, seed: number, more: Partial<Stream> = {}): Stream {
  return {
    id,
    seed,
    sourceMac: 0x020000000100 + id,
    destinationMac: 0x0200000000ff,
    sourcePort: 4000 + id,
    destinationPort: 5001,
    sizes: [60, 1500],
    ...more,
  };
}

/** Bytes of a stream's packet. */
export function packetLength({ id, seed, sizes: [least, most] }: Stream, number: number): number {
  return least + mix(seed ^ mix(id ^ mix(number))) % (most - least + 1);
}

/** Writes a stream's packet at `at`; returns its length. */
export function writePacket(bytes: Uint8Array, at: number, stream: Stream, number: number): number {
  const length = packetLength(stream, number);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
  writeHeaders(view, stream);
  view.setUint32(42, stream.id, true);
  view.setUint32(46, number, true);
  let filling = mix(stream.seed ^ number);
  for (let i = 50; i < length; i++, filling = filling * 5 + 1 | 0) view.setUint8(i, filling >>> 8);
  return length;
}

function writeHeaders(view: DataView, stream: Stream): void {
  const total = view.byteLength - 14;
  setMac(view, 0, stream.destinationMac);
  setMac(view, 6, stream.sourceMac);
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, total);
  view.setUint32(18, 0x4000); // identification 0, don't fragment
  view.setUint16(22, 64 << 8 | 17);
  view.setUint16(24, 0);
  view.setUint32(26, LOOPBACK);
  view.setUint32(30, LOOPBACK);
  view.setUint16(24, headerChecksum(view));
  view.setUint16(34, stream.sourcePort);
  view.setUint16(36, stream.destinationPort);
  view.setUint16(38, total - 20);
  view.setUint16(40, 0); // not computed
}

/** RFC 791: the ones' complement of the ones' complement sum of the header's 16-bit words. */
export function headerChecksum(packet: DataView): number {
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += packet.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Which stream's packet this is, and which number of it. */
export function identify(bytes: Uint8Array, at: number): { id: number; number: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  return { id: view.getUint32(42, true), number: view.getUint32(46, true) };
}

const scratch = new Uint8Array(2048);

/** What is wrong with a packet of a stream; `undefined` for nothing. */
export function flawOf(
  bytes: Uint8Array,
  at: number,
  length: number,
  stream: Stream,
  number: number,
  wholePackets: boolean,
): string | undefined {
  const expected = writePacket(scratch, 0, stream, number);
  if (length !== expected) return `${length} bytes, not ${expected}`;
  for (let i = wholePackets ? 0 : HEADER_BYTES; i < length; i++) {
    if (bytes[at + i] !== scratch[i]) return `byte ${i} is ${bytes[at + i]}, not ${scratch[i]}`;
  }
  return wholePackets
    ? undefined
    : headerFlaw(new DataView(bytes.buffer, bytes.byteOffset + at, length), stream);
}

/** A socket's packet has headers that the port wrote: they must be true. */
function headerFlaw(packet: DataView, stream: Stream): string | undefined {
  const total = packet.byteLength - 14;
  const expected: [string, number, number][] = [
    ["EtherType", packet.getUint16(12), 0x0800],
    ["version and header length", packet.getUint8(14), 0x45],
    ["total length", packet.getUint16(16), total],
    ["fragment offset", packet.getUint16(20) & 0x3fff, 0],
    ["protocol", packet.getUint8(23), 17],
    ["header checksum, with itself", headerChecksum(packet), 0],
    ["source address", packet.getUint32(26), LOOPBACK],
    ["destination address", packet.getUint32(30), LOOPBACK],
    ["source port", packet.getUint16(34), stream.sourcePort],
    ["destination port", packet.getUint16(36), stream.destinationPort],
    ["UDP length", packet.getUint16(38), total - 20],
    ["UDP checksum", packet.getUint16(40), 0],
  ];
  const wrong = expected.find(([, is, wanted]) => is !== wanted);
  return wrong && `${wrong[0]} is ${wrong[1]}, not ${wrong[2]}`;
}

/** Writes an Ethernet address, given as a number. */
function setMac(view: DataView, at: number, mac: number): void {
  view.setUint16(at, mac / 2 ** 32);
  view.setUint32(at + 2, mac % 2 ** 32);
}

/** A hash of 32 bits (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return (h ^ h >>> 16) >>> 0;
}
