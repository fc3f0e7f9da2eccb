import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { checkResultFile } from "../bench/harness/result.ts";
import {
  checkCounters,
  checkMemory,
  checkService,
  checkStalls,
  checkV8,
  listDeoptimisations,
} from "../bench/soak/checks.ts";
import type { Interval, Totals } from "../bench/soak/intervals.ts";
import { V8Trace } from "../bench/soak/v8_trace.ts";
import { CaptureState, COUNTER } from "../capture/capture_state.ts";
import { Histogram } from "../capture/histogram.ts";
import { UsageError } from "../ffi/usage.ts";
import { VERDICT } from "../filter/verdict.ts";

const root = new URL("..", import.meta.url).pathname, MB = 1e6;

/** Minutes of a soak, all alike but for what is said of each. */
function minutes(each: Partial<Interval>[]): Interval[] {
  return each.map((differs, i) => ({
    seconds: 60,
    endS: 60 * (i + 1),
    received: 1e9,
    mpps: 16.7,
    serviceNs: { mean: 12, p50: 11, p99: 20, p999: 40 },
    heapUsed: 6 * MB,
    external: 50 * MB,
    resident: 90 * MB,
    lost: 0,
    dropped: 0,
    stolenMs: 0,
    waitedMs: 0,
    collections: {},
    pausedMs: 0,
    deoptimisations: [],
    ...differs,
  }));
}

/** `count` minutes with resident memory by minute. */
function resident(count: number, bytes: (minute: number) => number): Interval[] {
  return minutes(Array.from({ length: count }, (_, i) => ({ resident: bytes(i) })));
}

/** The same noise every time, from -1 to 1. */
function noise(i: number): number {
  return (Math.imul(i + 1, 0x9e3779b1) >> 8) / 2 ** 23;
}

function service(p999: number, differs: Partial<Interval> = {}): Partial<Interval> {
  return { serviceNs: { mean: 12, p50: 11, p99: 20, p999 }, ...differs };
}

Deno.test("checkMemory passes what is flat: noise, a step, what happens before the second minute", () => {
  const flat = {
    noise: resident(60, (i) => 90 * MB + noise(i) * MB),
    steps: resident(60, (i) => 90 * MB + (i > 20 ? 3 * MB : 0) + (i > 25 ? 3 * MB : 0)),
    start: resident(60, (i) => (i === 0 ? 40 : 90) * MB),
    shrinking: resident(60, (i) => 90 * MB - i * MB),
  };
  for (const [name, intervals] of Object.entries(flat)) {
    assertEquals(checkMemory(intervals).verdict, "ok", name);
  }
});

Deno.test("checkMemory fails what grows: by too much, or steadily, resident memory or heap", () => {
  const growing = {
    "too much": resident(3, (i) => 90 * MB + i * 9 * MB),
    steadily: resident(16, (i) => 90 * MB + i * 0.4 * MB + noise(i) * 0.05 * MB),
    heap: minutes([{}, {}, {}, { heapUsed: 8.1 * MB }]),
    "heap, steadily": minutes(Array.from({ length: 7 }, (_, i) => ({ heapUsed: i * 0.3 * MB }))),
  };
  for (const [name, intervals] of Object.entries(growing)) {
    assertEquals(checkMemory(intervals).verdict, "FAILED", name);
  }
  assertStringIncludes(checkMemory(growing.steadily).figures, "growing steadily");
  assertEquals(checkMemory(growing.heap.slice(0, 3)).verdict, "ok");
  assertEquals(checkMemory(growing["too much"].slice(0, 2)).verdict, "not judged");
});

Deno.test("checkService allows 1.5 times, and does not judge what others disturbed", () => {
  const verdict = (...each: Partial<Interval>[]) => checkService(minutes(each)).verdict;
  assertEquals(verdict(service(9e9), service(40), service(60)), "ok");
  assertEquals(verdict(service(9e9), service(40), service(1), service(61)), "FAILED");
  assertEquals(verdict(service(9e9), service(40), service(61, { stolenMs: 310 })), "not judged");
  assertEquals(verdict(service(9e9), service(40, { waitedMs: 310 }), service(61)), "not judged");
  assertEquals(verdict(service(9e9), service(40), service(61, { stolenMs: 290 })), "FAILED");
  assertEquals(verdict(service(40), service(400)), "not judged");
  const none = service(0, { received: 0 });
  assertEquals(verdict(service(40), none, service(40)), "not judged");
  assertEquals(verdict(service(40), service(40), none), "not judged");
});

/** 90 received and accepted, 2 of them dropped, 5 lost. */
function totals(change: (counters: Float64Array) => void = () => {}, consumed = 88): Totals {
  const { counters } = new CaptureState(), state = new CaptureState();
  counters[COUNTER.received] = 90;
  counters[VERDICT.accepted] = 90;
  counters[COUNTER.delivered] = 88;
  counters[COUNTER.dropped] = 2;
  counters[COUNTER.lost] = 5;
  change(counters);
  state.counters.set(counters);
  return { mode: "", counts: state.read(), consumed, stalls: null };
}

Deno.test("checkCounters fails for a single packet in any of the sums", () => {
  const verdict = (given: Totals, sent = 95) => checkCounters(given, sent, "soft:a:1").verdict;
  assertEquals(verdict(totals()), "ok");
  assertEquals(verdict(totals(), 94), "FAILED");
  assertEquals(verdict(totals(), 96), "FAILED");
  assertEquals(verdict(totals((c) => c[VERDICT.port]++)), "FAILED");
  assertEquals(verdict(totals((c) => c[COUNTER.dropped]--)), "FAILED");
  assertEquals(verdict(totals(() => {}, 87)), "FAILED");
  assertEquals(verdict(totals((c) => c.fill(0)), 0), "FAILED");
  assertEquals(verdict(totals(refused(VERDICT.port, 1)), 96), "FAILED");
  assertEquals(verdict(totals(refused(VERDICT.badTick, 1)), 96), "FAILED");
});

/** So many more received, with that verdict. */
function refused(verdict: number, count: number): (counters: Float64Array) => void {
  return (counters) => {
    counters[COUNTER.received] += count;
    counters[verdict] += count;
  };
}

Deno.test("checkCounters of a port that cannot count says what is missing, and bounds it from above", () => {
  const unknown = totals((c) => c[COUNTER.lost] = -1);
  const check = (given: Totals, sent: number) => checkCounters(given, sent, "udp:lo:5001");
  assertEquals(check(unknown, 120).verdict, "ok");
  assertStringIncludes(check(unknown, 120).figures, "lost unknown; 30 missing (25.00 %), which");
  assertEquals([check(unknown, 90).verdict, check(unknown, 89).verdict], ["ok", "FAILED"]);
  assertEquals([check(totals(), 95).verdict, check(totals(), 94).verdict], ["ok", "FAILED"]);
});

Deno.test("checkCounters fails where nothing was accepted, or where ours were refused", () => {
  const nothing = (verdict: number) =>
    totals((c) => {
      c.fill(0);
      refused(verdict, 1000)(c);
    }, 0);
  const check = (given: Totals, sent: number, port: string) => checkCounters(given, sent, port);
  for (const port of ["udp:lo:5999", "packet:eth0", "soft:a:1"]) {
    const { verdict, figures } = check(nothing(VERDICT.port), 1000, port);
    assertEquals([verdict, figures.includes("nothing was accepted; ")], ["FAILED", true], port);
  }
  assertEquals(check(totals(refused(VERDICT.port, 3)), 98, "udp:lo:5001").verdict, "FAILED");
  assertEquals(check(totals(refused(VERDICT.length, 3)), 98, "packet:eth0").verdict, "FAILED");
  assertEquals(check(totals(refused(VERDICT.badTick, 3)), 200, "packet:eth0").verdict, "FAILED");
  // Strangers on a wire: of other kinds than ours, or so many more than are missing.
  for (const verdict of [VERDICT.notIpv4, VERDICT.notUdp, VERDICT.port, VERDICT.fragment]) {
    assertEquals(check(totals(refused(verdict, 3)), 200, "packet:eth0").verdict, "ok");
  }
});

Deno.test("checkStalls blames nobody where the hypervisor had a hand in it", () => {
  const stalls = { syncs: 9, ours: 1, others: 3, worstOursMs: 4, stolenMs: 0 };
  assertEquals(checkStalls(stalls).verdict, "FAILED");
  assertEquals(checkStalls({ ...stalls, stolenMs: 10 }).verdict, "not judged");
  assertEquals(checkStalls({ ...stalls, ours: 0 }).verdict, "ok");
  assertEquals(checkStalls(null).verdict, "not judged");
});

Deno.test("V8Trace counts collections and deoptimisations, and not what is none", () => {
  const trace = new V8Trace(), isolate = "[2:0x55ac6e887000]", pooled = "MB, pooled: 0.0 MB";
  const lines = [
    `${isolate}       38 ms: Scavenge 3.2 (4.2) -> 2.8 (5.0) ${pooled}, 6.87 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; `,
    `${isolate}      211 ms: Incremental Mark-Compact 56.7 (71.5) -> 44.1 (58.7) ${pooled}, 45.5 / 0.00 ms (+ 0.3 ms in 14 steps since start of marking, biggest step 0.1 ms, walltime since start of marking 51 ms) (average mu = 0.781, current mu = 0.781) finalize incremental marking via stack guard; GC in old space requested`,
    `${isolate}       33 ms: Mark-Compact 2.3 (3.5) -> 2.2 (3.5) ${pooled}, 3.72 / 0.00 ms (average mu = 0.879, current mu = 0.879) testing; GC in old space requested`,
    "[bailout (kind: deopt-eager, reason: not a Smi): begin. deoptimizing 0x10632e153389 <JSFunction #setBand (sfi = 0x287aed62a319)>, 0x0114a4bc0779 <Code MAGLEV>, opt id 0, bytecode offset 2, deopt exit 0]",
    "[bailout (kind: deopt-eager, reason: prepare for on stack replacement (OSR)): begin. deoptimizing 0x287aed62a499 <JSFunction f (sfi = 0x287aed62a249)>, 0x0114a4bc1381 <Code MAGLEV>, opt id 3]",
    "[marking dependent code 0x1c7230d8cb51 <Code TURBOFAN_JS> (0x287aed62a249 <SharedFunctionInfo>) (opt id 4) for deoptimization, reason: dependent field type constness changed]",
    "[bailout (kind: deopt-lazy, reason: (unknown)): begin. deoptimizing 0x287aed62a499 <JSFunction (sfi = 0x287aed62a249)>, 0x1c7230d8cb51 <Code TURBOFAN_JS>, opt id 4]",
  ];
  for (const line of lines) assert(trace.take(line), line);
  assertEquals(trace.take('{"totals":1}'), false);
  const seen = trace.seen();
  assertEquals(seen.collections, { scavenge: 1, "mark-compact": 1 });
  assertEquals(seen.pausedMs, 6.87 + 45.5);
  assertEquals(seen.deoptimisations, [
    { name: "#setBand", reason: "not a Smi" },
    { name: "", reason: "dependent field type constness changed" },
  ]);
  assertEquals(trace.seen().deoptimisations, []);
  assertEquals(listDeoptimisations([...seen.deoptimisations, seen.deoptimisations[1]]), [
    "2 x (no name): dependent field type constness changed",
    "1 x #setBand: not a Smi",
  ]);
  const noisy = minutes([{}, seen, {}, seen]);
  assertEquals([checkV8(noisy).verdict, checkV8(noisy.slice(0, 3)).verdict], ["noted", "ok"]);
  assertMatch(checkV8(noisy).figures, /2 deoptimisations.* 1 scavenge, 1 mark-compact, 52.4 ms/);
});

Deno.test("Histogram.since knows only what came later", () => {
  const histogram = new Histogram();
  histogram.recordShare(5000, 1);
  const before = histogram.memory.slice();
  for (let i = 0; i < 100; i++) histogram.recordShare(10 * 4, 4);
  const { mean, p50, p999 } = histogram.since(before).distribution();
  assertEquals([mean, Math.round(p50), Math.round(p999)], [10, 10, 10]);
  assertEquals(histogram.quantile(1) > 4900, true);
});

interface Soaked {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command; `interruptAfter`: sends SIGINT when so many lines of the table have come. */
async function soak(args: string[], interruptAfter = Infinity): Promise<Soaked> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=bench", "bench/soak/main.ts", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => process.kill("SIGTERM"), 50_000);
  let stdout = "", interrupted = false;
  const stderr = new Response(process.stderr).text();
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    stdout += text;
    if (interrupted || lines(stdout) < interruptAfter) continue;
    process.kill("SIGINT");
    interrupted = true;
  }
  const { code } = await process.status;
  clearTimeout(timer);
  return { code, stdout, stderr: await stderr };
}

/** Lines of the table of intervals. */
function lines(stdout: string): number {
  return stdout.match(/^ +\d+\.\d+ .*\n/gm)?.length ?? 0;
}

/** What the JSON says; the verdicts that no neighbour can spoil, and the exit code, are as they ought to be. */
async function soaked(args: string[], interruptAfter?: number) {
  const file = Deno.makeTempFileSync();
  try {
    const { code, stdout, stderr } = await soak([...args, "--json", file], interruptAfter);
    assertEquals(stderr, "");
    const { bench, results } = JSON.parse(Deno.readTextFileSync(file));
    assertEquals(bench, "soak");
    const verdicts: Record<string, string> = Object.fromEntries(
      results.checks.map(({ name, verdict }: { name: string; verdict: string }) => [name, verdict]),
    );
    assertEquals(verdicts["counters add up"], "ok", stdout);
    assertEquals(code, Object.values(verdicts).includes("FAILED") ? 1 : 0, stdout);
    const { intervals, totals: { counts, consumed }, sent } = results;
    assertEquals(lines(stdout), intervals.length);
    assertEquals([counts.received + counts.lost, counts.delivered], [sent, consumed]);
    const inIntervals = intervals.reduce((sum: number, i: Interval) => sum + i.received, 0);
    assert(inIntervals > 0 && inIntervals <= counts.received, `${inIntervals}`);
    return { results, verdicts, stdout };
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("soak over a pipe: three intervals, flat memory, every packet counted", async () => {
  const { results, verdicts, stdout } = await soaked(["--minutes", "0.1", "--interval", "2"]);
  assertEquals([results.intervals.length, verdicts["memory is flat"]], [3, "ok"], stdout);
  assertEquals(results.totals.counts.lost, 0);
  assert(results.intervals[0].deoptimisations.length > 0, "V8 is heard: compiling begins so");
});

Deno.test("soak over a switch, with a thread for the capture", async () => {
  const args = ["--minutes", "0.05", "--interval", "1", "--port", "soft", "--engine", "thread"];
  const { results } = await soaked(args);
  assertEquals([results.engine, results.totals.mode], ["thread", "soft switch, shared memory"]);
});

Deno.test("soak ends early on SIGINT, with its checks, and leaves no child behind", async () => {
  const { results } = await soaked(["--minutes", "5", "--interval", "1"], 2);
  assert(results.intervals.length >= 2 && results.intervals.length < 20);
  const port = results.receive.replace("soft:", "");
  for (const { name, isDirectory } of Deno.readDirSync("/proc")) {
    if (!isDirectory || !/^\d+$/.test(name)) continue;
    let command = "";
    try {
      command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
    } catch { /* it has ended */ }
    assert(!command.includes(port.slice(0, -2)), command.replaceAll("\0", " "));
  }
});

Deno.test("soak refuses what it does not know, in one line", async () => {
  const wrong = [
    ["--minutes", "0"],
    ["--minutes", "1", "--interval", "0"],
    ["--minutes", "0.5"],
    ["--port", "vale"],
    ["-i", "soft:a:1"],
    ["-i", "soft:a:1", "-o", "pcap:x"],
    ["-i", "soft:a:1", "-o", "nonsense"],
    ["-i", "soft:a:1", "-o", "soft:a:2", "--port", "pipe"],
    ["--engine", "none"],
    ["--json="],
    ["--json", "/nowhere/x.json"],
    ["--json", "/tmp"],
    ["--what"],
    ["5"],
  ];
  const all = await Promise.all(wrong.map((args) => soak(args)));
  all.forEach(({ code, stdout, stderr }, i) => {
    assertEquals([code, stdout, stderr.trim().split("\n").length], [2, "", 1], `${wrong[i]}`);
    assert(stderr.startsWith("Cannot "), stderr);
  });
  const { code, stdout } = await soak(["--help"]);
  assertEquals([code, stdout.includes("deno task soak")], [0, true]);
});

Deno.test("soak fails where the receiver accepts nothing", async () => {
  const port = `udp:127.0.0.1:${20_000 + Deno.pid % 5_000}`; // the receiver wants another one
  const { code, stdout } = await soak(
    ["-i", port, "-o", port, "--minutes", "0.02", "--interval", "1"],
  );
  assertEquals(code, 1, stdout);
  assertMatch(stdout, /^FAILED +counters add up: nothing was accepted; up to \d+ of the sender's/m);
  assertMatch(stdout, /^not judged +memory is flat: 1 interval: /m);
});

Deno.test("soak says in one line that its results cannot be written in the end", async () => {
  const { code, stderr } = await soak(
    ["--minutes", "0.02", "--interval", "1", "--json", "/dev/full"],
  );
  const line = `Cannot write "/dev/full": no room is left (ENOSPC): choose another file\n`;
  assertEquals([code, stderr], [1, line]);
});

Deno.test("checkResultFile leaves what a file holds, and refuses what cannot be written", () => {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(file, "old");
    for (const fine of [undefined, "-", file]) checkResultFile(fine);
    assertEquals(Deno.readTextFileSync(file), "old");
    assertThrows(() => checkResultFile(`${file}/x`), UsageError, `Cannot write "${file}/x": `);
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("soak on a port that cannot be opened says why, and exits 1", async () => {
  const { code, stderr } = await soak(["-i", "packet:absent0", "-o", "packet:absent0"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^Cannot open "packet:absent0": .*\nCannot go on: [^\n]*\n$/);
});
