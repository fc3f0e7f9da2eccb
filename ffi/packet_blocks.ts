/**
 * Purpose: the receive side of a packet port. The kernel writes packets one behind the other into
 * blocks, and hands over whole blocks; here they are shown through a ring, without a call or a copy.
 *
 * ```text
 *  blocks   │ kernel's │ ours, shown │ ours, shown in part │ ours │ kernel's ...
 *                        ▲ oldest      ▲ frame
 *  rx ring          [head ──────── tail)   slots: where in the blocks, how long, when
 * ```
 * A block is the kernel's again when the slots of all its packets have been released.
 */
import { RING, type Ring } from "./layout.ts";
import { BLOCK, FRAME, HEAD, PACKET, STATUS } from "./packet_layout.ts";

const VLAN = 0x8100; // IEEE 802.1Q, where the kernel does not say
const ADDRESS_BYTES = 12;
const OUTGOING = 4; // PACKET_OUTGOING
const WARM_FRAMES = 256, WARM_BYTES = 144, WARM_MAC = 84, WARM_ROUNDS = 1500;

/** The blocks of a port, and the ring that shows what is in them. */
export class PacketBlocks {
  readonly #words: Int32Array;
  readonly #ring: Ring;
  readonly #count: number;
  readonly #blockWords: number;
  readonly #seesOwn: boolean;
  /** Slots of each block that is ours which are not released yet. */
  readonly #unreleased: Int32Array;
  /** Blocks that are ours: shown, or being shown. */
  #held = 0;
  /** Index of the block after them. */
  #next = 0;
  /** Word index of the next frame to show, and how many are left in its block. */
  #frame = 0;
  #left = 0;
  #head = 0;

  /** `ring`: the receive ring, whose slot count is a power of two. */
  constructor(ring: Ring) {
    this.#words = ring.words;
    this.#ring = ring;
    this.#count = this.#words[HEAD.blockCount];
    this.#blockWords = this.#words[HEAD.blockBytes] / 4;
    this.#seesOwn = this.#words[HEAD.seesOwn] !== 0;
    this.#unreleased = new Int32Array(this.#count);
  }

  /**
   * Has V8 compile the loop, on frames of our own that are laid at byte `offset` of the region: what lay
   * there is lost, and what the slots hold, of which none is shown. Without it the first thousand packets
   * take 2 ms, with it 0.5.
   */
  warmUp(offset: number): void {
    const first = offset / 4, words = this.#words, frameWords = WARM_BYTES / 4;
    for (let i = 0; i < WARM_FRAMES; i++) {
      const frame = first + i * frameWords;
      words[frame + FRAME.next] = WARM_BYTES;
      words[frame + FRAME.mac] = WARM_MAC;
    }
    for (let round = 0; round < WARM_ROUNDS; round++) {
      this.#frame = first;
      this.#left = WARM_FRAMES;
      this.#showFrames(round * 7, 1 + round % WARM_FRAMES);
    }
    words.fill(0, first, first + WARM_FRAMES * frameWords);
    this.#left = 0;
  }

  /** Whether there is more to show than the ring shows. */
  get hasMore(): boolean {
    return this.#left > 0 || this.#nextIsOurs();
  }

  /** Gives the blocks back whose slots have all been released. */
  giveBack(): void {
    const { at, slotCount } = this.#ring, head = this.#words[at + RING.head];
    let released = (head - this.#head) & (slotCount - 1);
    this.#head = head;
    let oldest = this.#oldest();
    while (this.#held > 0) {
      const shown = this.#held > 1 || this.#left === 0;
      if (!shown || this.#unreleased[oldest] > released) {
        this.#unreleased[oldest] -= released;
        return;
      }
      released -= this.#unreleased[oldest];
      Atomics.store(this.#words, this.#blockAt(oldest) + BLOCK.status, 0);
      this.#held--;
      oldest = oldest + 1 < this.#count ? oldest + 1 : 0;
    }
  }

  /** Shows what has come, as far as the ring has room. */
  show(): void {
    const { at, slotCount } = this.#ring, mask = slotCount - 1;
    let tail = this.#words[at + RING.tail];
    let room = (this.#words[at + RING.head] - tail - 1) & mask;
    while (room > 0) {
      if (this.#left === 0 && !this.#begin()) break;
      const block = this.#next > 0 ? this.#next - 1 : this.#count - 1;
      const shown = this.#showFrames(tail, this.#left < room ? this.#left : room);
      this.#unreleased[block] += shown;
      tail = (tail + shown) & mask;
      room -= shown;
    }
    this.#words[at + RING.tail] = tail;
  }

  /** Begins the next block, where the kernel has handed it over. */
  #begin(): boolean {
    if (!this.#nextIsOurs()) return false;
    const block = this.#blockAt(this.#next);
    this.#unreleased[this.#next] = 0;
    this.#left = this.#words[block + BLOCK.frames];
    this.#frame = block + (this.#words[block + BLOCK.first] >>> 2);
    this.#held++;
    this.#next = this.#next + 1 < this.#count ? this.#next + 1 : 0;
    return true;
  }

  #nextIsOurs(): boolean {
    if (this.#held === this.#count) return false;
    const status = Atomics.load(this.#words, this.#blockAt(this.#next) + BLOCK.status);
    return (status & STATUS.ours) !== 0;
  }

  #oldest(): number {
    const oldest = this.#next - this.#held;
    return oldest < 0 ? oldest + this.#count : oldest;
  }

  #blockAt(block: number): number {
    return PACKET.mapping / 4 + block * this.#blockWords;
  }

  /** Shows up to `count` frames in the slots from `slot` on; returns the slots used: own packets have none. */
  #showFrames(slot: number, count: number): number {
    const mask = this.#ring.slotCount - 1, end = this.#left - count;
    let shown = 0;
    for (;;) {
      const plain = this.#showPlain(slot + shown & mask, this.#left - end);
      shown += plain;
      this.#left -= plain;
      if (this.#left === end) return shown;
      if (this.#isOwn()) {
        this.#frame += this.#words[this.#frame + FRAME.next] >> 2;
        this.#left--;
      } else {
        mend(this.#words, this.#frame);
      }
    }
  }

  /**
   * Shows frames up to the first that is not as it should be; returns how many. The numbers are those of
   * FRAME and STATUS, as literals: read from another module they make it 7.5 ns a frame instead of 5.6.
   */
  #showPlain(slot: number, count: number): number {
    const words = this.#words, { slotsAt, buffersAt, slotCount } = this.#ring;
    const mask = slotCount - 1, seesOwn = this.#seesOwn;
    let frame = this.#frame, i = 0;
    for (; i < count; i++) {
      const mac = words[frame + 6] & 0xffff;
      if ((words[frame + 5] & 0x10 | mac & 3) !== 0) break;
      if (seesOwn && typeOf(words, frame) === OUTGOING) break;
      const s = slotsAt + ((slot + i & mask) << 2) | 0;
      words[s] = frame + (mac >> 2) - buffersAt | 0;
      words[s + 1] = words[frame + 3]; // below 65536, for a block is no larger
      words[s + 2] = words[frame + 1];
      words[s + 3] = words[frame + 2];
      frame = frame + (words[frame] >> 2) | 0;
    }
    this.#frame = frame;
    return i;
  }

  #isOwn(): boolean {
    return this.#seesOwn && typeOf(this.#words, this.#frame) === OUTGOING;
  }
}

function typeOf(words: Int32Array, frame: number): number {
  return words[frame + FRAME.types] >>> 16 & 0xff;
}

/**
 * Moves a packet that is not at a whole word to one, and puts the VLAN tag back that the kernel took out;
 * the frame says so afterwards. There is room for both between a frame's header and its packet.
 */
function mend(words: Int32Array, frame: number): void {
  const mac = words[frame + FRAME.mac] & 0xffff;
  if ((mac & 3) !== 0) alignPacket(words, frame, mac);
  const tagged = (words[frame + FRAME.status] & STATUS.hasTag) !== 0;
  // A packet that the kernel's filter cut so short that it has no place for a tag stays without.
  const restored = tagged && words[frame + FRAME.capturedBytes] >= ADDRESS_BYTES;
  if (restored) restoreTag(words, frame, frame + (mac >> 2));
  words[frame + FRAME.mac] = (mac & ~3) - (restored ? 4 : 0);
  words[frame + FRAME.status] &= ~STATUS.hasTag;
}

function restoreTag(words: Int32Array, frame: number, packet: number): void {
  words[packet - 1] = words[packet];
  words[packet] = words[packet + 1];
  words[packet + 1] = words[packet + 2];
  words[packet + 2] = tagWord(words, frame);
  words[frame + FRAME.capturedBytes] += 4;
}

function alignPacket(words: Int32Array, frame: number, mac: number): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + frame * 4);
  const end = mac + words[frame + FRAME.capturedBytes];
  bytes.copyWithin(mac & ~3, mac, end);
}

/** The tag as it lies in a packet: its type, then priority and number, both from the high byte on. */
function tagWord(words: Int32Array, frame: number): number {
  const hasType = (words[frame + FRAME.status] & STATUS.hasTagType) !== 0;
  const type = hasType ? words[frame + FRAME.vlanType] & 0xffff : VLAN;
  const tag = words[frame + FRAME.vlanTag];
  return type >>> 8 | (type & 0xff) << 8 | (tag >>> 8 & 0xff) << 16 | (tag & 0xff) << 24;
}
