/**
 * Purpose: classic pcap files (draft-ietf-opsawg-pcap): a header, then records.
 *
 * ```text
 *  file    │ magic │ version │ 0 │ 0 │ snap length │ FCS, link type │        24 bytes
 *  record  │ seconds │ µs or ns │ captured │ original │ packet ... │        16 bytes, no padding
 * ```
 * All of it in the byte order of who wrote it. A record may begin at any byte.
 */
import {
  BEHIND_SHIFT,
  type CaptureFile,
  damageAt,
  KIND_SHIFT,
  lengthChange,
  MAX_PACKET_BYTES,
  settle,
  swap,
  withoutFcs,
} from "./capture_record.ts";
import type { FileWindow } from "./file_window.ts";
import { type Ring, SLOT_WORDS } from "./layout.ts";
import { linkKind, linkName, refusedLink } from "./link_types.ts";

const FILE_BYTES = 24, RECORD_BYTES = 16;
const MICRO = 0xa1b2c3d4, NANO = 0xa1b23c4d; // as read big-endian
const VERSION = 2, MINOR = 4;
/** Bits of the link type's word: FCS length in 16-bit units, whether it is there, the type itself. */
const FCS_SHIFT = 28, HAS_FCS = 0x04000000, TYPE_MASK = 0xffff;

/** A classic pcap file. */
export class PcapFile implements CaptureFile {
  readonly mode: string;
  failure: string | undefined;
  readonly #window: FileWindow;
  readonly #ring: Ring;
  readonly #swapped: boolean;
  readonly #perSecond: number;
  readonly #kind: number;
  readonly #fcsBytes: number;
  /** Whether a packet of the last `#parse` must be settled. */
  #odd = false;

  private constructor(
    window: FileWindow,
    ring: Ring,
    { big, nano, type, fcsBytes }: { big: boolean; nano: boolean; type: number; fcsBytes: number },
  ) {
    this.#window = window;
    this.#ring = ring;
    this.#swapped = big;
    this.#perSecond = nano ? 1e9 : 1e6;
    this.#kind = linkKind(type)!;
    this.#fcsBytes = fcsBytes;
    this.mode = `pcap, ${big ? "big-endian, " : ""}${nano ? "nano" : "micro"}seconds, ${
      linkName(type)
    }`;
  }

  /** Reads the file's header; `undefined` where the magic is another format's. */
  static open(window: FileWindow, ring: Ring, magic: number): PcapFile | string | undefined {
    const turned = swap(magic) >>> 0;
    const big = magic === MICRO || magic === NANO;
    if (!big && turned !== MICRO && turned !== NANO) return undefined;
    if (!window.need(FILE_BYTES)) {
      return damageAt(
        window,
        `the file ends within its header, of which ${window.ready} bytes are there`,
      );
    }
    const header = new DataView(window.bytes.buffer, window.position, FILE_BYTES);
    const major = header.getUint16(4, !big), minor = header.getUint16(6, !big);
    if (major !== VERSION || minor !== MINOR) {
      return `its version is ${major}.${minor}, not 2.4: have it converted, as in "editcap FILE OTHER"`;
    }
    const link = header.getUint32(20, !big), type = link & TYPE_MASK;
    if (linkKind(type) === undefined) return refusedLink(type);
    window.position += FILE_BYTES;
    const fcsBytes = (link & HAS_FCS) !== 0 ? (link >>> FCS_SHIFT) * 2 : 0;
    return new PcapFile(window, ring, {
      big,
      nano: (big ? magic : turned) === NANO,
      type,
      fcsBytes,
    });
  }

  take(first: number, count: number): number {
    if (this.failure !== undefined) return 0;
    const window = this.#window, parsed = this.#parse(first, count);
    if (!this.#odd) return parsed;
    const { slotsAt, buffersAt, slotCount } = this.#ring;
    const taken = settle(window, this.#ring, first, parsed);
    if (taken < parsed) {
      // The rest is parsed again, once what has been taken is released.
      const slot = slotsAt + (first + taken) % slotCount * SLOT_WORDS;
      const data = (window.words[slot] + buffersAt) * 4 + (window.words[slot + 1] >>> BEHIND_SHIFT);
      window.position = data - RECORD_BYTES;
      this.failure = undefined;
    }
    return taken;
  }

  /** Slots of packets as they lie in the window; those that must be settled are marked, see `settle`. */
  #parse(first: number, count: number): number {
    const window = this.#window, { words, end } = window, { slotsAt, buffersAt } = this.#ring;
    const mask = this.#ring.slotCount - 1, swapped = this.#swapped, fcsBytes = this.#fcsBytes;
    const originals = this.#ring.originals!, change = lengthChange(this.#kind, fcsBytes);
    const perSecond = this.#perSecond | 0,
      scale = 1e9 / perSecond | 0,
      mark = this.#kind << KIND_SHIFT;
    let at = window.position, taken = 0, odd = mark, large = -1;
    for (; taken < count; taken++) {
      const room = end - at - RECORD_BYTES;
      if (room < 0) break;
      const k = at >> 2, behind = at & 3;
      let second = words[k], fraction = words[k + 1], captured = words[k + 2];
      let original = words[k + 3];
      if (behind !== 0) {
        const right = behind << 3, left = 32 - right;
        second = second >>> right | fraction << left;
        fraction = fraction >>> right | captured << left;
        captured = captured >>> right | original << left;
        original = original >>> right | words[k + 4] << left;
      }
      if (swapped) {
        second = swap(second);
        fraction = swap(fraction);
        captured = swap(captured);
        original = swap(original);
      }
      if (captured >>> 0 > MAX_PACKET_BYTES) {
        large = captured >>> 0;
        break;
      }
      if (captured > room) break;
      if (fraction >>> 0 >= perSecond) {
        // Not so by the format, but seen: the seconds in it are carried over.
        second = second + (fraction >>> 0) / perSecond | 0;
        fraction = (fraction >>> 0) % perSecond | 0;
      }
      let length = captured;
      if (fcsBytes !== 0) length = withoutFcs(captured, original, fcsBytes);
      const index = first + taken & mask, slot = slotsAt + (index << 2);
      originals[index] = original + change;
      words[slot] = k + 4 - buffersAt;
      words[slot + 1] = length | mark | behind << BEHIND_SHIFT;
      words[slot + 2] = second;
      words[slot + 3] = Math.imul(fraction, scale);
      odd |= behind | length >>> 16;
      at += RECORD_BYTES + captured;
    }
    window.position = at;
    this.#odd = odd !== 0;
    if (large >= 0) {
      this.failure = damageAt(
        window,
        `a record of ${large} bytes, where ${MAX_PACKET_BYTES} are the most`,
      );
    }
    return taken;
  }

  cutOff(): string | undefined {
    const { ready } = this.#window;
    if (ready === 0) return undefined;
    return damageAt(
      this.#window,
      `the file ends within a record, of which ${ready} bytes are there`,
    );
  }
}
