/**
 * Purpose: an interface that a pcapng file describes: its link type, and what its times count.
 *
 * A time is a 64-bit count of units, of 10^-v or 2^-v seconds. As long as the second stays the same, its
 * ns follow from the units since that second began, without 64-bit arithmetic:
 *
 * ```text
 *  units   │ base ──── since ────▶ time │        second = base's, ns = since × scale
 *          └──────── span: a second ──────────┘
 * ```
 * Only a change of second, or a unit that is no whole number of ns, is worked out exactly.
 */
import { linkKind } from "./link_types.ts";

/** Codes of options (draft-ietf-opsawg-pcapng, section 4.2). */
const END = 0, RESOLUTION = 9, FCS_BYTES = 13, TIME_OFFSET = 14;
const OPTIONS_AT = 16, DEFAULT_RESOLUTION = 6;
const MAX_SECOND = 0xffffffffn;

/** An interface of a section. */
export class PcapngInterface {
  /** How its packets become Ethernet packets; `undefined`: they cannot. */
  readonly kind: number | undefined;
  /** ns of a unit; 0 where that is no whole number. */
  scale = 0;
  /** The current second, as of `time`: its first unit, and how many units it has; -1 for none. */
  baseHigh = 0;
  baseLow = 0;
  span = -1;
  /** What `time` found. */
  second = 0;
  nanosecond = 0;
  fcsBytes = 0;
  #perSecond = 10n ** BigInt(DEFAULT_RESOLUTION);
  #offset = 0n;

  private constructor(readonly linkType: number, readonly snapBytes: number) {
    this.kind = linkKind(linkType);
  }

  /** Reads an interface description block, without its second length; a sentence where it is damaged. */
  static read(block: DataView, little: boolean): PcapngInterface | string {
    const described = new PcapngInterface(block.getUint16(8, little), block.getUint32(12, little));
    for (let at = OPTIONS_AT; at + 4 <= block.byteLength;) {
      const code = block.getUint16(at, little), bytes = block.getUint16(at + 2, little);
      if (code === END) break;
      if (at + 4 + bytes > block.byteLength) {
        return `an option of ${bytes} bytes in an interface of ${block.byteLength + 4}`;
      }
      const flaw = described.#option(
        code,
        new DataView(block.buffer, block.byteOffset + at + 4, bytes),
        little,
      );
      if (flaw !== undefined) return flaw;
      at += 4 + (bytes + 3 & ~3);
    }
    const ns = 1_000_000_000n;
    if (ns % described.#perSecond === 0n) described.scale = Number(ns / described.#perSecond);
    return described;
  }

  /** Bytes of a simple packet, which tells only those of the original. */
  capturedOf(original: number): number {
    return this.snapBytes !== 0 && this.snapBytes < original ? this.snapBytes : original;
  }

  /** Works a time out; what it found is in `second` and `nanosecond`, from 1970 to 2106 at most. */
  time(high: number, low: number): void {
    const per = this.#perSecond, units = BigInt(high) << 32n | BigInt(low);
    const whole = units / per, base = whole * per, second = whole + this.#offset;
    const known = second >= 0n && second <= MAX_SECOND;
    this.second = Number(known ? second : second < 0n ? 0n : MAX_SECOND) | 0;
    this.nanosecond = known ? Number((units - base) * 1_000_000_000n / per) : 0;
    this.baseHigh = Number(base >> 32n);
    this.baseLow = Number(base & 0xffffffffn);
    this.span = known && this.scale !== 0 ? Number(per) : -1;
  }

  #option(code: number, value: DataView, little: boolean): string | undefined {
    const wanted = code === RESOLUTION || code === FCS_BYTES
      ? 1
      : code === TIME_OFFSET
      ? 8
      : undefined;
    if (wanted === undefined) return undefined;
    if (value.byteLength !== wanted) {
      return `option ${code} of an interface has ${value.byteLength} bytes, not ${wanted}`;
    }
    if (code === TIME_OFFSET) this.#offset = value.getBigInt64(0, little);
    else if (code === FCS_BYTES) this.fcsBytes = bytesOfFcs(value.getUint8(0));
    else {
      const exponent = BigInt(value.getUint8(0) & 0x7f);
      this.#perSecond = (value.getUint8(0) & 0x80) !== 0 ? 2n ** exponent : 10n ** exponent;
    }
  }
}

/** Bits by the draft's text, bytes by its example and by most writers: no FCS has 8 bytes or more. */
function bytesOfFcs(value: number): number {
  return value >= 8 ? value >> 3 : value;
}
