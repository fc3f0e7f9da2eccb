/**
 * Question: what does the measuring itself cost a packet?
 *
 * What is counted: the capture reads the clock at the end of each sync and of each burst, counts verdicts,
 * bytes, syncs, bursts and occupancy, and keeps a histogram of the time that a packet took. None of it is
 * done for a packet, all of it for a burst: so the cost a packet is that of a burst divided by its packets.
 * Set-up: a ring of 512 packets in ordinary memory, always full. One way is `PacketCapture.pump`, on a port
 * that reads the clock as real ones do, by a call into the library. The baseline is the same without
 * measuring, on a port that reads no clock: sync, claim, the same compiled loop, release, publish; what
 * else the pump does, such as to look for further rings, counts as measuring. The consumer only advances
 * the tick ring. Target: 2 ns a packet in bursts of 256.
 * Work checked: every packet became a tick of its instrument, and was consumed; the pump's own counters say
 * so, and its histogram holds every packet.
 * It cannot show: what a sync of a real port costs; the measuring of other threads.
 */
import { COUNTER } from "../capture/capture_state.ts";
import { compileHotLoop } from "../capture/hot_loop.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { TALLY_LENGTH } from "../capture/tally.ts";
import { RECORD_SHIFT } from "../engine/tick.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { advance, RING, slotsReady } from "../ffi/layout.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { FullPort, TimedPort } from "./harness/full_port.ts";
import { layPacket, tickPacket } from "./harness/packets.ts";

const SLOTS = 512, BUFFER_BYTES = 2048, PORT = 5001, CAPACITY = 16384;
const PACKETS = 1_024_000;
const BURSTS = [{ burst: 256, atMostMoreNs: 2 }, { burst: 32 }];

for (const { burst, atMostMoreNs } of BURSTS) {
  const group = `measuring, bursts of ${burst}`;
  if (!mayBench()) skip(group, NOT_ALLOWED);
  else {
    compare({
      group,
      unit: "packet",
      count: PACKETS,
      ways: [unmeasured(burst), { ...measured(burst), atMostMoreNs }],
    });
  }
}

function unmeasured(burst: number): Way {
  const port = filled(new FullPort({ slotCount: SLOTS, bufferBytes: BUFFER_BYTES }));
  const [ring] = port.rx, { words } = ring, ticks = TickRing.create(CAPACITY);
  const { run } = compileHotLoop(new PacketFilter({ destinationPort: PORT }), ring, ticks);
  const tally = new Int32Array(TALLY_LENGTH);
  let consumed = 0;
  const take = () => {
    port.rxSync();
    const slots = slotsReady(ring), room = ticks.claim(slots < burst ? slots : burst);
    const head = words[ring.at + RING.head], before = tally[VERDICT.accepted];
    const used = run(ring.slotsAt, ring.buffersAt, head, room, ticks.tail, tally);
    const accepted = tally[VERDICT.accepted] - before;
    advance(ring, used);
    if (accepted > 0) ticks.publish(accepted);
  };
  return {
    name: "without measuring",
    prepare() {
      tally.fill(0);
      consumed = 0;
    },
    run() {
      for (let done = 0; done < PACKETS; done += burst) {
        take();
        consumed += consume(ticks);
      }
    },
    verify: () => check(ticks, consumed, tally[VERDICT.accepted]),
  };
}

function measured(burst: number): Way {
  const port = filled(new TimedPort({ slotCount: SLOTS, bufferBytes: BUFFER_BYTES }));
  const ticks = TickRing.create(CAPACITY), filter = new PacketFilter({ destinationPort: PORT });
  const capture = new PacketCapture({ port, filter, ticks, burst });
  capture.warmUp();
  let consumed = 0;
  return {
    name: "PacketCapture.pump",
    prepare() {
      capture.state.clear();
      capture.resume();
      consumed = 0;
    },
    run() {
      for (let done = 0; done < PACKETS; done += burst) {
        capture.pump();
        consumed += consume(ticks);
      }
    },
    verify() {
      const { counters, service } = capture.state, bursts = PACKETS / burst;
      check(ticks, consumed, counters[COUNTER.delivered]);
      const isCounted = counters[COUNTER.bursts] === bursts &&
        counters[COUNTER.occupancySum] === bursts * (SLOTS - 1);
      if (isCounted && service.memory[0] === PACKETS) return;
      throw new Error("Cannot compare: the pump has not measured: fix it first");
    },
  };
}

function filled<P extends FullPort>(port: P): P {
  for (let slot = 0; slot < SLOTS; slot++) layPacket(port.rx[0], slot, tickPacket(PORT, slot));
  return port;
}

function consume(ticks: TickRing): number {
  const waiting = ticks.take(CAPACITY);
  ticks.release(waiting);
  return waiting;
}

/** A run is whole rounds of the packets, and so is the tick ring. */
function check(ticks: TickRing, consumed: number, accepted: number): void {
  const { words } = ticks;
  let isRight = consumed === PACKETS && accepted === PACKETS;
  for (let tick = 0; tick < CAPACITY; tick++) {
    isRight &&= words[RECORDS_WORD + (tick << RECORD_SHIFT)] === tick % SLOTS;
  }
  if (!isRight) throw new Error("Cannot compare: ticks are missing: fix the pump first");
}
