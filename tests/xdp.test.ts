/**
 * What is special to AF_XDP, over a veth pair between two namespaces: modes, the program on the interface
 * and what it leaves to the kernel, several captures on one interface, large packets, interfaces that go.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { RX, TX } from "../ffi/port.ts";
import { xdpProgram } from "../ffi/xdp_program.ts";
import { runProgram } from "./ebpf.ts";
import { withSeeds } from "./engine_seed.ts";
import { randomPacket, tickPacket } from "./packets.ts";
import { noTestbed, Testbed, type TestbedOptions } from "./testbed.ts";
import { OURS, TABLE } from "./xdp_packets.ts";
import { XdpPeer } from "./xdp_peer.ts";
import { Random } from "../sender/random.ts";

const COPIED = "xdp, native, frames copied (no zero-copy: the driver cannot, EOPNOTSUPP)";

/** Registers a test with a process at each end of a veth pair. */
function testPair(
  sentence: string,
  options: TestbedOptions,
  fn: (testbed: Testbed, left: XdpPeer, right: XdpPeer) => Promise<void>,
): void {
  Deno.test({
    name: `XdpPort ${sentence}${noTestbed ? ` (${noTestbed})` : ""}`,
    ignore: noTestbed !== undefined,
    fn: async () => {
      using testbed = Testbed.create(options);
      await using left = XdpPeer.start(testbed, "left");
      await using right = XdpPeer.start(testbed, "right");
      await fn(testbed, left, right);
    },
  });
}

/** Whether a program is on the right end. */
async function hasProgram(testbed: Testbed): Promise<boolean> {
  return /prog\/xdp/.test(await testbed.must("right", "ip", "-d", "link", "show", "r0"));
}

/** `count` packets that OURS wants, numbered from `first` on. */
function numbered(count: number, first = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => tickPacket({ instrument: first + i }));
}

function flat(packets: number[][][] = []): number[][] {
  return packets.map((pieces) => pieces.flat());
}

/* ---- modes ---- */

testPair("says which mode it got, and why not a better one", {}, async (testbed, _, right) => {
  const mode = async (xdpMode?: "auto" | "zerocopy" | "native" | "generic", directions = RX) => {
    const request = { do: "open", port: "p", name: "xdp:r0", directions } as const;
    const { mode, error } = await right.ask({ ...request, options: { xdpMode } });
    if (error === undefined) await right.must({ do: "close", port: "p" });
    return mode ?? error;
  };
  assertEquals(await mode(), COPIED);
  assertEquals(await mode("native"), "xdp, native, frames copied (as asked for)");
  assertEquals(await mode("generic"), "xdp, generic (as asked for)");
  assertEquals(
    await mode("zerocopy"),
    'Cannot open "xdp:r0": no zerocopy mode: the driver cannot, EOPNOTSUPP: ' +
      "use --xdp-mode auto, which takes the best that there is",
  );
  assertEquals(
    await mode("auto", TX),
    "xdp, frames copied (no zero-copy: the driver cannot, EOPNOTSUPP)",
  );
  assert(!await hasProgram(testbed));
  const { mode: loopback } = await right.open("xdp:lo", RX, { wanted: OURS });
  assertEquals(loopback, "xdp, generic (no native mode: the driver cannot, EOPNOTSUPP)");
});

testPair("explains what is not there", { queues: 2 }, async (_testbed, _, right) => {
  const errorOf = async (name: string) => {
    const { error } = await right.ask({ do: "open", port: "p", name, directions: RX });
    return error;
  };
  assertEquals(
    await errorOf("xdp:nix"),
    'Cannot open "xdp:nix": no such interface "nix": list them with "ip link"',
  );
  assertEquals(
    await errorOf("xdp:r0-2"),
    'Cannot open "xdp:r0-2": "r0" has no queue 2: count them with "ls /sys/class/net/r0/queues"',
  );
});

testPair("says what permissions it lacks", {}, async (testbed) => {
  const peer = new URL("xdp_peer.ts", import.meta.url).pathname;
  const script =
    `echo '${
      JSON.stringify({ do: "open", port: "p", name: "xdp:r0", directions: RX })
    }' | setpriv --bounding-set=-net_raw,-net_admin,-bpf,-sys_admin ` +
    `${Deno.execPath()} run -q -A --no-check ${peer}`;
  const { stdout, stderr } = await testbed.run("right", ["sh", "-c", script]);
  assert(stdout !== "", stderr);
  assertMatch(JSON.parse(stdout).error, /^Cannot open "xdp:r0": no permission: .*CAP_NET_ADMIN/);
});

/* ---- the program ---- */

testPair("leaves no program behind, even when it is killed", {}, async (testbed, _, right) => {
  await right.open("xdp:r0", RX);
  assert(await hasProgram(testbed));
  await right.kill();
  assert(!await hasProgram(testbed));
});

for (const xdpMode of ["native", "generic"] as const) {
  testPair(
    `takes what the interpreter says that it takes, ${xdpMode}`,
    {},
    async (_, left, right) => {
      await right.open("xdp:r0", RX, { wanted: OURS, xdpMode });
      await left.open("xdp:l0", TX);
      const table = TABLE.map(([, packet]) => packet);
      await compare(left, right, table);
      await withSeeds(import.meta.url, async (random) => {
        const packets = new Random(random(), 1);
        await compare(left, right, Array.from({ length: 500 }, () => randomPacket(packets)));
      });
    },
  );
}

/** Sends packets, and checks that those that OURS wants arrive, and no others. */
async function compare(left: XdpPeer, right: XdpPeer, packets: Uint8Array[]): Promise<void> {
  const program = xdpProgram(OURS);
  const sent = packets.filter((packet) => packet.length >= 14); // shorter ones are no packets
  const wanted = sent.filter((packet) => runProgram(program, packet) === "redirect");
  assert(wanted.length > 0 && wanted.length < sent.length);
  await left.send("xdp:l0", packets);
  const { packets: taken, lost } = await right.must({ do: "take", port: "xdp:r0", ms: 2000 });
  assertEquals(flat(taken), wanted.map((packet) => [...packet]));
  assertEquals(lost, 0);
}

testPair("leaves other traffic to the kernel's stack", {}, async (_, left, right) => {
  await right.open("xdp:r0", RX, { wanted: { destinationPort: 5001, payloadBytes: 14 } });
  // Sockets at both ends, of which one is on the port that is captured.
  await right.open("udp:10.77.0.2:5001", RX);
  await right.open("udp:10.77.0.2:6000", RX);
  await left.open("udp:10.77.0.1:6000", RX);
  await left.open("udp:10.77.0.2:5001", TX);
  await left.open("udp:10.77.0.2:6000", TX);
  await right.open("udp:10.77.0.1:6000", TX);
  const packets = numbered(20), take = { do: "take", ms: 1000 } as const;
  await left.send("udp:10.77.0.2:6000", packets);
  await right.send("udp:10.77.0.1:6000", packets);
  await left.send("udp:10.77.0.2:5001", packets);
  const got = async (peer: XdpPeer, port: string) =>
    (await peer.must({ ...take, port })).packets!.length;
  assertEquals(await got(right, "udp:10.77.0.2:6000"), 20);
  assertEquals(await got(left, "udp:10.77.0.1:6000"), 20);
  assertEquals(await got(right, "udp:10.77.0.2:5001"), 0);
  const { packets: captured } = await right.must({ ...take, port: "xdp:r0" });
  assertEquals(captured!.length, 20);
  // Another size on the captured port is not wanted.
  await left.send("udp:10.77.0.2:5001", [tickPacket({ payloadBytes: 15 })]);
  assertEquals(await got(right, "udp:10.77.0.2:5001"), 1);
});

testPair("refuses an interface with a foreign program", {}, async (testbed, left, right) => {
  await left.open("xdp:l0", TX);
  await using other = XdpPeer.start(testbed, "right");
  await other.must({ do: "foreign", interface: "r0" });
  for (const xdpMode of ["auto", "native", "generic"] as const) {
    const open = { do: "open", port: "p", name: "xdp:r0", directions: RX } as const;
    const { code, error } = await right.ask({ ...open, options: { xdpMode } });
    assertEquals(code, "EEXIST");
    assertMatch(
      error!,
      /^Cannot open "xdp:r0": another program's XDP program is on "r0": .*xdp off/,
    );
  }
  await right.open("xdp:r0", TX); // needs no program
});

/* ---- several captures ---- */

testPair(
  "shares an interface: a queue a process, until the last one leaves",
  { queues: 2 },
  async (testbed, left, right) => {
    await using other = XdpPeer.start(testbed, "right");
    const open = { do: "open", port: "p", directions: RX } as const;
    const first = await right.open("xdp:r0-0", RX, { wanted: OURS });
    const second = await other.open("xdp:r0-1", RX, { wanted: OURS });
    assertEquals([first.mode, second.mode], [COPIED, COPIED]);
    const taken = await other.ask({ ...open, name: "xdp:r0-0", options: { wanted: OURS } });
    assertEquals(taken.code, "EBUSY");
    assertMatch(
      taken.error!,
      /^Cannot open "xdp:r0-0": the port is taken: end the program that has queue 0 of "r0", or/,
    );
    const differs = await other.ask({ ...open, name: "xdp:r0-0" });
    assertMatch(differs.error!, /another capture on "r0" wants other packets: /);
    await using third = XdpPeer.start(testbed, "right");
    assertEquals((await third.ask({ ...open, name: "xdp:r0-1" })).code, "EALREADY");
    const generic = { wanted: OURS, xdpMode: "generic" } as const;
    assertEquals(
      (await third.ask({ ...open, name: "xdp:r0-1", options: generic })).code,
      "EPROTOTYPE",
    );

    await left.open("xdp:l0", TX);
    await left.must({ do: "close", port: "xdp:l0" });
    await left.open("xdp:l0-0", TX);
    await left.open("xdp:l0-1", TX);
    const counts = async () => {
      await left.send("xdp:l0-0", numbered(30));
      await left.send("xdp:l0-1", numbered(40));
      const ask = (peer: XdpPeer, port: string) => peer.ask({ do: "take", port, ms: 500 });
      return [
        (await ask(right, "xdp:r0-0")).packets?.length,
        (await ask(other, "xdp:r0-1")).packets?.length,
      ];
    };
    assertEquals(await counts(), [30, 40]);
    // The one that attached the program leaves; the other goes on, and the queue is free again.
    await right.must({ do: "close", port: "xdp:r0-0" });
    await left.send("xdp:l0-1", numbered(5));
    assertEquals((await other.must({ do: "take", port: "xdp:r0-1", ms: 500 })).packets!.length, 5);
    await right.open("xdp:r0-0", RX, { wanted: OURS });
    assertEquals(await counts(), [30, 40]);
    await right.kill();
    assert(await hasProgram(testbed));
    await other.kill();
    assert(!await hasProgram(testbed));
  },
);

testPair("shares an interface between ports of a process", { queues: 2 }, async (...args) => {
  const [testbed, left, right] = args;
  await left.open("xdp:l0-0", TX);
  await left.open("xdp:l0-1", TX);
  for (const first of [0, 1]) {
    const leaves = `xdp:r0-${first}`, stays = `xdp:r0-${1 - first}`;
    await right.open(leaves, RX, { wanted: OURS });
    await right.open(stays, RX, { wanted: OURS });
    const differs = { do: "open", port: "p", name: stays, directions: RX } as const;
    assertEquals((await right.ask(differs)).code, "EALREADY");
    await right.must({ do: "close", port: leaves });
    await left.send(`xdp:l0-${1 - first}`, numbered(7));
    assertEquals((await right.must({ do: "take", port: stays, ms: 500 })).packets!.length, 7);
    await right.must({ do: "close", port: stays });
    assert(!await hasProgram(testbed));
  }
});

testPair("has a ring for each queue", { queues: 3 }, async (_, left, right) => {
  assertEquals((await right.open("xdp:r0", RX | TX)).rings, 3);
  for (let queue = 0; queue < 3; queue++) {
    await left.open(`xdp:l0-${queue}`, TX);
    await left.send(`xdp:l0-${queue}`, numbered(10 + queue));
  }
  const { packets } = await right.must({ do: "take", port: "xdp:r0", ms: 1000 });
  assertEquals(packets!.length, 33);
});

testPair("refuses more queues than it can take at once", { queues: 17 }, async (_, left, right) => {
  const open = { do: "open", port: "p", name: "xdp:r0", directions: RX } as const;
  const { error } = await right.ask(open);
  assertMatch(error!, /"r0" has more than 16 queues: open them one by one, as in "xdp:r0-0"$/);
  await right.open("xdp:r0-16", RX);
  await left.open("xdp:l0-16", TX);
  await left.send("xdp:l0-16", numbered(3));
  assertEquals((await right.must({ do: "take", port: "xdp:r0-16", ms: 500 })).packets!.length, 3);
});

/* ---- large packets ---- */

for (const xdpMode of ["native", "generic"] as const) {
  testPair(
    `receives large packets as several slots, or counts them, ${xdpMode}`,
    { mtu: 9000 },
    async (_, left, right) => {
      await right.open("xdp:r0", RX, { wanted: { destinationPort: 5001 }, xdpMode });
      await left.open("xdp:l0", TX);
      const sizes = [14, 1700, 1748, 1760, 3000, 4100, 8000, 8972];
      const packets = sizes.map((payloadBytes) =>
        tickPacket({ payloadBytes }).map((byte, i) => i < 56 ? byte : i % 251)
      );
      const request = { do: "send", port: "xdp:l0" } as const;
      await left.must({ ...request, packets: packets.map((packet) => split(packet, 2048)) });
      const { packets: taken, lost } = await right.must({ do: "take", port: "xdp:r0", ms: 1000 });
      assertEquals(taken!.length + lost!, sizes.length);
      assert(taken!.length > 3);
      for (const pieces of taken!) {
        const whole = pieces.flat(), sent = packets.find(({ length }) => length === whole.length);
        assertEquals(whole, [...sent!]);
        assertEquals(pieces.length, Math.ceil(whole.length / 1792));
      }
    },
  );
}

function split(packet: Uint8Array, most: number): number[][] {
  const pieces: number[][] = [];
  for (let at = 0; at < packet.length; at += most) pieces.push([...packet.slice(at, at + most)]);
  return pieces;
}

/* ---- interfaces that go ---- */

testPair("goes on when the interface was down", {}, async (testbed, left, right) => {
  await right.open("xdp:r0", RX | TX);
  await left.open("xdp:l0", RX | TX);
  const count = async (wait: boolean) =>
    (await right.must({ do: "take", port: "xdp:r0", ms: 300, wait })).packets!.length;
  await left.send("xdp:l0", numbered(10));
  assertEquals(await count(false), 10);
  await testbed.must("right", "ip", "link", "set", "r0", "down");
  assertEquals(await count(false), 0);
  assertEquals(await count(true), 0);
  await right.send("xdp:r0", numbered(5)); // waits until the interface is up
  await testbed.must("right", "ip", "link", "set", "r0", "up");
  await left.send("xdp:l0", numbered(20));
  assertEquals(await count(true), 20);
  await right.send("xdp:r0", numbered(5));
  const { packets } = await left.must({ do: "take", port: "xdp:l0", ms: 500 });
  assertEquals(packets!.length, 10);
});

for (const wait of [false, true]) {
  testPair(
    `says that the interface is gone, ${wait ? "waiting" : "spinning"}`,
    {},
    async (testbed, _, right) => {
      await right.open("xdp:r0", RX);
      await testbed.must("right", "ip", "link", "delete", "r0");
      const { error, code } = await right.ask({ do: "take", port: "xdp:r0", ms: 2000, wait });
      assertEquals(code, "ENODEV");
      assertEquals(
        error,
        `Cannot ${wait ? "wait for" : "receive from"} "xdp:r0": its interface is gone: ` +
          'start again when it is back (see "ip link")',
      );
    },
  );
}

testPair("makes the interface promiscuous while it is open", {}, async (testbed, _, right) => {
  const flag = async () =>
    /promiscuity (\d+)/.exec(await testbed.must("right", "ip", "-d", "link", "show", "r0"))![1];
  await right.open("xdp:r0", RX);
  assertEquals(await flag(), "0");
  await right.must({ do: "close", port: "xdp:r0" });
  await right.open("xdp:r0", RX, { promiscuous: true });
  assertEquals(await flag(), "1");
  await right.kill();
  assertEquals(await flag(), "0");
});
