/**
 * Capture files at the commands: sent onto a wire, where tcpdump sees them with their timing, and captured.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { finalOf, type Finished, run } from "./command.ts";
import { Dump, type FilePacket, send, TemporaryFile, testNetwork } from "./foreign.ts";
import { tickPacket } from "./packets.ts";

const STEP_NS = 20e6, COUNT = 40;

/** Ticks in pairs, 20 ms from one pair to the next; the lengths differ. */
function pairs(count = COUNT): FilePacket[] {
  return Array.from({ length: count }, (_, i) => ({
    bytes: tickPacket({ instrument: i, padding: i * 3 % 70 }),
    atNs: (i >> 1) * STEP_NS,
  }));
}

const EXPECTED = pairs();
const BYTES = EXPECTED.reduce((sum, { bytes }) => sum + bytes.length, 0);
const SPAN_NS = EXPECTED[COUNT - 1].atNs;

function assertSame(seen: FilePacket[], expected: FilePacket[]): void {
  assertEquals(seen.length, expected.length);
  seen.forEach(({ bytes }, i) => assertEquals(bytes, expected[i].bytes));
}

/** Half of the packets are at most so late: this machine may be busy. */
function assertTimes(seen: FilePacket[], speed: number): void {
  const late = seen.map(({ atNs }, i) => atNs - EXPECTED[i].atNs / speed).sort((a, b) => a - b);
  const middle = late[late.length >> 1];
  for (const ns of late) assertLess(Math.abs(ns - middle), 40e6, `${late}`);
  assertLess(late[late.length * 3 >> 2] - late[late.length >> 2], 4e6, `${late}`);
}

for (const port of ["packet:l0", "xdp:l0"]) {
  testNetwork(`send -i ${port} --file keeps bytes and times`, {}, async (testbed) => {
    using file = TemporaryFile.of(EXPECTED);
    const dump = await Dump.start(testbed, "right");
    const sent = finalOf(await send(testbed, ["-i", port, "--file", file.path]));
    const seen = await dump.stop();
    assertEquals([sent.sent, sent.bytes, sent.unsendable, sent.slipped], [COUNT, BYTES, 0, 0]);
    assertSame(seen, EXPECTED);
    assertTimes(seen, 1);
  });

  testNetwork(`send -i ${port} --file with --speed, -r, --loop and -c`, {}, async (testbed) => {
    using file = TemporaryFile.of(EXPECTED);
    const sending = async (...args: string[]) => {
      const dump = await Dump.start(testbed, "right");
      const sent = finalOf(await send(testbed, ["-i", port, "--file", file.path, ...args]));
      const seen = await dump.stop();
      assertEquals(sent.sent, seen.length);
      return { seen, spanNs: seen.at(-1)!.atNs };
    };
    const twice = await sending("--speed", "2");
    assertSame(twice.seen, EXPECTED);
    assertTimes(twice.seen, 2);
    const fast = await sending("--speed", "0", "--loop", "3");
    assertSame(fast.seen, [...EXPECTED, ...EXPECTED, ...EXPECTED]);
    assertLess(fast.spanNs, SPAN_NS / 4);
    const paced = await sending("-r", "200", "-c", "21", "-b", "1");
    assertSame(paced.seen, EXPECTED.slice(0, 21));
    assertGreater(paced.spanNs, 90e6);
    assertLess(paced.spanNs, 200e6);
  });
}

testNetwork(
  "send --file of a damaged file sends what is before, and exits 1",
  {},
  async (testbed) => {
    using file = TemporaryFile.of(EXPECTED);
    damage(file.path);
    for (const port of ["packet:l0", "xdp:l0"]) {
      const dump = await Dump.start(testbed, "right");
      const finished = await send(testbed, ["-i", port, "--file", file.path, "--speed", "0"]);
      assertSame(await dump.stop(), EXPECTED.slice(0, COUNT - 1));
      assertEquals(finalOf(finished).sent, COUNT - 1);
      assertDamage(finished, file.path);
    }
  },
);

Deno.test("capture -i pcap:FILE counts the packets of a file, and ends with it", async () => {
  using file = TemporaryFile.of(EXPECTED);
  for (const [args, times] of [[[], 1], [["--loop", "3"], 3]] as const) {
    const finished = await run("capture", ["-i", `pcap:${file.path}`, "--json", ...args]);
    const s = finalOf(finished);
    assertEquals([finished.code, finished.stderr], [0, ""]);
    assertEquals([s.received, s.bytes, s.accepted, s.consumed, s.lost, s.dropped], [
      COUNT * times,
      BYTES * times,
      COUNT * times,
      COUNT * times,
      0,
      0,
    ]);
    assertLess(s.elapsedNs, SPAN_NS * times, "as fast as it goes");
  }
});

Deno.test("capture -i pcap:FILE judges packets as a port's", async () => {
  const packets = pairs(10);
  packets.push({ bytes: tickPacket({ port: 5002 }), atNs: packets[9].atNs });
  packets.push({ bytes: tickPacket({ tags: 2 }), atNs: packets[9].atNs });
  packets.push({ bytes: tickPacket().slice(0, 20), atNs: packets[9].atNs });
  using file = TemporaryFile.of(packets);
  const s = finalOf(await run("capture", ["-i", `pcap:${file.path}`, "-p", "5001", "--json"]));
  assertEquals([s.received, s.accepted, s.rejectedBy.port, s.malformedBy.truncated], [
    13,
    11,
    1,
    1,
  ]);
});

Deno.test("capture -i pcap:FILE --speed takes the recorded time", async () => {
  using file = TemporaryFile.of(EXPECTED);
  for (const speed of [1, 4]) {
    const args = ["-i", `pcap:${file.path}`, "--speed", String(speed), "--json"];
    const s = finalOf(await run("capture", args));
    assertEquals([s.received, s.accepted], [COUNT, COUNT]);
    assertGreater(s.elapsedNs, SPAN_NS / speed * 0.9);
    assertLess(s.elapsedNs, SPAN_NS / speed + 300e6);
  }
});

Deno.test("capture -i pcap:FILE of a damaged file counts what is before, and exits 1", async () => {
  using file = TemporaryFile.of(EXPECTED);
  damage(file.path);
  const finished = await run("capture", ["-i", `pcap:${file.path}`, "--json"]);
  assertEquals([finalOf(finished).received, finalOf(finished).consumed], [COUNT - 1, COUNT - 1]);
  assertDamage(finished, file.path);
});

Deno.test("capture -i pcap: refuses what is no capture file, in one line", async () => {
  using file = new TemporaryFile();
  Deno.writeTextFileSync(file.path, "time,price\n1,2\n");
  for (const path of [file.path, `${file.path}.absent`]) {
    const { code, stdout, stderr } = await run("capture", ["-i", `pcap:${path}`]);
    assertEquals([code, stdout, stderr.trim().split("\n").length], [1, "", 1], stderr);
    assert(stderr.startsWith("Cannot ") && stderr.includes(path), stderr);
  }
});

Deno.test("capture and send refuse files that no name can open, in one line", async () => {
  const long = `${"x".repeat(300)}.pcap`;
  const names: [string, RegExp][] = [
    [
      "/dev/stdin",
      /^Cannot open "pcap:\/dev\/stdin": standard input .*: use "-", as in "pcap:-"\n$/,
    ],
    [long, /^Cannot open "pcap:x+\.pcap": its name is too long: shorten it[^\n]*\n$/],
  ];
  for (const [name, message] of names) {
    for (
      const { code, stderr } of [
        await run("capture", ["-i", `pcap:${name}`]),
        await run("send", ["-i", "soft:t_names:1", "--file", name]),
      ]
    ) {
      assertMatch(stderr, message);
      assertEquals(code, 1);
    }
  }
});

Deno.test("capture -i pcap:- reads standard input", async () => {
  using file = TemporaryFile.of(EXPECTED);
  const whole = await capturePiped(file.path);
  assertEquals([whole.code, whole.stderr, finalOf(whole).received], [0, "", COUNT]);
  damage(file.path);
  const damaged = await capturePiped(file.path);
  assertEquals([finalOf(damaged).received], [COUNT - 1]);
  assertDamage(damaged, "-");
  const { code, stderr } = await run("capture", ["-i", "pcap:-", "--loop", "2"]);
  assertEquals(code, 2, stderr);
});

/** Cuts a file off within its last packet. */
function damage(path: string): void {
  Deno.truncateSync(path, Deno.statSync(path).size - 5);
}

function assertDamage({ code, stderr }: Finished, name: string): void {
  assertEquals([code, stderr.trim().split("\n").length], [1, 1], stderr);
  assert(stderr.startsWith(`Cannot read "${name}": `), stderr);
  assertMatch(stderr, /\d+/, "the place");
}

/** `cat FILE | deno task capture -i pcap:-` */
async function capturePiped(path: string): Promise<Finished> {
  const words = [Deno.execPath(), "run", "-q", "-P=capture", "capture/main.ts", "-i", "pcap:-"];
  const child = new Deno.Command("sh", {
    args: ["-c", 'cat "$0" | "$@" --json', path, ...words],
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
