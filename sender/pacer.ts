/**
 * Says when packets are due, so that a rate is kept by the clock.
 *
 * The nth packet is due n / rate after the start. What is due now is computed
 * from the start each time, never by adding intervals up, so nothing drifts.
 *
 * After a stall the pacer catches up, and so keeps the average, as long as no
 * more than `maxBacklogNs` worth of packets waits. Packets beyond that are given
 * up: they count as slipped and are never due again, while the schedule itself
 * stays where it was.
 *
 * ```
 * scheduled = sent + slipped + backlog      backlog <= max(1, rate * maxBacklog)
 * ```
 *
 * Times are nanoseconds of any monotonic clock, as f64.
 *
 * @module
 */

const NS_PER_SECOND = 1e9;

/** Longer than a scheduler's usual stalls, short enough not to flood a peer. */
const DEFAULT_MAX_BACKLOG_NS = 50e6;

/** How packets are paced. */
export interface PacerOptions {
  /** Packets a second, fractions allowed; 0 is as fast as it goes. */
  rateHz: number;
  /** When the first packet is due. */
  startNs: number;
  /** How much lateness is made up for; 50 ms unless told. */
  maxBacklogNs?: number;
}

/**
 * A schedule of packets, driven by the times that its caller passes in.
 *
 * @example A thousand a second
 * ```ts
 * import { Pacer } from "@uspf/uspf";
 *
 * const pacer = new Pacer({ rateHz: 1000, startNs: 0 });
 * const due = pacer.due(5e6, 256); // after 5 ms
 * pacer.sent(due);
 * console.assert(pacer.waitNs(5e6) > 0);
 * ```
 */
export class Pacer {
  readonly #rateHz: number;
  readonly #startNs: number;
  readonly #maxBacklogPackets: number;
  #sentPackets = 0;
  #slippedPackets = 0;

  /**
   * Makes a schedule; nothing of it has been sent.
   *
   * @throws {RangeError} If an option is negative or not a finite number.
   */
  constructor(
    { rateHz, startNs, maxBacklogNs = DEFAULT_MAX_BACKLOG_NS }: PacerOptions,
  ) {
    checkNotNegative("rate", rateHz);
    checkNotNegative("start", startNs);
    checkNotNegative("backlog", maxBacklogNs);
    this.#rateHz = rateHz;
    this.#startNs = startNs;
    this.#maxBacklogPackets = Math.max(
      1,
      Math.ceil(rateHz * maxBacklogNs / NS_PER_SECOND),
    );
  }

  /** Packets reported by {@linkcode sent}. */
  get sentPackets(): number {
    return this.#sentPackets;
  }

  /** Packets given up after stalls, or because the rate cannot be reached. */
  get slippedPackets(): number {
    return this.#slippedPackets;
  }

  /**
   * How many packets are due now, at most `max`. They stay due until
   * {@linkcode sent} reports them, so a full ring costs none.
   */
  due(nowNs: number, max: number): number {
    if (this.#rateHz === 0) return max;
    const settled = this.#sentPackets + this.#slippedPackets;
    let backlog = this.#scheduled(nowNs) - settled;
    if (backlog > this.#maxBacklogPackets) {
      this.#slippedPackets += backlog - this.#maxBacklogPackets;
      backlog = this.#maxBacklogPackets;
    }
    return Math.max(0, Math.min(backlog, max));
  }

  /** Reports packets that were sent. */
  sent(packets: number): void {
    this.#sentPackets += packets;
  }

  /**
   * How long until a packet is due, in whole nanoseconds: 0 if and only if one
   * is due now.
   */
  waitNs(nowNs: number): number {
    if (this.#rateHz === 0) return 0;
    const settled = this.#sentPackets + this.#slippedPackets;
    if (this.#scheduled(nowNs) > settled) return 0;
    const dueNs = settled / this.#rateHz * NS_PER_SECOND;
    return Math.max(1, Math.ceil(dueNs - (nowNs - this.#startNs)));
  }

  /** How many packets were due from the start until now, sent or not. */
  #scheduled(nowNs: number): number {
    const elapsedNs = nowNs - this.#startNs;
    return Math.floor(elapsedNs * this.#rateHz / NS_PER_SECOND) + 1;
  }
}

function checkNotNegative(name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw new RangeError(
    `Cannot pace packets: ${name} is "${value}": ` +
      `it must be 0 or a positive number`,
  );
}
