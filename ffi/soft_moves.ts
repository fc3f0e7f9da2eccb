/**
 * Purpose: the inner loops of soft pipes and switches, by word index, without fields or objects.
 *
 * The numbers are literals on purpose (1024 slots of 4 words, buffers of 528 words): with constants
 * read from another module the loops are a third slower.
 */

/**
 * Swaps the buffers of `count` slots of a transmit ring with those of a receive ring, and copies lengths.
 * `theirs` is our own record of the buffers in the receive ring, which only we change: to read it there
 * would wait for a cache line that the receiver has. `quads` is the same memory by 64 bits.
 */
export function swapSlots(
  words: Int32Array,
  quads: BigInt64Array,
  theirs: Int32Array,
  fromSlots: number,
  from: number,
  toSlots: number,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    const a = fromSlots + ((from + i & 1023) << 2) | 0, slot = to + i & 1023;
    const buffer = words[a];
    quads[(toSlots >> 1) + (slot << 1)] = quads[a >> 1]; // buf_idx, len and flags
    words[a] = theirs[slot];
    theirs[slot] = buffer;
  }
}

/**
 * How many packets from slot `from` on carry the same addresses as the first (the first three words:
 * destination and source), lie in one slot and are 14 bytes long at least; the first is taken to be so.
 */
export function runLength(
  words: Int32Array,
  slots: number,
  buffers: number,
  from: number,
  count: number,
): number {
  const first = buffers + Math.imul(words[slots + (from << 2)], 528) | 0;
  const key0 = words[first], key1 = words[first + 1], key2 = words[first + 2];
  for (let i = 1; i < count; i++) {
    const a = slots + ((from + i & 1023) << 2) | 0, s = buffers + Math.imul(words[a], 528) | 0;
    const length = words[a + 1];
    if (
      ((words[s] ^ key0) | (words[s + 1] ^ key1) | (words[s + 2] ^ key2) |
        (length & 0x200000) | ((length & 0xffff) - 14 & 0x80000000)) !== 0
    ) return i;
  }
  return count;
}

/**
 * Copies `count` packets that lie in one slot each from a transmit ring to a lane. `quads` is the same
 * memory by 64 bits: half the loads and stores, of which the latter wait for the other core's cache line.
 */
export function copyRun(
  words: Int32Array,
  quads: BigInt64Array,
  fromSlots: number,
  fromBuffers: number,
  from: number,
  toSlots: number,
  toBuffers: number,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    const a = fromSlots + ((from + i & 1023) << 2) | 0, slot = to + i & 1023;
    const s = fromBuffers + Math.imul(words[a], 528) >>> 1;
    const t = toBuffers + Math.imul(slot, 528) >>> 1;
    const lengthAndFlags = words[a + 1];
    copyBlock(quads, s, t);
    words[toSlots + (slot << 2) + 1] = lengthAndFlags;
    if ((lengthAndFlags & 0xffff) > 64) copyRest(quads, s, t, lengthAndFlags & 0xffff);
  }
}

/** Copies one packet; indices by 64 bits. */
export function copyPacket(quads: BigInt64Array, from: number, to: number, length: number): void {
  copyBlock(quads, from, to);
  if (length > 64) copyRest(quads, from, to, length);
}

/**
 * 64 bytes: a cache line, and most market data. Once compiled these are plain 64-bit moves: no BigInt is
 * made (bench/soft_port.bench.ts; with --v8-flags=--trace-gc it shows no collection).
 */
function copyBlock(quads: BigInt64Array, s: number, t: number): void {
  quads[t] = quads[s];
  quads[t + 1] = quads[s + 1];
  quads[t + 2] = quads[s + 2];
  quads[t + 3] = quads[s + 3];
  quads[t + 4] = quads[s + 4];
  quads[t + 5] = quads[s + 5];
  quads[t + 6] = quads[s + 6];
  quads[t + 7] = quads[s + 7];
}

/** What lies beyond the first 64 bytes; a memmove wins from a few hundred on. */
function copyRest(quads: BigInt64Array, s: number, t: number, length: number): void {
  const end = ((length < 2112 ? length : 2112) + 7) >> 3;
  if (end > 32) {
    quads.copyWithin(t + 8, s + 8, s + end);
  } else {
    for (let i = 8; i < end; i++) quads[t + i] = quads[s + i];
  }
}
