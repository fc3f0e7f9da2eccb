/**
 * Question: how fast is the filter language, compared with libpcap's own interpreter, bpf_filter()?
 *
 * Set-up: 30 expressions (harness/expressions.ts), each over a ring of 1024 packets of 42 to 1514 bytes as a
 * trading host sees them (harness/expression_traffic.ts), in bursts of 256; and a ring of nothing but ARP for
 * the reject on the first field.
 * Baseline: libpcap in C (yardstick/bpf_filter.c), its optimiser on. Beside it the loop as the capture runs it
 * with --no-decode, which also counts bytes; and `PacketFilter.matches`, for users of the library, of 30 filters
 * in turn: one alone is faster.
 * Work checked: every way accepts as many packets as libpcap did at the start, after every run.
 * It cannot show: packets that are not in this thread's cache, as those fresh from a NIC are; and branches
 * that the processor has not met 1024 packets before.
 */
import { compileHotLoop } from "../capture/hot_loop.ts";
import { TALLY_LENGTH } from "../capture/tally.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { FakePort } from "../ffi/fake_port.ts";
import { bufferByte, RING, type Ring } from "../ffi/layout.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { compare, type Family, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { expressionTraffic } from "./harness/expression_traffic.ts";
import { EXPRESSIONS } from "./harness/expressions.ts";
import { layPacket } from "./harness/packets.ts";
import { hasHeader, loadYardstick } from "./harness/yardstick.ts";

const SLOTS = 1024, BUFFER_BYTES = 2048, BURST = 256, SEED = 1;
/** Few rounds, so that 50 runs of each of 30 expressions are half a minute. */
const ROUNDS = 128, PACKETS = ROUNDS * SLOTS;
const FIRST_FIELD_NS = 6; // a reject on the first field may take
const NO_LIBPCAP = "no pcap/pcap.h here: install libpcap-dev";

const FAMILY: Family = {
  name: "filter expressions",
  means: { "compiled loop": { atMost: 1 / 3 } },
};

if (!mayBench()) skip("filter expressions", NOT_ALLOWED);
else if (!hasHeader("pcap/pcap.h")) skip("filter expressions", NO_LIBPCAP);
else {
  const libpcap = loadLibpcap(), traffic = ringOf(expressionTraffic(SLOTS, SEED));
  for (const expression of EXPRESSIONS) {
    checkChoice(expression, acceptedBy(byLibpcap(expression, traffic, libpcap), 1));
    const [baseline, loop, matches] = waysOf(expression, traffic, libpcap);
    const ways = [baseline, { ...loop, atMost: 1 }, matches];
    compare({ group: expression, family: FAMILY, unit: "packet", count: PACKETS, ways });
  }
  const arp = new Uint8Array(60).fill(0xff, 0, 6);
  arp.set([8, 6], 12);
  const nothing = ringOf(Array<Uint8Array>(SLOTS).fill(arp));
  const [baseline, loop, matches] = waysOf("udp dst port 5001", nothing, libpcap);
  const ways = [baseline, { ...loop, atLeastHz: 1e9 / FIRST_FIELD_NS }, matches];
  compare({ group: "first field rejects", unit: "packet", count: PACKETS, ways });
}

/** How many of `BURST` packets from `head` on are accepted. */
type Burst = (head: number) => number;
type Libpcap = ReturnType<typeof loadLibpcap>;

function loadLibpcap() {
  return loadYardstick("bpf_filter", {
    yardstick_compile: { parameters: ["buffer"], result: "pointer" },
    yardstick_bpf: { parameters: ["pointer", "buffer", "buffer", "i32", "i32"], result: "i32" },
  }, ["-lpcap"]);
}

function ringOf(packets: Uint8Array[]): Ring {
  const [ring] = new FakePort({ slotCount: SLOTS, bufferBytes: BUFFER_BYTES }).rx;
  packets.forEach((packet, slot) => layPacket(ring, slot, packet));
  return ring;
}

function waysOf(expression: string, ring: Ring, libpcap: Libpcap): Way[] {
  const filter = PacketFilter.compile(expression, { decode: false });
  const baseline = byLibpcap(expression, ring, libpcap);
  const expected = acceptedBy(baseline, 1) * ROUNDS;
  return [
    way("libpcap", expected, baseline),
    way("compiled loop", expected, byLoop(filter, ring)),
    way("PacketFilter.matches", expected, byMatches(filter, ring)),
  ];
}

function way(name: string, expected: number, burst: Burst): Way {
  let accepted = 0;
  return {
    name,
    run: () => void (accepted = acceptedBy(burst, ROUNDS)),
    verify() {
      if (accepted === expected) return;
      throw new Error(
        `Cannot compare: "${name}" accepted ${accepted}, not ${expected}: fix it first`,
      );
    },
  };
}

/** An expression that takes all packets, or none, would not say much. */
function checkChoice(expression: string, accepted: number): void {
  if (accepted > 0 && accepted < SLOTS) return;
  throw new Error(`Cannot compare: "${expression}" accepts ${accepted} of ${SLOTS}: add packets`);
}

/** Of the whole ring, so many times. */
function acceptedBy(burst: Burst, rounds: number): number {
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    for (let head = 0; head < SLOTS; head += BURST) accepted += burst(head);
  }
  return accepted;
}

function byLibpcap(expression: string, ring: Ring, libpcap: Libpcap): Burst {
  const program = libpcap.yardstick_compile(new TextEncoder().encode(`${expression}\0`));
  if (program === null) throw new Error(`Cannot compare: libpcap refuses "${expression}"`);
  const bytes = ring.bytes as Uint8Array<ArrayBuffer>;
  const slots = bytes.subarray(RING.slots * 4);
  const buffers = bytes.subarray((ring.buffersAt - ring.at) * 4);
  return (head) => libpcap.yardstick_bpf(program, slots, buffers, head, BURST);
}

/** As `PacketCapture` does it; it must not stop at any packet here. */
function byLoop(filter: PacketFilter, ring: Ring): Burst {
  const { run } = compileHotLoop(filter, ring, TickRing.create(SLOTS));
  const { slotsAt, buffersAt } = ring, tally = new Int32Array(TALLY_LENGTH);
  return (head) => {
    const before = tally[VERDICT.accepted];
    const done = run(slotsAt, buffersAt, head, BURST, 0, tally);
    return done === BURST ? tally[VERDICT.accepted] - before | 0 : NaN;
  };
}

function byMatches(filter: PacketFilter, ring: Ring): Burst {
  const { bytes, words, slotsAt } = ring;
  return (head) => {
    let accepted = 0;
    for (let slot = slotsAt + head * 4, end = slot + BURST * 4; slot < end; slot += 4) {
      if (filter.matches(bytes, bufferByte(ring, slot), words[slot + 1] & 0xffff)) accepted++;
    }
    return accepted;
  };
}
