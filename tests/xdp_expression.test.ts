/**
 * Expressions in the driver, over a veth pair between two namespaces: what is taken, what goes on to the
 * kernel's stack, and that this is counted exactly.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { RX, TX } from "../ffi/port.ts";
import { planOf } from "../filter/expression/plan/plan.ts";
import { toEbpf } from "../filter/expression/compilers/to_ebpf.ts";
import { and, headerBytes, loadAt, type Node, or, test } from "../filter/expression/plan/tree.ts";
import { withSeeds } from "./engine_seed.ts";
import { kernelVerdicts } from "./kernel_bpf.ts";
import { tickPacket } from "./packets.ts";
import { randomPacketOf, randomTree } from "./random_tree.ts";
import { noTestbed, Testbed, type TestbedOptions } from "./testbed.ts";
import { holds } from "./tree_judge.ts";
import { XdpPeer } from "./xdp_peer.ts";

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

function compiled(tree: Node): Uint8Array<ArrayBuffer> {
  return toEbpf(planOf(tree)).bytes;
}

/** `ip and udp dst port PORT`, without regard to fragments. */
function udpPort(port: number): Node {
  const type = test("==", loadAt(12, 2), 0x0800), protocol = test("==", loadAt(23, 1), 17);
  return and(type, protocol, test("==", loadAt(16, 2, headerBytes(14)), port));
}

function ticks(count: number, port: number, payloadBytes = 14): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => tickPacket({ port, instrument: i, payloadBytes }));
}

/** What has come, and how many have been rejected by then. */
async function takenBy(peer: XdpPeer, port: string): Promise<[number, number | null | undefined]> {
  const { packets, rejected } = await peer.must({ do: "take", port, ms: 500 });
  return [packets!.length, rejected];
}

for (const xdpMode of ["native", "generic"] as const) {
  testPair(
    `takes what the expression accepts and counts the rest, ${xdpMode}`,
    {},
    async (_, left, right) => {
      await left.open("xdp:l0", TX);
      await withSeeds(import.meta.url, async (random) => {
        const packets = Array.from({ length: 400 }, () => randomPacketOf(random))
          .filter(({ length }) => length >= 14); // shorter ones are no packets
        const judge = (tree: Node) => packets.filter((p) => holds(tree, p, 0, p.length));
        for (let both = 0; both < 3;) {
          const tree = randomTree(random), wanted = judge(tree);
          if (wanted.length === 0 || wanted.length === packets.length) continue;
          both++;
          await right.open("xdp:r0", RX, { driverFilter: compiled(tree), xdpMode });
          await left.send("xdp:l0", packets);
          const { packets: taken, lost, rejected } = await right.must({
            do: "take",
            port: "xdp:r0",
            ms: 2000,
          });
          assertEquals(taken!.map((pieces) => pieces.flat()), wanted.map((p) => [...p]));
          assertEquals([lost, rejected], [0, packets.length - wanted.length]);
          await right.must({ do: "close", port: "xdp:r0" });
        }
      });
    },
  );
}

testPair("leaves what the expression rejects to the kernel", {}, async (testbed, left, right) => {
  const before = await testbed.counter("right", "rx_packets");
  await right.open("xdp:r0", RX, { driverFilter: compiled(or(udpPort(5001), udpPort(5002))) });
  await right.open("udp:10.77.0.2:5001", RX);
  await right.open("udp:10.77.0.2:6000", RX);
  await left.open("udp:10.77.0.2:5001", TX);
  await left.open("udp:10.77.0.2:6000", TX);
  await left.send("udp:10.77.0.2:5001", ticks(20, 5001));
  await left.send("udp:10.77.0.2:6000", ticks(30, 6000));
  const [, none] = await takenBy(right, "udp:10.77.0.2:5001");
  assertEquals(none, 0); // a udp port has no filter here
  assertEquals((await takenBy(right, "udp:10.77.0.2:6000"))[0], 30);
  const [taken, rejected] = await takenBy(right, "xdp:r0");
  assertEquals(taken, 20);
  // Also ARP, without which no datagram would have come, as often as the kernel chooses.
  assert(rejected! > 30, `${rejected}`);
  assertEquals(taken + rejected!, await testbed.counter("right", "rx_packets") - before);
});

testPair("takes what hundreds of hosts send", {}, async (_, left, right) => {
  const hosts = Array.from({ length: 500 }, (_, i) => test("==", loadAt(30, 4), 0x0a000100 + i));
  await right.open("xdp:r0", RX, { driverFilter: compiled(and(udpPort(5001), or(...hosts))) });
  await left.open("xdp:l0", TX);
  const to = [0x0a0000ff, 0x0a000100, 0x0a000200, 0x0a0002f3, 0x0a0002f4];
  await left.send("xdp:l0", to.map((address) => tickPacket({ address })));
  assertEquals(await takenBy(right, "xdp:r0"), [3, 2]);
});

testPair("says that choosing packets needs CAP_PERFMON", {}, async (testbed) => {
  const without = ["perfmon", "sys_admin"];
  const [{ refused }] = await kernelVerdicts([compiled(udpPort(5001))], [], { without });
  const peer = new URL("xdp_peer.ts", import.meta.url).pathname;
  const request = { do: "open", port: "p", name: "xdp:r0", directions: RX } as const;
  const driverFilter = [...compiled(udpPort(5001))];
  const script = `echo '${JSON.stringify({ ...request, driverFilter })}' | ` +
    `setpriv --bounding-set=${without.map((capability) => `-${capability}`).join(",")} ` +
    `${Deno.execPath()} run -q -A --no-check ${peer}`;
  const { stdout, stderr } = await testbed.run("right", ["sh", "-c", script]);
  assert(stdout !== "", stderr);
  const { error } = JSON.parse(stdout);
  if (refused === 0) assertEquals(error, undefined); // a kernel that does not mind speculation
  else {assertMatch(
      error,
      /^Cannot open "xdp:r0": the kernel refuses .*: run as root, .*CAP_PERFMON/,
    );}
});

testPair("asks for what is wanted behind the expression", {}, async (_, left, right) => {
  const options = { wanted: { destinationPort: 5001, payloadBytes: 14 } };
  const small = test("<", { kind: "length" }, 57);
  await right.open("xdp:r0", RX, { ...options, driverFilter: compiled(small) });
  await left.open("xdp:l0", TX);
  await left.send("xdp:l0", [...ticks(5, 5001), ...ticks(7, 5002), ...ticks(9, 5001, 15)]);
  assertEquals(await takenBy(right, "xdp:r0"), [5, 16]);
  await right.must({ do: "close", port: "xdp:r0" });

  await right.open("xdp:r0", RX, options); // without an expression
  await left.send("xdp:l0", [...ticks(5, 5001), ...ticks(7, 5002)]);
  assertEquals(await takenBy(right, "xdp:r0"), [5, 7]);
  await right.must({ do: "close", port: "xdp:r0" });

  await right.open("xdp:r0", RX); // takes all
  await left.send("xdp:l0", ticks(5, 5001));
  assertEquals(await takenBy(right, "xdp:r0"), [5, 0]);
});

testPair(
  "counts what is rejected on its own queues, since it was opened",
  { queues: 3 },
  async (testbed, left, right) => {
    await using other = XdpPeer.start(testbed, "right");
    const driverFilter = compiled(udpPort(5001));
    for (let queue = 0; queue < 3; queue++) await left.open(`xdp:l0-${queue}`, TX);
    const send = async (counts: number[]) => {
      for (let queue = 0; queue < 3; queue++) {
        const packets = [...ticks(counts[queue], 6000), ...ticks(1, 5001)];
        await left.send(`xdp:l0-${queue}`, packets);
      }
    };
    await right.open("xdp:r0-0", RX, { driverFilter });
    await send([10, 20, 30]);
    assertEquals(await takenBy(right, "xdp:r0-0"), [1, 10]);
    await right.open("xdp:r0-1", RX, { driverFilter }); // of the same process
    await other.open("xdp:r0-2", RX, { driverFilter }); // of another
    await send([1, 2, 3]);
    assertEquals(await takenBy(right, "xdp:r0-0"), [1, 11]);
    assertEquals(await takenBy(right, "xdp:r0-1"), [1, 2]);
    assertEquals(await takenBy(other, "xdp:r0-2"), [1, 3]);
    // The process that attached the program leaves.
    await right.kill();
    await send([1, 1, 5]);
    assertEquals(await takenBy(other, "xdp:r0-2"), [1, 8]);

    await using third = XdpPeer.start(testbed, "right");
    const request = { do: "open", port: "p", name: "xdp:r0-0", directions: RX } as const;
    const { code, error } = await third.ask({
      ...request,
      driverFilter: [...compiled(udpPort(5002))],
    });
    assertEquals(code, "EALREADY");
    assertMatch(error!, /another capture on "r0" wants other packets: /);
  },
);

for (const xdpMode of ["native", "generic"] as const) {
  testPair(
    `rejects no large packet for what is in a further piece, ${xdpMode}`,
    { mtu: 9000 },
    async (_, left, right) => {
      const long = test("==", { kind: "length" }, 8042),
        far = test("==", loadAt(8000, 1), 8000 % 251);
      const driverFilter = compiled(and(udpPort(5001), long, far));
      await right.open("xdp:r0", RX, { driverFilter, xdpMode });
      await left.open("xdp:l0", TX);
      const packets = [8000, 8001, 1700, 3000].map((payloadBytes) =>
        tickPacket({ payloadBytes }).map((byte, i) => i < 56 ? byte : i % 251)
      );
      const pieces = packets.map((packet) =>
        [0, 2048, 4096, 6144].map((at) => [...packet.subarray(at, at + 2048)])
          .filter(({ length }) => length > 0)
      );
      await left.must({ do: "send", port: "xdp:l0", packets: pieces });
      const { packets: taken, lost, rejected } = await right.must({
        do: "take",
        port: "xdp:r0",
        ms: 1000,
      });
      assertEquals(rejected, 3);
      assertEquals(taken!.length + lost!, 1);
      for (const packet of taken!) assertEquals(packet.flat(), [...packets[0]]);
    },
  );
}
