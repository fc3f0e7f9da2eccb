/**
 * Purpose: the blocks of a pcapng file (draft-ietf-opsawg-pcapng) other than packets, which
 * packet_log_loop.ts writes, and the walk over blocks.
 *
 * ```text
 *  │ type │ bytes │ body │ options: {code u16, length u16, value, padded to 4} … │ bytes │
 * ```
 * All numbers are little-endian.
 */

const SECTION_HEADER = 0x0a0d0d0a, INTERFACE_DESCRIPTION = 1, INTERFACE_STATISTICS = 5;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const END_OF_OPTIONS = 0;
const HARDWARE = 2, OS = 3, APPLICATION = 4;
const NAME = 2, DESCRIPTION = 3, RESOLUTION = 9;
const START_TIME = 2, END_TIME = 3, RECEIVED = 4, DROPPED = 5, ACCEPTED = 6;
const OS_DROPPED = 7, DELIVERED = 8;
const ETHERNET = 1;
const NS_RESOLUTION = 9; // 10^-9 s
const CAPTURED_LENGTH_AT = 20;

/** Who made the file, on what. */
export interface SectionInfo {
  hardware: string;
  os: string;
  application: string;
}

/** The interface that packets came from. */
export interface InterfaceInfo {
  /** Its name (if_name). */
  name: string;
  /** What a reader should know of it (if_description). */
  description: string;
}

/** What became of an interface's packets, since the capture began. */
export interface InterfaceStatistics {
  /** ns since 1970. */
  startNs: bigint;
  endNs: bigint;
  /** Packets that came, also those that were lost before us. */
  received: number;
  /** Packets that the port lost; `null`: it cannot know. */
  lost: number | null;
  /** Packets that the filter accepted. */
  accepted: number;
  /** Packets that should be in the file, and are not. */
  missed: number;
  /** Packets in the file, and in those of the same capture before it. */
  written: number;
}

/** The block that a file begins with. */
export function sectionHeader(info: SectionInfo): Uint8Array<ArrayBuffer> {
  const body = new DataView(new ArrayBuffer(16));
  body.setUint32(0, BYTE_ORDER_MAGIC, true);
  body.setUint16(4, 1, true); // version 1.0
  body.setBigInt64(8, -1n, true); // the section's length is not known beforehand
  return block(SECTION_HEADER, body, [
    [HARDWARE, text(info.hardware)],
    [OS, text(info.os)],
    [APPLICATION, text(info.application)],
  ]);
}

/** The block of an interface: Ethernet, ns, packets of any length. Interfaces are numbered as they come. */
export function interfaceDescription(info: InterfaceInfo): Uint8Array<ArrayBuffer> {
  const body = new DataView(new ArrayBuffer(8));
  body.setUint16(0, ETHERNET, true);
  return block(INTERFACE_DESCRIPTION, body, [
    [NAME, text(info.name)],
    [DESCRIPTION, text(info.description)],
    [RESOLUTION, Uint8Array.of(NS_RESOLUTION)],
  ]);
}

/** The block with an interface's statistics. */
export function interfaceStatistics(
  interfaceId: number,
  s: InterfaceStatistics,
): Uint8Array<ArrayBuffer> {
  const body = new DataView(new ArrayBuffer(12));
  body.setUint32(0, interfaceId, true);
  setTime(body, 4, s.endNs);
  const lost: Option[] = s.lost === null ? [] : [[DROPPED, u64(BigInt(s.lost))]];
  return block(INTERFACE_STATISTICS, body, [
    [START_TIME, time(s.startNs)],
    [END_TIME, time(s.endNs)],
    [RECEIVED, u64(BigInt(s.received))],
    ...lost,
    [ACCEPTED, u64(BigInt(s.accepted))],
    [OS_DROPPED, u64(BigInt(s.missed))],
    [DELIVERED, u64(BigInt(s.written))],
  ]);
}

/** The longest run of whole blocks that is not longer than asked for. */
export interface BlockRun {
  bytes: number;
  packets: number;
  packetBytes: number;
}

/** Walks over blocks of packets from byte 0 on, as far as they fit into `most` bytes. */
export function blocksWithin(blocks: Uint8Array, most: number): BlockRun {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const run = { bytes: 0, packets: 0, packetBytes: 0 };
  while (run.bytes < blocks.length) {
    const length = view.getUint32(run.bytes + 4, true);
    if (run.bytes + length > most) break;
    run.packetBytes += view.getUint32(run.bytes + CAPTURED_LENGTH_AT, true);
    run.bytes += length;
    run.packets++;
  }
  return run;
}

/** Blocks one after the other. */
export function joined(blocks: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    bytes.set(block, at);
    at += block.length;
  }
  return bytes;
}

type Option = [code: number, value: Uint8Array];

function block(type: number, body: DataView<ArrayBuffer>, options: Option[]) {
  const list = [...options.filter(([, { length }]) => length > 0), END];
  const bytes = 12 + body.byteLength + list.reduce((sum, [, v]) => sum + 4 + padded(v.length), 0);
  const view = new DataView(new ArrayBuffer(bytes)), out = new Uint8Array(view.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, bytes, true);
  out.set(new Uint8Array(body.buffer), 8);
  let at = 8 + body.byteLength;
  for (const [code, value] of list) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    out.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  view.setUint32(at, bytes, true);
  return out;
}

const END: Option = [END_OF_OPTIONS, new Uint8Array(0)];

function padded(length: number): number {
  return length + 3 & ~3;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value).subarray(0, 0xfffc);
}

function u64(value: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value, true);
  return new Uint8Array(view.buffer);
}

/** Times are two words, the high one first. */
function time(ns: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  setTime(view, 0, ns);
  return new Uint8Array(view.buffer);
}

function setTime(view: DataView, at: number, ns: bigint): void {
  view.setUint32(at, Number(ns >> 32n), true);
  view.setUint32(at + 4, Number(ns & 0xffffffffn), true);
}
