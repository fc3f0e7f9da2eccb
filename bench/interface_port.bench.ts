/**
 * Question: what do AF_XDP and AF_PACKET deliver of a flood, against a socket (recvmmsg), what does a packet
 * cost the receiving thread, and what does writing it to a file add to that?
 *
 * Set-up: a veth pair between two namespaces of the bench's own. In one, the sender's command floods from a
 * packet port, on the last core; in the other, a process on the first core runs the whole pipeline up to the
 * published tick. The kinds in turn, A B C A B C.
 * - delivered: the receiver spins; packets a second over the middle of the flood.
 * - CPU time: the receiver looks every 200 µs, all kinds alike, and only the time from before its sync to its
 *   last tick published counts: work, not waiting. The median over all packets, for the hypervisor takes
 *   cores away now and then.
 * - with --write: the same, while every packet also goes to a file by the writing thread.
 * Baseline: udp, recvmmsg.
 * Work checked: every packet received became a tick, and what the kernel handed over was received or
 * counted as lost.
 * It cannot show: a NIC's driver. On veth the sender's core also does the receiver's part of the kernel's
 * work, and that bounds the rates of all kinds.
 *
 * Run: deno task bench interface_port [rounds]   (root)
 */
import { PacketCapture } from "../capture/packet_capture.ts";
import { COUNTER } from "../capture/capture_state.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { CaptureWriter } from "../capture/capture_writer.ts";
import { PacketLog } from "../capture/packet_log.ts";
import { allowedCores, nowNs, pinToCore, tscHz } from "../ffi/host.ts";
import { openPort } from "../ffi/open_port.ts";
import { RX } from "../ffi/port.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { ADDRESS, INTERFACE, noTestbed, Testbed } from "../tests/testbed.ts";

const KINDS = ["udp", "packet", "xdp"] as const;
type Kind = typeof KINDS[number];
/** Market data is multicast; to an address of its own the kernel would also answer what no socket wants. */
const GROUP = "239.1.1.1", GROUP_MAC = "01:00:5e:01:01:01";
const NAMES: Record<Kind, string> = {
  udp: `udp:${GROUP}:5001@${INTERFACE.right}`,
  packet: `packet:${INTERFACE.right}`,
  xdp: `xdp:${INTERFACE.right}`,
};
const SECONDS = 2, EDGE_MS = 400, QUIET_MS = 500, PACE_NS = 200e3, CAPACITY = 65536;
const WAYS = ["spins", "paced", "writes"] as const;
type Way = typeof WAYS[number];
const FILE = `/tmp/uspf-bench-${Deno.pid}.pcapng`;
const WANTED = { destinationPort: 5001, payloadBytes: 14 };

interface Result {
  mode: string;
  received: number;
  accepted: number;
  lost: number;
  ticks: number;
  mpps: number;
  /** Time of the receiving thread in bursts, a packet: the median. */
  cpuNs: number;
  burst: number;
  written: number;
}

/** Captures until the flood has been over for a while. */
async function receive(name: string, way: Way): Promise<Result> {
  const port = openPort(name, RX, { wanted: WANTED }), ticks = TickRing.create(CAPACITY);
  const filter = new PacketFilter(WANTED);
  const log = way === "writes" ? PacketLog.create() : undefined;
  const capture = new PacketCapture({ port, filter, ticks, burst: 1024, log });
  const writer = log && await CaptureWriter.start({
    file: FILE,
    logs: [{ buffer: log.buffer, name: port.source, description: port.mode }],
    states: [capture.state.buffer],
    onFailed: (message) => console.error(message),
  });
  pinToCore(allowedCores()[0]); // now: a thread begins where its maker is
  capture.warmUp();
  console.log("ready");
  const { counters } = capture.state;
  let consumed = 0, last = Infinity, from = Infinity, to = 0, atFrom = 0, atTo = 0;
  const began = performance.now();
  for (let i = 0, next = nowNs();; i++) {
    if (way !== "spins") {
      while (nowNs() < next);
      next = nowNs() + PACE_NS;
      capture.resume();
    }
    const received = capture.pump(), waiting = ticks.take(CAPACITY);
    ticks.release(waiting);
    consumed += waiting;
    if ((i & 63) !== 0) continue;
    if ((i & 0xfff) === 0) capture.housekeep();
    const now = performance.now(), total = counters[COUNTER.received];
    if (received > 0) {
      if (last === Infinity) from = now + EDGE_MS;
      last = now;
      if (now >= from && atFrom === 0) [from, atFrom] = [now, total];
      if (now < from + SECONDS * 1000 - 2 * EDGE_MS) [to, atTo] = [now, total];
    }
    if (now - last > QUIET_MS || now - began > 20_000) break;
  }
  capture.housekeep();
  log?.close();
  await writer?.stop();
  if (writer) Deno.removeSync(FILE);
  const c = capture.state.read(), { mode } = port;
  port.close();
  return {
    mode,
    received: c.received,
    accepted: c.accepted,
    lost: c.lost ?? 0,
    ticks: consumed,
    mpps: (atTo - atFrom) / (to - from) / 1000,
    cpuNs: capture.state.service.distribution(1e9 / tscHz()).p50,
    burst: c.received / c.bursts,
    written: writer?.stats().packets ?? 0,
  };
}

async function round(testbed: Testbed, kind: Kind, way: Way): Promise<Result> {
  const deno = (...args: string[]) => [Deno.execPath(), "run", "-q", ...args];
  const receiver = testbed.spawn("right", [
    ...deno("-P=bench", import.meta.filename!, "rx", NAMES[kind], way),
  ], { stderr: "inherit" });
  const reader = receiver.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part; !text.includes("ready") && !(part = await reader.read()).done;) text += part.value;
  const root = new URL("..", import.meta.url).pathname;
  const flood = ["-i", `xdp:${INTERFACE.left}`, "-d", GROUP_MAC, "-S", ADDRESS.left]
    .concat("-D", GROUP, "--seconds", String(SECONDS), "--json")
    .concat("--core", String(allowedCores().at(-1)));
  const sent = JSON.parse(
    await testbed.must("left", ...deno("-P=send", `${root}sender/main.ts`, ...flood)),
  ).sent;
  for (let part; !(part = await reader.read()).done;) text += part.value;
  const result: Result = JSON.parse(text.slice(text.indexOf("{")));
  const { accepted, ticks, lost, written } = result;
  const unwritten = way === "writes" && written !== accepted;
  if (ticks !== accepted || accepted === 0 || accepted + lost > sent || unwritten) {
    throw new Error(
      `Cannot trust "${kind}": sent ${sent}, accepted ${accepted}, lost ${lost}, ticks ${ticks}, ` +
        `written ${written}`,
    );
  }
  console.log(
    `${kind.padEnd(7)}${way.padEnd(7)}${result.mpps.toFixed(3)} Mpps delivered of ${
      (sent / SECONDS / 1e6).toFixed(3)
    } sent, lost ${lost}, burst ${result.burst.toFixed(0)}, ${
      result.cpuNs.toFixed(0)
    } ns a packet; ${result.mode}`,
  );
  return result;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

async function main(rounds: number): Promise<number> {
  if (noTestbed !== undefined) {
    console.log(`skipped: ${noTestbed}`);
    return 0;
  }
  using testbed = Testbed.create();
  await testbed.must("left", "ip", "link", "set", "lo", "up");
  const results: Result[][][] = KINDS.map(() => WAYS.map(() => []));
  for (let i = 0; i < rounds; i++) {
    for (const [k, kind] of KINDS.entries()) {
      for (const [w, way] of WAYS.entries()) {
        results[k][w].push(await round(testbed, kind, way));
      }
    }
  }
  const medians = (of: (result: Result) => number) =>
    results.map((ways) => ways.map((all) => median(all.map(of))));
  const mpps = medians((result) => result.mpps), ns = medians((result) => result.cpuNs);
  return verdict(mpps, ns);
}

function verdict(mpps: number[][], ns: number[][]): number {
  let missed = 0;
  const judge = (what: string, value: number, holds: boolean, wanted: string) => {
    console.log(`${what}: ${value.toFixed(2)}, ${wanted} wanted: ${holds ? "met" : "MISSED"}`);
    if (!holds) missed++;
  };
  KINDS.forEach((kind, k) =>
    console.log(
      `medians: ${kind.padEnd(7)}${mpps[k][0].toFixed(3)} Mpps delivered, ${
        ns[k][1].toFixed(0)
      } ns a packet, with --write ${ns[k][2].toFixed(0)} ns and ${mpps[k][2].toFixed(3)} Mpps`,
    )
  );
  const [udp, packet, xdp] = mpps.map(([spins]) => spins);
  judge("packet delivers, times udp", packet / udp, packet >= udp, "at least 1.0");
  judge("xdp delivers, times udp", xdp / udp, xdp >= 1.25 * udp, "at least 1.25");
  console.log(`packet's time a packet, times udp: ${(ns[1][1] / ns[0][1]).toFixed(2)}, no target`);
  const ratio = ns[2][1] / ns[0][1];
  judge("xdp's time a packet, times udp", ratio, ratio <= 0.25, "at most 0.25");
  KINDS.forEach((kind, k) => {
    // What a second of the flood costs the thread with writing, against without: its share of the core.
    const added = (ns[k][2] - ns[k][1]) * mpps[k][2] / 1000;
    judge(`${kind}: of the thread's time, --write takes`, added, added <= 0.15, "at most 0.15");
  });
  return missed;
}

if (Deno.args[0] === "rx") {
  console.log(JSON.stringify(await receive(Deno.args[1], Deno.args[2] as Way)));
} else Deno.exit(await main(Number(Deno.args[0] ?? 5)));
