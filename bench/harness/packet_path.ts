/**
 * Purpose: a way of packets from a sending port into a receiver's pipeline, filled untimed and drained timed.
 *
 * ```text
 *  fill                                       drain
 *  packets ─▶ sending port ─▶ kernel's buffer │ sync, filter, decode ─▶ tick ring
 *             one thread      or a lane       │
 * ```
 * Both on one thread, one after the other: what `drain` takes is the receiver's own cost and nobody else's.
 */
import { COUNTER } from "../../capture/capture_state.ts";
import { PacketCapture } from "../../capture/packet_capture.ts";
import { INSTRUMENT_WORD, RECORD_SHIFT } from "../../engine/tick.ts";
import { RECORDS_WORD, TickRing } from "../../engine/tick_ring.ts";
import { nowNs, sleepNs } from "../../ffi/host.ts";
import { advance, bufferByte, RING, SLOT_WORDS, slotsReady } from "../../ffi/layout.ts";
import { type Port, RX } from "../../ffi/port.ts";
import type { PacketFilter } from "../../filter/packet_filter.ts";
import type { Way } from "./compare.ts";

const CAPACITY = 16384;
const BURST = 256, WARM_PACKETS = 256;
const PAYLOAD = 42; // Ethernet 14, IPv4 20, UDP 8
/** A kernel before 6.5 may leave what it has to do to another thread of its own, which needs a moment. */
const PAUSE_NS = 50_000;
/** A capture has spun for long when its packets come: what finds nothing is compiled. */
const WARM_SYNCS = 50_000;
const MOST_TRIES = 10_000;
const MOST_EMPTY = 200, WAIT_US = 1000;
/** A median does not mind a few runs that had to wait for packets: three, and one in ten. */
const LATE_ALLOWED = 3, LATE_SHARE = 10;

/** Ports of a path. */
export interface PacketPathOptions {
  sender: Port;
  receiver: Port;
  filter: PacketFilter;
  /** Packet to send, from the Ethernet header on; each gets an instrument number of its own. */
  packet: Uint8Array;
  /** After how long the kernel has shown all that was sent; 0: at once. */
  settleMs: number;
}

/** Packets that one port sends and another's pipeline receives. */
export class PacketPath {
  readonly #sender: Port;
  readonly #receiver: Port;
  readonly #packet: Uint8Array;
  readonly #settleMs: number;
  readonly #ticks = TickRing.create(CAPACITY);
  readonly #capture: PacketCapture;
  #before = new Float64Array();
  #runs = 0;
  #late = 0;

  /** Warms the pipeline up. */
  constructor({ sender, receiver, filter, packet, settleMs }: PacketPathOptions) {
    this.#sender = sender;
    this.#receiver = receiver;
    this.#packet = packet;
    this.#settleMs = settleMs;
    this.#capture = new PacketCapture({ port: receiver, filter, ticks: this.#ticks });
    this.#capture.warmUp();
    for (let i = 0; i < WARM_SYNCS; i++) this.#capture.pump();
    this.#capture.begin();
  }

  /** Slots of the smaller one of the two rings. */
  get slots(): number {
    return Math.min(this.#sender.tx[0].slotCount, this.#receiver.rx[0].slotCount);
  }

  /** A way of a comparison: receives `count` packets, at most CAPACITY. */
  way(name: string, count: number, atMost?: number): Way {
    return {
      name,
      prepare: () => this.#prepare(count),
      run: () => this.#drain(count),
      verify: () => this.#check(name, count),
      atMost,
    };
  }

  /** Returns, or resolves, when the receiver can have `count` packets. */
  #prepare(count: number): void | Promise<void> {
    if (this.#settleMs === 0) return this.#fill(count);
    // Only when the event loop turns are signals seen.
    return new Promise((done) => setTimeout(done)).then(() => this.#fill(count));
  }

  /** First a few that are taken at once: a capture that spins has its code in the cache. */
  #fill(count: number): void {
    const few = Math.min(count, WARM_PACKETS);
    this.#put(few);
    this.#drain(few);
    this.#ticks.release(this.#ticks.take(CAPACITY));
    this.#before = this.#capture.state.counters.slice();
    this.#put(count);
    this.#capture.resume();
  }

  #put(count: number): void {
    for (let sent = 0, tries = 0; sent < count && tries < MOST_TRIES; tries++) {
      sent += this.#send(sent, Math.min(count - sent, BURST));
      if (this.#settleMs > 0) sleepNs(PAUSE_NS);
    }
    for (const end = nowNs() + this.#settleMs * 1e6; nowNs() < end;);
  }

  #send(first: number, wanted: number): number {
    const ring = this.#sender.tx[0], free = slotsReady(ring), count = Math.min(wanted, free);
    for (let i = first; i < first + count; i++) {
      const slot = ring.slotsAt + ring.words[ring.at + RING.head] * SLOT_WORDS;
      const at = bufferByte(ring, slot);
      ring.bytes.set(this.#packet, at);
      ring.bytes[at + PAYLOAD] = i;
      ring.bytes[at + PAYLOAD + 1] = i >> 8;
      ring.words[slot + 1] = this.#packet.length;
      advance(ring, 1);
    }
    this.#sender.txSync();
    return count;
  }

  #drain(count: number): void {
    const capture = this.#capture;
    for (let received = 0, empty = 0; received < count && empty < MOST_EMPTY;) {
      const pumped = capture.pump();
      received += pumped;
      if (pumped > 0) continue;
      // Late: this run's time tells nothing any more.
      this.#receiver.wait(RX, WAIT_US);
      empty++;
    }
  }

  /** All were received, each became a tick, and they were there when the run began. */
  #check(name: string, count: number): void {
    const capture = this.#capture, { counters } = capture.state, before = this.#before;
    capture.housekeep();
    const since = (index: number) => counters[index] - before[index];
    const received = since(COUNTER.received), delivered = since(COUNTER.delivered);
    const ticks = this.#takeTicks(count), lost = since(COUNTER.lost);
    if ([received, delivered, ticks].some((number) => number !== count) || lost !== 0) {
      throw new Error(
        `Cannot compare "${name}": of ${count} packets ${received} were received, ${delivered} ` +
          `delivered, ${ticks} had their tick, ${lost} were lost: see that nobody else uses the port, ` +
          `and that "sysctl net.core.rmem_max" is 212992 at least`,
      );
    }
    this.#runs++;
    if (since(COUNTER.emptySyncs) > 0) this.#late++;
    if (this.#late > LATE_ALLOWED + this.#runs / LATE_SHARE) {
      throw new Error(
        `Cannot compare "${name}": in ${this.#late} of ${this.#runs} runs packets came late: ` +
          `let the machine rest`,
      );
    }
  }

  /** Releases the ticks; returns how many of `count` different instruments were among them. */
  #takeTicks(count: number): number {
    const ticks = this.#ticks, { words, head, mask } = ticks, seen = new Uint8Array(count);
    const waiting = ticks.take(CAPACITY);
    for (let i = 0; i < waiting; i++) {
      seen[words[RECORDS_WORD + ((head + i & mask) << RECORD_SHIFT) + INSTRUMENT_WORD]] = 1;
    }
    ticks.release(waiting);
    return seen.reduce((sum, one) => sum + one, 0);
  }
}
