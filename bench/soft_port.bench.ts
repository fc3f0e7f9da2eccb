/**
 * Question: how many packets a second cross a soft switch and a soft pipe, from one thread to another,
 * through the whole pipeline up to the published tick?
 *
 * Set-up: the sender (market, packets, checksums) on the last core, the capture (filter, decoder, tick
 * ring) on the first one; the ring's consumer only advances it. Both are warm from runs that are not timed.
 * What a switch loses counts as sent.
 * Baseline: the barest ring in C between the same cores (bench/yardstick/cores.c); starting its thread and
 * laying its buffers, under 1 ms, is in its time. Targets: 25 and 45 M packets a second.
 * Whether to believe it: a hypervisor moves virtual cores about, and two that share no cache are five times
 * as far apart: all that crosses them is slower then, the bare ring in C below 45 M a second. So only
 * rounds in which the cores are near are judged.
 * Work checked: sent = received + lost, and every packet received became a tick that was consumed.
 * It cannot show: two processes; a machine with more cores; what the engine costs, a third thread.
 */
import { COUNTER } from "../capture/capture_state.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { allowedCores, pinToCore } from "../ffi/host.ts";
import { openPort } from "../ffi/open_port.ts";
import { RX, TX } from "../ffi/port.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { bareRingMpps, unpin } from "./harness/core_distance.ts";
import { UDP_PORT } from "./harness/market_data.ts";
import { Partner } from "./harness/partner.ts";
import type { SendOrders, SendReport } from "./partners/sender.ts";

const PACKETS = 1_024_000, CAPACITY = 65536;
const WARM_UP_RUNS = 6; // until then V8 compiles the ports' syncs anew, some 30 ms a run
const EMPTY_SYNCS = 64; // between looks at what the port has lost
const LONGEST_MS = 60_000; // only so that nothing hangs for ever

// Names of our own: other benches may run at the same time.
const network = `bench${Deno.pid}`;
const KINDS = [
  { group: "soft switch", rx: `soft:${network}:rx`, tx: `soft:${network}:tx`, leastHz: 25e6 },
  { group: "soft pipe", rx: `soft:${network}{1`, tx: `soft:${network}}1`, leastHz: 45e6 },
];
type Kind = typeof KINDS[number];

const allowed = mayBench() ? allowedCores() : [];
const first = allowed[0], last = allowed.at(-1)!;
for (const kind of KINDS) {
  if (!mayBench()) skip(kind.group, NOT_ALLOWED);
  else if (allowed.length < 2) skip(kind.group, "it needs two cores");
  else declare(kind);
}

function declare(kind: Kind): void {
  const file = new URL("./partners/sender.ts", import.meta.url);
  const partner = new Partner<SendOrders, SendReport>(file, last);
  let receiver: Receiver | undefined;
  compare({
    group: kind.group,
    unit: "packet",
    count: PACKETS,
    cores: [first, last],
    ways: [
      {
        name: "the barest ring, in C",
        run: () => void bareRingMpps(last, first, PACKETS),
        verify() {}, // it throws where a packet was lost
      },
      across(kind, partner, () => receiver ??= newReceiver(kind.rx)),
    ],
    dispose() {
      partner.stop();
      receiver?.port.close();
    },
  });
}

function across(
  { group, tx, leastHz }: Kind,
  partner: Partner<SendOrders, SendReport>,
  receiverOf: () => Receiver,
): Way {
  let receiver: Receiver | undefined, got: Received;
  const prepare = async () => {
    receiver ??= receiverOf();
    await partner.prepare({ port: tx, count: PACKETS });
    receiver.begin();
    pinToCore(first);
  };
  const run = () => {
    partner.go();
    try {
      got = receiver!.receive();
    } finally {
      unpin(allowed);
    }
  };
  const verify = async () => {
    const { sent } = await partner.finish(), { received, lost, ticks } = got;
    if (sent === PACKETS && sent === received + lost && ticks === received) return;
    throw new Error(
      `Cannot trust the ${group}: sent ${sent} of ${PACKETS}, received ${received}, lost ${lost}, ` +
        `ticks ${ticks}: the sums must agree`,
    );
  };
  return {
    name: group,
    async prepare() {
      for (let i = receiver === undefined ? WARM_UP_RUNS : 0; i > 0; i--) {
        await prepare();
        run();
        await verify();
      }
      await prepare();
    },
    run,
    verify,
    atLeastHz: leastHz,
  };
}

/** Of one run. */
interface Received {
  received: number;
  lost: number;
  ticks: number;
}
type Receiver = ReturnType<typeof newReceiver>;

/** The capture of this thread, over all runs. */
function newReceiver(name: string) {
  const port = openPort(name, RX | TX), ticks = TickRing.create(CAPACITY);
  const filter = new PacketFilter({ destinationPort: UDP_PORT });
  const capture = new PacketCapture({ port, filter, ticks, burst: 256 });
  const { counters } = capture.state;
  let isWarm = false, receivedBefore = 0, lostBefore = 0;
  const lost = () => port.lost()! - lostBefore;
  return {
    port,
    /** The sender has joined, but sends nothing yet. */
    begin() {
      capture.pump();
      if (!isWarm) capture.warmUp();
      isWarm = true;
      receivedBefore = counters[COUNTER.received];
      lostBefore = port.lost()!;
    },
    /** Pumps until every packet is here, or lost. */
    receive(): Received {
      const end = performance.now() + LONGEST_MS;
      let consumed = 0, empty = 0;
      for (;;) {
        const received = capture.pump(), waiting = ticks.take(CAPACITY);
        ticks.release(waiting);
        consumed += waiting;
        if (received > 0 || ++empty % EMPTY_SYNCS !== 0) continue;
        const all = counters[COUNTER.received] - receivedBefore + lost();
        if (all >= PACKETS || performance.now() > end) break;
      }
      const received = counters[COUNTER.received] - receivedBefore;
      return { received, lost: lost(), ticks: consumed };
    },
  };
}
