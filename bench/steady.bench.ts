/**
 * Question: does a warm capture stall in its first second, and does its memory grow in a minute at full
 * rate?
 *
 * Set-up: a soft pipe, the sender's command in another process on the last core, the capture here on the
 * first one, with the loop warmed as in production; each burst is timed by the clock and by the thread's own
 * CPU time.
 * Whose fault a stall is: a burst that took over 2 ms by the clock while the thread had run for less
 * than that was taken off its core (by the scheduler, or the hypervisor). Over 2 ms of the thread's own
 * CPU time is ours.
 * Work checked: every packet sent is received and became a tick.
 * It cannot show: hours (deno task soak will), or memory of other threads (resident memory is the process's).
 *
 * Run: deno task bench steady [seconds]
 */
import { COUNTER } from "../capture/capture_state.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { allowedCores, pinToCore, threadCpuNs, tscHz } from "../ffi/host.ts";
import { openPort } from "../ffi/open_port.ts";
import { RX, ticksBetween, TX } from "../ffi/port.ts";
import { PacketFilter } from "../filter/packet_filter.ts";

const seconds = Number(Deno.args[0] ?? 60), STALL_NS = 2e6;
const cores = allowedCores();

const port = openPort("soft:steady{1", RX | TX), ticks = TickRing.create(65536);
const capture = new PacketCapture({
  port,
  filter: new PacketFilter({ destinationPort: 5001 }),
  ticks,
});
capture.warmUp();

const root = new URL("..", import.meta.url).pathname;
const sender = new Deno.Command(Deno.execPath(), {
  args: ["run", "-q", "-P=send", "sender/main.ts", "-i", "soft:steady}1", "--json"]
    .concat("--seconds", String(seconds), "--core", String(cores.at(-1))),
  cwd: root,
  stdout: "piped",
}).spawn();

pinToCore(cores[0]);
let consumed = 0;
const stalls = { ours: 0, others: 0, worstOursMs: 0, bursts: 0 };

function pump(): number {
  const received = capture.pump(), waiting = ticks.take(ticks.capacity);
  ticks.release(waiting);
  consumed += waiting;
  return received;
}

/** The first second after the first packet, burst by burst; nothing here may allocate. */
function watchFirstSecond(): void {
  while (pump() === 0);
  const stallTicks = STALL_NS / 1e9 * tscHz() | 0, start = performance.now();
  let clock = port.clock(), cpu = threadCpuNs();
  while (stalls.bursts % 1024 !== 0 || performance.now() - start < 1000) {
    pump();
    const took = ticksBetween(clock, port.clock()), now = threadCpuNs();
    stalls.bursts++;
    if (took > stallTicks) noteStall(took, now - cpu);
    cpu = now;
    clock = port.clock();
  }
}

function noteStall(ticks: number, ranNs: number): void {
  const ours = ranNs > STALL_NS, tookMs = ticks / tscHz() * 1e3;
  stalls[ours ? "ours" : "others"]++;
  if (ours) stalls.worstOursMs = Math.max(stalls.worstOursMs, ranNs / 1e6);
  console.log(
    `  a burst took ${tookMs.toFixed(1)} ms, the thread ran ${
      (ranNs / 1e6).toFixed(1)
    } ms of it: ` +
      `${ours ? "ours" : "the scheduler's"}`,
  );
}

const memory: { atS: number; heap: number; rss: number }[] = [];

function note(): void {
  const { heapUsed, rss } = Deno.memoryUsage();
  memory.push({ atS: Math.round(performance.now() / 1000), heap: heapUsed, rss });
}

/** Pumps until the sender has been silent for a second; notes the memory every ten. */
function watchMemory(): void {
  const { counters } = capture.state;
  let seen = 0, last = performance.now(), noteAt = last + 2000;
  for (;;) {
    for (let i = 0; i < 4096; i++) pump();
    const now = performance.now(), received = counters[COUNTER.received];
    if (received !== seen) last = now;
    seen = received;
    if (now >= noteAt) {
      note();
      noteAt = now + 10_000;
    }
    if (now - last > 1000) return;
  }
}

console.log(`steady capture from a soft pipe for ${seconds} s, warmed with a million packets`);
watchFirstSecond();
watchMemory();
const sent = JSON.parse(new TextDecoder().decode((await sender.output()).stdout)).sent;
const { received, delivered } = capture.state.read();
port.close();

console.log(
  `first second: ${stalls.bursts} syncs, ${stalls.ours} stalls of ours, ${stalls.others} of the scheduler's`,
);
for (const { atS, heap, rss } of memory) {
  console.log(
    `  at ${atS} s: heap ${(heap / 1e6).toFixed(2)} MB, resident ${(rss / 1e6).toFixed(1)} MB`,
  );
}
const first = memory[0], last = memory.at(-1)!;
const growth = last.rss - first.rss, perPacket = (last.heap - first.heap) / received;
console.log(
  `received ${received} packets (${
    (received / seconds / 1e6).toFixed(1)
  } Mpps on average); resident memory grew by ` +
    `${(growth / 1e6).toFixed(2)} MB, the heap by ${perPacket.toFixed(6)} bytes a packet`,
);
const faults = [
  received !== sent || delivered !== received || consumed !== received
    ? `sent ${sent}, received ${received}`
    : "",
  stalls.ours > 0 ? `${stalls.ours} stalls of ours, up to ${stalls.worstOursMs.toFixed(1)} ms` : "",
  growth > 8e6 ? "resident memory grows" : "",
].filter((fault) => fault !== "");
console.log(faults.length === 0 ? "as it should be" : `MISSED: ${faults.join("; ")}`);
Deno.exit(faults.length);
