/**
 * Purpose: puts the packets of a capture file on a port: at their recorded times, faster or slower, or at
 * a rate.
 *
 * ```text
 *  file ─▶ pcap port, rx ring ─▶ copied word by word ─▶ tx ring ─▶ txSync ─▶ wire
 *          ready when due                                full: tried again
 * ```
 */
import { nowNs, sleepNs } from "../ffi/host.ts";
import { advance, bufferByte, RING, type Ring, SLOT_WORDS, slotsReady } from "../ffi/layout.ts";
import { packetsReady, packetsUnsent, type Port, RX, TX } from "../ffi/port.ts";
import { Pacer } from "./pacer.ts";
import type { SendStats } from "./packet_sender.ts";

const ETHERNET_BYTES = 14;
const FLUSH_NS = 1e9;
const MAX_WAIT_US = 20_000;

/** What a FileSender works with. */
export interface FileSenderOptions {
  /** The file, as a port; the caller closes it. */
  source: Port;
  /** Where to send; the caller closes it. */
  port: Port;
  /** Packets a second; 0: when the file's port shows them. */
  rateHz?: number;
  /** Packets in all; 0: all that the file has. */
  count?: number;
  /** Packets per sync at most; 256 by default. */
  burst?: number;
}

/**
 * Sends the packets of a file.
 *
 * @example Replay a file twice as fast
 * ```ts
 * import { FileSender, openPort, RX, turn, TX } from "@uspf/uspf";
 *
 * async function replay(file: string, to: string): Promise<number> {
 *   const source = openPort(`pcap:${file}`, RX, { speed: 2 }), port = openPort(to, TX);
 *   const sender = new FileSender({ source, port });
 *   while (!sender.done) {
 *     sender.run(20);
 *     await turn();
 *   }
 *   sender.flush();
 *   const { sent } = sender.stats();
 *   source.close();
 *   port.close();
 *   return sent;
 * }
 * ```
 */
export class FileSender {
  readonly #options: Required<FileSenderOptions>;
  readonly #from: Ring;
  /** Lengths of the packets by slot: a port may shorten what the slot says. */
  readonly #lengths: Uint16Array;
  #pacer = new Pacer({ rateHz: 0, startNs: 0 });
  #startNs = 0;
  #endNs = 0;
  #placed = 0;
  #bytes = 0;
  #unsendable = 0;
  #bursts = 0;
  #ringFull = 0;
  #syncs = 0;

  /** Nothing is sent yet. */
  constructor({ rateHz = 0, count = 0, burst = 256, ...rest }: FileSenderOptions) {
    this.#options = { ...rest, rateHz, count, burst };
    this.#from = rest.source.rx[0];
    this.#lengths = new Uint16Array(rest.port.tx[0].slotCount);
  }

  /** Whether all packets that were asked for are in the transmit ring. */
  get done(): boolean {
    const { count, source } = this.#options;
    return source.ended || count > 0 && this.#placed >= count;
  }

  /**
   * Sends for about `ms`, or until done.
   *
   * @throws {PortError} where the port fails, or the file is damaged: what was before has been sent.
   */
  run(ms: number): void {
    const end = nowNs() + ms * 1e6;
    if (this.#startNs === 0) {
      this.#startNs = nowNs();
      this.#pacer = new Pacer({ rateHz: this.#options.rateHz, startNs: this.#startNs });
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
      bytes: this.#bytes - this.#bytesUnsent(),
      elapsedNs,
      pps: elapsedNs > 0 ? sent / elapsedNs * 1e9 : 0,
      bursts: this.#bursts,
      ringFull: this.#ringFull,
      slipped: this.#pacer.slippedPackets,
      unsendable: this.#unsendable,
      syncs: this.#syncs,
    };
  }

  #burst(now: number, end: number): void {
    const { source, port, burst, count } = this.#options;
    const left = count > 0 ? count - this.#placed : burst;
    const due = this.#pacer.due(now, left < burst ? left : burst);
    if (due === 0) return sleepNs(Math.min(this.#pacer.waitNs(now), Math.max(0, end - now)));
    source.rxSync();
    const ready = packetsReady(source);
    if (ready === 0) {
      const us = Math.min((end - now) / 1000, MAX_WAIT_US);
      if (us >= 1) source.wait(RX, us | 0);
      return;
    }
    this.#place(ready < due ? ready : due);
    port.txSync();
    this.#syncs++;
  }

  #place(wanted: number): void {
    const [to] = this.#options.port.tx; // one ring: several would change the order
    let placed = 0;
    for (let i = 0; i < wanted; i++) {
      if (slotsReady(to) === 0) {
        this.#ringFull++;
        this.#options.port.wait(TX, 100);
        break;
      }
      if (this.#copy(to)) placed++;
      advance(this.#from, 1);
    }
    this.#pacer.sent(placed);
    this.#placed += placed;
    if (placed > 0) this.#bursts++;
  }

  /** Copies the next packet of the file into the next free slot; `false` where the port cannot carry it. */
  #copy(to: Ring): boolean {
    const from = this.#from;
    const source = from.slotsAt + from.words[from.at + RING.head] * SLOT_WORDS;
    const target = to.slotsAt + to.words[to.at + RING.head] * SLOT_WORDS;
    const length = from.words[source + 1] & 0xffff;
    if (length > to.bufferBytes || length < ETHERNET_BYTES) {
      this.#unsendable++;
      return false;
    }
    const read = from.words, write = to.words, words = length + 3 >> 2;
    const a = from.at + bufferByte(from, source) / 4, b = to.at + bufferByte(to, target) / 4;
    for (let i = 0; i < words; i++) write[b + i] = read[a + i];
    write[target + 1] = length;
    this.#lengths[to.words[to.at + RING.head]] = length;
    advance(to, 1);
    this.#bytes += length;
    return true;
  }

  #bytesUnsent(): number {
    const { port } = this.#options, [{ words, at, slotCount }] = port.tx;
    let bytes = 0;
    for (let i = 1; i <= packetsUnsent(port); i++) {
      bytes += this.#lengths[(words[at + RING.head] - i + slotCount) % slotCount];
    }
    return bytes;
  }
}
