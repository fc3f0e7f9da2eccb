/**
 * Purpose: a port of a soft switch, which forwards as VALE does: it learns which source address lives
 * behind which port, floods what it does not know, copies, and drops where a receiver has no room.
 *
 * ```text
 *            our tx ring                     receiver 1           receiver 2
 *  sender ──▶ [packets] ── txSync copies ──▶ lane from us         lane from us
 *                                            lane from port 2     lane from port 1
 *                                            ...                  ...
 * ```
 * A receiver has a ring (a lane) for each sender, so every index has one writer and no lock is needed:
 * whoever is killed, the others go on. Packets of one sender stay in order.
 */
import { RING, type Ring, ringAt } from "./layout.ts";
import {
  NativePort,
  openNative,
  packetsReady,
  type Port,
  type PortCounts,
  type PortInfo,
  RX,
  ticksBetween,
} from "./port.ts";
import { SoftAddresses } from "./soft_addresses.ts";
import { explainSoft, laneBlock, SOFT, switchTxBlock } from "./soft_layout.ts";
import { copyPacket, copyRun, runLength } from "./soft_moves.ts";

const MASK = SOFT.slots - 1, BUFFER_WORDS = SOFT.bufferBytes / 4;
const MORE = 0x200000; // NS_MOREFRAG in a slot's length-and-flags word
const LINK_TAIL = SOFT.link.tail / 4,
  LINK_HEAD = SOFT.link.head / 4,
  LINK_LOST = SOFT.link.lost / 8,
  LINK_LOST_BEFORE = SOFT.link.lostBefore / 8;
const LINK_TO_SLOTS = SOFT.link.bytes / 4 + RING.slots, SLOTS_TO_BUFFERS = SOFT.slots * 4;
const ETHERNET_BYTES = 14;
const REAP_TICKS = 2 ** 30; // of the clock: a fraction of a second

/** A port of a soft switch: `soft:lab:1`. */
export class SoftSwitch extends NativePort implements Port {
  readonly mode = "soft switch, shared memory";
  readonly rx: Ring[] = [];
  readonly tx: readonly Ring[];
  readonly scratch: Ring;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #quads: BigInt64Array;
  readonly #index: number;
  readonly #addresses: SoftAddresses;
  readonly #doorbell: number;
  #generation = -1;
  /** Receiving: by sender. */
  readonly #lanes: (Ring | undefined)[] = [];
  readonly #released = new Int32Array(SOFT.ports);
  #senders: number[] = [];
  /** Sending: by receiver. Tails are ours alone; heads are cached. */
  #receivers: number[] = [];
  readonly #isReceiver = new Uint8Array(SOFT.ports);
  readonly #epochs = new Int32Array(SOFT.ports).fill(-1);
  /** Word indices of the lanes' link blocks. */
  readonly #links = new Int32Array(SOFT.ports);
  readonly #tails = new Int32Array(SOFT.ports);
  readonly #heads = new Int32Array(SOFT.ports);
  readonly #touched = new Uint8Array(SOFT.ports);
  #sent = 0;
  #overflowed = false;
  #reapedAt = 0;

  private constructor(name: string, info: PortInfo) {
    super(name, info);
    this.#words = new Int32Array(info.region);
    this.#floats = new Float64Array(info.region);
    this.#quads = new BigInt64Array(info.region);
    this.#index = info.extra;
    this.#addresses = new SoftAddresses(this.#words);
    this.#doorbell = (SOFT.doorbells + this.#index * SOFT.doorbellBytes) / 4;
    for (let i = 0; i < SOFT.ports; i++) this.#links[i] = laneBlock(i, this.#index) / 4;
    this.tx = [ringAt(this.#words, switchTxBlock(this.#index) + SOFT.link.bytes)];
    this.scratch = this.tx[0];
    this.#refresh();
  }

  /** Joins the switch `network` as `port`, making the switch where nobody has. */
  static open(text: string, network: string, port: string): SoftSwitch {
    const file = `uspf.switch.${network}`;
    const spec = { kind: SOFT.kind, directions: RX, numbers: [SOFT.switch], texts: [file, port] };
    const info = openNative(text, spec, (code) => explainSoft(code, `/dev/shm/${file}`));
    return new SoftSwitch(text, info);
  }

  override rxSync(): number {
    const words = this.#words;
    if (words[SOFT.header.generation / 4] !== this.#generation) this.#refresh();
    const senders = this.#senders;
    for (let i = 0; i < senders.length; i++) {
      const at = this.rx[i].at, link = at - SOFT.link.bytes / 4, head = words[at + RING.head];
      if (head !== this.#released[senders[i]]) {
        this.#released[senders[i]] = head;
        Atomics.store(words, link + LINK_HEAD, head);
      }
      words[at + RING.tail] = Atomics.load(words, link + LINK_TAIL);
    }
    return this.library.uspf_clock();
  }

  override txSync(): number {
    const words = this.#words, ring = this.tx[0], head = words[ring.at + RING.head];
    if (words[SOFT.header.generation / 4] !== this.#generation) this.#refresh();
    this.#addresses.refresh();
    while (this.#sent !== head) {
      this.#sent = (this.#sent + this.#forward(ring, (head - this.#sent) & MASK)) & MASK;
    }
    words[ring.at + RING.tail] = (head - 1) & MASK;
    this.#publish();
    const now = this.library.uspf_clock();
    if (this.#overflowed) this.#lookForDead(now);
    return now;
  }

  override wait(directions: number, timeoutUs: number): void {
    if ((directions & RX) === 0) return; // a switch always has room: what does not fit is dropped
    if (packetsReady(this) > 0) return;
    const words = this.#words;
    Atomics.store(words, this.#doorbell, 1);
    // Looked at once more after the bell is hung: what was published before would not ring it.
    if (!this.#hasNews()) super.wait(directions, timeoutUs);
    Atomics.store(words, this.#doorbell, 0);
  }

  /** Lost are packets that found our lanes full since we joined: each sender counts its own. */
  override counts(): PortCounts {
    return { lost: this.#lost(), starved: null, rejectedEarly: 0 };
  }

  #lost(): number {
    const floats = this.#floats;
    let lost = 0;
    for (let sender = 0; sender < SOFT.ports; sender++) {
      const link = laneBlock(this.#index, sender) / 8;
      lost += floats[link + LINK_LOST] - floats[link + LINK_LOST_BEFORE];
    }
    return lost;
  }

  #hasNews(): boolean {
    const words = this.#words;
    if (words[SOFT.header.generation / 4] !== this.#generation) return true;
    return this.rx.some((ring) =>
      Atomics.load(words, ring.at - SOFT.link.bytes / 4 + LINK_TAIL) !== words[ring.at + RING.tail]
    );
  }

  /** Somebody joined or left: who is there now? */
  #refresh(): void {
    const words = this.#words;
    this.#generation = Atomics.load(words, SOFT.header.generation / 4);
    this.#receivers = [];
    this.#senders = [];
    this.rx.length = 0;
    for (let other = 0; other < SOFT.ports; other++) {
      if (other === this.#index) continue;
      const member = (SOFT.members + other * SOFT.memberBytes) / 4;
      const live = words[member] !== 0, epoch = words[member + 2];
      this.#isReceiver[other] = live ? 1 : 0;
      if (live) this.#addReceiver(other, epoch);
      this.#addSender(other, live);
    }
  }

  #addReceiver(receiver: number, epoch: number): void {
    this.#receivers.push(receiver);
    if (this.#epochs[receiver] === epoch) return;
    this.#epochs[receiver] = epoch;
    const link = this.#links[receiver];
    this.#tails[receiver] = Atomics.load(this.#words, link + LINK_TAIL);
    this.#heads[receiver] = Atomics.load(this.#words, link + LINK_HEAD);
  }

  /** A sender that has left stays listed while packets of its wait. */
  #addSender(sender: number, live: boolean): void {
    const words = this.#words, block = laneBlock(this.#index, sender);
    this.#lanes[sender] ??= ringAt(words, block + SOFT.link.bytes);
    const lane = this.#lanes[sender];
    if (!live && Atomics.load(words, block / 4 + LINK_TAIL) === words[lane.at + RING.head]) return;
    this.#senders.push(sender);
    this.#released[sender] = words[block / 4 + LINK_HEAD];
    this.rx.push(lane);
  }

  /** Forwards the next packet, and those after it with the same addresses; returns the slots used. */
  #forward(ring: Ring, slots: number): number {
    const words = this.#words, slot = ring.slotsAt + (this.#sent << 2);
    if ((words[slot + 1] & 0xffff) < ETHERNET_BYTES) {
      return slotsOfPacket(words, ring.slotsAt, this.#sent, slots); // not a packet, for VALE neither
    }
    const packet = ring.buffersAt + Math.imul(words[slot], BUFFER_WORDS);
    const w1 = words[packet + 1], w2 = words[packet + 2];
    this.#addresses.learn((w1 >>> 16) | (w2 << 16), w2 >>> 16, this.#index);
    const receiver = this.#addresses.find(words[packet], w1 & 0xffff);
    if (receiver === this.#index) return 1; // its addressee is behind us: nothing to forward
    const known = receiver >= 0 && this.#isReceiver[receiver] !== 0;
    if ((words[slot + 1] & MORE) !== 0) {
      const count = slotsOfPacket(words, ring.slotsAt, this.#sent, slots);
      if (known) this.#copySlots(ring, count, receiver);
      else for (const other of this.#receivers) this.#copySlots(ring, count, other);
      return count;
    }
    const count = runLength(words, ring.slotsAt, ring.buffersAt, this.#sent, slots);
    if (known) this.#copyRun(ring, count, receiver);
    else for (const other of this.#receivers) this.#copyRun(ring, count, other);
    return count;
  }

  /** As many of `count` packets, one slot each, as a receiver has room for. */
  #copyRun(ring: Ring, count: number, receiver: number): void {
    const room = this.#room(receiver, count), copied = room < count ? room : count;
    const slots = this.#links[receiver] + LINK_TO_SLOTS, tail = this.#tails[receiver];
    const { slotsAt, buffersAt } = ring;
    copyRun(
      this.#words,
      this.#quads,
      slotsAt,
      buffersAt,
      this.#sent,
      slots,
      slots + SLOTS_TO_BUFFERS,
      tail,
      copied,
    );
    this.#tails[receiver] = (tail + copied) & MASK;
    this.#touched[receiver] = 1;
    if (copied < count) this.#lose(receiver, count - copied);
  }

  /** One packet, in one slot or several, to one receiver: all of it or nothing. */
  #copySlots(ring: Ring, count: number, receiver: number): void {
    if (this.#room(receiver, count) < count) return this.#lose(receiver, 1);
    const words = this.#words, lane = this.#links[receiver] + LINK_TO_SLOTS;
    for (let i = 0; i < count; i++) {
      const from = ring.slotsAt + (((this.#sent + i) & MASK) << 2);
      const to = (this.#tails[receiver] + i) & MASK;
      words[lane + (to << 2) + 1] = words[from + 1];
      const packet = ring.buffersAt + Math.imul(words[from], BUFFER_WORDS);
      copyPacket(
        this.#quads,
        packet / 2,
        (lane + SLOTS_TO_BUFFERS + to * BUFFER_WORDS) / 2,
        words[from + 1] & 0xffff,
      );
    }
    this.#tails[receiver] = (this.#tails[receiver] + count) & MASK;
    this.#touched[receiver] = 1;
  }

  /** Free slots of a lane; its head is read again only where the cached one shows too few. */
  #room(receiver: number, wanted: number): number {
    const room = (this.#heads[receiver] - this.#tails[receiver] - 1) & MASK;
    if (room >= wanted) return room;
    this.#heads[receiver] = Atomics.load(this.#words, this.#links[receiver] + LINK_HEAD);
    return (this.#heads[receiver] - this.#tails[receiver] - 1) & MASK;
  }

  #lose(receiver: number, packets: number): void {
    this.#floats[this.#links[receiver] / 2 + LINK_LOST] += packets;
    this.#overflowed = true;
  }

  #publish(): void {
    const words = this.#words, touched = this.#touched;
    for (const receiver of this.#receivers) {
      if (touched[receiver] === 0) continue;
      touched[receiver] = 0;
      Atomics.store(words, this.#links[receiver] + LINK_TAIL, this.#tails[receiver]);
      const doorbell = (SOFT.doorbells + receiver * SOFT.doorbellBytes) / 4;
      if (Atomics.load(words, doorbell) !== 0) {
        this.library.uspf_control(this.handle, SOFT.wake, receiver);
      }
    }
  }

  /** A lane that overflows may be a dead port's: let the library look, a few times a second at most. */
  #lookForDead(now: number): void {
    this.#overflowed = false;
    if (ticksBetween(this.#reapedAt, now) < REAP_TICKS) return;
    this.#reapedAt = now;
    this.library.uspf_control(this.handle, SOFT.reap, 0);
  }
}

function slotsOfPacket(words: Int32Array, slotsAt: number, from: number, limit: number): number {
  let count = 1;
  while (count < limit && (words[slotsAt + (((from + count - 1) & MASK) << 2) + 1] & MORE) !== 0) {
    count++;
  }
  return count;
}
