/**
 * Purpose: the pump: sync the port, filter and decode a burst, publish its ticks.
 *
 * ```text
 *  port.rxSync ─▶ for each receive ring, a burst: hot loop ─▶ tick ring, published once
 *                 counters, service time                       full: ticks are dropped, counted
 * ```
 * What goes beyond the hot loop happens once a burst: claiming room, publishing, counting. Where the tick
 * ring has no room, a twin of the loop writes into a scratch ring, and what it accepts is counted as
 * dropped: the hot loop has no branch for it.
 */
import { TickRing } from "../engine/tick_ring.ts";
import { advance, RING, type Ring, slotsReady } from "../ffi/layout.ts";
import { type Port, ticksBetween } from "../ffi/port.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT, VERDICTS } from "../filter/verdict.ts";
import { CaptureState, COUNTER } from "./capture_state.ts";
import { type CompiledLoop, compileHotLoop, type HotLoop } from "./hot_loop.ts";
import { plainLoop, takeSplit } from "./plain_loop.ts";
import { TALLY_BYTES, TALLY_LENGTH, TALLY_PIECES } from "./tally.ts";
import { TICK_BYTES } from "./tick_decoder.ts";
import { warmPump, warmUp } from "./warm_up.ts";

const MAX_BURST = 65536;
const SCRATCH_CAPACITY = 256; // its records may overwrite each other: nobody reads them
const ODD_RUN = 4;

/** What a PacketCapture works on. */
export interface PacketCaptureOptions {
  /** Where packets come from; the caller closes it. */
  port: Port;
  /** Which packets are kept. */
  filter: PacketFilter;
  /** Where the ticks go; this side is its only producer. */
  ticks: TickRing;
  /** Packets of a ring handled per sync, 1 to 65536; 256 by default. */
  burst?: number;
  /** Where to count; of one's own by default. */
  state?: CaptureState;
}

/** Pumps packets from a port into a tick ring. */
export class PacketCapture {
  /** Where packets come from. */
  readonly port: Port;
  /** Which packets are kept. */
  readonly filter: PacketFilter;
  /** Where the ticks go. */
  readonly ticks: TickRing;
  /** Packets of a ring handled per sync, at most. */
  readonly burst: number;
  /** Where it counts. */
  readonly state: CaptureState;
  readonly #tally = new Int32Array(TALLY_LENGTH);
  readonly #scratch = TickRing.create(SCRATCH_CAPACITY);
  readonly #byRing = new Map<Ring, Loops>();
  readonly #byShape = new Map<string, Loops>();
  #ended: number;

  /**
   * Makes a pump; nothing is compiled or synced yet.
   *
   * @throws {RangeError} for a burst out of range, or a filter whose payload is too small for a tick.
   */
  constructor(options: PacketCaptureOptions) {
    const { burst = 256 } = options;
    if (!Number.isInteger(burst) || burst < 1 || burst > MAX_BURST) {
      throw new RangeError(
        `Cannot capture: burst is ${burst}: give a whole number from 1 to ${MAX_BURST}`,
      );
    }
    if (options.filter.payloadBytes < TICK_BYTES) {
      throw new RangeError(
        `Cannot capture: a payload of ${options.filter.payloadBytes} bytes holds no tick: ` +
          `let the filter want ${TICK_BYTES} at least`,
      );
    }
    this.port = options.port;
    this.filter = options.filter;
    this.ticks = options.ticks;
    this.burst = burst;
    this.state = options.state ?? new CaptureState();
    this.#ended = this.port.clock();
  }

  /**
   * One sync, and up to a burst of packets from each receive ring; returns the packets received.
   *
   * @throws {PortError} where the port fails.
   */
  pump(): number {
    const began = this.#ended, counters = this.state.counters;
    const synced = this.port.rxSync();
    const rings = this.port.rx;
    let ready = 0, received = 0;
    for (let i = 0; i < rings.length; i++) {
      const slots = slotsReady(rings[i]);
      ready += slots;
      if (slots !== 0) {
        received += this.#takeRing(rings[i], slots < this.burst ? slots : this.burst);
      }
    }
    counters[COUNTER.syncs]++;
    if (ready === 0) {
      counters[COUNTER.emptySyncs]++;
      this.#ended = synced;
      return 0;
    }
    counters[COUNTER.occupancySum] += ready;
    if (ready > counters[COUNTER.occupancyMax]) counters[COUNTER.occupancyMax] = ready;
    this.#ended = this.port.clock();
    if (received > 0) {
      counters[COUNTER.bursts]++;
      if (received > counters[COUNTER.burstMax]) counters[COUNTER.burstMax] = received;
      this.state.service.recordShare(ticksBetween(began, this.#ended), received);
    }
    return received;
  }

  /** To be called after a pause that is not service, such as waiting for packets. */
  resume(): void {
    this.#ended = this.port.clock();
  }

  /** Reads what the port itself lost; a system call, so once a second is enough. */
  readLost(): void {
    this.state.counters[COUNTER.lost] = this.port.lost() ?? -1;
  }

  /** The source of the loop for a ring. */
  code(ring: Ring): string {
    return this.#loopsFor(ring).deliver.source;
  }

  /**
   * Has V8 compile the loops before packets come, by running them over the port's scratch ring, filled
   * with synthetic packets. Counts nothing. See `warm_up.ts`.
   */
  warmUp(packets?: number): void {
    for (const ring of this.port.rx) {
      const { deliver, discard } = this.#loopsFor(ring);
      for (const loop of [deliver, discard]) {
        warmUp({ filter: this.filter, ring, scratch: this.port.scratch, run: loop.run, packets });
      }
    }
    const { filter } = this;
    warmPump(filter, (port, ticks) => new PacketCapture({ port, filter, ticks }));
  }

  /** Takes up to `count` ready slots of a ring; returns the packets received in them. */
  #takeRing(ring: Ring, count: number): number {
    const { deliver, discard } = this.#loopsFor(ring);
    const tally = this.#tally, room = this.ticks.claim(count);
    let used = 0, delivered = 0;
    if (room > 0) {
      used = this.#run(ring, deliver.run, room, this.ticks);
      delivered = tally[VERDICT.accepted];
      if (delivered > 0) this.ticks.publish(delivered);
    }
    if (used >= room && used < count) {
      used += this.#run(ring, discard.run, count - used, this.#scratch);
    }
    return this.#count(used, delivered);
  }

  /** Runs the loop over `count` slots and releases what it used, which it returns; ticks go behind `out.tail`. */
  #run(ring: Ring, run: HotLoop, count: number, out: TickRing): number {
    const { words, slotsAt, buffersAt } = ring,
      tally = this.#tally,
      before = tally[VERDICT.accepted];
    const tail = out.tail, mask = out.mask;
    let used = 0;
    while (used < count) {
      const head = words[ring.at + RING.head], rest = count - used;
      const position = tail + tally[VERDICT.accepted] - before | 0;
      let done = run(slotsAt, buffersAt, head, rest, position, tally);
      if (done < rest) {
        // Something that is not plain: it and a few after it go the plain way.
        const odd = rest - done < ODD_RUN ? rest - done : ODD_RUN;
        const at = tail + tally[VERDICT.accepted] - before | 0;
        done += plainLoop(this.filter, ring, head + done, odd, out.words, at, mask, tally);
      }
      if (done === 0) {
        const at = tail + tally[VERDICT.accepted] - before | 0, ready = slotsReady(ring);
        done = takeSplit(this.filter, ring, head, ready, out.words, at, mask, tally);
        if (done === 0) break;
      }
      advance(ring, done);
      used += done;
    }
    return used;
  }

  /** Moves the tally into the counters; returns the packets received. */
  #count(used: number, delivered: number): number {
    const tally = this.#tally, counters = this.state.counters;
    const received = used - tally[TALLY_PIECES];
    counters[COUNTER.received] += received;
    counters[COUNTER.bytes] += tally[TALLY_BYTES];
    counters[COUNTER.delivered] += delivered;
    counters[COUNTER.dropped] += tally[VERDICT.accepted] - delivered;
    for (let verdict = 0; verdict < VERDICTS; verdict++) counters[verdict] += tally[verdict];
    tally.fill(0);
    return received;
  }

  /** The rings of a port lie in one region; those of one shape share their loops. */
  #loopsFor(ring: Ring): Loops {
    let loops = this.#byRing.get(ring);
    if (loops === undefined) {
      const key = `${ring.slotCount} ${ring.bufferBytes} ${ring.strideBytes} ${ring.hasOffsets}`;
      loops = this.#byShape.get(key) ?? {
        deliver: compileHotLoop(this.filter, ring, this.ticks),
        discard: compileHotLoop(this.filter, ring, this.#scratch),
      };
      this.#byShape.set(key, loops);
      this.#byRing.set(ring, loops);
    }
    return loops;
  }
}

/** Two of the same loop: into the tick ring, and into the scratch ring while that one is full. */
interface Loops {
  deliver: CompiledLoop;
  discard: CompiledLoop;
}
