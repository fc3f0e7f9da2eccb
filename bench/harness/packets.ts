/**
 * Purpose: packets for benches that bring their own: seeded, 60 bytes, with a tick in them.
 */
import { bufferByte, type Ring } from "../../ffi/layout.ts";

const PACKET_BYTES = 60;

/** A packet over IPv4 and UDP to `port` with a tick of `instrument`. */
export function tickPacket(port: number, instrument: number): Uint8Array {
  const packet = new Uint8Array(PACKET_BYTES), view = new DataView(packet.buffer);
  view.setUint32(12, 0x08004500);
  view.setUint16(16, 42);
  view.setUint32(20, 0x40004011);
  view.setUint16(36, port);
  view.setUint16(38, 22);
  view.setUint32(42, instrument, true);
  view.setFloat32(48, 100 + instrument / 4, true);
  view.setFloat32(52, 1 + instrument, true);
  return packet;
}

/** Lays a packet into the buffer of a slot. */
export function layPacket(ring: Ring, slot: number, packet: Uint8Array): void {
  const word = ring.slotsAt + slot * 4;
  ring.bytes.set(packet, bufferByte(ring, word));
  ring.words[word + 1] = packet.length;
}

/** Whole numbers from 0 to 2^24 - 1, the same for the same seed. */
export function random(seed: number): () => number {
  return () => (seed = Math.imul(seed ^ seed >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0) >>> 8;
}
