/**
 * Purpose: a port in an ordinary buffer, without kernel or library: for warming the hot loop up before a
 * real port goes live, and for tests and benches.
 *
 * What is put into its receive ring by `put` is shown by the next rxSync; what is sent is kept in `sent`.
 */
import { advance, bufferByte, RING, type Ring, ringAt, slotsReady } from "./layout.ts";
import type { Port, PortCounts } from "./port.ts";

const RING_BYTES = 256;

/** The shape of a FakePort's rings. */
export interface FakeGeometry {
  /** Slots of each ring; a power of two. */
  slotCount: number;
  /** Bytes of each buffer; a multiple of 4. */
  bufferBytes: number;
}

/**
 * A port whose wire is this program.
 *
 * @example A packet that comes, and one that is sent
 * ```ts
 * import { BypassIO, FakePort } from "@uspf/uspf";
 *
 * const port = new FakePort({ slotCount: 16, bufferBytes: 2048 }), io = new BypassIO(port);
 * port.put(new Uint8Array(60));
 * console.assert(io.rx() === 1 && io.lengths[0] === 60);
 * io.tx(new Uint8Array(64));
 * io.flush();
 * console.assert(port.sent[0].length === 64);
 * ```
 */
export class FakePort implements Port {
  /** Always `fake`. */
  readonly name = "fake";
  readonly mode = "fake";
  readonly source = "fake";
  readonly ended: boolean = false;
  readonly patient: boolean = false;
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[];
  readonly scratch: Ring;
  /** Copies of the packets sent so far. */
  readonly sent: Uint8Array[] = [];
  #filled = 0;
  #sentTo = 0;
  #clock = 0;

  /** Lays both rings. */
  constructor({ slotCount, bufferBytes }: FakeGeometry) {
    const block = RING_BYTES + slotCount * (16 + bufferBytes);
    const words = new Int32Array(2 * block / 4);
    this.tx = [layRing(words, 0, slotCount, bufferBytes, slotCount - 1)];
    this.scratch = this.tx[0];
    this.rx = [layRing(words, block, slotCount, bufferBytes, 0)];
  }

  /** Puts a packet on the wire; `false` where the receive ring is full. */
  put(packet: Uint8Array, flags = 0): boolean {
    const ring = this.rx[0], next = (this.#filled + 1) % ring.slotCount;
    if (next === ring.words[ring.at + RING.head]) return false;
    const slot = ring.slotsAt + this.#filled * 4;
    ring.bytes.set(packet.subarray(0, ring.bufferBytes), bufferByte(ring, slot));
    ring.words[slot + 1] = packet.length | flags << 16;
    this.#filled = next;
    return true;
  }

  /** Shows the whole ring as it is, as if every slot but one had just been received. */
  refill(): void {
    const ring = this.rx[0], head = ring.words[ring.at + RING.head];
    this.#filled = head === 0 ? ring.slotCount - 1 : head - 1;
  }

  rxSync(): number {
    const ring = this.rx[0];
    ring.words[ring.at + RING.tail] = this.#filled;
    return ++this.#clock;
  }

  txSync(): number {
    const ring = this.tx[0], head = ring.words[ring.at + RING.head];
    for (; this.#sentTo !== head; this.#sentTo = (this.#sentTo + 1) % ring.slotCount) {
      const slot = ring.slotsAt + this.#sentTo * 4;
      const at = bufferByte(ring, slot);
      this.sent.push(ring.bytes.slice(at, at + (ring.words[slot + 1] & 0xffff)));
    }
    ring.words[ring.at + RING.tail] = head === 0 ? ring.slotCount - 1 : head - 1;
    return ++this.#clock;
  }

  /** Counts the syncs. */
  clock(): number {
    return this.#clock;
  }

  wait(): void {}

  /** All 0, unless a subclass says otherwise. */
  counts(): PortCounts {
    return { lost: 0, starved: 0, rejectedEarly: 0 };
  }

  lost(): number | null {
    return this.counts().lost;
  }

  starved(): number | null {
    return this.counts().starved;
  }

  rejectedEarly(): number | null {
    return this.counts().rejectedEarly;
  }

  close(): void {
    advance(this.rx[0], slotsReady(this.rx[0]));
  }
}

function layRing(
  words: Int32Array,
  offset: number,
  slotCount: number,
  bufferBytes: number,
  tail: number,
): Ring {
  const at = offset / 4;
  words[at + RING.bufOfs] = RING_BYTES + slotCount * 16;
  words[at + RING.numSlots] = slotCount;
  words[at + RING.bufSize] = bufferBytes;
  words[at + RING.tail] = tail;
  for (let i = 0; i < slotCount; i++) words[at + RING.slots + i * 4] = i;
  return ringAt(words, offset);
}
