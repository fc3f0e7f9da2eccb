/**
 * Purpose: the transmit side of a packet port: a ring whose buffers are the frames that the kernel sends
 * from. Slot `i` stands for frame `i`, always: its `buf_idx` is not looked at.
 *
 * ```text
 *  frames  │ free │ requested, being sent │ filled │ free ...
 *                  ▲ oldest                ▲ sent   ▲ head
 * ```
 */
import { MORE_FRAGMENTS, RING, type Ring, SLOT_WORDS } from "./layout.ts";
import { FRAME, HEAD, TX_STATUS } from "./packet_layout.ts";

const DATA_WORDS = 12; // from a frame to its packet
/** Longer than any frame: the kernel passes over it. */
const REFUSED = 0x7fffffff;

/** The frames of a port, and the ring that fills them. */
export class PacketFrames {
  readonly #words: Int32Array;
  readonly #ring: Ring;
  readonly #frameWords: number;
  /** The next slot to hand over. */
  #sent = 0;
  /** The first one that the kernel has not given back. */
  #oldest = 0;
  #continues = false;

  /** `ring`: the transmit ring, whose slot count is a power of two. */
  constructor(ring: Ring) {
    this.#words = ring.words;
    this.#ring = ring;
    this.#frameWords = this.#words[HEAD.frameBytes] / 4;
  }

  /** Asks for the slots before the head to be sent; returns whether any frame is still to be. */
  request(): boolean {
    const words = this.#words, { at, slotsAt, slotCount, bufferBytes } = this.#ring;
    const head = words[at + RING.head], mask = slotCount - 1;
    for (let slot = this.#sent; slot !== head; slot = (slot + 1) & mask) {
      const frame = this.#frameAt(slot), lengthAndFlags = words[slotsAt + slot * SLOT_WORDS + 1];
      const length = lengthAndFlags & 0xffff;
      const goesOn = (lengthAndFlags & MORE_FRAGMENTS << 16) !== 0;
      // A packet in several slots cannot be sent from here; nor can one that ends outside its frame.
      const whole = !goesOn && !this.#continues && length <= bufferBytes;
      this.#continues = goesOn;
      words[frame + FRAME.next] = 0;
      words[frame + FRAME.bytes] = whole ? length : REFUSED;
      words[frame + FRAME.status] = TX_STATUS.request;
    }
    this.#sent = head;
    return this.isWaiting();
  }

  /** Whether frames wait that the kernel has not taken: it takes them in order. */
  isWaiting(): boolean {
    if (this.#oldest === this.#sent) return false;
    const last = (this.#sent - 1) & (this.#ring.slotCount - 1);
    return this.#status(last) === TX_STATUS.request;
  }

  /** Shows the frames that the kernel has given back as free slots. */
  reclaim(): void {
    const mask = this.#ring.slotCount - 1;
    while (this.#oldest !== this.#sent && this.#status(this.#oldest) === 0) {
      this.#oldest = (this.#oldest + 1) & mask;
    }
    this.#words[this.#ring.at + RING.tail] = (this.#oldest - 1) & mask;
  }

  #status(slot: number): number {
    return this.#words[this.#frameAt(slot) + FRAME.status] & TX_STATUS.busy;
  }

  #frameAt(slot: number): number {
    return this.#ring.buffersAt - DATA_WORDS + slot * this.#frameWords;
  }
}
