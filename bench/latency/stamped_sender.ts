/**
 * Purpose: puts stamped packets into a port's transmit ring: ticks, or the orders that answer them.
 */
import { PAYLOAD_LENGTH } from "../../engine/tick.ts";
import { parseIPv4 } from "../../ffi/ipv4_address.ts";
import { advance, RING, type Ring, slotsReady } from "../../ffi/layout.ts";
import { type Port, ticksBetween } from "../../ffi/port.ts";
import { parseMac } from "../../sender/mac_address.ts";
import { PacketTemplate } from "../../sender/packet_template.ts";
import { GROUP, groupMac } from "../harness/market_data.ts";

/** Ethernet's least, without the frame check sequence (IEEE 802.3, 4A.4.2). */
const MIN_PACKET_BYTES = 60, PADDING_WORD = 14;
const SOURCE_PORT = 5000, TTL = 64;
const SOURCE_MAC = "02:00:00:00:00:01", SOURCE = "10.77.0.1";
/** A port that did not take all is asked again so often: some 10 µs. */
const RETRY_TICKS = 1 << 15;

/** The multicast groups to which ticks and orders go. */
export const TICKS: string = GROUP, ORDERS = "239.1.1.2";

/** Packets of one kind into one port. */
export class StampedSender {
  /** Packets that the ring has taken. */
  sent = 0;
  readonly #port: Port;
  readonly #ring: Ring;
  readonly #template: PacketTemplate;
  #triedAt = 0;

  /** The caller closes the port. */
  constructor(port: Port, group: string, destinationPort: number) {
    this.#port = port;
    this.#ring = port.tx[0];
    this.#template = new PacketTemplate({
      sourceMac: parseMac(SOURCE_MAC),
      destinationMac: parseMac(groupMac(group)),
      sourceAddress: parseIPv4(SOURCE),
      destinationAddress: parseIPv4(group),
      sourcePort: SOURCE_PORT,
      destinationPort,
      ttl: TTL,
      payloadBytes: PAYLOAD_LENGTH,
    });
  }

  /** Puts a packet into the ring, to be sent by `sync`; `false` where there is no room. */
  place(instrument: number, typeAndSide: number, stamp: number, late: number): boolean {
    const ring = this.#ring, words = ring.words;
    if (slotsReady(ring) === 0) return false;
    const slot = ring.slotsAt + (words[ring.at + RING.head] << 2);
    const at = ring.buffersAt + Math.imul(words[slot], ring.strideBytes >> 2);
    this.#template.write(words, at, instrument, typeAndSide, stamp, late);
    words[at + PADDING_WORD] = 0;
    words[slot + 1] = MIN_PACKET_BYTES;
    advance(ring, 1);
    this.sent++;
    return true;
  }

  /** Hands over what was placed; returns the clock after it. */
  sync(): number {
    return this.#triedAt = this.#port.txSync();
  }

  /** Asks a port again that did not take all at once. */
  retry(now: number): void {
    if (this.unsent === 0 || ticksBetween(this.#triedAt, now) < RETRY_TICKS) return;
    this.sync();
  }

  /** Packets that still lie in the ring. */
  get unsent(): number {
    return this.#ring.slotCount - 1 - slotsReady(this.#ring);
  }
}
