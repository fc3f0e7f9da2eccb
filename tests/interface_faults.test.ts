/**
 * What goes wrong around a capture on an interface: it goes down, or away; the capture is killed, too slow,
 * not alone, or may not.
 */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { existsSync } from "node:fs";
import { finalOf, type Finished, start } from "./command.ts";
import { delay, macOf, send, startCapture, stopCapture, testNetwork } from "./foreign.ts";
import { ADDRESS, type Testbed } from "./testbed.ts";

const UDP = ["-i", `udp:${ADDRESS.right}:5001`];
const PACKET = ["-i", "packet:r0"];
const NATIVE = ["-i", "xdp:r0", "--xdp-mode", "native"];
const GENERIC = ["-i", "xdp:r0", "--xdp-mode", "generic"];
const KINDS = { udp: UDP, packet: PACKET, "xdp in native mode": NATIVE };

/** Sends ticks to the right end; returns how many the sender says it has sent. */
async function sendTicks(testbed: Testbed, count: number, rate: number): Promise<number> {
  const to = ["-d", await macOf(testbed, "right"), "-S", ADDRESS.left, "-D", ADDRESS.right];
  const args = ["-i", "packet:l0", "-c", String(count), "-r", String(rate), "-b", "64", ...to];
  return finalOf(await send(testbed, args)).sent;
}

for (const [title, args] of Object.entries({ ...KINDS, "xdp in generic mode": GENERIC })) {
  testNetwork(`capture by ${title} outlives that its interface goes down`, {}, async (testbed) => {
    const capture = await startCapture(testbed, args);
    await sendTicks(testbed, 500, 20_000);
    await testbed.must("right", "ip", "link", "set", "r0", "down");
    await delay(150);
    await testbed.must("right", "ip", "link", "set", "r0", "up");
    await sendTicks(testbed, 700, 20_000);
    const finished = await stopCapture(capture), s = finalOf(finished);
    assertEquals([finished.code, finished.stderr], [0, ""]);
    assertEquals([s.received, s.accepted, s.lost], [1200, 1200, 0]);
  });
}

for (const [title, args] of Object.entries({ ...KINDS, "xdp in generic mode": GENERIC })) {
  if (title === "udp") continue; // a socket goes on to wait for its address
  for (const wait of ["poll", "spin"]) {
    testNetwork(
      `capture by ${title} --wait ${wait} ends with its interface`,
      {},
      async (testbed) => {
        const capture = await startCapture(testbed, [...args, "--wait", wait]);
        await sendTicks(testbed, 500, 20_000);
        await testbed.must("right", "ip", "link", "delete", "r0");
        const finished = await capture.finished;
        assertEquals([finished.code, finalOf(finished).received], [1, 500]);
        const line = `^Cannot (receive from|wait for) "${args[1]}": [^\\n]*: [^\\n]*\\n$`;
        assertMatch(finished.stderr, new RegExp(line));
      },
    );
  }
}

for (const [title, args] of Object.entries(KINDS)) {
  testNetwork(`capture by ${title} starts again after SIGKILL`, {}, async (testbed) => {
    const first = await startCapture(testbed, args);
    await sendTicks(testbed, 100, 20_000);
    first.process.kill("SIGKILL");
    await first.finished;
    assert(!/prog|xdp/.test(await testbed.must("right", "ip", "-d", "link", "show", "dev", "r0")));
    const second = await startCapture(testbed, args);
    await sendTicks(testbed, 1000, 20_000);
    const s = finalOf(await stopCapture(second));
    assertEquals([s.received, s.accepted, s.lost], [1000, 1000, 0]);
  });
}

/**
 * Packets that are more than a stopped capture has room for. udp: a socket's buffer of 64 MiB, in which
 * each takes several hundred bytes; packet: 256 blocks, of which each is closed a millisecond after it was
 * begun; xdp: 8192 entries of the kernel's ring.
 */
const FLOODS: [string, string[], number][] = [
  ["udp", UDP, 180_000],
  ["packet", PACKET, 160_000],
  ["xdp in native mode", NATIVE, 20_000],
  ["xdp in generic mode", GENERIC, 20_000],
];

for (const [title, args, count] of FLOODS) {
  testNetwork(
    `capture by ${title} that is stopped meanwhile accounts for every packet`,
    {},
    async (testbed) => {
      const counters = async () =>
        await Promise.all([
          testbed.counter("left", "tx_packets"),
          testbed.counter("left", "tx_dropped"),
          testbed.counter("right", "rx_packets"),
          testbed.counter("right", "rx_dropped"),
        ]);
      const capture = await startCapture(testbed, args);
      const before = await counters();
      capture.process.kill("SIGSTOP");
      const sent = await sendTicks(testbed, count, 150_000);
      capture.process.kill("SIGCONT");
      await delay(300);
      const s = finalOf(await stopCapture(capture)), after = await counters();
      const [leftSent, leftDropped, came, dropped] = after.map((now, i) => now - before[i]);
      assertGreater(s.lost, 0);
      assertGreater(s.received, 1000);
      assertEquals(sent, count);
      // A busy machine may let packets wait between the ends; what finds no room there the left end drops.
      assertEquals(leftSent + leftDropped, count);
      assertEquals(came, leftSent);
      assertEquals(s.received + s.lost, came);
      // veth counts what its driver's program could not redirect, and the socket has counted it, too; what
      // is lost behind the driver has been received, as far as the interface is concerned.
      assertEquals(dropped, args === NATIVE ? s.lost : 0);
      assertEquals([s.accepted, s.consumed + s.dropped], [s.received, s.received]);
    },
  );
}

const ECHO = `require("node:net").createServer((socket) => socket.pipe(socket)).listen(7007,
  () => console.log("listening"))`;
/** Prints whether all that it sent came back. */
const ECHOED = `
const { createHash, randomBytes } = require("node:crypto");
const data = randomBytes(1 << 20), hash = (bytes) => createHash("sha1").update(bytes).digest("hex");
const socket = require("node:net").connect(7007, "10.77.0.2"), back = [];
let length = 0;
socket.on("data", (chunk) => {
  back.push(chunk);
  length += chunk.length;
  if (length === data.length) {
    console.log(hash(Buffer.concat(back)) === hash(data));
    process.exit(0);
  }
});
socket.write(data);
setTimeout(() => { console.log("only", length); process.exit(1); }, 10000);`;

for (const args of [NATIVE, GENERIC]) {
  testNetwork(`capture by xdp (${args.at(-1)}) lets a TCP connection live`, {}, async (testbed) => {
    const server = testbed.spawn("right", ["node", "-e", ECHO], { stderr: "null" });
    await server.stdout.getReader().read();
    const capture = await startCapture(testbed, [...args, "-p", "5001"]);
    const [said, sent] = await Promise.all([
      testbed.must("left", "node", "-e", ECHOED),
      sendTicks(testbed, 2000, 10_000),
    ]);
    const s = finalOf(await stopCapture(capture));
    assertEquals([said, sent, s.received, s.accepted, s.lost], ["true\n", 2000, 2000, 2000, 0]);
    server.kill("SIGKILL");
    await server.status;
  });
}

testNetwork("capture of an xdp interface that another has is refused", {}, async (testbed) => {
  const first = await startCapture(testbed, [...NATIVE, "-p", "5001"]);
  const second = await runCapture(testbed, [...NATIVE, "-p", "5001"]);
  assertRefused(
    second,
    1,
    /^Cannot open "xdp:r0": the port is taken: end the program that has a queue of "r0"$/m,
  );
  const other = await runCapture(testbed, [...NATIVE, "-p", "5002"]);
  assertRefused(other, 1, /^Cannot open "xdp:r0": another capture .* wants other packets: /);
  const generic = await runCapture(testbed, [...GENERIC, "-p", "5001"]);
  assertRefused(
    generic,
    1,
    /^Cannot open "xdp:r0": another capture .* mode .*: give both the same/,
  );
  await sendTicks(testbed, 100, 10_000);
  assertEquals(finalOf(await stopCapture(first)).received, 100);
});

testNetwork(
  "capture of a taken xdp queue is told of one that there is",
  { queues: 2 },
  async (testbed) => {
    const first = await startCapture(testbed, ["-i", "xdp:r0-1"]);
    const one = await runCapture(testbed, ["-i", "xdp:r0-1"]);
    assertRefused(one, 1, /queue 1 of "r0", or open another queue, as in "xdp:r0-0"$/m);
    const all = await runCapture(testbed, ["-i", "xdp:r0"]);
    assertRefused(all, 1, /a queue of "r0", or open one that is free: "xdp:r0-0" to "xdp:r0-1"$/m);
    await stopCapture(first);
  },
);

/** Not in every kernel, and not in every container. */
const noTun = existsSync("/dev/net/tun") ? undefined : "no /dev/net/tun";

testNetwork("capture refuses interfaces without Ethernet headers", {}, async (testbed) => {
  await testbed.must("right", "ip", "tuntap", "add", "tun0", "mode", "tun");
  for (const kind of ["xdp", "packet"]) {
    const refused = await runCapture(testbed, ["-i", `${kind}:tun0`]);
    const message = `^Cannot open "${kind}:tun0": "tun0" is no Ethernet interface: use `;
    assertRefused(refused, 1, new RegExp(message));
  }
}, noTun);

const REFUSED: [string[], number, RegExp][] = [
  [["-i", "xdp:nosuch0"], 1, /^Cannot open "xdp:nosuch0": no such interface "nosuch0": /],
  [["-i", "packet:nosuch0"], 1, /^Cannot open "packet:nosuch0": no such interface "nosuch0": /],
  [["-i", "xdp:r0-1"], 1, /^Cannot open "xdp:r0-1": "r0" has no queue 1: count them with /],
  [["-i", "xdp:r0", "--xdp-mode", "zerocopy"], 1, /^Cannot open "xdp:r0": no zerocopy mode: /],
  [["-i", "xdp:"], 2, /^Cannot parse port name "xdp:": /],
  [["-i", "packet:r0@70000"], 2, /^Cannot parse port name "packet:r0@70000": fanout group /],
  [["-i", "xdp:r0", "--rings", "2"], 2, /^Cannot use --rings "2": "xdp:r0" has 1 receive queue: /],
  [["-i", "xdp:nosuch0", "--rings", "all"], 1, /^Cannot .*nosuch0.*: /],
];

testNetwork(
  "capture refuses names that no interface has, in one line each",
  {},
  async (testbed) => {
    for (const [args, code, message] of REFUSED) {
      assertRefused(await runCapture(testbed, args), code, message);
    }
  },
);

testNetwork("capture without capabilities names them, in one line", {}, async (testbed) => {
  // Root by name only: another user may not be able to read this program.
  const powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
  const inside = (command: string[]) => testbed.inside("right", [...powerless, ...command]);
  const wanted = { "xdp:r0": "CAP_NET_ADMIN, CAP_BPF and CAP_NET_RAW", "packet:r0": "CAP_NET_RAW" };
  for (const [port, capabilities] of Object.entries(wanted)) {
    const refused = await start("capture", ["-i", port, "-r", "1"], {}, 30_000, inside).finished;
    const message = new RegExp(`^Cannot open "${port}": no permission: .*${capabilities}`);
    assertRefused(refused, 1, message);
  }
});

/** Runs a capture that is expected not to last. */
function runCapture(testbed: Testbed, args: string[]): Promise<Finished> {
  const inside = (command: string[]) => testbed.inside("right", command);
  return start("capture", [...args, "-r", "5"], {}, 30_000, inside).finished;
}

function assertRefused(
  { code, stdout, stderr }: Finished,
  expected: number,
  message: RegExp,
): void {
  assertMatch(stderr, message);
  assertEquals([code, stdout, stderr.trim().split("\n").length], [expected, "", 1], stderr);
}
