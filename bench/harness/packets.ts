/**
 * Purpose: packets for benches that bring their own: seeded, 60 bytes, with a tick in them.
 */
import { bufferByte, type Ring, SLOT_WORDS } from "../../ffi/layout.ts";
import { tickPacket as packetWith } from "../../tests/packets.ts";

/** Behind a tick, up to Ethernet's least: 60 bytes. */
const PADDING = 4;

/** A packet over IPv4 and UDP to `port` with a tick of `instrument`. */
export function tickPacket(port: number, instrument: number): Uint8Array {
  const price = 100 + instrument / 4, quantity = 1 + instrument;
  return packetWith({ port, instrument, price, quantity, padding: PADDING });
}

/** Lays a packet into the buffer of a slot. */
export function layPacket(ring: Ring, slot: number, packet: Uint8Array): void {
  const word = ring.slotsAt + slot * SLOT_WORDS;
  ring.bytes.set(packet, bufferByte(ring, word));
  ring.words[word + 1] = packet.length;
}

/** Whole numbers from 0 to 2^24 - 1, the same for the same seed. */
export function random(seed: number): () => number {
  return () => (seed = Math.imul(seed ^ seed >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0) >>> 8;
}
