/**
 * Sending on an interface that is down, goes down, or comes back: what the command says, and that what it
 * counts as sent is what the other end has received.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { finalOf, type Finished } from "./command.ts";
import { delay, macOf, send, TemporaryFile, testNetwork, truePacket } from "./foreign.ts";
import { ADDRESS, type Testbed } from "./testbed.ts";

const UDP = `udp:${ADDRESS.right}:5001`;
const DOWN =
  /^Cannot send to "(packet|xdp):l0": "l0" is down: set it up with "ip link set l0 up"\n$/;
const NO_WAY = /^Cannot (open|send to) "udp:[^"]*": no (route|way) [^\n]*: see "ip link" [^\n]*\n$/;

/** Sets the sender's end down or up, and tells it again where the other one is. */
async function setLink(testbed: Testbed, state: "up" | "down"): Promise<void> {
  await testbed.must("left", "ip", "link", "set", "l0", state);
  if (state === "down") return;
  const mac = await macOf(testbed, "right");
  const neighbour = ["neigh", "replace", ADDRESS.right, "lladdr", mac, "nud", "permanent"];
  await testbed.must("left", "ip", ...neighbour, "dev", "l0");
}

function assertDown({ code, stderr }: Finished, message: RegExp): void {
  assertMatch(stderr, message);
  assertEquals(code, 1);
}

for (const port of ["packet:l0", "xdp:l0", UDP]) {
  const message = port === UDP ? NO_WAY : DOWN;

  testNetwork(`send on ${port} ends soon where the interface is down`, {}, async (testbed) => {
    await setLink(testbed, "down");
    for (const args of [["-r", "1000"], ["-c", "5"], []]) {
      const before = performance.now();
      const finished = await send(testbed, ["-i", port, ...args]);
      assertDown(finished, message);
      assertLess(performance.now() - before, 4000);
      if (port === UDP) continue; // it could not be opened
      const { sent, bytes, elapsedNs } = finalOf(finished);
      assertEquals([sent, bytes], [0, 0]);
      assertLess(elapsedNs, 2.5e9);
    }
  });

  testNetwork(`send on ${port} ends soon after the interface goes down`, {}, async (testbed) => {
    const before = await testbed.counter("right", "rx_packets");
    const sending = send(testbed, ["-i", port, "-r", "500", "--seconds", "20"]);
    await delay(1500);
    await setLink(testbed, "down");
    const finished = await sending, { sent, bytes, elapsedNs } = finalOf(finished);
    assertDown(finished, message);
    assertGreater(sent, 100);
    assertLess(elapsedNs, 6e9);
    assertEquals(bytes, sent * 60);
    const received = await testbed.counter("right", "rx_packets") - before;
    // A socket's packet is sent when the kernel has it, even if the interface then throws it away.
    assert(port === UDP ? received <= sent : received === sent, `${received} of ${sent}`);
  });

  testNetwork(
    `send on ${port} outlives that the link is down for a moment`,
    {},
    async (testbed) => {
      const before = await testbed.counter("right", "rx_packets");
      const sending = send(testbed, ["-i", port, "-r", "500", "-c", "1000"]);
      await delay(1000);
      await setLink(testbed, "down");
      await delay(200);
      await setLink(testbed, "up");
      const finished = await sending, { sent, bytes } = finalOf(finished);
      assertEquals([finished.code, finished.stderr, sent, bytes], [0, "", 1000, 60_000]);
      const received = await testbed.counter("right", "rx_packets") - before;
      // Those between the ends, and for a socket those before its neighbour is known again, may be lost.
      assertGreater(received, 900);
    },
  );
}

testNetwork("send --file counts the bytes of what was sent", {}, async (testbed) => {
  const packets = Array.from({ length: 3000 }, (_, i) => ({
    bytes: truePacket("02:00:00:00:00:02", { padding: i % 30 }),
    atNs: i * 1e6,
  }));
  using file = TemporaryFile.of(packets);
  const counted = () => testbed.counter("right", "rx_bytes");
  const before = await counted();
  const sending = send(testbed, ["-i", "packet:l0", "--file", file.path]);
  await delay(1500);
  await setLink(testbed, "down");
  const finished = await sending, { sent, bytes } = finalOf(finished);
  assertDown(finished, DOWN);
  assertGreater(sent, 100);
  assertEquals(bytes, packets.slice(0, sent).reduce((sum, packet) => sum + packet.bytes.length, 0));
  assertEquals(await counted() - before, bytes);
});
