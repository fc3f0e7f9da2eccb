/**
 * Capture files, written from the formats' description and not with the code that reads them; and what a
 * port makes of them.
 */
import { bufferByte, RING, slotsReady } from "../ffi/layout.ts";
import { PcapPort } from "../ffi/pcap_port.ts";
import { PortError } from "../ffi/port_error.ts";
import { type Port, type PortOptions, RX } from "../ffi/port.ts";

/** A packet of a file. */
export interface Packet {
  bytes: Uint8Array;
  second: number;
  nanosecond: number;
  /** Bytes on the wire, where fewer were captured. */
  original?: number;
}

/** A piece of a file. */
export type Piece = Uint8Array;

/** Bytes one after the other. */
export function join(pieces: Piece[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Numbers in a byte order. */
function numbers(
  big: boolean,
  ...fields: [bits: 8 | 16 | 32 | 64, value: number | bigint][]
): Piece {
  const bytes = new Uint8Array(fields.reduce((sum, [bits]) => sum + bits / 8, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [bits, value] of fields) {
    if (bits === 8) view.setUint8(at, Number(value));
    else if (bits === 16) view.setUint16(at, Number(value), !big);
    else if (bits === 32) view.setUint32(at, Number(value), !big);
    else view.setBigUint64(at, BigInt(value), !big);
    at += bits / 8;
  }
  return bytes;
}

/** How to write a pcap file. */
export interface PcapShape {
  big?: boolean;
  nano?: boolean;
  link?: number;
  snap?: number;
}

/** A pcap file. */
export function pcapFile(shape: PcapShape, packets: Packet[]): Uint8Array<ArrayBuffer> {
  const { big = false, nano = false, link = 1, snap = 262144 } = shape;
  const magic = nano ? 0xa1b23c4d : 0xa1b2c3d4;
  const header = numbers(big, [32, magic], [16, 2], [16, 4], [32, 0], [32, 0], [32, snap], [
    32,
    link,
  ]);
  return join([
    header,
    ...packets.flatMap(({ bytes, second, nanosecond, original }) => [
      numbers(
        big,
        [32, second],
        [32, nano ? nanosecond : Math.floor(nanosecond / 1000)],
        [32, bytes.length],
        [32, original ?? bytes.length],
      ),
      bytes,
    ]),
  ]);
}

/** An option of a block. */
export type Option = [code: number, value: Uint8Array];

/** The blocks of a pcapng section in a byte order. */
export class Blocks {
  constructor(readonly big: boolean) {}

  /** A block of any type. */
  block(type: number, body: Uint8Array): Piece {
    const padding = new Uint8Array(-body.length & 3), bytes = 12 + body.length + padding.length;
    return join([
      numbers(this.big, [32, type], [32, bytes]),
      body,
      padding,
      numbers(this.big, [32, bytes]),
    ]);
  }

  section(options: Option[] = []): Piece {
    const head = numbers(this.big, [32, 0x1a2b3c4d], [16, 1], [16, 0], [64, 2n ** 64n - 1n]);
    return this.block(0x0a0d0d0a, join([head, this.options(options)]));
  }

  interface(link: number, options: Option[] = [], snap = 0): Piece {
    const head = numbers(this.big, [16, link], [16, 0], [32, snap]);
    return this.block(1, join([head, this.options(options)]));
  }

  enhanced(id: number, units: bigint, { bytes, original }: Packet, options: Option[] = []): Piece {
    const head = numbers(this.big, [32, id], ...this.#rest(units, bytes, original));
    return this.block(6, join([head, bytes, pad(bytes), this.options(options)]));
  }

  obsolete(id: number, units: bigint, { bytes, original }: Packet): Piece {
    const head = numbers(this.big, [16, id], [16, 7], ...this.#rest(units, bytes, original));
    return this.block(2, join([head, bytes]));
  }

  simple({ bytes, original }: Packet): Piece {
    return this.block(3, join([numbers(this.big, [32, original ?? bytes.length]), bytes]));
  }

  options(options: Option[]): Uint8Array {
    if (options.length === 0) return new Uint8Array(0);
    const all = [...options, [0, new Uint8Array(0)] as Option];
    return join(
      all.flatMap(([code, value]) => [
        numbers(this.big, [16, code], [16, value.length]),
        value,
        pad(value),
      ]),
    );
  }

  /** A 64-bit option's value. */
  long(value: bigint): Uint8Array {
    return numbers(this.big, [64, BigInt.asUintN(64, value)]);
  }

  #rest(units: bigint, { length }: Uint8Array, original = length): [32, number][] {
    return [[32, Number(units >> 32n)], [32, Number(units & 0xffffffffn)], [32, length], [
      32,
      original,
    ]];
  }
}

function pad({ length }: Uint8Array): Uint8Array {
  return new Uint8Array(-length & 3);
}

/** Byte of a packet that tells where it is and of which packet. */
export function packetOf(number: number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => Math.imul(number + 1, 0x9e3779b1) >>> i % 24 ^ i);
}

/** What a port gave: its packets, and the error that ended it. */
export interface Given {
  packets: Packet[];
  error?: Error;
}

/** Takes all that a port has, `most` at a time; closes it. */
export function takeAll(port: Port, most = Infinity, limit = Infinity): Given {
  const packets: Packet[] = [], ring = port.rx[0], { words } = ring;
  try {
    for (let idle = 0; !port.ended && packets.length < limit;) {
      port.rxSync();
      const ready = Math.min(slotsReady(ring), most);
      idle = ready === 0 ? idle + 1 : 0;
      if (idle > 3 && !port.ended) throw new Error("a sync shows nothing, and no end");
      let head = words[ring.at + RING.head];
      for (let i = 0; i < ready; i++) {
        const slot = ring.slotsAt + head * 4, at = bufferByte(ring, slot);
        const bytes = ring.bytes.slice(at, at + (words[slot + 1] & 0xffff));
        if (words[slot + 1] >>> 16 !== 0) throw new Error("a slot with flags");
        packets.push({ bytes, second: words[slot + 2] >>> 0, nanosecond: words[slot + 3] });
        head = (head + 1) % ring.slotCount;
      }
      words[ring.at + RING.head] = words[ring.at + RING.cur] = head;
    }
    return { packets };
  } catch (error) {
    return { packets, error: error as Error };
  } finally {
    port.close();
  }
}

/** A directory for a test's files. */
export class Files {
  readonly directory = Deno.makeTempDirSync({ prefix: "uspf-pcap-" });
  #made = 0;

  /** A new file with these bytes. */
  write(bytes: Uint8Array, name = `${this.#made++}.pcap`): string {
    const path = `${this.directory}/${name}`;
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /** What a port makes of a file. */
  read(bytes: Uint8Array, chunkBytes?: number, most?: number): Given {
    const path = this.write(bytes, "read");
    try {
      return takeAll(openFile(path, {}, chunkBytes), most);
    } catch (error) {
      if (!(error instanceof PortError)) throw error;
      return { packets: [], error };
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Opens a capture file, read in chunks of a size of our own. */
export function openFile(path: string, options: PortOptions = {}, chunkBytes?: number): Port {
  return PcapPort.open(`pcap:${path}`, path, RX, options, chunkBytes);
}
