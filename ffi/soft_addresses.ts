/**
 * Purpose: a soft switch's address table, shared by its ports: which MAC was last seen from which port.
 *
 * ```text
 *  entry (64 bits, one atomic store)   63: in use   48–55: port   0–47: MAC as it reads from the wire
 * ```
 * The shared table is read and written only when an address is new to this port, has moved, or a port
 * has left; a private cache answers the rest. Its keys are the two words of a MAC.
 */
import { SOFT } from "./soft_layout.ts";

const PROBES = 8;
const CACHE = 256;
const UNKNOWN = -1;

/** One port's sight of its switch's address table. */
export class SoftAddresses {
  readonly #entries: BigUint64Array;
  readonly #words: Int32Array;
  readonly #versionAt = SOFT.header.addresses / 4;
  /** Private caches of {low word, high half, port}: where destinations are, and which sources we taught. */
  readonly #found = new Int32Array(CACHE * 3).fill(UNKNOWN);
  readonly #taught = new Int32Array(CACHE * 3).fill(UNKNOWN);
  #version = 0;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#entries = new BigUint64Array(
      words.buffer,
      words.byteOffset + SOFT.addresses,
      SOFT.addressCount,
    );
  }

  /** Forgets what is cached where the table has changed; once a sync. */
  refresh(): void {
    const version = Atomics.load(this.#words, this.#versionAt);
    if (version === this.#version) return;
    this.#version = version;
    this.#found.fill(UNKNOWN);
    this.#taught.fill(UNKNOWN);
  }

  /** The port that a destination was last seen from; -1 where it is unknown, or a group. */
  find(low: number, high: number): number {
    if ((low & 1) !== 0) return UNKNOWN;
    const cache = this.#found, at = cacheSlot(low, high);
    if (cache[at] === low && cache[at + 1] === high) return cache[at + 2];
    const entry = this.#entries[this.#locate(low, high).at];
    const port = sameAddress(entry, low, high) ? Number(entry >> 48n & 0xffn) : UNKNOWN;
    cache[at] = low;
    cache[at + 1] = high;
    cache[at + 2] = port;
    return port;
  }

  /**
   * Notes that a source address was seen from `port`. Not a group's, and not 0, which packets of a loopback
   * interface have as both: learnt, it would keep a recording of one from ever leaving its port.
   */
  learn(low: number, high: number, port: number): void {
    if ((low & 1) !== 0 || (low | high) === 0) return;
    const cache = this.#taught, at = cacheSlot(low, high);
    if (cache[at] === low && cache[at + 1] === high) return;
    const place = this.#locate(low, high);
    const entry = 1n << 63n | BigInt(port) << 48n | addressBits(low, high);
    if (Atomics.load(this.#entries, place.at) !== entry) {
      Atomics.store(this.#entries, place.at, entry);
      Atomics.add(this.#words, this.#versionAt, 1);
      this.refresh();
    }
    cache[at] = low;
    cache[at + 1] = high;
    cache[at + 2] = port;
  }

  /** Where an address is in the table, or may be put: a free place, else the first, which it displaces. */
  #locate(low: number, high: number): { at: number } {
    const start = (Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) >>> 16) %
      SOFT.addressCount;
    let free = -1;
    for (let i = 0; i < PROBES; i++) {
      const at = (start + i) % SOFT.addressCount;
      const entry = Atomics.load(this.#entries, at);
      if (sameAddress(entry, low, high)) return { at };
      if (entry === 0n && free < 0) free = at;
    }
    return { at: free < 0 ? start : free };
  }
}

function cacheSlot(low: number, high: number): number {
  return ((Math.imul(low ^ high, 0x9e3779b1) >>> 24) & (CACHE - 1)) * 3;
}

function addressBits(low: number, high: number): bigint {
  return BigInt(low >>> 0) | BigInt(high & 0xffff) << 32n;
}

function sameAddress(entry: bigint, low: number, high: number): boolean {
  return entry !== 0n && (entry & 0xffff_ffff_ffffn) === addressBits(low, high);
}
