/**
 * Purpose: the packet loop as one would write it: the oracle of the compiled one, which must give the
 * same ticks and the same tally for any input.
 */
import { bufferByte, MORE_FRAGMENTS, type Ring, SLOT_WORDS } from "../ffi/layout.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { TALLY_BYTES, TALLY_PIECES } from "./tally.ts";
import { decodeTick } from "./tick_decoder.ts";

/** Where a packet lies in its ring's bytes, and what it had on the wire. */
interface Packet {
  at: number;
  length: number;
  wireLength: number;
  /** Word index of its slot. */
  word: number;
}

/** Handles one packet that lies in one slot; returns 1 where it is accepted, its tick left at `position`, else 0. */
function takePacket(
  filter: PacketFilter,
  bytes: Uint8Array,
  { at, length, wireLength }: Packet,
  out: Int32Array,
  position: number,
  mask: number,
  tally: Int32Array,
): number {
  tally[TALLY_BYTES] += length;
  const payloadAt = filter.judge(bytes, at, length, wireLength);
  if (payloadAt < 0) {
    tally[-payloadAt]++;
    return 0;
  }
  if (filter.decodes && !decodeTick(bytes, at + payloadAt, out, position, mask)) {
    tally[VERDICT.badTick]++;
    return 0;
  }
  tally[VERDICT.accepted]++;
  return 1;
}

/**
 * Handles the slots from `head` on, `count` at most, of a receive ring. Ticks go to `out` from
 * `position` on: there is room for `count`. `picks` gets the slots of the packets accepted, as in the hot
 * loop. Returns the slots used; it stops before a packet that goes on beyond one slot, for `takeSplit`.
 */
export function plainLoop(
  filter: PacketFilter,
  ring: Ring,
  head: number,
  count: number,
  out: Int32Array,
  position: number,
  mask: number,
  tally: Int32Array,
  picks: Int32Array,
): number {
  for (let i = 0; i < count; i++) {
    if (goesOn(ring, head + i)) return i;
    const packet = packetAt(ring, head + i);
    const accepted = takePacket(filter, ring.bytes, packet, out, position, mask, tally);
    if (accepted !== 0) picks[tally[VERDICT.accepted] - 1] = packet.word;
    position += accepted;
  }
  return count;
}

/**
 * Handles the packet over several slots that begins at `head`, of which `ready` are there. Market data is
 * never so large: it is malformed, unless all pieces but one are empty, as netmap's e1000 driver gives
 * them. Returns its slots; 0 where its end has not arrived yet, unless the ring is full, for then it never
 * will.
 */
export function takeSplit(
  filter: PacketFilter,
  ring: Ring,
  head: number,
  ready: number,
  out: Int32Array,
  position: number,
  mask: number,
  tally: Int32Array,
  picks: Int32Array,
): number {
  let slots = 1;
  while (slots <= ready && goesOn(ring, head + slots - 1)) slots++;
  if (slots > ready) {
    if (ready < ring.slotCount - 1) return 0;
    slots = ready;
  }
  const pieces = Array.from({ length: slots }, (_, i) => packetAt(ring, head + i))
    .filter(({ length }) => length > 0);
  tally[TALLY_PIECES] += slots - 1;
  if (pieces.length === 1) {
    const accepted = takePacket(filter, ring.bytes, pieces[0], out, position, mask, tally);
    if (accepted !== 0) picks[tally[VERDICT.accepted] - 1] = pieces[0].word;
  } else {
    for (const { length } of pieces) tally[TALLY_BYTES] += length;
    tally[VERDICT.split]++;
  }
  return slots;
}

/** Word index of a slot, by its number; numbers beyond the last begin anew. */
export function slotWord(ring: Ring, slot: number): number {
  return ring.slotsAt + (slot % ring.slotCount) * SLOT_WORDS;
}

function goesOn(ring: Ring, slot: number): boolean {
  return (ring.words[slotWord(ring, slot) + 1] >>> 16 & MORE_FRAGMENTS) !== 0;
}

/** Where a slot's packet lies; where the port says a length that its buffer can't hold, it ends with the buffer. */
function packetAt(ring: Ring, slot: number): Packet {
  const word = slotWord(ring, slot);
  const { words, bufferBytes, originals } = ring;
  const offset = ring.hasOffsets ? (words[word + 2] & offsetMask(ring)) >>> 0 : 0;
  const length = Math.max(0, Math.min(words[word + 1] & 0xffff, bufferBytes - offset));
  const original = originals === undefined ? 0 : originals[slot & originals.length - 1];
  return {
    word,
    at: bufferByte(ring, word) + offset,
    length,
    wireLength: original > length ? original : length,
  };
}

/** netmap's offset mask, of which the low half is enough: a buffer is smaller than 4 GiB. */
export function offsetMask(ring: Ring): number {
  return ring.words[ring.at + 14];
}
