/** A ring full of packets, and what the packet loop says of them. */
import { assertEquals } from "@std/assert";
import { compileHotLoop } from "../capture/hot_loop.ts";
import { TALLY_LENGTH } from "../capture/tally.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { bufferByte, type Ring, SLOT_WORDS } from "../ffi/layout.ts";
import type { Expression } from "../filter/expression/expression.ts";
import type { Plan } from "../filter/expression/plan/plan.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT, VERDICTS } from "../filter/verdict.ts";
import type { FilterPacket } from "./filter_packets.ts";
import type { Random } from "./random_tree.ts";

const TICKS = 256;

/** A full ring, of which each buffer has rubbish behind its packet. */
export class FullRing {
  readonly ring: Ring;
  readonly packets: FilterPacket[];
  readonly #random: Random;
  readonly #ticks = TickRing.create(TICKS);

  constructor(random: Random, packets: FilterPacket[], bufferBytes: number) {
    const [ring] = new FakePort({ slotCount: packets.length, bufferBytes }).rx;
    const originals = Int32Array.from(packets, ({ wireLength }) => wireLength);
    this.ring = { ...ring, originals };
    this.packets = packets;
    this.#random = random;
    packets.forEach(({ bytes }, slot) => {
      const word = ring.slotsAt + slot * SLOT_WORDS, at = bufferByte(ring, word);
      for (let i = bytes.length; i < bufferBytes; i++) ring.bytes[at + i] = random();
      ring.bytes.set(bytes, at);
      ring.words[word + 1] = bytes.length;
    });
  }

  /** What the loop says of each packet, as 1 and 0; it runs `runs` times, in pieces from some slot on. */
  verdicts(plan: Plan, runs = 1): number[] | undefined {
    const filter = Object.assign(PacketFilter.compile("ip", { decode: false }), {
      expression: { plan } as Expression,
    });
    const { ring } = this, { slotCount } = ring, picks = new Int32Array(slotCount);
    const loop = compileHotLoop(filter, ring, this.#ticks, picks);
    const tally = new Int32Array(TALLY_LENGTH);
    for (let run = 0; run < runs; run++) {
      tally.fill(0);
      const first = this.#random() % slotCount;
      for (let done = 0; done < slotCount;) {
        const count = Math.min(1 + this.#random() % slotCount, slotCount - done);
        const position = tally[VERDICT.accepted];
        const head = (first + done) % slotCount;
        const used = loop.run(ring.slotsAt, ring.buffersAt, head, count, position, tally);
        if (used === 0 && done === 0) return undefined; // too large to be compiled
        assertEquals(used, count);
        done += used;
      }
    }
    assertEquals(tally[VERDICT.accepted] + tally[VERDICT.expression], slotCount);
    const verdicts = Array<number>(slotCount).fill(0);
    for (const slot of picks.subarray(0, tally[VERDICT.accepted])) {
      verdicts[(slot - ring.slotsAt) / SLOT_WORDS] = 1;
    }
    return verdicts;
  }

  /**
   * What the loop of a filter that decodes counts, of all packets, in the order of the verdicts: what is odd to
   * it is left to `odd`, which says the verdict.
   */
  tally(filter: PacketFilter, odd: (packet: FilterPacket) => number): Int32Array {
    const { ring, packets } = this, { slotCount } = ring, picks = new Int32Array(slotCount);
    const { run } = compileHotLoop(filter, ring, this.#ticks, picks);
    const tally = new Int32Array(TALLY_LENGTH);
    for (let done = 0; done < slotCount; done++) {
      const position = tally[VERDICT.accepted];
      done += run(ring.slotsAt, ring.buffersAt, done, slotCount - done, position, tally);
      if (done < slotCount) tally[odd(packets[done])]++;
    }
    return tally.subarray(0, VERDICTS);
  }
}
