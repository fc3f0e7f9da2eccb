/**
 * Purpose: has V8 compile a hot loop before packets come. The first thousands of packets cost fifty
 * times the usual, and one burst may stall for milliseconds: that happens here, on synthetic packets.
 *
 * The loop is bound to its region (see hot_loop.ts), so the packets are laid where the region is ours to
 * write: in the free slots of the port's scratch ring, which are never handed over. Packets that are not plain are
 * among them, so that the first real one does not throw the compiled code away. What stands around the
 * loop, the pump, is warmed on a port of its own, for the same reason.
 */
import { VERDICT } from "../filter/verdict.ts";
import {
  bufferByte,
  MORE_FRAGMENTS,
  RING,
  type Ring,
  SLOT_WORDS,
  slotsReady,
} from "../ffi/layout.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { blankPacket, samplePackets } from "../filter/expression/plan/sample.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";
import type { CompiledLoop } from "./hot_loop.ts";
import { TALLY_LENGTH } from "./tally.ts";

const PACKETS = 1_000_000;
const BURST = 256;
const ODD_EVERY = 37, ROW = 37 * 64; // packets in a row, before they come again

/** What to warm up. */
export interface WarmUpOptions {
  filter: PacketFilter;
  /** The receive ring that the loop is for. */
  ring: Ring;
  /** A ring of the same region with free slots; without one nothing is warmed. */
  scratch: Ring | undefined;
  loop: Pick<CompiledLoop, "run" | "skip">;
  packets?: number;
}

/** Runs the loop over synthetic packets, a million by default, some 10 ms; returns how many it took as plain. */
export function warmUp(options: WarmUpOptions): number {
  const { filter, ring, scratch, loop: { run, skip }, packets = PACKETS } = options;
  if (scratch === undefined || scratch.words !== ring.words) return 0;
  const first = scratch.words[scratch.at + RING.head];
  const slots = Math.min(slotsReady(scratch), ring.slotCount, scratch.slotCount) - first;
  const before = lay(filter, scratch, first, slots);
  const tally = new Int32Array(TALLY_LENGTH);
  let plain = 0, random = 1;
  for (let seen = 0; seen < packets && slots > 0;) {
    for (let at = 0; at < slots;) {
      // Bursts of any size: what is left over after the copies in a row is taken, too.
      random = Math.imul(random, 1103515245) + 12345 | 0;
      const count = Math.min(slots - at, 1 + (random >>> 16) % BURST);
      const { slotsAt, buffersAt } = scratch;
      let passed = run(slotsAt, buffersAt, first + at, count, seen, tally);
      if (passed < count) {
        // One that it stops at counts, too: it may stop at all.
        passed += skip(slotsAt, buffersAt, first + at + passed, count - passed, tally) || 1;
      }
      seen += passed;
      at += passed;
    }
    plain += tally[VERDICT.accepted];
    tally.fill(0);
  }
  before.forEach(([length, word], i) => {
    const slot = slotWord(scratch, first + i);
    scratch.words[slot + 1] = length;
    scratch.words[firstWord(scratch, slot)] = word;
  });
  return plain;
}

const PUMP_ROUNDS = 3000, PUMP_MS = 500; // of an expression too large to compile fewer

/**
 * Warms the pump: `make` makes one on a port and a tick ring. Bursts, empty syncs, packets that are not
 * plain or lie in several slots, and a tick ring that is full: each of them comes many times.
 */
export function warmPump(
  filter: PacketFilter,
  make: (port: FakePort, ticks: TickRing) => { pump(): number; resume(): void },
): void {
  const port = new FakePort({ slotCount: 256, bufferBytes: 256 }), ticks = TickRing.create(256);
  const pump = make(port, ticks), packets = packetsFor(filter), end = performance.now() + PUMP_MS;
  for (let round = 0; round < PUMP_ROUNDS && performance.now() < end; round++) {
    for (let i = round % 64; i > 0; i--) {
      port.put(packets[i % packets.length], i % 32 === 0 ? MORE_FRAGMENTS : 0);
    }
    while (pump.pump() > 0);
    pump.resume();
    if (round % 8 !== 0) ticks.release(ticks.take(ticks.capacity));
  }
}

/** Lays packets into slots that are ours; returns what their length words and their first words were. */
function lay(filter: PacketFilter, ring: Ring, first: number, count: number): number[][] {
  const packets = packetsFor(filter);
  return Array.from({ length: Math.max(0, count) }, (_, i) => {
    const slot = slotWord(ring, first + i);
    const packet = packets[i % packets.length].subarray(0, ring.bufferBytes);
    const before = [ring.words[slot + 1], ring.words[firstWord(ring, slot)]];
    ring.bytes.set(packet, bufferByte(ring, slot));
    ring.words[slot + 1] = packet.length;
    return before;
  });
}

const made = new WeakMap<PacketFilter, Uint8Array[]>();

/** Packets in turn, mostly such as the filter accepts; few that the hot loop would stop at. Made once a filter. */
function packetsFor(filter: PacketFilter): Uint8Array[] {
  const packets = made.get(filter) ?? makePackets(filter);
  made.set(filter, packets);
  return packets;
}

function makePackets(filter: PacketFilter): Uint8Array[] {
  const plain = plainPacket(filter), { expression } = filter;
  const begin = filter.decodes ? plain : blankPacket();
  const samples = expression === undefined ? [] : samplePackets(expression.plan, begin);
  const accepted = samples.filter((sample) => sample.accepted).map(({ packet }) => packet);
  if (filter.decodes && expression === undefined) accepted.push(plain);
  const other = plain.slice();
  other[37] ^= 1; // another port
  other[33] ^= 1; // another address
  const odd = plain.slice();
  odd[12] = 0x86; // IPv6, or so it says
  const usual = [...accepted, ...samples.map(({ packet }) => packet), other];
  return Array.from(
    { length: ROW },
    (_, i) => i % ODD_EVERY === ODD_EVERY - 1 ? odd : usual[i % usual.length],
  );
}

/** Word where a slot's buffer begins: netmap chains the buffers of a port's own there. */
function firstWord(ring: Ring, slot: number): number {
  return ring.at + bufferByte(ring, slot) / 4;
}

function slotWord(ring: Ring, slot: number): number {
  return ring.slotsAt + slot * SLOT_WORDS;
}

/** A packet that the filter accepts. */
function plainPacket(filter: PacketFilter): Uint8Array {
  const bytes = new Uint8Array(46 + filter.payloadBytes), view = new DataView(bytes.buffer);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint16(16, 28 + filter.payloadBytes);
  view.setUint8(23, 17);
  if (filter.hasAddress) view.setInt32(30, filter.addressWord, true);
  view.setUint16(36, filter.destinationPort);
  view.setUint16(38, 8 + filter.payloadBytes);
  return bytes;
}
