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
  KIND_SHIFT,
  lengthChange,
  MAX_PACKET_BYTES,
  MAX_RECORD_BYTES,
  settle,
  swap,
  tooLargeAt,
  withoutFcs,
} from "./capture_record.ts";
import type { FileWindow } from "./file_window.ts";
import { type Ring, SLOT_WORDS } from "./layout.ts";
import { refusedLink } from "./link_types.ts";
import { PcapngInterface } from "./pcapng_interface.ts";

const SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 2, SIMPLE = 3, ENHANCED = 6;
const BYTE_ORDER = 0x1a2b3c4d;
/** Bytes of a block without its variable parts. */
const LEAST = { any: 12, section: 28, interface: 20, simple: 16, packet: 32 };
/** The largest block: what other readers allow, too. What is not looked at need not fit the window. */
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
  /** The interface of the last packet that had a time. */
  #current: PcapngInterface | undefined;
  #currentId = 0;
  /** Whether a packet of this `take` must be settled. */
  #odd = false;
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
    let taken = 0;
    this.#odd = false;
    if (this.#skipped > 0 && !this.#pass()) return 0;
    while (taken < count && this.failure === undefined) {
      taken += this.#run(first + taken, count - taken);
      if (taken === count) break;
      const more = this.#block(first + taken);
      if (more < 0) break;
      taken += more;
      if (this.#skipped > 0 && !this.#pass()) break;
    }
    if (this.#odd) settle(this.#window, this.#ring, first, taken);
    return taken;
  }

  /** Enhanced packets of one interface, within a second, that are whole and right; stops at anything else. */
  #run(first: number, count: number): number {
    const source = this.#current;
    if (source === undefined || source.span <= 0) return 0;
    const window = this.#window, { words, end } = window, { slotsAt, buffersAt } = this.#ring;
    const mask = this.#ring.slotCount - 1, swapped = this.#swapped, id = this.#currentId;
    const { scale, span, baseHigh, baseLow, second, fcsBytes } = source;
    const mark = source.kind! << KIND_SHIFT, change = lengthChange(source.kind!, fcsBytes);
    const originals = this.#ring.originals!;
    let at = window.position, taken = 0, odd = mark, nanosecond = this.#nanosecond;
    for (; taken < count && end - at >= LEAST.packet; taken++) {
      const k = at >> 2, coded = words[k + 1];
      let type = words[k], bytes = coded, number = words[k + 2], high = words[k + 3];
      let low = words[k + 4], captured = words[k + 5], original = words[k + 6];
      if (swapped) {
        type = swap(type);
        bytes = swap(bytes);
        number = swap(number);
        high = swap(high);
        low = swap(low);
        captured = swap(captured);
        original = swap(original);
      }
      if (type !== ENHANCED || number !== id || (bytes & 3) !== 0 || bytes > end - at) break;
      // A block of less than 32 bytes has no room for any packet.
      if (captured >>> 0 > MAX_PACKET_BYTES || captured > bytes - LEAST.packet) break;
      if (words[k + (bytes >> 2) - 1] !== coded) break;
      const since = ((high >>> 0) - baseHigh) * 4294967296 + ((low >>> 0) - baseLow);
      if (since < 0 || since >= span) break;
      nanosecond = Math.imul(since, scale);
      let length = captured;
      if (fcsBytes !== 0) length = withoutFcs(captured, original, fcsBytes);
      const index = first + taken & mask, slot = slotsAt + (index << 2);
      originals[index] = original + change;
      words[slot] = k + 7 - buffersAt;
      words[slot + 1] = length | mark;
      words[slot + 2] = second;
      words[slot + 3] = nanosecond;
      odd |= length >>> 16;
      at += bytes;
    }
    window.position = at;
    if (taken > 0) {
      this.#second = second;
      this.#nanosecond = nanosecond;
      this.#odd ||= odd !== 0;
    }
    return taken;
  }

  /** One block of any type: 1 where it put a packet into the slot, 0 where not, -1: not whole, or damaged. */
  #block(slot: number): number {
    const window = this.#window;
    if (window.ready < LEAST.any) return -1;
    const type = this.#word(0), bytes = this.#word(1) >>> 0;
    if (type === PACKET || type === SIMPLE || type === ENHANCED) {
      return this.#packet(type, bytes, slot);
    }
    return this.#other(type) ? 0 : -1;
  }

  #packet(type: number, bytes: number, slot: number): number {
    const window = this.#window, simple = type === SIMPLE;
    const least = simple ? LEAST.simple : LEAST.packet;
    const needed = bytes > MAX_RECORD_BYTES ? MAX_PACKET_BYTES + least : bytes;
    if (!this.#isReady(bytes, least, needed)) return -1;
    // An obsolete packet block has its drop count in the other half of the word.
    const id = simple
      ? 0
      : type === ENHANCED
      ? this.#word(2) >>> 0
      : this.#firstHalf(this.#word(2));
    const source = this.#interfaces[id];
    if (source === undefined) {
      return this.#bad(`a packet of interface ${id}, which was not described`);
    }
    if (source.kind === undefined) {
      this.failure = refusedLink(source.linkType);
      return -1;
    }
    const original = this.#word(simple ? 2 : 6) >>> 0;
    const captured = simple ? source.capturedOf(original) : this.#word(5) >>> 0;
    if (captured > bytes - least) {
      return this.#bad(`a packet of ${captured} bytes in a block of ${bytes}`);
    }
    if (captured > MAX_PACKET_BYTES) {
      return this.#bad(`a packet of ${captured} bytes, where ${MAX_PACKET_BYTES} are the most`);
    }
    if (!simple) this.#note(source, id);
    const data = (window.position >> 2) + (simple ? 3 : 7);
    const length = source.fcsBytes === 0
      ? captured
      : withoutFcs(captured, original, source.fcsBytes);
    this.#ring.originals![slot % this.#ring.slotCount] = original +
      lengthChange(source.kind, source.fcsBytes);
    this.#show(slot, data, length | source.kind << KIND_SHIFT);
    this.#leave(bytes);
    return 1;
  }

  /** Time of the packet at the window's position; packets of its interface and its second may follow. */
  #note(source: PcapngInterface, id: number): void {
    source.time(this.#word(3) >>> 0, this.#word(4) >>> 0);
    this.#second = source.second;
    this.#nanosecond = source.nanosecond;
    this.#current = source;
    this.#currentId = id;
  }

  #show(slot: number, data: number, marked: number): void {
    const { words } = this.#window, { slotsAt, buffersAt, slotCount } = this.#ring;
    const word = slotsAt + slot % slotCount * SLOT_WORDS;
    words[word] = data - buffersAt;
    words[word + 1] = marked;
    words[word + 2] = this.#second;
    words[word + 3] = this.#nanosecond;
    this.#odd ||= marked >>> 16 !== 0;
  }

  cutOff(): string | undefined {
    const { ready } = this.#window, there = ready + this.#skippedBytes();
    if (there === 0) return undefined;
    return this.#damage(`the file ends within a block, of which ${there} bytes are there`);
  }

  /** A block that is no packet, at the window's position; `false` where it is not all there, or damaged. */
  #other(type: number): boolean {
    const window = this.#window;
    if (type === SECTION) {
      const order = window.words[(window.position >> 2) + 2];
      if (order !== BYTE_ORDER && swap(order) !== BYTE_ORDER) return this.#bad(badOrder(order)) > 0;
      this.#swapped = order !== BYTE_ORDER;
    }
    const bytes = this.#word(1) >>> 0;
    const least = type === SECTION
      ? LEAST.section
      : type === INTERFACE
      ? LEAST.interface
      : LEAST.any;
    const needed = bytes > MAX_RECORD_BYTES && type !== INTERFACE ? least : bytes;
    const most = type === INTERFACE ? MAX_RECORD_BYTES : MAX_BLOCK_BYTES;
    if (!this.#isReady(bytes, least, needed, most)) return false;
    if (type === SECTION && !this.#section()) return false;
    if (type === INTERFACE && !this.#describe(bytes)) return false;
    this.#leave(bytes);
    return true;
  }

  /** Whether `needed` bytes of the block at the window's position are there, and right as far as they go. */
  #isReady(bytes: number, least: number, needed: number, most = MAX_BLOCK_BYTES): boolean {
    if ((bytes & 3) !== 0 || bytes < least) return this.#bad(`a block of ${bytes} bytes`) > 0;
    if (bytes > most) {
      this.failure = tooLargeAt(this.#window, bytes, most);
      return false;
    }
    if (this.#window.ready < needed) return false;
    if (needed < bytes) return true;
    const last = this.#word((bytes >> 2) - 1) >>> 0;
    return last === bytes || this.#bad(badTrailer(bytes, last)) > 0;
  }

  #section(): boolean {
    const major = this.#firstHalf(this.#word(3));
    if (major !== 1) return this.#bad(`a section of version ${major}, where only 1 is known`) > 0;
    this.#interfaces = [];
    this.#current = undefined;
    return true;
  }

  #describe(bytes: number): boolean {
    if (this.#interfaces.length === MAX_INTERFACES) {
      return this.#bad(`more than ${MAX_INTERFACES} interfaces in a section`) > 0;
    }
    const { position, bytes: region } = this.#window;
    const block = new DataView(region.buffer, position, bytes - 4);
    const described = PcapngInterface.read(block, !this.#swapped);
    if (typeof described === "string") return this.#bad(described) > 0;
    this.#interfaces.push(described);
    return true;
  }

  /** Goes on behind a block, or begins to pass over one that is larger than the window. */
  #leave(bytes: number): void {
    if (bytes <= MAX_RECORD_BYTES) {
      this.#window.position += bytes;
      return;
    }
    this.#skip = bytes - 4;
    this.#skipped = bytes;
  }

  /** Passes over a block that is larger than the window; `false` where more of it must be read. */
  #pass(): boolean {
    const window = this.#window, step = Math.min(this.#skip, window.ready);
    window.position += step;
    this.#skip -= step;
    if (this.#skip > 0 || window.ready < 4) return false;
    const last = this.#word(0) >>> 0;
    if (last !== this.#skipped) return this.#bad(badTrailer(this.#skipped, last)) > 0;
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

  /** The half of a word that comes first in the file. */
  #firstHalf(word: number): number {
    return this.#swapped ? word >>> 16 : word & 0xffff;
  }

  #bad(reason: string): -1 {
    this.failure = this.#damage(reason);
    return -1;
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

function badTrailer(bytes: number, last: number): string {
  return `a block of ${bytes} bytes says ${last} at its end`;
}
