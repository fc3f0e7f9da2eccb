/**
 * Purpose: a pcapng parser for tests, which shares nothing with what writes the files, and takes nothing
 * for granted.
 */
import { assert, assertEquals } from "@std/assert";

/** A packet of a file. */
export interface ParsedPacket {
  interfaceId: number;
  ns: bigint;
  bytes: Uint8Array;
  /** Its length before it was cut. */
  original: number;
}

/** A file of one section. */
export interface ParsedFile {
  /** Options by code, of the section and of each interface. */
  section: Map<number, Uint8Array>;
  interfaces: { linkType: number; snapLength: number; options: Map<number, Uint8Array> }[];
  packets: ParsedPacket[];
  statistics: { interfaceId: number; ns: bigint; options: Map<number, Uint8Array> }[];
  /** Types of the blocks in order. */
  types: number[];
}

/** Parses a whole file. */
export function parsePcapng(bytes: Uint8Array): ParsedFile {
  const file: ParsedFile = {
    section: new Map(),
    interfaces: [],
    packets: [],
    statistics: [],
    types: [],
  };
  for (const { type, body } of blocksOf(bytes)) {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const u32 = (at: number) => view.getUint32(at, true);
    const ns = () => BigInt(u32(4)) << 32n | BigInt(u32(8));
    if (file.types.length === 0) assertEquals(type, 0x0a0d0d0a);
    file.types.push(type);
    if (type === 0x0a0d0d0a) {
      assertEquals([u32(0), view.getUint16(4, true), view.getUint16(6, true)], [0x1a2b3c4d, 1, 0]);
      assertEquals(view.getBigInt64(8, true), -1n);
      file.section = optionsOf(body.subarray(16));
    } else if (type === 1) {
      const options = optionsOf(body.subarray(8));
      file.interfaces.push({ linkType: view.getUint16(0, true), snapLength: u32(4), options });
    } else if (type === 5) {
      file.statistics.push({
        interfaceId: u32(0),
        ns: ns(),
        options: optionsOf(body.subarray(12)),
      });
    } else {
      assertEquals(type, 6);
      file.packets.push(packetOf(body));
    }
  }
  return file;
}

/** The packets of enhanced packet blocks alone. */
export function parsePackets(bytes: Uint8Array): ParsedPacket[] {
  return blocksOf(bytes).map(({ type, body }) => {
    assertEquals(type, 6);
    return packetOf(body);
  });
}

/** An option that is a 64-bit number. */
export function u64Of(option: Uint8Array | undefined): bigint | undefined {
  if (option === undefined) return undefined;
  assertEquals(option.length, 8);
  return new DataView(option.buffer, option.byteOffset).getBigUint64(0, true);
}

function packetOf(body: Uint8Array): ParsedPacket {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const u32 = (at: number) => view.getUint32(at, true);
  const length = u32(12), original = u32(16);
  assert(original >= length, `${length} bytes of ${original}`);
  assertEquals(body.length, 20 + Math.ceil(length / 4) * 4);
  assert(body.subarray(20 + length).every((byte) => byte === 0), "padding is not zero");
  const ns = BigInt(u32(4)) << 32n | BigInt(u32(8));
  return { interfaceId: u32(0), ns, bytes: body.subarray(20, 20 + length), original };
}

function blocksOf(bytes: Uint8Array): { type: number; body: Uint8Array }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at + 4, true);
    assert(length >= 12 && length % 4 === 0 && at + length <= bytes.length, `block at ${at}`);
    assertEquals(view.getUint32(at + length - 4, true), length);
    blocks.push({ type: view.getUint32(at, true), body: bytes.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

function optionsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const code = view.getUint16(at, true), length = view.getUint16(at + 2, true);
    if (code === 0) {
      assertEquals([length, at + 4], [0, bytes.length]);
      return options;
    }
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  throw new Error("options without an end");
}
