/**
 * Purpose: puts a market's packets on a port: whole bursts into the transmit ring, one sync a burst, as
 * fast as the pacer lets them.
 *
 * ```text
 *  Market ─▶ packet book ─▶ burst writer ─▶ tx ring [head, tail) ─▶ txSync ─▶ wire
 *            made once           ▲            full: counted, tried again
 *                             Pacer.due
 * ```
 */
import { nowNs, sleepNs } from "../ffi/host.ts";
import { advance, RING, type Ring, slotsReady } from "../ffi/layout.ts";
import { packetsUnsent, type Port, TX } from "../ffi/port.ts";
import { type BurstWriter, compileBurstWriter } from "./burst_writer.ts";
import type { Market } from "./market.ts";
import { Pacer } from "./pacer.ts";
import { bookSize, makeBook } from "./packet_book.ts";
import type { PacketTemplate } from "./packet_template.ts";

/** Ethernet's least, without the frame check sequence (IEEE 802.3, 4A.4.2). */
const MIN_PACKET_BYTES = 60;
const FULL_SPINS = 2000; // syncs of a full ring before sleeping: some 50 µs
const FLUSH_NS = 1e9;
const WARM_UP_PACKETS = 200_000;

/** What a sender works with. */
export interface PacketSenderOptions {
  /** Where to send; the caller closes it. */
  port: Port;
  /** The packet, but for its tick. */
  template: PacketTemplate;
  /** Where the ticks come from. */
  market: Market;
  /** Packets a second; 0: as fast as it goes. */
  rateHz?: number;
  /** Packets in all; 0: endless. */
  count?: number;
  /** Packets per sync at most; 256 by default. */
  burst?: number;
  /** How much lateness is made up for, in one go, in ns; 50 ms by default. */
  maxBacklogNs?: number;
}

/** What was sent so far. */
export interface SendStats {
  /** Packets that the port has taken. */
  sent: number;
  /** Their bytes, from the Ethernet header on. */
  bytes: number;
  /** From the first packet until now, or the end of `flush`. */
  elapsedNs: number;
  /** Packets a second, achieved. */
  pps: number;
  /** Bursts handed to the port. */
  bursts: number;
  /** Bursts that found the transmit ring full, and had to wait. */
  ringFull: number;
  /** Packets given up because the schedule could not be kept. */
  slipped: number;
  /** Packets of a file that the port cannot carry: too large, or shorter than an Ethernet header. */
  unsendable: number;
  /** Syncs of the port. */
  syncs: number;
}

/**
 * Sends generated packets on a port.
 *
 * @example A hundred ticks
 * ```ts
 * import { Market, openPort, PacketSender, PacketTemplate, TX } from "@uspf/uspf";
 *
 * const port = openPort("soft:doc_sender:1", TX);
 * const template = new PacketTemplate({ destinationPort: 5001 }), market = new Market({ seed: 1 });
 * const sender = new PacketSender({ port, template, market, count: 100 });
 * while (!sender.done) sender.run(20);
 * sender.flush();
 * console.assert(sender.stats().sent === 100);
 * port.close();
 * ```
 */
export class PacketSender {
  readonly #options:
    & PacketSenderOptions
    & Required<Pick<PacketSenderOptions, "rateHz" | "count" | "burst">>;
  readonly #packetBytes: number;
  readonly #writers = new Map<Ring, BurstWriter>();
  #pacer: Pacer;
  #startNs = 0;
  readonly #bookPackets: number;
  /** The next packet of the book. */
  #page = 0;
  #placed = 0;
  #endNs = 0;
  #bursts = 0;
  #ringFull = 0;
  #syncs = 0;
  #fullFor = 0;
  #turn = 0;

  /** Warms up what writes packets; sends nothing yet. */
  constructor(options: PacketSenderOptions) {
    const { rateHz = 0, count = 0, burst = 256 } = options;
    this.#options = { ...options, rateHz, count, burst };
    this.#pacer = new Pacer({ rateHz, startNs: 0 });
    this.#packetBytes = Math.max(MIN_PACKET_BYTES, options.template.packetBytes);
    const { port, template, market } = options;
    this.#bookPackets = bookSize(market.instruments);
    const book = makeBook(template, market, this.#bookPackets);
    for (const ring of port.tx) {
      this.#writers.set(ring, compileBurstWriter(template, ring, book, this.#packetBytes));
    }
    this.#warmUp();
  }

  /** Whether all packets that were asked for are sent. */
  get done(): boolean {
    const { count } = this.#options;
    return count > 0 && this.#placed >= count;
  }

  /**
   * Sends for about `ms`, or until done; for a thread whose event loop must turn now and then.
   *
   * @throws {PortError} where the port fails.
   */
  run(ms: number): void {
    const end = nowNs() + ms * 1e6;
    if (this.#startNs === 0) {
      this.#startNs = nowNs();
      const { rateHz, maxBacklogNs } = this.#options;
      this.#pacer = new Pacer({ rateHz, startNs: this.#startNs, maxBacklogNs });
    }
    for (let now = nowNs(); now < end && !this.done; now = nowNs()) this.#burst(now, end);
  }

  /** Waits for the transmit rings to empty, for a second at most. */
  flush(): void {
    const { port } = this.#options, end = nowNs() + FLUSH_NS;
    port.txSync();
    while (packetsUnsent(port) > 0 && nowNs() < end) {
      port.wait(TX, 1000);
      port.txSync();
    }
    this.#endNs = nowNs();
  }

  /** What was sent; packets that still lie in a transmit ring were not. */
  stats(): SendStats {
    const sent = this.#placed - packetsUnsent(this.#options.port);
    const elapsedNs = (this.#endNs || nowNs()) - (this.#startNs || nowNs());
    return {
      sent,
      bytes: sent * this.#packetBytes,
      elapsedNs,
      pps: elapsedNs > 0 ? sent / elapsedNs * 1e9 : 0,
      bursts: this.#bursts,
      ringFull: this.#ringFull,
      slipped: this.#pacer.slippedPackets,
      unsendable: 0,
      syncs: this.#syncs,
    };
  }

  /** Has V8 compile what writes packets, on free slots that are not handed over, before the clock starts. */
  #warmUp(): void {
    const { burst } = this.#options;
    for (const [ring, write] of this.#writers) {
      const count = Math.min(burst, slotsReady(ring));
      for (let written = 0; written < WARM_UP_PACKETS && count > 0; written += count) {
        write(ring.words[ring.at + RING.head], 0, count);
      }
    }
  }

  #burst(now: number, end: number): void {
    const { port, burst, count } = this.#options;
    const left = count > 0 ? count - this.#placed : burst;
    const due = this.#pacer.due(now, left < burst ? left : burst);
    if (due === 0) {
      sleepNs(Math.min(this.#pacer.waitNs(now), Math.max(0, end - now)));
      return;
    }
    const rings = port.tx;
    this.#turn = this.#turn + 1 < rings.length ? this.#turn + 1 : 0;
    const ring = rings[this.#turn], free = slotsReady(ring);
    if (free === 0) this.#waitForRoom();
    else this.#place(ring, due < free ? due : free);
    port.txSync();
    this.#syncs++;
  }

  #place(ring: Ring, wanted: number): void {
    const left = this.#bookPackets - this.#page, placed = wanted < left ? wanted : left;
    this.#writers.get(ring)!(ring.words[ring.at + RING.head], this.#page, placed);
    this.#page = placed === left ? 0 : this.#page + placed;
    advance(ring, placed);
    this.#pacer.sent(placed);
    this.#placed += placed;
    this.#bursts++;
    this.#fullFor = 0;
  }

  #waitForRoom(): void {
    if (this.#fullFor++ === 0) this.#ringFull++;
    if (this.#fullFor > FULL_SPINS) this.#options.port.wait(TX, 1000);
  }
}
