/**
 * Purpose: what the capture thread shows to the main isolate while it runs, and how it is told to stop:
 * one SharedArrayBuffer.
 *
 * ```text
 *  byte 0         64          64 + 8 × COUNTERS
 *  │ control      │ counters  │ service time histogram │
 *    stop, …        f64 each    f64 each, in TSC ticks a packet
 * ```
 * Counters are written once a burst, by the capture thread alone; read live they may be a burst apart.
 */
import { MALFORMED, REJECTED, VERDICT, VERDICTS } from "../filter/verdict.ts";
import { Histogram, HISTOGRAM_LENGTH } from "./histogram.ts";

const CONTROL_BYTES = 64;
const STOP = 0, FINISHED = 1, GO = 2, BEGUN = 3;
const HOLD_MS = 20;
const TRIES = 100;

/** Indices of the counters; the verdicts stand before them. */
export const COUNTER = {
  received: VERDICTS,
  bytes: VERDICTS + 1,
  delivered: VERDICTS + 2,
  dropped: VERDICTS + 3,
  /** -1: the port cannot know. */
  lost: VERDICTS + 4,
  syncs: VERDICTS + 5,
  emptySyncs: VERDICTS + 6,
  bursts: VERDICTS + 7,
  burstMax: VERDICTS + 8,
  occupancySum: VERDICTS + 9,
  occupancyMax: VERDICTS + 10,
  cpuNs: VERDICTS + 11,
  /** -1: the port cannot know. */
  starved: VERDICTS + 12,
  /** -1: the port cannot know. */
  rejectedEarly: VERDICTS + 13,
} as const;

const COUNTERS = VERDICTS + 14;
const BYTES = CONTROL_BYTES + 8 * (COUNTERS + HISTOGRAM_LENGTH);

/** Counts by cause. */
export type Causes<Names extends readonly string[]> = Record<Names[number], number>;

/** The counters by name. */
export interface CaptureCounts {
  /** Packets taken from the port: accepted + rejected + malformed. */
  received: number;
  /** Their bytes, from the Ethernet header on, without the frame check sequence. */
  bytes: number;
  /** Packets that became a tick: delivered + dropped. Where nothing is decoded: all that are wanted. */
  accepted: number;
  /** Well-formed packets that are not wanted; the sum of `rejectedBy`. */
  rejected: number;
  /** Packets that are not what they say; the sum of `malformedBy`. */
  malformed: number;
  /** Ticks published in the tick ring. */
  delivered: number;
  /** Ticks for which the tick ring had no room. */
  dropped: number;
  /** Packets that the port itself lost before us; `null` where it cannot know. */
  lost: number | null;
  /**
   * Packets that a filter before us, in kernel or driver, turned away; they are not among those received.
   * `null` where the port cannot know.
   */
  rejectedEarly: number | null;
  /** How often the kernel found no free buffer for a packet; `null` where the port cannot know. */
  starved: number | null;
  /** Syncs of the port. */
  syncs: number;
  /** Of these, how many found nothing. */
  emptySyncs: number;
  /** Syncs that brought packets. */
  bursts: number;
  /** Packets of the largest burst. */
  burstMax: number;
  /** Packets ready, added up over all syncs. */
  occupancySum: number;
  /** Packets ready at a sync, at most. */
  occupancyMax: number;
  /** CPU time of the capture thread in ns. */
  cpuNs: number;
  /** Rejected packets by cause. */
  rejectedBy: Causes<typeof REJECTED>;
  /** Malformed packets by cause. */
  malformedBy: Causes<typeof MALFORMED>;
}

/** The state of one capture, over shared memory. */
export class CaptureState {
  /** The memory, to be posted to another isolate. */
  readonly buffer: SharedArrayBuffer;
  /** Verdicts and COUNTERs. */
  readonly counters: Float64Array;
  /** TSC ticks a packet, of each burst. */
  readonly service: Histogram;
  readonly #control: Int32Array;

  /** New, or over the buffer of another isolate's. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer;
    this.#control = new Int32Array(buffer, 0, CONTROL_BYTES / 4);
    this.counters = new Float64Array(buffer, CONTROL_BYTES, COUNTERS);
    this.service = new Histogram(
      new Float64Array(buffer, CONTROL_BYTES + 8 * COUNTERS, HISTOGRAM_LENGTH),
    );
  }

  /** Asks the capture thread to drain its rings and end. */
  stop(): void {
    Atomics.store(this.#control, STOP, 1);
  }

  /** Whether the capture thread shall end. */
  get stopping(): boolean {
    return Atomics.load(this.#control, STOP) !== 0;
  }

  /** Lets a capture thread that is held begin. */
  go(): void {
    Atomics.store(this.#control, GO, 1);
    Atomics.notify(this.#control, GO);
  }

  /** The capture thread: sleeps until `go`, or `stop`. */
  hold(): void {
    while (!this.stopping && Atomics.wait(this.#control, GO, 0, HOLD_MS) === "timed-out");
  }

  /** Says that from now on every packet counts, as received or as lost. */
  begin(): void {
    Atomics.store(this.#control, BEGUN, 1);
  }

  /** Whether every packet counts by now. */
  get begun(): boolean {
    return Atomics.load(this.#control, BEGUN) !== 0;
  }

  /** Says that the capture thread pumps no more, whether told to stop, at the end of a file, or dying. */
  finish(): void {
    Atomics.store(this.#control, FINISHED, 1);
  }

  /** Whether the capture thread has finished; its message says so later, after several turns of the event loop. */
  get finished(): boolean {
    return Atomics.load(this.#control, FINISHED) !== 0;
  }

  /** Back to zero: after warming up. */
  clear(): void {
    this.counters.fill(0);
    this.service.memory.fill(0);
  }

  /** The counters by name, of a moment between two bursts; see `snapshot`. */
  read(): CaptureCounts {
    return countsOf(this.snapshot());
  }

  /**
   * A copy of the counters in which every packet has its verdict, and every tick its place. A burst's are
   * written within a microsecond: one that is preempted there for long is copied as it is.
   */
  snapshot(): Float64Array {
    for (let tries = 1;; tries++) {
      const copy = this.counters.slice();
      if (tries === TRIES || addsUp(countsOf(copy))) return copy;
    }
  }
}

/** Whether every packet has its verdict, and every tick its place; where nothing is decoded there are no ticks. */
export function addsUp(counts: CaptureCounts): boolean {
  const { received, accepted, rejected, malformed, delivered, dropped } = counts;
  const ticks = delivered + dropped;
  return received === accepted + rejected + malformed && (ticks === 0 || ticks === accepted);
}

/** What several captures have counted and timed, in all, and what each has counted at the same moment. */
export function sumOf(states: readonly CaptureState[]): {
  counts: CaptureCounts;
  each: CaptureCounts[];
  service: Histogram;
} {
  const all = states.map((state) => state.snapshot());
  const sum = new CaptureState(), largest = [COUNTER.burstMax, COUNTER.occupancyMax] as number[];
  const unknowable = [COUNTER.lost, COUNTER.starved, COUNTER.rejectedEarly] as number[];
  for (const counters of all) {
    counters.forEach((value, i) => {
      const before = sum.counters[i];
      if (largest.includes(i)) sum.counters[i] = Math.max(before, value);
      else if (unknowable.includes(i) && Math.min(before, value) < 0) sum.counters[i] = -1;
      else sum.counters[i] = before + value;
    });
  }
  sum.service.add(states.map(({ service }) => service));
  return { counts: countsOf(sum.counters), each: all.map(countsOf), service: sum.service };
}

function countsOf(c: Float64Array): CaptureCounts {
  const causes = <N extends readonly (keyof typeof VERDICT)[]>(names: N) =>
    Object.fromEntries(names.map((name) => [name, c[VERDICT[name]]])) as Causes<N>;
  const sum = (names: readonly (keyof typeof VERDICT)[]) =>
    names.reduce((total, name) => total + c[VERDICT[name]], 0);
  return {
    received: c[COUNTER.received],
    bytes: c[COUNTER.bytes],
    accepted: c[VERDICT.accepted],
    rejected: sum(REJECTED),
    malformed: sum(MALFORMED),
    delivered: c[COUNTER.delivered],
    dropped: c[COUNTER.dropped],
    lost: known(c[COUNTER.lost]),
    starved: known(c[COUNTER.starved]),
    rejectedEarly: known(c[COUNTER.rejectedEarly]),
    syncs: c[COUNTER.syncs],
    emptySyncs: c[COUNTER.emptySyncs],
    bursts: c[COUNTER.bursts],
    burstMax: c[COUNTER.burstMax],
    occupancySum: c[COUNTER.occupancySum],
    occupancyMax: c[COUNTER.occupancyMax],
    cpuNs: c[COUNTER.cpuNs],
    rejectedBy: causes(REJECTED),
    malformedBy: causes(MALFORMED),
  };
}

function known(count: number): number | null {
  return count < 0 ? null : count;
}
