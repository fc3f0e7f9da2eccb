/**
 * Purpose: the pump: sync the port, filter and decode a burst, publish its ticks.
 *
 * ```text
 *  port.rxSync ─▶ for each receive ring, a burst: hot loop ─▶ tick ring, published once
 *                 counters, service time                       full: ticks are dropped, counted
 * ```
 * What goes beyond the hot loop happens once a burst: claiming room, publishing, counting. Where the tick
 * ring has no room, a twin of the loop writes into a scratch ring, and what it accepts is counted as
 * dropped: the hot loop has no branch for it. A patient port's packets stay in it instead: a file waits.
 * A filter that decodes nothing has no ticks: what it accepts is counted, and logged.
 */
import { TickRing } from "../engine/tick_ring.ts";
import { advance, RING, type Ring, slotsReady } from "../ffi/layout.ts";
import { type Port, type PortCounts, ticksBetween } from "../ffi/port.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT, VERDICTS } from "../filter/verdict.ts";
import { CaptureState, COUNTER } from "./capture_state.ts";
import { type CompiledLoop, compileHotLoop } from "./hot_loop.ts";
import type { PacketLog } from "./packet_log.ts";
import { plainLoop, slotWord, takeSplit } from "./plain_loop.ts";
import { TALLY_BYTES, TALLY_LENGTH, TALLY_PIECES } from "./tally.ts";
import { TICK_BYTES } from "./tick_decoder.ts";
import { WallClock } from "./wall_clock.ts";
import { warmPump, warmUp } from "./warm_up.ts";
import { warmUpLog } from "./warm_up_log.ts";

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
  /** Where to put copies of packets, for a file; this side is its only producer. */
  log?: PacketLog;
  /** What to put there: the packets accepted, by default, or all. */
  logAll?: boolean;
}

/**
 * Pumps packets from a port into a tick ring.
 *
 * @example On the thread that consumes the ticks, without kernel or wire
 * ```ts
 * import { FakePort, PacketCapture, PacketFilter, TickRing } from "@uspf/uspf";
 *
 * const port = new FakePort({ slotCount: 64, bufferBytes: 2048 }), ticks = TickRing.create(1024);
 * const capture = new PacketCapture({ port, filter: new PacketFilter(), ticks });
 * port.put(new Uint8Array(60)); // no IPv4
 * capture.pump();
 * console.assert(capture.state.read().rejectedBy.notIpv4 === 1);
 * ```
 */
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
  readonly #log: { to: PacketLog; all: boolean; clock: WallClock } | undefined;
  /** Slots of packets for the log, by their word index. */
  readonly #picks: Int32Array;
  readonly #byRing = new Map<Ring, Loops>();
  readonly #byShape = new Map<string, Loops>();
  #ended: number;
  /** What the port had counted when this began. */
  #before: PortCounts = { lost: 0, starved: 0, rejectedEarly: 0 };

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
    if (options.filter.decodes && options.filter.payloadBytes < TICK_BYTES) {
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
    const { log, logAll = false } = options;
    this.#log = log && { to: log, all: logAll, clock: new WallClock(this.port) };
    // The last packet of a burst may go on beyond it, over as many slots as a ring has.
    this.#picks = new Int32Array(log ? burst + MAX_BURST : burst);
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
    this.#log?.clock.advance(synced);
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

  /**
   * To be called before the first pump, where that is long after the port was opened: what it has lost until
   * now does not count, and what time it is, is asked anew. What it has turned away until now does count, for
   * what it let through meanwhile waits in its rings, and will be received.
   */
  begin(): void {
    this.#before = { ...this.port.counts(), rejectedEarly: 0 };
    this.housekeep();
    this.resume();
  }

  /** To be called after a pause that is not service, such as waiting for packets. */
  resume(): void {
    this.#ended = this.port.clock();
  }

  /** What is not done for every burst, but some ten times a second: reads what the port itself lost or turned away, flushes the log. */
  housekeep(): void {
    const now = this.port.counts(), before = this.#before, { counters } = this.state;
    counters[COUNTER.lost] = since(before.lost, now.lost);
    counters[COUNTER.starved] = since(before.starved, now.starved);
    counters[COUNTER.rejectedEarly] = since(before.rejectedEarly, now.rejectedEarly);
    this.#log?.to.flush();
    this.#log?.clock.set();
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
    const { filter, port: { rx, scratch } } = this, warm = new Set<Loops>();
    for (const ring of rx) {
      if (this.#log !== undefined) warmUpLog(this.#log.to, ring, scratch, packets);
      const loops = this.#loopsFor(ring);
      if (warm.has(loops)) continue;
      warm.add(loops);
      for (const loop of [loops.deliver, loops.discard]) {
        warmUp({ filter, ring, scratch, loop, packets });
      }
    }
    warmPump(filter, (port, ticks) => new PacketCapture({ port, filter, ticks }));
  }

  /** Takes up to `count` ready slots of a ring; returns the packets received in them. */
  #takeRing(ring: Ring, count: number): number {
    const { deliver, discard } = this.#loopsFor(ring), { patient } = this.port;
    if (patient && this.#log?.to.roomFor(count, count * ring.bufferBytes) === false) return 0;
    const tally = this.#tally, { decodes } = this.filter;
    const room = decodes ? this.ticks.claim(count) : 0;
    const first = ring.words[ring.at + RING.head];
    let used = 0, delivered = 0;
    if (room > 0) {
      used = this.#run(ring, deliver, room, this.ticks);
      delivered = tally[VERDICT.accepted];
      if (delivered > 0) this.ticks.publish(delivered);
    }
    if (used >= room && used < count && (!patient || !decodes)) {
      used += this.#run(ring, discard, count - used, this.#scratch);
    }
    if (this.#log !== undefined) this.#copyToLog(ring, first, used);
    return this.#count(used, delivered);
  }

  /** What was used stays where it is until the next sync. */
  #copyToLog(ring: Ring, first: number, used: number): void {
    const { to, all, clock } = this.#log!, picks = this.#picks;
    let count = this.#tally[VERDICT.accepted];
    if (all) {
      for (count = 0; count < used; count++) {
        picks[count] = slotWord(ring, first + count);
      }
    }
    if (count > 0) to.write(ring, picks, count, clock.seconds, clock.nanoseconds);
  }

  /** Runs the loop over `count` slots and releases what it used, which it returns; ticks go behind `out.tail`. */
  #run(ring: Ring, { run, skip }: CompiledLoop, count: number, out: TickRing): number {
    const { words, slotsAt, buffersAt } = ring,
      tally = this.#tally,
      before = tally[VERDICT.accepted];
    const tail = out.tail, mask = out.mask, picks = this.#picks;
    let used = 0;
    while (used < count) {
      const head = words[ring.at + RING.head], rest = count - used;
      const position = tail + tally[VERDICT.accepted] - before | 0;
      let done = run(slotsAt, buffersAt, head, rest, position, tally);
      const skipped = done < rest ? skip(slotsAt, buffersAt, head + done, rest - done, tally) : 0;
      done += skipped;
      if (skipped === 0 && done < rest) {
        // Something that is not plain: it and a few after it go the plain way.
        const odd = rest - done < ODD_RUN ? rest - done : ODD_RUN;
        const at = tail + tally[VERDICT.accepted] - before | 0;
        done += plainLoop(this.filter, ring, head + done, odd, out.words, at, mask, tally, picks);
      }
      if (done === 0) {
        done = this.#takeSplit(ring, head, out, tail + tally[VERDICT.accepted] - before | 0);
        if (done === 0) break;
      }
      advance(ring, done);
      used += done;
    }
    return used;
  }

  /** A packet over several slots; of one that is accepted, a log of those gets the only slot that holds any of it. */
  #takeSplit(ring: Ring, head: number, out: TickRing, at: number): number {
    const tally = this.#tally, picks = this.#picks, before = tally[VERDICT.accepted];
    const { filter } = this, ready = slotsReady(ring);
    const done = takeSplit(filter, ring, head, ready, out.words, at, out.mask, tally, picks);
    if (tally[VERDICT.accepted] > before && this.#log?.all === false) {
      ring.words[picks[before] + 1] &= 0xffff;
    }
    return done;
  }

  /** Moves the tally into the counters; returns the packets received. */
  #count(used: number, delivered: number): number {
    const tally = this.#tally, counters = this.state.counters;
    const received = used - tally[TALLY_PIECES];
    counters[COUNTER.received] += received;
    counters[COUNTER.bytes] += tally[TALLY_BYTES];
    counters[COUNTER.delivered] += delivered;
    if (this.filter.decodes) counters[COUNTER.dropped] += tally[VERDICT.accepted] - delivered;
    for (let verdict = 0; verdict < VERDICTS; verdict++) counters[verdict] += tally[verdict];
    tally.fill(0);
    return received;
  }

  /** The rings of a port lie in one region; those of one shape share their loops. */
  #loopsFor(ring: Ring): Loops {
    let loops = this.#byRing.get(ring);
    if (loops === undefined) {
      const picks = this.#log === undefined || this.#log.all ? undefined : this.#picks;
      const key = `${ring.slotCount} ${ring.bufferBytes} ${ring.strideBytes} ${ring.hasOffsets}`;
      loops = this.#byShape.get(key) ?? {
        deliver: compileHotLoop(this.filter, ring, this.ticks, picks),
        discard: compileHotLoop(this.filter, ring, this.#scratch, picks),
      };
      this.#byShape.set(key, loops);
      this.#byRing.set(ring, loops);
    }
    return loops;
  }
}

/** In the counters, -1 is what cannot be known. */
function since(before: number | null, now: number | null): number {
  return now === null || before === null ? -1 : now - before;
}

/** Two of the same loop: into the tick ring, and into the scratch ring while that one is full. */
interface Loops {
  deliver: CompiledLoop;
  discard: CompiledLoop;
}
