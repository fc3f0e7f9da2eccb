/** Sending and receiving by the rings, and keeping account of what came. */

import { advance, bufferByte, slotsReady } from "../ffi/layout.ts";
import { PacketPort } from "../ffi/packet_port.ts";
import { type Port, RX } from "../ffi/port.ts";
import { flawOf, identify, type Stream, writePacket } from "./port_packets.ts";

/** The kernel hands over a block of AF_PACKET's within 8 ms, unless this machine is busy. */
const BLOCK_MS = 40;

/** Puts the next packets of a stream into the transmit ring, as far as there is room, and syncs; returns how many. */
export function send(port: Port, stream: Stream, first: number, count: number): number {
  const ring = port.tx[0];
  const burst = Math.min(count, slotsReady(ring));
  for (let i = 0; i < burst; i++) {
    const slot = slotAt(ring.words[ring.at + 5], ring.slotsAt);
    ring.words[slot + 1] = writePacket(ring.bytes, bufferByte(ring, slot), stream, first + i);
    advance(ring, 1);
  }
  port.txSync();
  return burst;
}

/** Puts one packet, given as bytes, into the transmit ring without syncing; `flags` as in a slot. */
export function put(port: Port, packet: Uint8Array, flags = 0): void {
  const ring = port.tx[0], slot = slotAt(ring.words[ring.at + 5], ring.slotsAt);
  if (slotsReady(ring) === 0) throw new Error("the transmit ring is full");
  ring.bytes.set(packet, bufferByte(ring, slot));
  ring.words[slot + 1] = packet.length | flags << 16;
  advance(ring, 1);
}

/** Whether all that was put has left the transmit ring. */
export function allSent(port: Port): boolean {
  return port.tx.every((ring) => slotsReady(ring) === ring.slotCount - 1);
}

/** Syncs, and shows up to `limit` packets to `take`, which are then given back; returns how many. */
export function receive(
  port: Port,
  take: (bytes: Uint8Array, at: number, length: number, flags: number) => void,
  limit = Infinity,
): number {
  let taken = 0;
  port.rxSync();
  for (const ring of port.rx) {
    for (let ready = slotsReady(ring); ready > 0 && taken < limit; ready--, taken++) {
      const slot = slotAt(ring.words[ring.at + 5], ring.slotsAt), word = ring.words[slot + 1];
      take(ring.bytes, bufferByte(ring, slot), word & 0xffff, word >>> 16);
      advance(ring, 1);
    }
  }
  return taken;
}

function slotAt(index: number, slotsAt: number): number {
  return slotsAt + index * 4;
}

/** Checks that each stream's packets are what was sent and in order, and counts them. */
export class Arrivals {
  received = 0;
  /** By stream: the number expected next. */
  readonly next = new Map<number, number>();
  readonly #streams = new Map<number, Stream>();

  constructor(readonly wholePackets: boolean, streams: Stream[]) {
    for (const stream of streams) this.expect(stream);
  }

  /** From now on this stream's packets, beginning with `first`, are expected. */
  expect(stream: Stream, first = 0): void {
    this.#streams.set(stream.id, stream);
    this.next.set(stream.id, first);
  }

  /** Takes what a port has; returns how many packets. */
  take(port: Port, limit?: number): number {
    return receive(port, (bytes, at, length) => this.#check(bytes, at, length), limit);
  }

  /** Takes until `enough`, or nothing has come for `idleMs`. */
  async takeUntil(port: Port, enough: () => boolean, idleMs = 3000): Promise<void> {
    let yieldAt = 0;
    for (let quietSince = performance.now(); !enough();) {
      if (this.take(port) > 0) {
        quietSince = performance.now();
      } else if (performance.now() - quietSince > idleMs) {
        throw new Error(
          `nothing came for ${idleMs} ms: ${this.received} received, ${port.lost()} lost, next ` +
            JSON.stringify([...this.next]),
        );
      }
      // Messages of peers are seen only between tasks.
      if (performance.now() > yieldAt) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        yieldAt = performance.now() + 10;
      }
    }
  }

  /** Takes until nothing comes for a moment. */
  drain(port: Port): void {
    const moment = port instanceof PacketPort ? BLOCK_MS : 0;
    let quietSince = performance.now();
    for (let empty = 0; empty < 20 || performance.now() - quietSince < moment;) {
      empty = this.take(port) > 0 ? 0 : empty + 1;
      if (empty === 0) quietSince = performance.now();
      else if (moment > 0) port.wait(RX, 1000);
    }
  }

  #check(bytes: Uint8Array, at: number, length: number): void {
    const { id, number } = identify(bytes, at);
    const stream = this.#streams.get(id), next = this.next.get(id);
    if (stream === undefined || next === undefined) {
      throw new Error(`a packet of stream ${id}, which nobody sends: ${length} bytes`);
    }
    if (number < next) throw new Error(`stream ${id}: ${number} came after ${next - 1}`);
    const flaw = flawOf(bytes, at, length, stream, number, this.wholePackets);
    if (flaw) throw new Error(`stream ${id}, packet ${number}: ${flaw}`);
    this.next.set(id, number + 1);
    this.received++;
  }
}
