import { assert, assertEquals, assertThrows } from "@std/assert";
import { account } from "../bench/latency/account.ts";
import { Generator, type TickSink } from "../bench/latency/generator.ts";
import { distributionsOf } from "../bench/latency/latency_histogram.ts";
import { judge, type Verdict } from "../bench/latency/judge.ts";
import type { Measured } from "../bench/latency/measurement.ts";
import { defaultLayout, fitLayout, type Plan, portsOf } from "../bench/latency/plan.ts";
import { tableHead, tableRows } from "../bench/latency/table.ts";
import { BEAT_TICKS, beatsOf, beatsSince, lateOf, stampOf } from "../bench/latency/stamp.ts";
import type { ThreadCounts } from "../bench/latency/thread.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { noTestbed } from "./testbed.ts";

const root = new URL("..", import.meta.url).pathname;

/** Starts the command as `deno task bench:latency` would, but for the build. */
function start(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=bench", "bench/latency/main.ts", ...args],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await start(...args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs it and checks what holds for every result, however noisy the machine is. */
async function measured(...args: string[]): Promise<Measured[]> {
  const { code, stdout, stderr } = await run("--quiet", "--json", "-", ...args);
  const { bench, results } = JSON.parse(stdout || "{}");
  assertEquals([bench, results?.failed], ["latency", []], stderr);
  assertEquals(code, results.verdicts.some((v: Verdict) => v.met === false) ? 1 : 0);
  for (const one of results.measurements as Measured[]) checkOne(one);
  return results.measurements;
}

function checkOne({ plan, sent, consumed, lost, orders, asSent, asScheduled }: Measured): void {
  assertEquals(sent, Math.round(plan.rateHz * plan.seconds));
  assertEquals(consumed + lost, sent);
  assertEquals(orders > 0, plan.measure === "tick-to-trade");
  for (const d of [asSent, asScheduled]) {
    assert(d.count > 0);
    // Nothing crosses two threads in less than 10 ns, or stays below 0.8 s if it is measured right.
    const rising = [10, d.p50, d.p90, d.p99, d.p999, d.p9999, d.max, 1.6e9];
    assertEquals(rising, rising.toSorted((a, b) => a - b));
  }
  assert(asScheduled.mean >= asSent.mean);
}

Deno.test("bench:latency measures without kernel, and every packet is accounted for", async () => {
  const all = await measured(
    ...["--kinds", "ring,soft,pipe", "--wait", "poll", "--rate", "2000", "--seconds", "0.3"],
  );
  assertEquals(
    all.map(({ plan }) => `${plan.measure} ${plan.kind}`),
    ["one-way ring", "one-way soft", "one-way pipe", "tick-to-trade soft", "tick-to-trade pipe"],
  );
});

Deno.test("bench:latency measures each way of waiting", async () => {
  const all = await measured(
    ...["--measures", "one-way", "--kinds", "soft", "--rate", "2000", "--seconds", "0.3"],
  );
  assertEquals(all.map(({ plan }) => plan.wait), ["spin", "poll", "hybrid"]);
});

Deno.test("bench:latency puts all roles on one thread where told to", async () => {
  const [one] = await measured(
    ...["--measures", "tick-to-trade", "--kinds", "soft", "--wait", "spin", "--rate", "2000"],
    ...["--seconds", "0.3", "--threads", "engine+capture+generator"],
  );
  assertEquals(one.plan.cores.length, 1);
  assertEquals(one.lost, 0);
});

Deno.test({
  name: "bench:latency measures kernel ports on a testbed, and removes it",
  ignore: noTestbed !== undefined,
  fn: async () => {
    const all = await measured(
      ...["--testbed", "--kinds", "udp,packet,xdp", "--wait", "poll", "--rate", "2000"],
      ...["--seconds", "0.3"],
    );
    assertEquals(all.length, 6);
  },
});

Deno.test({
  name: "bench:latency, interrupted, ends with 130 and leaves no namespace",
  ignore: noTestbed !== undefined,
  fn: async () => {
    const child = start("--testbed", "--kinds", "udp", "--seconds", "30"), { pid } = child;
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes("udp:");) {
      const { value, done } = await reader.read();
      assert(!done, `it ended early: ${text}`);
      text += value;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert(namespaces().includes(`uspf-test-${pid}`));
    child.kill("SIGINT");
    while (!(await reader.read()).done);
    await new Response(child.stderr).text();
    assertEquals((await child.status).code, 130);
    assert(!namespaces().includes(`uspf-test-${pid}`));
  },
});

function namespaces(): string {
  const { stdout } = new Deno.Command("ip", { args: ["netns", "list"] }).outputSync();
  return new TextDecoder().decode(stdout);
}

Deno.test("bench:latency refuses what it does not know with one line", async () => {
  const wrong = [
    ["--rat", "5"],
    ["--kinds", "soft,token-ring"],
    ["--wait", "sleep"],
    ["--threads", "generator,capture"],
    ["-i", "eth0"],
    ["--rate", "0"],
    ["--json", "/nowhere/x.json"],
    ["--measures", "tick-to-trade", "--kinds", "ring"], // nothing is left to measure
  ];
  const all = await Promise.all(wrong.map((args) => run(...args)));
  all.forEach(({ code, stdout, stderr }, i) => {
    assertEquals([code, stdout, stderr.trimEnd().split("\n").length], [2, "", 1], `${wrong[i]}`);
  });
});

Deno.test("stamps survive the clock's wrap, and are numbers that an f32 keeps", () => {
  const bits = new Int32Array(1), float = new Float32Array(bits.buffer);
  for (const [sent, beats] of [[0, 0], [0, 5], [0x7ffffff0, 100], [0x12345678, 0x3fffffff]]) {
    const stamp = stampOf(sent);
    bits[0] = stamp;
    const value = float[0];
    assert(value >= 2 ** -126 && value < Infinity); // normal
    float[0] = value;
    assertEquals(bits[0], stamp);
    assertEquals(beatsSince(stamp, sent + beats * BEAT_TICKS & 0x7fffffff), beats);
  }
  assertEquals([0, 7, 1e12].map((ticks) => beatsOf(lateOf(ticks))), [0, 3, 0x3fffffff]);
});

Deno.test("Generator says of each packet how late it is, and makes up for a stall", () => {
  let clock = 0x7fffff00, long = 1e15; // wraps on the way
  const late: number[] = [], instruments: number[] = [];
  const sink: TickSink = {
    unsent: 0,
    place: (instrument, _type, _stamp, field) => {
      instruments.push(instrument);
      late.push(beatsOf(field) * BEAT_TICKS);
      return true;
    },
    sync: () => 0,
    retry: () => {},
  };
  const generator = new Generator(
    sink,
    { intervalTicks: 1000, packets: 8, warmUp: 3 },
    () => clock,
    () => long,
  );
  generator.begin();
  const sentAfter = (ticks: number) => {
    clock = clock + ticks & 0x7fffffff;
    long += ticks;
    return generator.step();
  };
  assertEquals([0, 500, 500, 3500, 499, 501, 5000].map(sentAfter), [1, 0, 1, 3, 0, 1, 2]);
  assertEquals(late, [0, 0, 2500, 1500, 500, 500, 4500, 3500]);
  assertEquals(instruments, [0, 1, 2, 19, 20, 21, 22, 23]); // of the warming up, and not
  assert(generator.done);
  generator.checkClock();
});

Deno.test("Generator fails when it has stood still until the clock had wrapped", () => {
  let clock = 5, long = 1e15;
  const sink: TickSink = { unsent: 0, place: () => true, sync: () => 0, retry: () => {} };
  const schedule = { intervalTicks: 1e9, packets: 1000, warmUp: 0 };
  const pass = (ticks: number) => {
    clock = (clock + ticks) % 2 ** 31;
    long += ticks;
    generator.step();
  };
  const generator = new Generator(sink, schedule, () => clock, () => long);
  generator.begin();
  for (let i = 0; i < 1000; i++) {
    pass(2 ** 31 - 1);
    long += 1e5; // one of the clocks drifts
    generator.watchClock();
  }
  generator.checkClock();
  pass(2 ** 31 + 1);
  assertThrows(() => generator.checkClock(), Error, "stood still until its clock had wrapped");
  assertThrows(() => {
    for (let i = 0; i < 1000; i++) generator.watchClock();
  });
});

Deno.test("tableRows prints no percentile for which there are too few samples", () => {
  const d = (count: number) => ({
    ...{ count, p50: 1000, p90: 2000, p99: 3000, p999: 4000, p9999: 5000, max: 6000, mean: 1500 },
  });
  const plan = { measure: "tick-to-trade", kind: "soft", wait: "spin", seconds: 5 };
  const cells = (count: number) => {
    const more = {
      stolenMs: 0,
      waitedMs: 0,
      heldUpShare: 0,
      distanceNs: 50,
      lost: 7,
      ordersLost: 0,
    };
    const [row] = tableRows(
      { plan, ...more, asSent: d(count), asScheduled: d(count) } as unknown as Measured,
    );
    return row.trim().split(/\s+/).slice(4);
  };
  assertEquals(cells(10_000), "1.00 2.00 3.00 4.00 5.00 6.00 1.50 10000 7".split(" "));
  assertEquals(cells(9_999), "1.00 2.00 3.00 4.00 - 6.00 1.50 9999 7".split(" "));
  assertEquals(cells(999), "1.00 2.00 3.00 - - 6.00 1.50 999 7".split(" "));
  assertEquals(tableHead("one-way")[1].trim().split(/\s+/).slice(-2), ["measured", "lost"]);
});

Deno.test("distributionsOf counts from when a packet was scheduled", () => {
  // 1000 packets of 100 beats; of the last ten each was 900 beats late.
  const pairs = new Int32Array(2000).map((_, i) => i % 2 === 0 ? 100 : i >= 1980 ? 900 : 0);
  const { asSent, asScheduled, late } = distributionsOf(pairs, 2e9);
  assertEquals([asSent.p50, asSent.max, asSent.mean, asSent.count], [100, 100, 100, 1000]);
  assertEquals([asScheduled.p50, asScheduled.p99, asScheduled.p999], [100, 100, 1000]);
  assertEquals([asScheduled.mean, late.mean, late.max], [109, 9, 900]);
});

Deno.test("fitLayout leaves out what a kind does not have", () => {
  assertEquals(fitLayout("ring", defaultLayout("one-way", "ring", 2)), [["generator"], ["engine"]]);
  assertEquals(defaultLayout("one-way", "soft", 2), [["generator", "engine"], ["capture"]]);
  assertEquals(defaultLayout("tick-to-trade", "soft", 2), [["generator"], ["capture", "engine"]]);
  assertEquals(defaultLayout("one-way", "soft", 4).length, 3);
});

Deno.test("portsOf names ports that can be opened side by side", () => {
  const between = { receive: "r0", send: "l0", via: "xdp" } as const;
  for (const interfaces of [undefined, between]) {
    for (const kind of ["soft", "pipe", "udp", "packet", "xdp", "netmap"] as const) {
      const together = portsOf(kind, interfaces, [["generator"], ["capture", "engine"]], 7)!;
      const apart = portsOf(kind, interfaces, [["generator", "engine"], ["capture"]], 7)!;
      for (const { send, capture, orders, receive } of [together, apart]) {
        [send, capture, orders, receive].forEach(parsePortName);
      }
      // A queue has one AF_XDP socket only.
      if (kind === "xdp" && interfaces) assertEquals(together.orders, together.capture);
      if (kind === "xdp" && interfaces) assertEquals(apart.orders, "packet:r0");
    }
  }
});

Deno.test("judge excuses a missed target only where something else can have been the cause", () => {
  const plan = { measure: "one-way", kind: "soft", wait: "spin", seconds: 5 };
  const met = (p50: number, p999: number, more: object = {}) =>
    judge({
      ...{ plan, stolenMs: 0, waitedMs: 0, heldUpShare: 0, distanceNs: 50 },
      asScheduled: { p50, p999 },
      ...more,
    } as Measured).map(({ met }) => met);
  assertEquals(met(1000, 20_000), [true, true]);
  assertEquals(met(1001, 20_001), [false, false]);
  assertEquals(met(1001, 20_001, { waitedMs: 2, heldUpShare: 0.0004 }), [false, false]);
  assertEquals(met(1001, 20_001, { stolenMs: 10 }), [false, null]); // too little to move a median
  assertEquals(met(1001, 20_001, { heldUpShare: 0.02 }), [false, null]);
  assertEquals(met(1001, 20_001, { waitedMs: 1000 }), [null, null]);
  assertEquals(met(1001, 20_001, { distanceNs: 250 }), [null, null]);
  assertEquals(met(999, 19_999, { distanceNs: 250 }), [true, true]);
  assertEquals(met(1e6, 1e6, { plan: { ...plan, wait: "poll" } }), []);
});

Deno.test("account fails where packets are unaccounted for", () => {
  const plan = { measure: "one-way", kind: "ring" } as Plan;
  const schedule = { packets: 100, warmUp: 10, intervalTicks: 1 };
  const engine = {
    untracked: 0,
    warm: 8,
    warmOrders: 0,
    orders: 0,
    ordersUnsent: 0,
  };
  const counts = (consumed: number, gaps: number, expected: number): ThreadCounts[] => [
    { heldUpShare: 0, recorded: 0, warmRecords: 0, generator: { sent: 100 } },
    {
      heldUpShare: 0,
      recorded: consumed,
      warmRecords: 8,
      engine: { ...engine, consumed, gaps, expected },
    },
  ];
  const lost = (...[consumed, gaps, expected]: [number, number, number]) => {
    const { sent, lost, lostBefore } = account(plan, schedule, counts(consumed, gaps, expected));
    return [sent, lost, lostBefore];
  };
  assertEquals(lost(98, 2, 4), [90, 0, 2]);
  assertEquals(lost(95, 5, 4), [90, 3, 2]);
  assertEquals(lost(95, 2, 1), [90, 3, 2]); // the last three
  assertThrows(() => account(plan, schedule, counts(97, 2, 4)), Error, "3 packets lost, but 2");
  assertThrows(() => account(plan, schedule, counts(100, 16, 4)), Error, "0 packets lost, but 16");
  assertThrows(() => account(plan, schedule, counts(101, 0, 4)), Error, "101 ticks consumed");
  assertThrows(
    () => account(plan, { ...schedule, packets: 101 }, counts(100, 0, 4)),
    Error,
    "100 of 101 packets sent",
  );
});
