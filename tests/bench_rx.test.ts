import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { layPacket, tickPacket } from "../bench/harness/packets.ts";
import { FullPort } from "../bench/harness/full_port.ts";
import { bisect } from "../bench/rx/find_limit.ts";
import { FloodWatch } from "../bench/rx/flood_watch.ts";
import type { Run } from "../bench/rx/rx_results.ts";
import { judge } from "../bench/rx/verdict.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { noTestbed } from "./testbed.ts";

const CIRCUMSTANCES = { seconds: 1, paced: false, paceUs: 0, sameCore: false };

/** A run in which the receiver had no time left and nothing was lost; made up, for the rules alone. */
function made(changes: Partial<Run>): Run {
  return {
    sent: 1e6,
    sentMpps: 1,
    sendBursts: 4000,
    ringFull: 0,
    received: 1e6,
    delivered: 1e6,
    lost: 0,
    missing: 0,
    mpps: 1,
    samples: [],
    occupancyMean: 100,
    occupancyMax: 1000,
    ringSlots: 1024,
    burstMean: 100,
    burstMax: 1000,
    syncs: 10_000,
    emptySyncs: 100,
    idleShare: 0.01,
    cpuNs: 1000,
    busyNs: 990,
    wallMs: 1000,
    stolenMs: 0,
    waitedMs: 0,
    switches: 0,
    coresApartNs: 50,
    ...changes,
  };
}

const RULES: [string, Partial<Run>, string, boolean, boolean][] = [
  ["lost packets and had no time", { missing: 5000, lost: 5000 }, "receiver", true, true],
  ["held the sender up", { ringFull: 3000 }, "receiver", true, true],
  ["and the sender waited", { ringFull: 3000, idleShare: 0.5 }, "link", false, true],
  ["waited for the sender", { idleShare: 0.5, emptySyncs: 9000 }, "sender", false, true],
  [
    "lost packets while idle",
    { idleShare: 0.5, missing: 5000, lost: 5000 },
    "unclear",
    false,
    false,
  ],
  ["fell behind, and its port kept the rest", { mpps: 0.5 }, "receiver", true, true],
  ["and sender are near their limit", {}, "unclear", false, true],
];

for (const [name, changes, bottleneck, throughputMeans, serviceMeans] of RULES) {
  Deno.test(`judge: the receiver ${name}: ${bottleneck}`, () => {
    const verdict = judge([made(changes)], CIRCUMSTANCES);
    assertEquals(verdict.bottleneck, bottleneck);
    assertEquals([verdict.throughputMeans, verdict.serviceMeans], [throughputMeans, serviceMeans]);
    assertEquals(verdict.warnings, []);
  });
}

Deno.test("judge does not take a receiver's own pauses for idle time", () => {
  const paced = { ...CIRCUMSTANCES, paceUs: 2000 };
  const judged = (changes: Partial<Run>) =>
    judge([made({ idleShare: 0.9, ...changes })], paced).bottleneck;
  assertEquals(judged({ missing: 5000, lost: 5000 }), "receiver");
  assertEquals(judged({ ringFull: 3000 }), "receiver");
  assertEquals(judged({ mpps: 0.3 }), "receiver");
  assertEquals(judged({}), "sender");
});

Deno.test("judge warns of a disturbed machine and of runs that disagree", () => {
  const runs = [made({ mpps: 1 }), made({ mpps: 2, stolenMs: 50 }), made({ coresApartNs: 250 })];
  const { warnings } = judge(runs, CIRCUMSTANCES);
  assertEquals(warnings.length, 3);
  const text = warnings.join();
  for (
    const word of ["differs by", "hypervisor took up to 2.50 %", "in 1 of 3 runs: far, or busy"]
  ) {
    assertStringIncludes(text, word);
  }
  assertEquals(judge([made({})], { ...CIRCUMSTANCES, sameCore: true }).serviceMeans, false);
});

/** A port that takes `limit` Mpps, and a sender that sends `most`, paced at most `paced`. */
function trials(limit: number, most: number, paced = most) {
  const rates: number[] = [];
  const trial = (rateHz: number) => {
    rates.push(rateHz);
    const sentMpps = rateHz === 0 ? most : Math.min(paced, rateHz / 1e6);
    return Promise.resolve({ sentMpps, missing: sentMpps > limit ? 1 : 0 });
  };
  return { trial, rates };
}

Deno.test("bisect finds a limit to its resolution", async () => {
  for (const limit of [0.01, 0.5, 3.3, 9.9]) {
    const { trial, rates } = trials(limit, 10);
    const found = await bisect(trial, 0.01);
    assert(found.mpps <= limit && found.lossAtMpps! >= limit, `${limit}: ${JSON.stringify(found)}`);
    assert(found.lossAtMpps! - found.mpps <= 0.011 * found.lossAtMpps!, JSON.stringify(found));
    assert(rates.length < 25);
  }
});

Deno.test("bisect: a sender that loses nothing at its most is the limit", async () => {
  assertEquals(await bisect(trials(20, 10).trial, 0.01), { mpps: 10, lossAtMpps: null });
});

Deno.test("bisect: a sender that cannot keep a rate up ends the search with what it did", async () => {
  const found = await bisect(trials(9, 10, 4).trial, 0.01);
  assertEquals(found, { mpps: 4, lossAtMpps: 10 });
});

Deno.test("bisect: a port that loses at any rate has the limit 0", async () => {
  assertEquals((await bisect(trials(-1, 10).trial, 0.01)).mpps, 0);
});

Deno.test("FloodWatch: of a flood that ends early, the silence behind it does not count", () => {
  const port = new FullPort({ slotCount: 64, bufferBytes: 256 }), ticks = TickRing.create(256);
  for (let slot = 0; slot < 64; slot++) layPacket(port.rx[0], slot, tickPacket(5001, slot));
  const filter = new PacketFilter({ destinationPort: 5001 });
  const capture = new PacketCapture({ port, filter, ticks }), watch = new FloodWatch(capture, 1);
  for (const end = performance.now() + 600; performance.now() < end;) {
    capture.pump();
    ticks.release(ticks.take(256));
    assert(watch.goesOn());
  }
  const all = capture.state.read().received;
  while (watch.goesOn());
  const { seconds, received, cpuNs } = watch.window(); // from 0.2 s on
  assert(seconds > 0 && seconds < 0.45 && received > 0 && received < all, `${seconds} s`);
  assert(cpuNs < 0.45e9, `${cpuNs} ns of CPU time`);
});

const root = new URL("..", import.meta.url).pathname;

function command(...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=bench", "bench/rx/main.ts", ...args],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(...args: string[]) {
  const { code, stdout, stderr } = await command(...args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Network namespaces that a process has left. */
async function namespacesOf(pid: number): Promise<string[]> {
  const { stdout } = await new Deno.Command("ip", { args: ["netns", "list"] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((name) => name.includes(`-${pid}-`));
}

Deno.test("bench:rx compares switch and pipe, and its JSON adds up", async () => {
  const svg = await Deno.makeTempFile({ suffix: ".svg" });
  const args = ["--kinds", "pipe,soft", "--seconds", "0.5", "--repeats", "2", "--json", "-"];
  const { code, stdout, stderr } = await run(...args, "--svg", svg);
  assertEquals([code, stderr], [0, ""]);
  const { bench, command, machine, results } = JSON.parse(stdout);
  assertEquals(bench, "rx");
  assertStringIncludes(command, "bench:rx --kinds pipe,soft");
  assertEquals(machine.deno, Deno.version.deno);
  assertEquals(results.kinds.map(({ kind }: { kind: string }) => kind), ["pipe", "soft"]);
  for (const { runs, serviceUs: us, mpps, serviceBuckets } of results.kinds) {
    assertEquals(runs.length, 2);
    for (const run of runs as Run[]) {
      assertEquals(run.sent, run.received + run.missing);
      assertEquals(run.missing, run.lost);
      assertEquals(run.delivered, run.received);
      assert(run.emptySyncs <= run.syncs && run.samples.length > 0);
    }
    assert(mpps > 0.1 && us.p50 > 0 && us.p50 <= us.p99 && us.p99 <= us.p999 && us.p999 <= us.max);
    assert(serviceBuckets.length > 3);
  }
  assertEquals(results.kinds[0].ratio, 1);
  assertStringIncludes(await Deno.readTextFile(svg), "</svg>");
  await Deno.remove(svg);
});

Deno.test({
  name: `bench:rx compares udp, packet and xdp on a network of its own${
    noTestbed ? `: ${noTestbed}` : ""
  }`,
  ignore: noTestbed !== undefined,
  async fn() {
    const args = ["--kinds", "udp,packet,xdp,netmap", "--seconds", "0.5", "--repeats", "1"];
    const { code, stdout, stderr } = await run("--testbed", "--write", ...args);
    assertEquals([code, stderr], [0, ""]);
    for (
      const text of ["Throughput", "Receive service time", "Verdict", "udp+write", "held back by"]
    ) {
      assertStringIncludes(stdout, text);
    }
    assertStringIncludes(stdout, "netmap: skipped: no /dev/netmap");
  },
  // A machine with netmap has no reason to skip it.
  ...((await Deno.stat("/dev/netmap").catch(() => null)) && { ignore: true }),
});

Deno.test({
  name: `bench:rx removes its network when it is interrupted${noTestbed ? `: ${noTestbed}` : ""}`,
  ignore: noTestbed !== undefined,
  async fn() {
    const process = command("--testbed", "--kinds", "udp", "--seconds", "20").spawn();
    while ((await namespacesOf(process.pid)).length < 2) await wait(50);
    await wait(1500);
    process.kill("SIGINT");
    const { code } = await process.output();
    assertEquals(code, 130);
    assertEquals(await namespacesOf(process.pid), []);
  },
});

Deno.test("bench:rx --find-limit searches and names the trials", async () => {
  const args = ["--find-limit", "--kinds", "pipe", "--seconds", "0.5", "--json", "-"];
  const { code, stdout, stderr } = await run(...args);
  assertEquals([code, stderr], [0, ""]);
  const { bench, results } = JSON.parse(stdout);
  assertEquals(bench, "limit");
  // A pipe holds its sender up: it never loses.
  const [{ kind, mpps, lossAtMpps, trials }] = results.limits;
  assertEquals([kind, lossAtMpps, trials.length, trials[0].missing], ["pipe", null, 1, 0]);
  assert(mpps > 0.1);
});

const WRONG: [string[], string][] = [
  [["--kinds", "udp,udp"], `Cannot use --kinds "udp,udp": a kind twice`],
  [["--wait", "poll", "--pace", "10"], "Cannot use --wait with --pace"],
  [["--find-limit", "--svg", "x.svg"], "Cannot use --svg with --find-limit"],
  [["--find-limit", "-r", "5"], "Cannot use -r with --find-limit"],
  [["--retries", "0"], "Cannot use --retries without --find-limit"],
  [["--kinds", "dpdk"], `Cannot use --kinds "dpdk": no such way: choose udp`],
  [["-i", "eth0"], "Cannot use -i alone: one interface is missing: name both"],
  [["-i", "a", "-o", "b", "--testbed"], "Cannot use -i with --testbed: two networks: choose one"],
  [["--seconds", "0"], `Cannot use --seconds "0": out of range`],
  [["--core", "999"], `Cannot use --core "999": no such core here`],
  [["-i", "nosuch", "-o", "lo"], `Cannot use -i "nosuch": no such interface`],
  [["-z"], `Cannot use "-z": no such option`],
];

for (const [args, message] of WRONG) {
  Deno.test(`bench:rx ${args.join(" ")} is refused in one line`, async () => {
    const { code, stdout, stderr } = await run(...args);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
    assertEquals(stderr.trim().split("\n").length, 1);
  });
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
