/**
 * Purpose: a receive ring of any shape in an ordinary buffer, with seeded random packets in it, and what a
 * packet log should make of them.
 */
import { MORE_FRAGMENTS, RING, type Ring } from "../ffi/layout.ts";

/** How buffers lie in the region. */
export interface RingShapeChoice {
  strideBytes?: number;
  bufferBytes?: number;
  slotCount?: number;
  /** The first buffer begins 4 bytes later. */
  odd?: boolean;
  hasOffsets?: boolean;
  hasTimes?: boolean;
  /** Slots tell how long packets were before they were cut. */
  hasOriginals?: boolean;
}

/** A packet that was put into a ring. */
export interface LaidPacket {
  bytes: Uint8Array;
  seconds: number;
  nanoseconds: number;
  /** Before it was cut, if that is known. */
  original?: number;
}

const OFFSET_MASK = 0x3ff;

/** A ring whose slots are filled one after the other. */
export class LogRing {
  readonly ring: Ring;
  /** Bytes by which a buffer index counts: several for a buffer where they lie close. */
  readonly #indicesPerBuffer: number;
  #slot = 0;

  constructor(choice: RingShapeChoice = {}) {
    const { strideBytes = 2048, bufferBytes = 2048, slotCount = 64 } = choice;
    this.#indicesPerBuffer = Math.ceil(bufferBytes / strideBytes);
    const buffersAt = RING.slots + slotCount * 4 + (choice.odd ? 1 : 0);
    const bytes = buffersAt * 4 + slotCount * this.#indicesPerBuffer * strideBytes;
    const words = new Int32Array(Math.ceil(bytes / 8) * 2);
    words[RING.offsetMask] = choice.hasOffsets ? OFFSET_MASK : 0;
    this.ring = {
      words,
      bytes: new Uint8Array(words.buffer),
      at: 0,
      slotsAt: RING.slots,
      buffersAt,
      slotCount,
      bufferBytes,
      strideBytes,
      hasOffsets: choice.hasOffsets ?? false,
      hasTimes: choice.hasTimes ?? false,
      originals: choice.hasOriginals ? new Int32Array(slotCount) : undefined,
    };
    this.ring.bytes.fill(0xee, buffersAt * 4);
  }

  /** Puts a packet into as many slots as it needs, and appends them to the picks. */
  put(packet: LaidPacket, picks: number[], random: () => number): void {
    const { ring } = this, { words } = ring;
    let done = 0;
    do {
      const slot = ring.slotsAt + this.#slot * 4;
      if (ring.originals && done === 0) ring.originals[this.#slot] = packet.original ?? 0;
      const offset = ring.hasOffsets ? random() % 300 : 0;
      const room = ring.bufferBytes - offset, rest = packet.bytes.length - done;
      // Some pieces are smaller than they must be, or empty.
      const length = rest <= room && random() % 8 > 0
        ? rest
        : random() % (Math.min(room, rest) + 1);
      const goesOn = length < rest;
      words[slot] = this.#slot * this.#indicesPerBuffer;
      words[slot + 1] = length | (goesOn ? MORE_FRAGMENTS << 16 : 0) | (random() % 4) << 22;
      words[slot + 2] = ring.hasTimes
        ? packet.seconds | 0
        : offset | (ring.hasOffsets ? 0x5000 : 0);
      words[slot + 3] = ring.hasTimes ? packet.nanoseconds : 0;
      const at = (ring.buffersAt - ring.at) * 4 + words[slot] * ring.strideBytes + offset;
      ring.bytes.set(packet.bytes.subarray(done, done + length), at);
      picks.push(slot);
      done += length;
      this.#slot = (this.#slot + 1) % ring.slotCount;
    } while (done < packet.bytes.length);
  }
}

/** A random packet: mostly small, up to 9000 bytes. */
export function laidPacket(random: () => number): LaidPacket {
  const most = [64, 64, 130, 1514, 9000][random() % 5], length = random() % (most + 1);
  const seed = random();
  const bytes = Uint8Array.from({ length }, (_, i) => Math.imul(seed + i, 0x9e3779b1) >>> 24);
  return { bytes, seconds: 0, nanoseconds: random() % 1_000_000_000 };
}
