/**
 * Purpose: what a receiver notes of a flood while it goes on: its rate over time, and what was counted in its
 * middle.
 *
 * ```text
 *  first packet        from                              to            silence
 *  ├───── edge ────────┼──────────── window ─────────────┼──── edge ───┼─ 500 ms ─▶ end
 *                      rates, service time, occupancy, CPU time
 *  ├────────────── sent, received, lost: all of it ────────────────────┤
 * ```
 */
import { COUNTER } from "../../capture/capture_state.ts";
import type { PacketCapture } from "../../capture/packet_capture.ts";
import { contextSwitches, threadCpuNs } from "../../ffi/host.ts";
import { waitedBy } from "../harness/taken.ts";

const QUIET_MS = 500, GIVE_UP_MS = 60_000, SAMPLE_MS = 50;
const EDGE_SHARE = 0.2;

/** What was counted in the middle of a flood. */
export interface FloodWindow {
  seconds: number;
  received: number;
  delivered: number;
  syncs: number;
  emptySyncs: number;
  bursts: number;
  burstMax: number;
  occupancySum: number;
  occupancyMax: number;
  cpuNs: number;
  switches: number;
  /** How long the thread waited for its core. */
  waitedMs: number;
  /** The service time histogram's memory, in TSC ticks. */
  service: number[];
}

/** What was counted at a moment. */
interface Snapshot {
  ms: number;
  counters: Float64Array;
  service: Float64Array;
  cpuNs: number;
  switches: number;
  waitedMs: number;
}

/** To be asked between two pumps. */
export class FloodWatch {
  /** Receive rate: milliseconds since the first packet, Mpps since the sample before. */
  readonly samples: [ms: number, mpps: number][] = [];
  /** Slots of the receive rings in the middle of the flood: a switch has one for each sender, while it is there. */
  ringSlots = 0;
  readonly #capture: PacketCapture;
  readonly #floodMs: number;
  readonly #started = performance.now();
  #began = 0;
  #before = this.#started;
  #packetAt = 0;
  #received = 0;
  #sample = { at: 0, received: 0 };
  #from: Snapshot | undefined;
  #to: Snapshot | undefined;
  #isOver = false;

  /** `seconds`: how long the flood will be. */
  constructor(capture: PacketCapture, seconds: number) {
    this.#capture = capture;
    this.#floodMs = seconds * 1000;
  }

  /** Whether a packet has come. */
  get hasBegun(): boolean {
    return this.#began !== 0;
  }

  /** Looks; returns whether more may come. */
  goesOn(): boolean {
    const now = performance.now(), received = this.#capture.state.counters[COUNTER.received];
    if (received !== this.#received) {
      if (this.#began === 0) this.#began = this.#sample.at = this.#before;
      this.#received = received;
      this.#packetAt = now;
      this.#note(now);
    }
    this.#before = now;
    if (this.#began !== 0 && now - this.#packetAt > QUIET_MS) return false;
    return now - this.#started <= GIVE_UP_MS + this.#floodMs;
  }

  /**
   * The middle of the flood.
   *
   * @throws {Error} where there was none.
   */
  window(): FloodWindow {
    const from = this.#from, to = this.#to;
    if (from === undefined || to === undefined) {
      throw new Error("Cannot measure: the flood ended at once: see what the sender said");
    }
    const grown = (name: keyof typeof COUNTER) =>
      to.counters[COUNTER[name]] - from.counters[COUNTER[name]];
    return {
      seconds: (to.ms - from.ms) / 1000,
      received: grown("received"),
      delivered: grown("delivered"),
      syncs: grown("syncs"),
      emptySyncs: grown("emptySyncs"),
      bursts: grown("bursts"),
      burstMax: to.counters[COUNTER.burstMax],
      occupancySum: grown("occupancySum"),
      occupancyMax: to.counters[COUNTER.occupancyMax],
      cpuNs: to.cpuNs - from.cpuNs,
      switches: to.switches - from.switches,
      waitedMs: to.waitedMs - from.waitedMs,
      service: Array.from(to.service),
    };
  }

  /** Packets have come. */
  #note(now: number): void {
    const ms = now - this.#began, sample = this.#sample, received = this.#received;
    const inWindow = this.#from !== undefined && !this.#isOver;
    if (this.#from === undefined && ms >= EDGE_SHARE * this.#floodMs) this.#begin(now);
    if (now - sample.at < SAMPLE_MS) return;
    this.samples.push([ms, (received - sample.received) / (now - sample.at) / 1000]);
    this.#sample = { at: now, received };
    // Anew with each sample: of a flood that ends early, the silence behind it does not count.
    if (!inWindow) return;
    this.#to = this.#snapshot(now);
    this.#isOver = ms >= (1 - EDGE_SHARE) * this.#floodMs;
  }

  /** What has no difference begins anew: largest values, and the histogram's own largest one. */
  #begin(now: number): void {
    const { port, state: { counters, service } } = this.#capture;
    this.#from = this.#snapshot(now);
    counters[COUNTER.burstMax] = counters[COUNTER.occupancyMax] = 0;
    service.memory.fill(0);
    this.ringSlots = port.rx.reduce((sum, { slotCount }) => sum + slotCount, 0);
  }

  #snapshot(ms: number): Snapshot {
    const { counters, service } = this.#capture.state;
    const taken = {
      ms,
      counters: counters.slice(),
      service: service.memory.slice(),
      cpuNs: threadCpuNs(),
      switches: contextSwitches(),
      waitedMs: waitedBy(Deno.pid), // the main thread
    };
    this.#capture.resume(); // this was no service
    return taken;
  }
}
