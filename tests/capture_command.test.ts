import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
} from "@std/assert";
import { describeVersion } from "../ffi/version.ts";
import { type AnyStatistics, finalOf, objects, run, start } from "./command.ts";
import { freeUdpPort } from "./free_port.ts";

const NUMBERS = [
  "received",
  "bytes",
  "accepted",
  "rejected",
  "malformed",
  "delivered",
  "dropped",
  "consumed",
  "pps",
  "gbps",
  "elapsedNs",
  "syncs",
  "emptySyncs",
];

function assertAddsUp(s: AnyStatistics): void {
  const sum = (by: Record<string, number>) => Object.values(by).reduce((a, b) => a + b, 0);
  assertEquals(s.received, s.accepted + s.rejected + s.malformed);
  assertEquals(s.accepted, s.delivered + s.dropped);
  assertEquals(s.delivered, s.consumed);
  assertEquals(s.rejected, sum(s.rejectedBy));
  assertEquals(s.malformed, sum(s.malformedBy));
}

Deno.test("capture without a port says so, prints a line a second and a summary, and exits 0", async () => {
  const { code, stdout, stderr } = await run("capture", ["-r", "3"]);
  assertEquals([code, stderr], [0, ""]);
  const lines = stdout.trim().split("\n");
  assertMatch(lines[0], /built-in soft switch, with a built-in sender/);
  assertGreater(lines.filter((line) => / s {2}.*Mpps/.test(line)).length, 1);
  assertMatch(stdout, /received +\d{5,} packets/);
  assertMatch(stdout, /profit/);
});

Deno.test("capture --json prints one object a line, with every field, that add up at the end", async () => {
  const finished = await run("capture", ["-r", "3", "--json"]);
  const all = objects(finished.stdout);
  assertEquals(all.length, finished.stdout.trim().split("\n").length);
  assertGreater(all.length, 2);
  for (const s of all as AnyStatistics[]) {
    for (const field of NUMBERS) assertEquals(typeof s[field], "number", field);
    assert(s.lost === null || typeof s.lost === "number");
    for (const field of ["mean", "p50", "p99", "p999"]) {
      assertEquals(typeof s.serviceNs[field], "number");
    }
    assertEquals(Object.keys(s.ring), ["occupancyMean", "occupancyMax"]);
    assertEquals(Object.keys(s.burst), ["mean", "max"]);
  }
  const last = finalOf(finished);
  assertAddsUp(last);
  assertGreater(last.received, 100_000);
  assertGreater(last.engine.orders, 0);
  assertAlmostEquals(last.pps, last.received / last.elapsedNs * 1e9, 1);
  assertGreater(last.serviceNs.p99, last.serviceNs.p50);
});

for (
  const [names, lossless] of [
    [["soft:t_cmd:1", "soft:t_cmd:2"], false],
    [["soft:t_cmd{1", "soft:t_cmd}1"], true],
    [["udp:127.0.0.1:PORT", "udp:127.0.0.1:PORT"], false],
  ] as const
) {
  Deno.test(`capture counts on ${names[0]} what another process sent on ${names[1]}: sent = received + lost`, async () => {
    const number = `${await freeUdpPort()}`;
    const [rx, tx] = names.map((name) => name.replace("PORT", number));
    const capture = start("capture", ["-i", rx, "--json", "-r", "20"]);
    await capture.shown("{"); // it says something only once it is ready
    const sent = finalOf(await run("send", ["-i", tx, "-c", "200000", "-r", "400000", "--json"]));
    assertEquals(sent.sent, 200_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    capture.process.kill("SIGINT");
    const s = finalOf(await capture.finished);
    assertAddsUp(s);
    assertEquals(s.received + s.lost, 200_000);
    assertEquals(s.accepted, s.received);
    if (lossless) assertEquals(s.lost, 0);
    assertGreater(s.engine.orders, 0);
  });
}

Deno.test("capture -p and -d reject other ports and addresses, by cause", async () => {
  const capture = start("capture", [
    "-i",
    "soft:t_rej:1",
    "-p",
    "5001",
    "-d",
    "10.0.0.9",
    "--json",
    "-r",
    "20",
  ]);
  await capture.shown("{");
  const send = (...more: string[]) =>
    run("send", ["-i", "soft:t_rej:2", "-c", "1000", "-r", "20000", ...more]);
  await send("-D", "10.0.0.9");
  await send("-D", "10.0.0.8");
  await send("-D", "10.0.0.9", "-p", "5002");
  await new Promise((resolve) => setTimeout(resolve, 200));
  capture.process.kill("SIGTERM");
  const s = finalOf(await capture.finished);
  assertAddsUp(s);
  assertEquals([s.accepted, s.rejectedBy.address, s.rejectedBy.port, s.lost], [
    1000,
    1000,
    1000,
    0,
  ]);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`capture ends on ${signal} with its summary and code 0, soon`, async () => {
    const capture = start("capture", []);
    await capture.shown("received");
    const before = performance.now();
    capture.process.kill(signal);
    const { code, stdout } = await capture.finished;
    const tookMs = performance.now() - before;
    assertEquals(code, 0);
    assertMatch(stdout, /profit +-?\d/);
    assertLess(tookMs, 1000, "200 ms on an idle machine; this one may be busy");
  });
}

/** Runs a command whose standard output goes where a shell says. */
function runTo(name: "capture" | "send", args: string[], output: string) {
  const shell = `{ "$@"; echo "code $?" >&2; } ${output}`;
  const inside = (command: string[]) => ["sh", "-c", shell, "sh", ...command];
  return start(name, args, {}, 30_000, inside).finished;
}

Deno.test("capture ends with code 0 when nobody reads its output any longer", async () => {
  const { stdout, stderr } = await runTo("capture", ["-r", "20", "--json"], "| head -1");
  assertEquals(stderr, "code 0\n");
  assertLess(JSON.parse(stdout).elapsedNs, 2e9);
});

Deno.test("capture and send say in one line that their output is full, and exit 1", async () => {
  for (
    const [name, args] of [
      ["capture", ["-r", "20"]],
      ["capture", ["-r", "1", "--quiet"]],
      ["capture", ["--help"]],
      ["send", ["-i", "soft:t_full:1", "-c", "10", "--json"]],
    ] as const
  ) {
    const { stderr } = await runTo(name, [...args], ">/dev/full");
    assertMatch(stderr, /^Cannot write to standard output: no room is left.*: .*\ncode 1\n$/);
  }
  assertEquals(isThere("/dev/shm/uspf.switch.t_full"), false);
});

Deno.test("capture that is told to stop while it starts ends with code 0 and leaves nothing behind", async () => {
  for (const delayMs of [150, 250, 350]) {
    const capture = start("capture", ["-i", "soft:t_early:1", "--json"]);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    capture.process.kill("SIGTERM");
    const { code } = await capture.finished;
    // Before the first line of ours runs, the signal ends the runtime: then nothing has been opened.
    assert(code === 0 || code === 143, `code ${code} after ${delayMs} ms`);
    assertEquals(isThere("/dev/shm/uspf.switch.t_early"), false);
  }
});

Deno.test("capture --help wins over a wrong option", async () => {
  const { code, stdout } = await run("capture", ["--help", "-b", "0"]);
  assertEquals(code, 0);
  assertMatch(stdout, /--ring-size/);
});

Deno.test("capture -r 0 goes on until it is stopped", async () => {
  const capture = start("capture", ["-i", "soft:t_zero:1", "-r", "0", "--wait", "poll"]);
  await capture.shown(" 2 s  ");
  capture.process.kill("SIGINT");
  assertEquals((await capture.finished).code, 0);
});

Deno.test("capture --quiet prints only the summary, --print-code the loop, --version and --help themselves", async () => {
  const quiet = await run("capture", ["-r", "1", "--quiet"]);
  assertMatch(quiet.stdout, /^received /);
  const code = await run("capture", [
    "-i",
    `udp:127.0.0.1:${await freeUdpPort()}`,
    "-p",
    "5001",
    "-r",
    "1",
    "--print-code",
  ]);
  assertMatch(code.stdout, /return function hotLoop\(/);
  assertMatch(code.stdout, /0x16008913/);
  assertEquals((await run("capture", ["--version"])).stdout, `${describeVersion()}\n`);
  assertMatch((await run("capture", ["--help"])).stdout, /--ring-size/);
});

Deno.test("capture logs every stage with USPF_DEBUG=1, to standard error", async () => {
  const { stderr, code } = await run("capture", ["-r", "2", "--quiet"], { USPF_DEBUG: "1" });
  assertEquals(code, 0);
  for (const stage of ["capture: ", "filter: accepted", "ring: ", "engine: "]) {
    assert(stderr.includes(`DEBUG ${stage}`), stderr);
  }
});

const BAD: [string[], number, RegExp][] = [
  [["-i", "nonsense"], 2, /^Cannot parse port name "nonsense": unknown kind: /],
  [["-i", "netmap:"], 2, /^Cannot parse port name "netmap:": empty port/],
  [["-i", "udp:300.1.1.1:5001"], 2, /not an IPv4 address/],
  [["-i", "udp:1.1.1.1:99999"], 2, /port "99999"/],
  [["-i", "soft:"], 2, /not a switch port or a pipe end/],
  [["-i", "udp:239.1.1.1:5001@nosuch0"], 1, /no such interface "nosuch0"/],
  [["-i", "udp:203.0.113.1:5001"], 1, /not an address of this machine/],
  [["-b", "0"], 2, /^Cannot use -b "0": out of range/],
  [["-b", "65537"], 2, /out of range/],
  [["-b", "many"], 2, /out of range/],
  [["--ring-size", "1000"], 2, /not a power of two: take 512 or 1024/],
  [["--ring-size", "64"], 2, /out of range/],
  [["-c", "999", "-i", "soft:t_bad:1"], 1, /^Cannot pin to core 999: no such core here/],
  [["--engine-core", "999"], 1, /^Cannot pin to core 999/],
  [["-p", "65536"], 2, /^Cannot use -p "65536"/],
  [["-p", "-1"], 2, /^Cannot use -p "-1": out of range/],
  [["-d", "10.0.0"], 2, /10\.0\.0/],
  [["-r", "-5"], 2, /^Cannot use -r "-5": out of range/],
  [["-i", "pcap:x", "--speed", "-1"], 2, /^Cannot use --speed "-1": out of range/],
  [["-r"], 2, /^Cannot use -r: it needs a value: /],
  [["-r", "--json"], 2, /^Cannot use -r: it needs a value: /],
  [["-r", "-b64"], 2, /^Cannot use -r "-b64": out of range/],
  [["--rings"], 2, /^Cannot use --rings: it needs a value: /],
  [["--write", ""], 2, /^Cannot use --write: it needs a value: /],
  [["--write="], 2, /^Cannot use --write: it needs a value: /],
  [["--write", "-"], 2, /^Cannot use --write "-": not a file: /],
  [["-i", "soft:a:1", "-i", "soft:b:1"], 2, /^Cannot use -i twice: /],
  [["-b", "64", "-b128"], 2, /^Cannot use -b twice: /],
  [["--json=false"], 2, /^Cannot use --json "false": it takes no value: /],
  [["--", "x"], 2, /^Cannot use "x": no such option/],
  [
    ["-i", "packet:lo", "--xdp-mode", "native"],
    2,
    /^Cannot use --xdp-mode: "packet:lo" is no xdp port: /,
  ],
  [["-i", "xdp:lo", "--speed", "2"], 2, /^Cannot use --speed: "xdp:lo" is no pcap port: /],
  [["--loop", "2"], 2, /^Cannot use --loop: the built-in switch is no pcap port: /],
  [
    ["-i", "soft:x{1", "--promiscuous"],
    2,
    /^Cannot use --promiscuous: .* is no xdp or packet port: /,
  ],
  [["-i", "soft:x:1", "--rotate-size", "1"], 2, /^Cannot use --rotate-size: nothing is written: /],
  [["--wait", "sleep"], 2, /^Cannot use --wait "sleep": no such way: choose spin, poll, hybrid/],
  [["--nonsense"], 2, /^Cannot use "--nonsense": no such option/],
];

for (const [args, expected, message] of BAD) {
  Deno.test(`capture ${args.join(" ")} is refused in one line with code ${expected}`, async () => {
    const { code, stdout, stderr } = await run("capture", args);
    assertMatch(stderr, message);
    assertEquals([code, stdout, stderr.trim().split("\n").length], [expected, "", 1], stderr);
  });
}

Deno.test({
  name: "capture -i netmap:eth0 says that the module is missing",
  ignore: isThere("/dev/netmap"),
  fn: async () => {
    const { code, stderr } = await run("capture", [
      "-i",
      "netmap:eth0",
      "-p",
      "12345",
      "-c",
      "0",
      "-b",
      "256",
      "-r",
      "15",
    ]);
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^Cannot open "netmap:eth0": the netmap module is not loaded \(no \/dev\/netmap\): .*\n$/,
    );
  },
});

Deno.test("capture says that a port is taken", async () => {
  const socket = `udp:127.0.0.1:${await freeUdpPort()}`;
  for (const port of ["soft:t_taken:1", "soft:t_taken{1", socket]) {
    const first = start("capture", ["-i", port, "--json"]);
    await first.shown("{");
    const { code, stderr } = await run("capture", ["-i", port, "-r", "1"]);
    first.process.kill("SIGINT");
    assertEquals((await first.finished).code, 0);
    assertEquals(code, 1);
    assertMatch(stderr, /^Cannot open "[^"]+": the port is taken: .*\n$/);
  }
});

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
