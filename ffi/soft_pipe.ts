/**
 * Purpose: one end of a soft pipe. Buffers are swapped, not copied, as netmap's pipes do.
 *
 * ```text
 *  our tx ring                      peer's rx ring (both in the pipe's memory)
 *  ┌───┬───┬───┐  swap buf_idx      ┌───┬───┬───┐
 *  │ 7 │ 8 │ 9 │ ◀───────────────▶  │ 70│ 71│ 72│
 *  └───┴───┴───┘                    └───┴───┴───┘
 *                  publish tail ──▶ link block ◀── release head
 * ```
 * A full pipe keeps its packets in the transmit ring: nothing is lost. What waits in a pipe whose reader
 * is gone, even killed, is there for the next reader.
 */
import { RING, type Ring, ringAt, SLOT_WORDS } from "./layout.ts";
import {
  NativePort,
  openNative,
  packetsReady,
  type Port,
  type PortCounts,
  type PortInfo,
  RX,
} from "./port.ts";
import { explainSoft, pipeBlock, SOFT } from "./soft_layout.ts";
import { swapSlots } from "./soft_moves.ts";

const MASK = SOFT.slots - 1;

/** An end of a soft pipe: `soft:lab{1` or `soft:lab}1`. */
export class SoftPipe extends NativePort implements Port {
  readonly mode = "soft pipe, shared memory";
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[];
  readonly scratch: Ring;
  readonly #words: Int32Array;
  readonly #quads: BigInt64Array;
  /** The buffers in the slots of the ring that we fill. */
  readonly #peerBuffers = new Int32Array(SOFT.slots);
  /** Word indices: link of the ring that we read, link and first slot of the one that we fill. */
  readonly #rxLink: number;
  readonly #peerLink: number;
  readonly #peerSlots: number;
  readonly #doorbell: number;
  readonly #peerDoorbell: number;
  readonly #peer: number;
  #released: number;
  #sent = 0;
  #peerTail: number;
  #peerHead: number;

  private constructor(name: string, end: 0 | 1, info: PortInfo) {
    super(name, info);
    this.#words = new Int32Array(info.region);
    this.#quads = new BigInt64Array(info.region);
    this.#peer = 1 - end;
    const rxBlock = pipeBlock(this.#peer, true), peerBlock = pipeBlock(end, true);
    this.rx = [ringAt(this.#words, rxBlock + SOFT.link.bytes)];
    this.tx = [ringAt(this.#words, pipeBlock(end, false) + SOFT.link.bytes)];
    this.scratch = this.tx[0];
    this.#rxLink = rxBlock / 4;
    this.#peerLink = peerBlock / 4;
    this.#peerSlots = ringAt(this.#words, peerBlock + SOFT.link.bytes).slotsAt;
    for (let slot = 0; slot < SOFT.slots; slot++) {
      this.#peerBuffers[slot] = this.#words[this.#peerSlots + slot * SLOT_WORDS];
    }
    this.#doorbell = (SOFT.doorbells + end * SOFT.doorbellBytes) / 4;
    this.#peerDoorbell = (SOFT.doorbells + this.#peer * SOFT.doorbellBytes) / 4;
    this.#released = this.#words[this.#rxLink + SOFT.link.head / 4];
    this.#peerTail = this.#words[this.#peerLink + SOFT.link.tail / 4];
    this.#peerHead = this.#words[this.#peerLink + SOFT.link.head / 4];
  }

  /** Joins the pipe `pipe` of `network` at its end 0 (`{`) or 1 (`}`), making it where nobody has. */
  static open(text: string, network: string, pipe: string, end: 0 | 1): SoftPipe {
    const file = `uspf.pipe.${network}.${pipe}`;
    const spec = {
      kind: SOFT.kind,
      directions: RX,
      numbers: [SOFT.pipe, end],
      texts: [file, text],
    };
    const info = openNative(text, spec, (code) => explainSoft(code, `/dev/shm/${file}`));
    return new SoftPipe(text, end, info);
  }

  override rxSync(): number {
    const words = this.#words, ring = this.rx[0];
    const head = words[ring.at + RING.head];
    if (head !== this.#released) {
      this.#released = head;
      Atomics.store(words, this.#rxLink + SOFT.link.head / 4, head);
    }
    words[ring.at + RING.tail] = Atomics.load(words, this.#rxLink + SOFT.link.tail / 4);
    return this.library.uspf_clock();
  }

  override txSync(): number {
    const words = this.#words, ring = this.tx[0];
    const wanted = (words[ring.at + RING.head] - this.#sent) & MASK;
    let room = (this.#peerHead - this.#peerTail - 1) & MASK;
    if (room < wanted) {
      this.#peerHead = Atomics.load(words, this.#peerLink + SOFT.link.head / 4);
      room = (this.#peerHead - this.#peerTail - 1) & MASK;
    }
    const count = wanted < room ? wanted : room;
    if (count > 0) {
      swapSlots(
        words,
        this.#quads,
        this.#peerBuffers,
        ring.slotsAt,
        this.#sent,
        this.#peerSlots,
        this.#peerTail,
        count,
      );
      this.#sent = (this.#sent + count) & MASK;
      this.#peerTail = (this.#peerTail + count) & MASK;
      Atomics.store(words, this.#peerLink + SOFT.link.tail / 4, this.#peerTail);
      words[ring.at + RING.tail] = (this.#sent - 1) & MASK;
      if (Atomics.load(words, this.#peerDoorbell) !== 0) {
        this.library.uspf_control(this.handle, SOFT.wake, this.#peer);
      }
    }
    return this.library.uspf_clock();
  }

  /** Sleeps for packets. For room it only waits a while: a pipe's reader rings no bell. */
  override wait(directions: number, timeoutUs: number): void {
    if ((directions & RX) === 0) {
      this.library.uspf_sleep_ns(Math.min(timeoutUs, 20) * 1000);
      return;
    }
    if (packetsReady(this) > 0) return;
    const words = this.#words, ring = this.rx[0];
    Atomics.store(words, this.#doorbell, 1);
    // Looked at once more after the bell is hung: a packet published before would not ring it.
    const tail = Atomics.load(words, this.#rxLink + SOFT.link.tail / 4);
    if (tail === words[ring.at + RING.tail]) super.wait(directions, timeoutUs);
    Atomics.store(words, this.#doorbell, 0);
  }

  /** Nothing is lost: a full pipe keeps its packets with the sender. */
  override counts(): PortCounts {
    return { lost: 0, starved: null, rejectedEarly: 0 };
  }
}
