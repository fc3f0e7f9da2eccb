/**
 * Purpose: one capture thread a receive queue, each with a core and a tick ring of its own; what they count
 * is added up.
 *
 * ```text
 *  queue 0 ── capture thread, core a ── tick ring 0 ──┐
 *  queue 1 ── capture thread, core b ── tick ring 1 ──┼─▶ engine, in turn
 *  …                                                  │
 * ```
 */
import { Doorbell } from "../engine/doorbell.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { BackgroundCapture, type BackgroundCaptureOptions } from "./background_capture.ts";
import type { PacketLog } from "./packet_log.ts";

const PIPE_LIMIT_MS = 500;

/** What the threads of a group have in common. */
export type CommonOptions = Omit<
  BackgroundCaptureOptions,
  "port" | "core" | "ticks" | "log" | "hold"
>;

/** What a thread of a group has to itself. */
export interface GroupMember {
  /** Its port, one receive queue. */
  port: string;
  /** Its core. */
  core: number;
  /** Where it puts copies of packets. */
  log?: PacketLog;
}

/**
 * Captures that belong together.
 *
 * @example Two ports, an engine
 * ```ts
 * import { CaptureGroup, MeanReversion, TradingEngine } from "@uspf/uspf";
 *
 * const members = [1, 2].map((n) => ({ port: `soft:doc_group:${n}`, core: 0 }));
 * const group = await CaptureGroup.start(members, 16384, { wait: "poll" });
 * const engine = new TradingEngine(group.rings, (market) => new MeanReversion(market));
 * await group.go();
 * engine.poll(1024);
 * await group.stop();
 * ```
 */
export class CaptureGroup {
  #failed = false;

  private constructor(
    readonly captures: readonly BackgroundCapture[],
    readonly rings: readonly TickRing[],
  ) {
    this.ended.catch(() => this.#failed = true);
  }

  /**
   * Starts the threads one after the other; resolves once all are ready, and wait for `go`: none takes
   * packets while another is not there, or nobody takes the ticks. Where one cannot start, those before it
   * are stopped. The first member of a fanout group tells the others which it is.
   *
   * @throws {CaptureError} where one cannot start.
   */
  static async start(
    members: readonly GroupMember[],
    ringSize: number,
    common: CommonOptions,
  ): Promise<CaptureGroup> {
    const captures: BackgroundCapture[] = [], rings: TickRing[] = [];
    const bell = members.length > 1 ? new Doorbell() : undefined;
    try {
      for (const { port, core, log } of members) {
        const ticks = TickRing.create(ringSize, 0, bell), fanout = captures[0]?.fanout;
        const options = {
          ...common,
          port: fanout === undefined || port.includes("@") ? port : `${port}@${fanout}`,
          portOptions: {
            ...common.portOptions,
            ownFanout: members.length > 1 && captures.length === 0,
          },
          core,
          ticks,
          log: log?.buffer,
          hold: true,
        };
        captures.push(await BackgroundCapture.start(options));
        rings.push(ticks);
      }
    } catch (error) {
      await Promise.all(captures.map((capture) => capture.stop().catch(() => {})));
      throw error;
    }
    return new CaptureGroup(captures, rings);
  }

  /** Lets all begin; resolves when every packet counts. */
  async go(): Promise<void> {
    await Promise.all(this.captures.map((capture) => capture.go()));
  }

  /** Resolves when all threads have ended; rejects with the error of the first that dies. */
  get ended(): Promise<unknown> {
    return Promise.all(this.captures.map(({ ended }) => ended));
  }

  /** Whether all threads pump no more, or one has died. */
  get finished(): boolean {
    return this.#failed || this.captures.every(({ state }) => state.finished);
  }

  /** Ends all; resolves when all have ended, also those that failed. A thread that reads a pipe may never hear it. */
  async stop(): Promise<void> {
    const ended = Promise.all(this.captures.map((capture) => capture.stop().catch(() => {})));
    const reads = this.captures.some(({ port }) => port.startsWith("pcap:"));
    await (reads ? Promise.race([ended, after(PIPE_LIMIT_MS)]) : ended);
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
