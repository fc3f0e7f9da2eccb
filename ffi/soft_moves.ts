/**
 * Purpose: the inner loops of soft pipes and switches, by word index, without fields or objects.
 *
 * The numbers are literals on purpose (1024 slots of 4 words, buffers of 528 words): with constants
 * read from another module the loops are a third slower.
 */

/** Swaps the buffers of `count` slots of a transmit ring with those of a receive ring, and copies lengths. */
export function swapSlots(
  words: Int32Array,
  fromSlots: number,
  from: number,
  toSlots: number,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    const a = fromSlots + (((from + i) & 1023) << 2);
    const b = toSlots + (((to + i) & 1023) << 2);
    const buffer = words[a];
    words[a] = words[b];
    words[b] = buffer;
    words[b + 1] = words[a + 1];
  }
}

/**
 * Copies packets from a transmit ring to a lane while they carry the same addresses (the first three
 * words: destination and source), go on in no other slot and are 14 bytes long; returns how many.
 */
export function copyRun(
  words: Int32Array,
  fromSlots: number,
  fromBuffers: number,
  from: number,
  toSlots: number,
  toBuffers: number,
  to: number,
  count: number,
): number {
  const first = fromBuffers + Math.imul(words[fromSlots + (from << 2)], 528);
  const key0 = words[first], key1 = words[first + 1], key2 = words[first + 2];
  for (let i = 0; i < count; i++) {
    const a = fromSlots + (((from + i) & 1023) << 2);
    const slot = (to + i) & 1023;
    const s = fromBuffers + Math.imul(words[a], 528);
    const t = toBuffers + Math.imul(slot, 528);
    const lengthAndFlags = words[a + 1];
    if (
      ((words[s] ^ key0) | (words[s + 1] ^ key1) | (words[s + 2] ^ key2) |
        (lengthAndFlags & 0x200000) | (((lengthAndFlags & 0xffff) - 14) & 0x80000000)) !== 0
    ) return i;
    words[toSlots + (slot << 2) + 1] = lengthAndFlags;
    copyBlock(words, s, t);
    if ((lengthAndFlags & 0xffff) > 64) copyRest(words, s, t, lengthAndFlags & 0xffff);
  }
  return count;
}

/** Copies one packet. */
export function copyPacket(words: Int32Array, from: number, to: number, length: number): void {
  copyBlock(words, from, to);
  if (length > 64) copyRest(words, from, to, length);
}

/** 64 bytes: a cache line, and most market data. */
function copyBlock(words: Int32Array, s: number, t: number): void {
  words[t] = words[s];
  words[t + 1] = words[s + 1];
  words[t + 2] = words[s + 2];
  words[t + 3] = words[s + 3];
  words[t + 4] = words[s + 4];
  words[t + 5] = words[s + 5];
  words[t + 6] = words[s + 6];
  words[t + 7] = words[s + 7];
  words[t + 8] = words[s + 8];
  words[t + 9] = words[s + 9];
  words[t + 10] = words[s + 10];
  words[t + 11] = words[s + 11];
  words[t + 12] = words[s + 12];
  words[t + 13] = words[s + 13];
  words[t + 14] = words[s + 14];
  words[t + 15] = words[s + 15];
}

/** What lies beyond the first 64 bytes; a memmove wins from a few hundred on. */
function copyRest(words: Int32Array, s: number, t: number, length: number): void {
  const end = ((length < 2112 ? length : 2112) + 3) >> 2;
  if (end > 64) {
    words.copyWithin(t + 16, s + 16, s + end);
  } else {
    for (let i = 16; i < end; i++) words[t + i] = words[s + i];
  }
}
