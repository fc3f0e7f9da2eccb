/**
 * Question: how fast is a verdict, and how does that compare with C (gcc -O3 -march=native)?
 *
 * Set-up: a ring of 1024 packets of 60 bytes: all wanted; all turned away at the first field (ARP and IPv6);
 * all for another port; or a seeded mix of these and of TCP, fragments and other sizes. Bursts of 256.
 * Baseline: bench/yardstick/packet_filter.c, `PacketFilter.judge` in C, packet by packet. Beside it, the
 * same in TypeScript; and the loop as the capture runs it: compiled, with the plain loop for what is neither
 * plain nor turned away at the first field. That one also decodes and stores the ticks of what it accepts,
 * and counts bytes.
 * Work checked: the count of each verdict is what was laid into the ring, after every run of each.
 * It cannot show: packets that are not in this thread's cache, as those fresh from a NIC are.
 */
import { compileHotLoop } from "../capture/hot_loop.ts";
import { plainLoop } from "../capture/plain_loop.ts";
import { TALLY_LENGTH } from "../capture/tally.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { bufferByte, RING, type Ring } from "../ffi/layout.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { layPacket, random, tickPacket } from "./harness/packets.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const SLOTS = 1024, BUFFER_BYTES = 2048, BURST = 256, PORT = 5001;
const PACKETS = 1_024_000, ROUNDS = PACKETS / SLOTS;
const ODD_RUN = 4; // as the capture's
const SEED = 1;

/** A kind of packet: what makes it so, and what the filter shall say. */
interface Kind {
  verdict: number;
  change: (packet: DataView) => void;
}

const KINDS = {
  wanted: { verdict: VERDICT.accepted, change() {} },
  arp: { verdict: VERDICT.notIpv4, change: (packet) => packet.setUint16(12, 0x0806) },
  ipv6: { verdict: VERDICT.notIpv4, change: (packet) => packet.setUint16(12, 0x86dd) },
  tcp: { verdict: VERDICT.notUdp, change: (packet) => packet.setUint8(23, 6) },
  fragment: { verdict: VERDICT.fragment, change: (packet) => packet.setUint16(20, 0x2000) },
  port: { verdict: VERDICT.port, change: (packet) => packet.setUint16(36, PORT + 1) },
  size: { verdict: VERDICT.length, change: (packet) => packet.setUint16(38, 20) },
} satisfies Record<string, Kind>;

const SHAPES: Record<string, Kind[]> = {
  "all accepted": [KINDS.wanted],
  "rejected at the first field": [KINDS.arp, KINDS.ipv6],
  "rejected at the port": [KINDS.port],
  "a random mix": Object.values(KINDS),
};

if (!mayBench()) skip("packet filter", NOT_ALLOWED);
else {
  const yardstick = loadFilter(), filter = new PacketFilter({ destinationPort: PORT });
  for (const [name, kinds] of Object.entries(SHAPES)) {
    const { ring, expected } = filledRing(kinds);
    compare({
      group: `packet filter, ${name}`,
      unit: "packet",
      count: PACKETS,
      ways: [
        way("C", expected, inC(filter, ring, yardstick)),
        way("PacketFilter.judge", expected, byJudge(filter, ring)),
        way("compiled loop", expected, byLoop(filter, ring)),
      ],
    });
  }
}

/** Judges `BURST` packets from `head` on. */
type Burst = (head: number, tally: Int32Array<ArrayBuffer>) => void;
type YardstickFilter = ReturnType<typeof loadFilter>;

function loadFilter() {
  return loadYardstick("packet_filter", {
    yardstick_filter: {
      parameters: ["buffer", "buffer", "i32", "i32", "i32", "i32", "buffer"],
      result: "void",
    },
  }).yardstick_filter;
}

/** The ring, and how often each verdict shall come in a run. */
function filledRing(kinds: Kind[]): { ring: Ring; expected: Int32Array } {
  const [ring] = new FakePort({ slotCount: SLOTS, bufferBytes: BUFFER_BYTES }).rx;
  const expected = new Int32Array(TALLY_LENGTH), next = random(SEED);
  for (let slot = 0; slot < SLOTS; slot++) {
    const { verdict, change } = kinds[(next() >>> 4) % kinds.length];
    const packet = tickPacket(PORT, slot);
    change(new DataView(packet.buffer));
    layPacket(ring, slot, packet);
    expected[verdict] += ROUNDS;
  }
  return { ring, expected };
}

function way(name: string, expected: Int32Array, burst: Burst): Way {
  const tally = new Int32Array(TALLY_LENGTH), verdicts = Object.values(VERDICT);
  return {
    name,
    prepare: () => void tally.fill(0),
    run() {
      for (let round = 0; round < ROUNDS; round++) {
        for (let head = 0; head < SLOTS; head += BURST) burst(head, tally);
      }
    },
    verify() {
      if (verdicts.every((verdict) => tally[verdict] === expected[verdict])) return;
      throw new Error(`Cannot compare: "${name}" found ${tally}, not ${expected}: fix it first`);
    },
  };
}

function inC(filter: PacketFilter, ring: Ring, yardstick: YardstickFilter): Burst {
  const bytes = ring.bytes as Uint8Array<ArrayBuffer>;
  const slots = bytes.subarray(RING.slots * 4);
  const buffers = bytes.subarray((ring.buffersAt - ring.at) * 4);
  const { payloadBytes } = filter;
  return (head, tally) => yardstick(slots, buffers, head, BURST, PORT, payloadBytes, tally);
}

function byJudge(filter: PacketFilter, ring: Ring): Burst {
  const { bytes, words, slotsAt } = ring;
  return (head, tally) => {
    for (let i = head; i < head + BURST; i++) {
      const slot = slotsAt + i * 4;
      const payloadAt = filter.judge(bytes, bufferByte(ring, slot), words[slot + 1] & 0xffff);
      tally[payloadAt > 0 ? VERDICT.accepted : -payloadAt]++;
    }
  };
}

/** As `PacketCapture` does it. */
function byLoop(filter: PacketFilter, ring: Ring): Burst {
  const ticks = TickRing.create(SLOTS), { mask, words } = ticks, picks = new Int32Array(PACKETS);
  const { run, skip } = compileHotLoop(filter, ring, ticks);
  const { slotsAt, buffersAt } = ring;
  return (head, tally) => {
    for (let used = 0; used < BURST;) {
      const rest = BURST - used;
      let done = run(slotsAt, buffersAt, head + used, rest, tally[VERDICT.accepted], tally);
      const skipped = done < rest
        ? skip(slotsAt, buffersAt, head + used + done, rest - done, tally)
        : 0;
      done += skipped;
      if (skipped === 0 && done < rest) {
        const odd = rest - done < ODD_RUN ? rest - done : ODD_RUN, at = tally[VERDICT.accepted];
        done += plainLoop(filter, ring, head + used + done, odd, words, at, mask, tally, picks);
      }
      used += done;
    }
  };
}
