/** PacketBlocks and PacketFrames in an ordinary buffer, with the kernel's part played by the test. */

import { assert, assertEquals } from "@std/assert";
import { advance, bufferByte, RING, ringAt, slotsReady } from "../ffi/layout.ts";
import { PacketBlocks } from "../ffi/packet_blocks.ts";
import { PacketFrames } from "../ffi/packet_frames.ts";
import { withSeeds } from "./engine_seed.ts";

const RX_RING = 0x6000, TX_RING = 0x1000, MAPPING = 0xa0000; // packet.h
const BLOCK_BYTES = 4096, BLOCKS = 5, SLOTS = 32;
const FRAME_BYTES = 2048, FRAMES = 8, FRAME_HEADER = 48;

/** A packet as the kernel gives it. */
interface Given {
  bytes: number[];
  /** Where it begins in its frame: 84 as the port asks for, 82 where the kernel does not do so. */
  mac?: number;
  tag?: { type?: number; tci: number };
  own?: boolean;
}

/** The kernel's side: blocks that are filled in turn (linux/if_packet.h, struct tpacket_block_desc). */
class FakeKernel {
  readonly words = new Int32Array((MAPPING + BLOCKS * BLOCK_BYTES + 256) / 4);
  readonly ring;
  readonly blocks;
  #next = 0;
  #given = 0;

  constructor(seesOwn = false) {
    const at = RX_RING / 4;
    this.words.set([BLOCK_BYTES, BLOCKS, 0, 0, seesOwn ? 1 : 0]);
    this.words.set([MAPPING - RX_RING, 0, SLOTS, 65535], at);
    this.ring = ringAt(this.words, RX_RING, { strideBytes: 4, hasTimes: true });
    this.blocks = new PacketBlocks(this.ring);
  }

  /** Hands a block over; `false` where the next one is not the kernel's. */
  give(packets: Given[]): boolean {
    const start = MAPPING + this.#next * BLOCK_BYTES;
    const view = new DataView(this.words.buffer, start, BLOCK_BYTES);
    if (view.getUint32(8, true) !== 0) return false;
    let at = 48;
    view.setUint32(12, packets.length, true);
    view.setUint32(16, at, true);
    for (const packet of packets) at += this.#writeFrame(start + at, packet);
    assert(at <= BLOCK_BYTES);
    view.setUint32(8, 1, true);
    this.#next = (this.#next + 1) % BLOCKS;
    return true;
  }

  #writeFrame(start: number, { bytes, mac = 84, tag, own }: Given): number {
    const size = Math.ceil((mac + bytes.length) / 8) * 8;
    const view = new DataView(this.words.buffer, start, size);
    const hasType = tag?.type !== undefined;
    const fields = [size, ++this.#given, this.#given * 7, bytes.length, bytes.length];
    fields.forEach((value, i) => view.setUint32(i * 4, value, true));
    view.setUint32(20, 1 | (tag ? 0x10 : 0) | (hasType ? 0x40 : 0), true);
    view.setUint16(24, mac, true);
    view.setUint32(32, tag?.tci ?? 0, true);
    view.setUint16(36, tag?.type ?? 0, true);
    view.setUint8(58, own ? 4 : 0); // sll_pkttype
    new Uint8Array(this.words.buffer, start + mac).set(bytes);
    return size;
  }

  /** Syncs, and takes up to `limit` packets. */
  take(limit = Infinity): number[][] {
    const { ring } = this, packets = [];
    this.blocks.giveBack();
    this.blocks.show();
    while (slotsReady(ring) > 0 && packets.length < limit) {
      const slot = ring.slotsAt + ring.words[ring.at + RING.head] * 4;
      const at = bufferByte(ring, slot), length = ring.words[slot + 1];
      assertEquals(at % 4, 0);
      packets.push([...ring.bytes.subarray(at, at + length)]);
      advance(ring, 1);
    }
    return packets;
  }

  heldBlocks(): number {
    const status = (i: number) => this.words[(MAPPING + i * BLOCK_BYTES) / 4 + 2];
    return Array.from({ length: BLOCKS }, (_, i) => status(i)).filter((s) => s !== 0).length;
  }
}

function bytesOf(length: number, first = 1): number[] {
  return Array.from({ length }, (_, i) => (first + i * 3) & 0xff);
}

Deno.test("PacketBlocks shows nothing, then one packet with its time", () => {
  const kernel = new FakeKernel(), { ring } = kernel;
  assertEquals(kernel.take(), []);
  kernel.give([{ bytes: bytesOf(60) }]);
  assertEquals(kernel.take(), [bytesOf(60)]);
  assertEquals([...ring.words.subarray(ring.slotsAt + 2, ring.slotsAt + 4)], [1, 7]);
  assertEquals(kernel.heldBlocks(), 1);
  assertEquals(kernel.take(), []);
  assertEquals(kernel.heldBlocks(), 0);
});

Deno.test("PacketBlocks puts tags back, with the type that the kernel says, or 802.1Q", () => {
  const kernel = new FakeKernel(), bytes = bytesOf(64);
  const withTag = (...tag: number[]) => [...bytes.slice(0, 12), ...tag, ...bytes.slice(12)];
  kernel.give([
    { bytes, tag: { tci: 0xa005 } },
    { bytes },
    { bytes, tag: { tci: 0x0fff, type: 0x88a8 } },
    { bytes: bytes.slice(0, 11), tag: { tci: 5 } },
  ]);
  assertEquals(kernel.take(), [
    withTag(0x81, 0x00, 0xa0, 0x05),
    bytes,
    withTag(0x88, 0xa8, 0x0f, 0xff),
    bytes.slice(0, 11),
  ]);
});

Deno.test("PacketBlocks moves packets that are not at a whole word", () => {
  const kernel = new FakeKernel(), bytes = bytesOf(61, 9);
  kernel.give([82, 83, 84, 85].map((mac) => ({ bytes, mac })));
  assertEquals(kernel.take(), [bytes, bytes, bytes, bytes]);
  kernel.give([{ bytes, mac: 82, tag: { tci: 1 } }]);
  assertEquals(kernel.take(), [[...bytes.slice(0, 12), 0x81, 0, 0, 1, ...bytes.slice(12)]]);
});

Deno.test("PacketBlocks passes over own packets where the kernel shows them", () => {
  const kernel = new FakeKernel(true), own = { bytes: bytesOf(60, 100), own: true };
  const other = { bytes: bytesOf(60) };
  kernel.give([own, other, own, own, other]);
  assertEquals(kernel.take(), [other.bytes, other.bytes]);
  // Blocks of nothing else are the kernel's again, and none is left behind.
  for (let i = 0; i < 4 * BLOCKS; i++) {
    assert(kernel.give([own, own]));
    assertEquals(kernel.take(), []);
  }
  kernel.take();
  assertEquals(kernel.heldBlocks(), 0);
});

Deno.test("PacketBlocks shows what is in its blocks when all of them are full", () => {
  const kernel = new FakeKernel();
  const block = Array.from({ length: 20 }, (_, i) => ({ bytes: bytesOf(60, i) }));
  let given = 0;
  while (kernel.give(block)) given++;
  assertEquals(given, BLOCKS);
  const taken = [];
  for (let packets; (packets = kernel.take()).length > 0;) taken.push(...packets);
  assertEquals(taken.length, given * 20);
  assertEquals(kernel.heldBlocks(), 0);
});

Deno.test("PacketBlocks keeps a block until the last of its packets is released", () =>
  withSeeds(import.meta.url, (random) => {
    const kernel = new FakeKernel();
    let given = 0, taken = 0;
    for (let step = 0; step < 3000; step++) {
      const count = 1 + random() % 20, first = given;
      const packet = (i: number) => ({ bytes: bytesOf(14 + (first + i) % 60, first + i) });
      if (kernel.give(Array.from({ length: count }, (_, i) => packet(i)))) given += count;
      // What lies in a block that was not released is not written over: give() would have refused.
      for (const bytes of kernel.take(random() % 25)) {
        assertEquals(bytes, bytesOf(14 + taken % 60, taken));
        taken++;
      }
    }
    while (taken < given) taken += kernel.take().length;
    assert(given > 10_000 && taken === given);
    kernel.take();
    assertEquals(kernel.heldBlocks(), 0);
  }));

Deno.test("PacketFrames shows a frame as free only when the kernel has given it back", () => {
  const words = new Int32Array((MAPPING + FRAMES * FRAME_BYTES) / 4);
  words.set([0, 0, FRAME_BYTES, FRAMES]);
  words.set([MAPPING + FRAME_HEADER - TX_RING, 0, FRAMES, FRAME_BYTES - FRAME_HEADER], TX_RING / 4);
  words[TX_RING / 4 + RING.tail] = FRAMES - 1;
  const ring = ringAt(words, TX_RING, { strideBytes: FRAME_BYTES }),
    frames = new PacketFrames(ring);
  const frame = (i: number) => (MAPPING + i * FRAME_BYTES) / 4;
  assertEquals(frames.request(), false);
  for (let i = 0; i < 3; i++) {
    words[ring.slotsAt + i * 4 + 1] = 60 + i;
    advance(ring, 1);
  }
  assertEquals(frames.request(), true);
  assertEquals([0, 1, 2, 3].map((i) => words[frame(i) + 5]), [1, 1, 1, 0]);
  assertEquals([0, 1, 2].map((i) => words[frame(i) + 4]), [60, 61, 62]);
  frames.reclaim();
  assertEquals(slotsReady(ring), FRAMES - 1 - 3);
  words[frame(0) + 5] = 0x20000000; // free, with the mark of a time
  words[frame(1) + 5] = 2; // being sent
  words[frame(2) + 5] = 0;
  frames.reclaim();
  assertEquals(slotsReady(ring), FRAMES - 1 - 2);
  words[frame(1) + 5] = 0;
  frames.reclaim();
  assertEquals(slotsReady(ring), FRAMES - 1);
  assertEquals(frames.isWaiting(), false);
});
