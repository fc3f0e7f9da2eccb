/**
 * Question: how many packets a second cross a soft switch and a soft pipe, from one process to another,
 * through the whole pipeline up to the published tick?
 *
 * Set-up: the sender (market, packets, checksums) on one core, the capture (filter, decoder, tick ring) on
 * the other; the ring's consumer only advances it. Switch and pipe in turn, until three rounds of each had near cores, ten at most.
 * Baseline: the targets, 25 Mpps and 45 Mpps, and the barest ring in C (bench/yardstick/cores.c).
 * Whether to believe it: a hypervisor moves virtual cores about, and two that share no cache are five times
 * as far apart: all that crosses them is slower then, the bare ring in C below 45 Mpps. So the distance is
 * measured around each round, and only rounds with near cores are judged.
 * Work checked: sent = received + lost, and every packet received became a tick.
 * It cannot show: a machine with more cores; what the engine costs (see --engine, three threads).
 *
 * Run: deno task bench soft_port [--engine]
 */
import { BackgroundCapture } from "../capture/background_capture.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { drainEngine, runEngine } from "../capture/engine_loop.ts";
import { MeanReversion } from "../engine/mean_reversion.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { TradingEngine } from "../engine/trading_engine.ts";
import { allowedCores, contextSwitches, currentCore, pinToCore, tscHz } from "../ffi/host.ts";
import { openPort } from "../ffi/open_port.ts";
import { RX, TX } from "../ffi/port.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { newSender } from "../sender/new_sender.ts";
import { parseSendOptions } from "../sender/send_options.ts";
import { loadYardstick } from "./harness/yardstick.ts";

const MOST_ROUNDS = 10, NEAR_ROUNDS = 3, NEAR_NS = 120;
const SECONDS = 2, FIRST_MS = 300, CAPACITY = 65536;
const KINDS = [
  { name: "soft switch", rx: "soft:bench:rx", tx: "soft:bench:tx", target: 25 },
  { name: "soft pipe", rx: "soft:bench{1", tx: "soft:bench}1", target: 45 },
];

interface Result {
  received: number;
  lost: number;
  ticks: number;
  mpps: number;
  core: number;
  switches: number;
  emptyShare: number;
  burst: number;
}

/** Captures until the sender has been silent for a while; the rate is taken over the middle. */
function receive(portName: string, core: number): Result {
  pinToCore(core);
  const port = openPort(portName, RX | TX), ticks = TickRing.create(CAPACITY);
  const filter = new PacketFilter({ destinationPort: 5001 });
  const capture = new PacketCapture({ port, filter, ticks, burst: 256 });
  capture.warmUp();
  console.log("ready");
  const counters = capture.state;
  const switches = contextSwitches();
  let consumed = 0, lastPacket = Infinity, from = Infinity, to = 0, atFrom = 0, atTo = 0;
  for (let i = 0;; i++) {
    const received = capture.pump();
    const waiting = ticks.take(CAPACITY);
    ticks.release(waiting);
    consumed += waiting;
    if ((i & 255) !== 0) continue;
    const now = performance.now(), total = counters.counters[13];
    if (received > 0) {
      if (lastPacket === Infinity) from = now + FIRST_MS;
      lastPacket = now;
      if (now >= from && atFrom === 0) [from, atFrom] = [now, total];
      if (now < from + (SECONDS * 1000 - 2 * FIRST_MS)) [to, atTo] = [now, total];
    }
    if (now - lastPacket > 1500) break;
  }
  capture.housekeep();
  const c = counters.read();
  port.close();
  return {
    received: c.received,
    lost: c.lost ?? 0,
    ticks: consumed,
    mpps: (atTo - atFrom) / (to - from) / 1000,
    core: currentCore(),
    switches: contextSwitches() - switches,
    emptyShare: c.emptySyncs / c.syncs,
    burst: c.received / c.bursts,
  };
}

/** The same with the capture in a worker and the engine on this thread. */
async function receiveWithEngine(portName: string, core: number): Promise<Result> {
  const ticks = TickRing.create(CAPACITY);
  tscHz();
  const engine = new TradingEngine(ticks, (market) => new MeanReversion(market));
  const capture = await BackgroundCapture.start({
    port: portName,
    filter: { destinationPort: 5001 },
    ticks,
    wait: "spin",
    core,
  });
  console.log("ready");
  let last = 0, lastAt = Infinity, from = 0, atFrom = 0, to = 0, atTo = 0;
  const timer = setInterval(() => {
    const { received } = capture.state.read(), now = performance.now();
    if (received !== last) {
      lastAt = now;
      if (from === 0) [from, atFrom] = [now, received];
      [to, atTo] = [now, received];
    }
    last = received;
  }, 50);
  await runEngine(
    engine,
    [ticks],
    "spin",
    () => performance.now() - lastAt < 1500 || lastAt === Infinity,
  );
  clearInterval(timer);
  await drainEngine(engine, capture.stop());
  const c = capture.state.read();
  return {
    received: c.received,
    lost: c.lost ?? 0,
    ticks: engine.consumed + c.dropped,
    mpps: (atTo - atFrom) / (to - from) / 1000,
    core: capture.core,
    switches: contextSwitches(),
    emptyShare: c.emptySyncs / c.syncs,
    burst: c.received / c.bursts,
  };
}

function send(portName: string, core: number): void {
  pinToCore(core);
  const { port, sender } = newSender(parseSendOptions(["-i", portName]));
  sender.run(SECONDS * 1000);
  sender.flush();
  console.log(JSON.stringify({ ...sender.stats(), core: currentCore() }));
  port.close();
}

function child(...args: string[]) {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=bench", import.meta.url, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), SECONDS * 1000 + 20_000);
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const more = async () => {
    const { value, done } = await reader.read();
    text += value ?? "";
    return !done;
  };
  return {
    async ready() {
      while (!text.includes("ready") && await more());
    },
    async result() {
      while (await more());
      clearTimeout(timer);
      return JSON.parse(text.replace("ready", ""));
    },
  };
}

async function round(kind: typeof KINDS[number], role: string, cores: number[]) {
  const receiver = child(role, kind.rx, String(cores[0]));
  await receiver.ready();
  const sender = child("tx", kind.tx, String(cores.at(-1)));
  const [sent, got] = [await sender.result(), await receiver.result() as Result];
  if (sent.sent !== got.received + got.lost || got.ticks !== got.received || got.ticks === 0) {
    throw new Error(
      `Cannot trust "${kind.name}": sent ${sent.sent}, received ${got.received}, lost ${got.lost}, ` +
        `ticks ${got.ticks}: the sums must agree`,
    );
  }
  return { sent, got };
}

async function main(): Promise<number> {
  const cores = allowedCores(), first = cores[0], last = cores.at(-1)!;
  const role = Deno.args.includes("--engine") ? "rx-engine" : "rx";
  const { yardstick_distance: distance, yardstick_ring: ring } = loadYardstick("cores", {
    yardstick_distance: { parameters: ["i32", "i32"], result: "f64" },
    yardstick_ring: { parameters: ["i32", "i32", "u32"], result: "f64" },
  });
  console.log(
    `soft ports, two processes: ${
      role === "rx" ? "capture" : "capture and engine"
    } on core ${first}, ` +
      `sender on core ${last}`,
  );
  const near = new Map<string, number[]>(KINDS.map(({ name }) => [name, []]));
  const far = new Map<string, number[]>(KINDS.map(({ name }) => [name, []]));
  const enough = () => KINDS.every(({ name }) => near.get(name)!.length >= NEAR_ROUNDS);
  for (let i = 0; i < MOST_ROUNDS && !enough(); i++) {
    for (const kind of KINDS) {
      const before = distance(last, first), c = ring(last, first, 2_000_000);
      const { sent, got } = await round(kind, role, cores);
      const ns = Math.max(before, distance(last, first));
      (ns < NEAR_NS ? near : far).get(kind.name)!.push(got.mpps);
      console.log(
        `${kind.name.padEnd(12)} ${got.mpps.toFixed(1).padStart(5)} Mpps received, ` +
          `${
            (sent.pps / 1e6).toFixed(1).padStart(5)
          } sent; lost ${got.lost}, ring full ${sent.ringFull}, ` +
          `empty syncs ${(got.emptyShare * 100).toFixed(0)} %, burst ${got.burst.toFixed(0)}; ` +
          `capture on core ${got.core}, ${got.switches} context switches; ` +
          `cores ${ns.toFixed(0)} ns apart (bare ring in C: ${c.toFixed(0)} Mpps)`,
      );
    }
  }
  return verdict(role, near, far);
}

/** Judges the rounds in which the cores were near; the others say what the machine was then. */
function verdict(role: string, near: Map<string, number[]>, far: Map<string, number[]>): number {
  let missed = 0;
  for (const { name, target } of KINDS) {
    const [a, b] = [near.get(name)!, far.get(name)!].map((rates) =>
      rates.toSorted((x, y) => x - y)
    );
    const text = (rates: number[]) =>
      rates.length === 0
        ? "no round"
        : `median ${rates[rates.length >> 1].toFixed(1)}, ${rates[0].toFixed(1)} to ${
          rates.at(-1)!.toFixed(1)
        } Mpps`;
    console.log(`${name.padEnd(12)} cores near (below ${NEAR_NS} ns): ${text(a)}; far: ${text(b)}`);
    if (role !== "rx") continue;
    if (a.length === 0) {
      console.log(`  at least ${target} wanted: cannot be judged, the cores were far apart`);
    } else if (a[a.length >> 1] >= target) console.log(`  at least ${target} wanted: met`);
    else {
      console.log(`  at least ${target} wanted: MISSED`);
      missed++;
    }
  }
  return missed;
}

const [role, port, core] = Deno.args;
if (role === "rx") console.log(JSON.stringify(receive(port, Number(core))));
else if (role === "rx-engine") {
  console.log(JSON.stringify(await receiveWithEngine(port, Number(core))));
  Deno.exit(0);
} else if (role === "tx") send(port, Number(core));
else Deno.exit(await main());
