/**
 * Captures with a thread for each receive queue (--rings), and of the loopback interface.
 */
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { type AnyStatistics, finalOf, start } from "./command.ts";
import {
  macOf,
  replay,
  send,
  startCapture,
  stopCapture,
  TemporaryFile,
  testNetwork,
  truePacket,
} from "./foreign.ts";
import type { Testbed } from "./testbed.ts";

const FLOWS = 64, PACKETS = 4096;

/** Ticks of many flows: source addresses and ports differ. */
async function flows(testbed: Testbed): Promise<TemporaryFile> {
  const mac = await macOf(testbed, "right");
  const packets = Array.from({ length: FLOWS }, (_, flow) => {
    const packet = truePacket(mac, { instrument: flow });
    new DataView(packet.buffer).setUint16(34, 20_000 + flow);
    return packet;
  });
  return TemporaryFile.of(
    Array.from({ length: PACKETS }, (_, i) => ({ bytes: packets[i % FLOWS], atNs: i * 1000 })),
  );
}

/** The fields of all threads are the sums of each one's, and nothing is missing. */
function assertSums(s: AnyStatistics, ports: string[]): void {
  const names = s.queues.map(({ port }: { port: string }) => port);
  assertEquals(names.map((name: string) => name.replace(/@.*/, "")), ports);
  // Members of a fanout group are of the same group, and those of others have a queue each.
  assertEquals(new Set(names).size, ports[0].startsWith("packet:") ? 1 : ports.length);
  if (ports[0].startsWith("packet:")) assertMatch(names[0], /@\d+$/);
  const cores = new Set(s.queues.map(({ core }: { core: number }) => core));
  assertEquals(cores.size, Math.min(ports.length, navigator.hardwareConcurrency));
  for (const field of ["received", "accepted", "delivered", "dropped", "lost", "cpuNs"]) {
    const sum = s.queues.reduce((sum: number, queue: AnyStatistics) => sum + queue[field], 0);
    assertEquals(sum, s[field], field);
  }
  assertEquals([s.received, s.accepted, s.delivered, s.consumed, s.engine.consumed], [
    PACKETS,
    PACKETS,
    PACKETS,
    PACKETS,
    PACKETS,
  ]);
  assertEquals([s.lost, s.dropped], [0, 0]);
  for (const queue of s.queues) assertGreater(queue.received, PACKETS / 10);
}

const KINDS: { kind: string; queues: number; args: string[]; ports: string[] }[] = [
  { kind: "xdp", queues: 2, args: ["--rings", "all"], ports: ["xdp:r0-0", "xdp:r0-1"] },
  { kind: "packet", queues: 2, args: ["--rings", "all"], ports: ["packet:r0", "packet:r0"] },
  { kind: "packet", queues: 1, args: ["--rings", "3"], ports: Array(3).fill("packet:r0") },
  { kind: "xdp", queues: 2, args: [], ports: ["xdp:r0"] },
];

for (const { kind, queues, args, ports } of KINDS) {
  testNetwork(
    `capture by ${
      [kind, ...args].join(" ")
    } of ${queues} queues counts the sums of ${ports.length} threads`,
    { queues },
    async (testbed) => {
      using file = await flows(testbed);
      const capture = await startCapture(testbed, ["-i", `${kind}:r0`, "-p", "5001", ...args]);
      assertEquals(await replay(testbed, file.path, "--pps=20000"), PACKETS);
      const s = finalOf(await stopCapture(capture));
      assertSums(s, ports);
    },
  );
}

testNetwork("capture by xdp has no more threads than queues", { queues: 2 }, async (testbed) => {
  const inside = (command: string[]) => testbed.inside("right", command);
  const args = ["-i", "xdp:r0", "--rings", "5"];
  const { code, stdout, stderr } = await start("capture", args, {}, 30_000, inside).finished;
  assertEquals([code, stdout], [2, ""]);
  assertEquals(
    stderr,
    'Cannot use --rings "5": "xdp:r0" has 2 receive queues: give 2 at most, or "all"\n',
  );
});

testNetwork(
  "capture of each xdp queue in a process of its own shares the program",
  { queues: 2 },
  async (testbed) => {
    using file = await flows(testbed);
    const captures = [
      await startCapture(testbed, ["-i", "xdp:r0-0", "-p", "5001"]),
      await startCapture(testbed, ["-i", "xdp:r0-1", "-p", "5001"]),
    ];
    await replay(testbed, file.path, "--pps=20000");
    // The one that came first goes first: the other keeps the program.
    const first = finalOf(await stopCapture(captures[0]));
    await replay(testbed, file.path, "--pps=20000");
    const second = finalOf(await stopCapture(captures[1]));
    assertEquals([first.lost, second.lost], [0, 0]);
    assertEquals(first.received + second.received / 2, PACKETS);
    assertGreater(first.received, PACKETS / 10);
  },
);

testNetwork("capture of packet:lo has each packet of the sender once", {}, async (testbed) => {
  const capture = await startCapture(testbed, ["-i", "packet:lo", "-p", "5001"]);
  const sent = finalOf(
    await send(testbed, ["-i", "packet:lo", "-c", "3000", "-r", "30000"], "right"),
  );
  const s = finalOf(await stopCapture(capture));
  assertEquals([sent.sent, s.received, s.accepted, s.lost], [3000, 3000, 3000, 0]);
});

testNetwork("capture of packet:lo has each datagram of a socket once", {}, async (testbed) => {
  const capture = await startCapture(testbed, ["-i", "packet:lo", "-p", "5001", "--rings", "2"]);
  await send(testbed, ["-i", "udp:127.0.0.1:5001", "-c", "3000", "-r", "30000"], "right");
  const s = finalOf(await stopCapture(capture));
  assertEquals([s.accepted, s.lost, s.malformed, s.rejectedBy.port], [3000, 0, 0, 0]);
});
