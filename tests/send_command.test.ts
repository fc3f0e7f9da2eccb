import { assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { BypassIO } from "../capture/bypass_io.ts";
import { finalOf, run, start } from "./command.ts";

Deno.test("send keeps its rate within 1 %, from 1 packet a second on", async () => {
  for (const [rate, seconds] of [[1, 3], [1000, 2], [200_000, 2]]) {
    const args = [
      "-i",
      "soft:t_rate:2",
      "-r",
      String(rate),
      "--seconds",
      String(seconds),
      "--json",
    ];
    const s = finalOf(await run("send", args));
    // The first packet is due at once: there is one more than intervals.
    assertAlmostEquals((s.sent - 1) / rate, seconds, 0.01 * seconds + 1 / rate);
    assertEquals(s.slipped, 0);
  }
});

/** The packets that a sender with these arguments puts on the wire. */
async function packetsOf(count: number, ...args: string[]): Promise<string[]> {
  const network = `t_seed_${crypto.randomUUID().slice(0, 8)}`;
  const io = BypassIO.open(`soft:${network}:1`), packets: string[] = [];
  const finished = run("send", [
    "-i",
    `soft:${network}:2`,
    "-c",
    String(count),
    "-r",
    "20000",
    ...args,
  ]);
  const end = performance.now() + 10_000;
  while (packets.length < count && performance.now() < end) {
    const n = io.rx();
    for (let i = 0; i < n; i++) {
      const at = io.offsets[i];
      packets.push(io.bytes.slice(at, at + io.lengths[i]).toString());
    }
    if (n === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await finished;
  io.close();
  return packets;
}

Deno.test("send gives the same packets for the same seed, and others for another", async () => {
  const first = await packetsOf(500, "--seed", "7");
  assertEquals(first.length, 500);
  assertEquals(await packetsOf(500, "--seed", "7", "-b", "3"), first);
  const other = await packetsOf(500, "--seed", "8");
  assertEquals(other.some((packet, i) => packet !== first[i]), true);
});

Deno.test("send puts the addresses and the port of its options into the packets", async () => {
  const options = [
    "-s",
    "02:00:00:00:00:aa",
    "-d",
    "02:00:00:00:00:bb",
    "-S",
    "10.1.2.3",
    "-D",
    "10.4.5.6",
  ];
  const [packet] = await packetsOf(1, ...options, "-p", "6001");
  const bytes = packet.split(",").map(Number);
  assertEquals(bytes.slice(0, 12), [2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa]);
  assertEquals(bytes.slice(26, 34), [10, 1, 2, 3, 10, 4, 5, 6]);
  assertEquals(bytes.slice(36, 38), [6001 >> 8, 6001 & 255]);
});

for (const signal of ["SIGINT", "SIGHUP"] as const) {
  Deno.test(`send stops on ${signal} with its report and code 0`, async () => {
    const send = start("send", ["-i", "soft:t_stop:2"]);
    await send.shown("sending on");
    await new Promise((resolve) => setTimeout(resolve, 300));
    send.process.kill(signal);
    const { code, stdout } = await send.finished;
    assertEquals(code, 0);
    assertMatch(stdout, /sent \d+ packets, \d+ bytes in .* packets a second/);
    assertMatch(stdout, /ring full \d+ times/);
  });
}

const BAD: [string[], number, RegExp][] = [
  [[], 2, /^Cannot send: no port/],
  [["-i", "soft:x:1", "-s", "nonsense"], 2, /nonsense/],
  [["-i", "soft:x:1", "-D", "1.2.3.4.5"], 2, /1\.2\.3\.4\.5/],
  [["-i", "soft:x:1", "-p", "0"], 2, /^Cannot use -p "0"/],
  [["-i", "soft:x:1", "-b", "2000"], 2, /^Cannot use -b/],
  [["-i", "soft:x:1", "--instruments", "0"], 2, /--instruments/],
  [["-i", "soft:x:1", "--core", "999"], 1, /^Cannot pin to core 999/],
  [["-i", "soft:x:1", "-q"], 2, /no such option/],
  [["-i", "soft:x:1", "-c", "-5"], 2, /^Cannot use -c "-5": out of range/],
  [["-i", "soft:x:1", "-r"], 2, /^Cannot use -r: it needs a value: /],
  [["-i", "soft:x:1", "--file", ""], 2, /^Cannot use --file: it needs a value: /],
  [["-i", "soft:x:1", "--file", "--json"], 2, /^Cannot use --file: it needs a value: /],
  [["-i", "soft:x:1", "-i", "soft:x:2"], 2, /^Cannot use -i twice: /],
  [
    ["-i", "udp:127.0.0.1:9", "--xdp-mode", "native"],
    2,
    /^Cannot use --xdp-mode: .* is no xdp port: /,
  ],
  [["-i", "soft:x:1", "--speed", "2"], 2, /^Cannot use --speed: the packets are generated, /],
  [["-i", "soft:x:1", "--loop", "2"], 2, /^Cannot use --loop: the packets are generated, /],
  [
    ["-i", "soft:x:1", "--file", "x", "--seed", "2"],
    2,
    /^Cannot use --seed: the packets are sent as /,
  ],
  [
    ["-i", "soft:x:1", "--file", "x", "-D", "1.2.3.4"],
    2,
    /^Cannot use -D: the packets are sent as /,
  ],
];

for (const [args, expected, message] of BAD) {
  Deno.test(`send ${args.join(" ")} is refused in one line with code ${expected}`, async () => {
    const { code, stderr } = await run("send", args);
    assertMatch(stderr, message);
    assertEquals([code, stderr.trim().split("\n").length], [expected, 1], stderr);
  });
}
