/**
 * Instrument ids to dense indexes, so that what is kept per instrument lies in
 * typed arrays.
 *
 * An open-addressing table with linear probing, two words an entry, the key
 * beside its index:
 *
 * ```text
 * ┌──────────┬───────────┬──────────┬───────────┬──
 * │ id       │ index + 1 │ id       │ index + 1 │ …      index + 1 = 0: empty
 * └──────────┴───────────┴──────────┴───────────┴──
 * ```
 *
 * At most half full, so a look-up rarely leaves its cache line. Ids come from
 * the wire and may be crafted to collide; a look-up gives up after 64 entries.
 *
 * @module
 */

/** Most instruments that can be asked for. */
export const MAX_INSTRUMENTS = 1_048_576;

const PROBE_LIMIT = 64;
// 2^32 divided by the golden ratio, as int32 (Knuth, volume 3, section 6.4).
const HASH_MULTIPLIER = -1_640_531_527;

/** A growing-only map from u32 ids to the indexes 0, 1, 2, … in order of arrival. */
export class InstrumentIndex {
  /** Most instruments that get an index. */
  readonly limit: number;
  readonly #table: Int32Array;
  readonly #shift: number;
  readonly #ids: Int32Array;
  #size = 0;

  /**
   * Makes an empty map.
   *
   * @param limit most instruments, 1 to 1,048,576
   * @throws {RangeError} if the limit is out of range
   */
  constructor(limit: number) {
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= MAX_INSTRUMENTS)) {
      throw new RangeError(
        `Cannot create instrument index: limit is "${limit}": pass a whole number from 1 to ${MAX_INSTRUMENTS}`,
      );
    }
    const bits = Math.max(8, Math.ceil(Math.log2(limit * 2)));
    this.limit = limit;
    this.#table = new Int32Array(2 << bits);
    this.#shift = 32 - bits;
    this.#ids = new Int32Array(limit);
  }

  /** Instruments that have an index. */
  get size(): number {
    return this.#size;
  }

  /** The id that has `index`, as a u32. */
  idAt(index: number): number {
    return this.#ids[index] >>> 0;
  }

  /** The index of `id`, or -1 if it has none. */
  find(id: number): number {
    const entry = this.#seek(id | 0);
    return entry < 0 ? -1 : this.#table[entry + 1] - 1;
  }

  /** The index of `id`, given to it now if need be; -1 if the limit is reached. */
  findOrAdd(id: number): number {
    const table = this.#table;
    const entry = (Math.imul(id, HASH_MULTIPLIER) >>> this.#shift) << 1;
    // Most look-ups end here, and this much is small enough to be inlined.
    if (table[entry] === (id | 0) && table[entry + 1] > 0) return table[entry + 1] - 1;
    return this.#seekOrAdd(id | 0);
  }

  #seekOrAdd(key: number): number {
    const entry = this.#seek(key);
    if (entry < 0) return -1;
    const index = this.#table[entry + 1] - 1;
    if (index >= 0) return index;
    if (this.#size === this.limit) return -1;
    this.#table[entry] = key;
    this.#table[entry + 1] = this.#size + 1;
    this.#ids[this.#size] = key;
    return this.#size++;
  }

  /** The entry that holds `key`, else the empty one for it, else -1. */
  #seek(key: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    let entry = (Math.imul(key, HASH_MULTIPLIER) >>> this.#shift) << 1;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      if (table[entry + 1] === 0 || table[entry] === key) return entry;
      entry = entry + 2 & mask;
    }
    return -1;
  }
}
