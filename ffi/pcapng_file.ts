/**
 * Purpose: pcapng files (draft-ietf-opsawg-pcapng): blocks of many kinds, in sections.
 *
 * ```text
 *  any block    │ type │ bytes │ ...                                              │ bytes │
 *  section      │ 0a0d0d0a │ bytes │ byte order │ version │ section bytes │ options │ bytes │
 *  interface    │ 1 │ bytes │ link type, 0 │ snap length │ options               │ bytes │
 *  packet (2)   │ 2 │ bytes │ interface, drops │ time │ captured │ original │ packet │ options │ bytes │
 *  simple (3)   │ 3 │ bytes │ original │ packet                                  │ bytes │
 *  enhanced (6) │ 6 │ bytes │ interface │ time │ captured │ original │ packet │ options │ bytes │
 * ```
 * Each section has a byte order and interfaces of its own. A block begins at a word, and so does its
 * packet. Blocks of other types are passed over. A simple packet has no time: it is given that of the
 * packet before it.
 */
import {
  type CaptureFile,
  damageAt,
  MAX_PACKET_BYTES,
  MAX_RECORD_BYTES,
  MAX_SLOT_BYTES,
  settle,
} from "./capture_record.ts";
import type { FileWindow } from "./file_window.ts";
import type { Ring } from "./layout.ts";
import { GROWTH, LINK, refusedLink } from "./link_types.ts";
import { swap, withoutFcs } from "./pcap_file.ts";
import { PcapngInterface } from "./pcapng_interface.ts";

const SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 2, SIMPLE = 3, ENHANCED = 6;
const BYTE_ORDER = 0x1a2b3c4d;
/** Bytes of a block without its variable parts. */
const LEAST = { any: 12, section: 28, interface: 20, simple: 16, packet: 32 };
/** The largest block that is passed over: what other readers allow, too. */
const MAX_BLOCK_BYTES = 16 * 1024 * 1024;
const MAX_INTERFACES = 65536;

/** A pcapng file. */
export class PcapngFile implements CaptureFile {
  failure: string | undefined;
  readonly #window: FileWindow;
  readonly #ring: Ring;
  readonly #bigFirst: boolean;
  #swapped = false;
  #interfaces: PcapngInterface[] = [];
  /** Of a block larger than the window: bytes to pass over before its second length, and that length. */
  #skip = 0;
  #skipped = 0;
  /** Time of the last packet. */
  #second = 0;
  #nanosecond = 0;

  private constructor(window: FileWindow, ring: Ring, big: boolean) {
    this.#window = window;
    this.#ring = ring;
    this.#bigFirst = big;
  }

  /** Looks at the first section's byte order; `undefined` where the magic is another format's. */
  static open(window: FileWindow, ring: Ring, magic: number): PcapngFile | string | undefined {
    if (magic !== SECTION) return undefined;
    if (!window.need(LEAST.any)) {
      return damageAt(
        window,
        `the file ends within its first block, of which ${window.ready} bytes are there`,
      );
    }
    const order = window.words[(window.position >> 2) + 2];
    if (order !== BYTE_ORDER && swap(order) !== BYTE_ORDER) {
      return damageAt(window, badOrder(order));
    }
    return new PcapngFile(window, ring, order !== BYTE_ORDER);
  }

  get mode(): string {
    return `pcapng, ${this.#bigFirst ? "big" : "little"}-endian`;
  }

  take(first: number, count: number): number {
    if (this.failure !== undefined || this.#skip + this.#skipped > 0 && !this.#pass()) return 0;
    const window = this.#window, { words, end } = window, ring = this.#ring;
    const { slotsAt, buffersAt } = ring, mask = ring.slotCount - 1;
    let swapped = this.#swapped, second = this.#second, nanosecond = this.#nanosecond;
    let at = window.position, taken = 0;
    let number = -1, source: PcapngInterface | undefined;
    let kind = 0, fcsBytes = 0, scale = 0, span = 0, baseHigh = 0, baseLow = 0;
    let plain = false;
    while (taken < count && end - at >= LEAST.any) {
      const k = at >> 2;
      let type = words[k], bytes = words[k + 1];
      if (swapped) {
        type = swap(type);
        bytes = swap(bytes);
      }
      if (type !== ENHANCED && type !== PACKET && type !== SIMPLE) {
        window.position = at;
        const passed = this.#other(type);
        at = window.position;
        if (!passed) break;
        swapped = this.#swapped;
        number = -1;
        continue;
      }
      const simple = type === SIMPLE;
      if (
        bytes >>> 0 > MAX_RECORD_BYTES || (bytes & 3) !== 0 ||
        bytes < (simple ? LEAST.simple : LEAST.packet)
      ) {
        this.#fail(at, badLength(bytes));
        break;
      }
      if (end - at < bytes) break;
      if (words[k + (bytes >> 2) - 1] !== words[k + 1]) {
        this.#fail(at, this.#badTrailer(bytes, words[k + (bytes >> 2) - 1]));
        break;
      }
      let id = simple ? 0 : words[k + 2];
      if (swapped) id = swap(id);
      // An obsolete packet block has its drop count in the other half of the word.
      if (type === PACKET) id = swapped ? id >>> 16 : id & 0xffff;
      if (id !== number) {
        if (id >>> 0 >= this.#interfaces.length) {
          this.#fail(at, `a packet of interface ${id >>> 0}, which was not described`);
          break;
        }
        source = this.#interfaces[id];
        if (source.kind === undefined) {
          window.position = at;
          this.failure = refusedLink(source.linkType);
          break;
        }
        number = id;
        kind = source.kind;
        fcsBytes = source.fcsBytes;
        ({ scale, span, baseHigh, baseLow } = source);
        plain = kind === LINK.ethernet && fcsBytes === 0;
      }
      let captured = 0, original = 0, data = at + 12;
      if (simple) {
        original = swapped ? swap(words[k + 2]) : words[k + 2];
        captured = source!.capturedOf(original >>> 0);
        if (captured > bytes - LEAST.simple) {
          this.#fail(at, `a simple packet of ${captured} bytes in a block of ${bytes}`);
          break;
        }
      } else {
        let high = words[k + 3], low = words[k + 4];
        captured = words[k + 5];
        original = words[k + 6];
        if (swapped) {
          high = swap(high);
          low = swap(low);
          captured = swap(captured);
          original = swap(original);
        }
        if (captured >>> 0 > bytes - LEAST.packet) {
          this.#fail(at, `a packet of ${captured >>> 0} bytes in a block of ${bytes}`);
          break;
        }
        data = at + 28;
        const since = ((high >>> 0) - baseHigh) * 4294967296 + ((low >>> 0) - baseLow);
        if (since >= 0 && since < span) {
          second = source!.second;
          nanosecond = Math.imul(since | 0, scale);
        } else {
          source!.time(high >>> 0, low >>> 0);
          ({ second, nanosecond, span, baseHigh, baseLow } = source!);
        }
      }
      if (captured > MAX_PACKET_BYTES) {
        this.#fail(at, `a packet of ${captured} bytes, where ${MAX_PACKET_BYTES} are the most`);
        break;
      }
      let length = captured;
      if (!plain || length > MAX_SLOT_BYTES) {
        if (fcsBytes !== 0) length = withoutFcs(captured, original, fcsBytes);
        length = settle(window, data, length, kind);
      }
      const slot = slotsAt + ((first + taken & mask) << 2);
      words[slot] = (data - GROWTH[kind] >> 2) - buffersAt;
      words[slot + 1] = length;
      words[slot + 2] = second;
      words[slot + 3] = nanosecond;
      taken++;
      at += bytes;
    }
    window.position = at;
    this.#second = second;
    this.#nanosecond = nanosecond;
    return taken;
  }

  cutOff(): string | undefined {
    const { ready } = this.#window, there = ready + this.#skippedBytes();
    if (there === 0) return undefined;
    return this.#damage(`the file ends within a block, of which ${there} bytes are there`);
  }

  /** A block that is no packet, at the window's position; `false` where it is not all there, or damaged. */
  #other(type: number): boolean {
    const window = this.#window, k = window.position >> 2, { words } = window;
    if (type === SECTION) {
      const order = words[k + 2];
      if (order !== BYTE_ORDER && swap(order) !== BYTE_ORDER) return this.#bad(badOrder(order));
      this.#swapped = order !== BYTE_ORDER;
    }
    const bytes = this.#word(1) >>> 0;
    const least = type === SECTION
      ? LEAST.section
      : type === INTERFACE
      ? LEAST.interface
      : LEAST.any;
    const known = type === SECTION || type === INTERFACE;
    if (
      (bytes & 3) !== 0 || bytes < least || bytes > (known ? MAX_RECORD_BYTES : MAX_BLOCK_BYTES)
    ) {
      return this.#bad(badLength(bytes));
    }
    if (bytes > MAX_RECORD_BYTES) {
      this.#skip = bytes - 4;
      this.#skipped = bytes;
      return this.#pass();
    }
    if (window.ready < bytes) return false;
    const last = this.#word((bytes >> 2) - 1) >>> 0;
    if (last !== bytes) return this.#bad(this.#badTrailer(bytes, words[k + (bytes >> 2) - 1]));
    if (type === SECTION && !this.#section()) return false;
    if (type === INTERFACE && !this.#describe(bytes)) return false;
    window.position += bytes;
    return true;
  }

  #section(): boolean {
    const version = this.#word(3);
    // The order of the halves is that of the file.
    const major = this.#swapped ? version >>> 16 : version & 0xffff;
    if (major !== 1) return this.#bad(`a section of version ${major}, where only 1 is known`);
    this.#interfaces = [];
    return true;
  }

  #describe(bytes: number): boolean {
    if (this.#interfaces.length === MAX_INTERFACES) {
      return this.#bad(`more than ${MAX_INTERFACES} interfaces in a section`);
    }
    const { position, bytes: region } = this.#window;
    const block = new DataView(region.buffer, position, bytes - 4);
    const described = PcapngInterface.read(block, !this.#swapped);
    if (typeof described === "string") return this.#bad(described);
    this.#interfaces.push(described);
    return true;
  }

  /** Passes over a block that is larger than the window; `false` where more of it must be read. */
  #pass(): boolean {
    const window = this.#window, step = Math.min(this.#skip, window.ready);
    window.position += step;
    this.#skip -= step;
    if (this.#skip > 0 || window.ready < 4) return false;
    const bytes = this.#skipped, last = this.#word(0);
    if (last >>> 0 !== bytes) {
      return this.#bad(this.#badTrailer(bytes, window.words[window.position >> 2]));
    }
    this.#skipped = 0;
    window.position += 4;
    return true;
  }

  /** Of the block that is being passed over, what lies before the window's position. */
  #skippedBytes(): number {
    return this.#skipped === 0 ? 0 : this.#skipped - 4 - this.#skip;
  }

  /** Word `index` behind the window's position, in the section's byte order. */
  #word(index: number): number {
    const word = this.#window.words[(this.#window.position >> 2) + index];
    return this.#swapped ? swap(word) : word;
  }

  #badTrailer(bytes: number, word: number): string {
    const last = (this.#swapped ? swap(word) : word) >>> 0;
    return `a block of ${bytes} bytes says ${last} at its end`;
  }

  #fail(at: number, reason: string): void {
    this.#window.position = at;
    this.failure = this.#damage(reason);
  }

  #bad(reason: string): false {
    this.failure = this.#damage(reason);
    return false;
  }

  /** Where the block began, even if part of it is out of the window already. */
  #damage(reason: string): string {
    return damageAt(this.#window, reason, this.#skippedBytes());
  }
}

function badOrder(word: number): string {
  const text = (swap(word) >>> 0).toString(16).padStart(8, "0");
  return `a section with byte-order magic ${text}, neither 1a2b3c4d nor 4d3c2b1a`;
}

function badLength(bytes: number): string {
  return `a block of ${bytes >>> 0} bytes`;
}
