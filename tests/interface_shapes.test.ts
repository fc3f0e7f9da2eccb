/**
 * Packets of unusual shape on an interface: jumbo packets, and packets whose VLAN tag the kernel keeps
 * beside them. What is true of each kind of port is written in the tables.
 */
import { assertEquals } from "@std/assert";
import { type AnyStatistics, finalOf } from "./command.ts";
import {
  Dump,
  macOf,
  replay,
  send,
  startCapture,
  stopCapture,
  TemporaryFile,
  testNetwork,
  truePacket,
} from "./foreign.ts";
import { ADDRESS, type Testbed } from "./testbed.ts";

const PORTS: Record<string, string[]> = {
  udp: ["-i", `udp:${ADDRESS.right}:5001`],
  packet: ["-i", "packet:r0"],
  "xdp in native mode": ["-i", "xdp:r0", "--xdp-mode", "native"],
  "xdp in generic mode": ["-i", "xdp:r0", "--xdp-mode", "generic"],
};

/** Payloads of so many bytes: with headers 56, 1442, 1793, 3042 and 8942. */
const PAYLOADS = [14, 1400, 1751, 3000, 8900];
/** A tick and so many bytes behind it: in all 56, 1456, 1792, 1793, 3056 and 8956. */
const PADDINGS = [0, 1400, 1736, 1737, 3000, 8900];
const BUFFER_BYTES = { udp: 2048 - 42, xdp: 2048 - 256 };

/** What is counted of such packets: of a size that is not a tick's, and of ticks with padding. */
function jumboCounts(title: string): Partial<Record<string, number>> {
  const larger = (sizes: number[], bytes: number) => sizes.filter((size) => size > bytes).length;
  const ticks = PADDINGS.length + 1;
  if (title === "packet") return { accepted: ticks, length: PAYLOADS.length - 1 };
  if (title === "udp") {
    // The stack removes padding; what is larger than a buffer is cut off.
    const truncated = larger(PAYLOADS, BUFFER_BYTES.udp);
    return { accepted: ticks, truncated, length: PAYLOADS.length - 1 - truncated };
  }
  // Sizes that are not a tick's stay with the stack; a larger packet takes several buffers.
  const split = larger(PADDINGS, BUFFER_BYTES.xdp - 56);
  return { accepted: ticks - split, split };
}

function jumboPackets(mac: string): Uint8Array[] {
  return [
    ...PAYLOADS.map((payloadBytes) => truePacket(mac, { payloadBytes })),
    ...PADDINGS.map((padding) => truePacket(mac, { padding })),
  ];
}

function countsOf(s: AnyStatistics): Record<string, number> {
  const counts = { accepted: s.accepted, ...s.rejectedBy, ...s.malformedBy };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)) as Record<
    string,
    number
  >;
}

for (const [title, args] of Object.entries(PORTS)) {
  testNetwork(
    `capture by ${title} counts jumbo packets, none wrongly`,
    { mtu: 9000 },
    async (testbed) => {
      const packets = jumboPackets(await macOf(testbed, "right"));
      using file = TemporaryFile.of(packets.map((bytes, i) => ({ bytes, atNs: i * 1000 })));
      const capture = await startCapture(testbed, [...args, "-p", "5001"]);
      assertEquals(await replay(testbed, file.path), packets.length);
      const s = finalOf(await stopCapture(capture));
      assertEquals(countsOf(s), jumboCounts(title));
      assertEquals(s.lost, 0);
      if (title === "packet") {
        assertEquals(s.bytes, packets.reduce((sum, { length }) => sum + length, 0), "whole");
      }
    },
  );
}

for (const [port, most] of [["packet:l0", 9014], ["xdp:l0", 2048]] as const) {
  testNetwork(
    `send -i ${port} sends packets up to ${most} bytes`,
    { mtu: 9000 },
    async (testbed) => {
      const packets = jumboPackets(await macOf(testbed, "right"));
      using file = TemporaryFile.of(packets.map((bytes, i) => ({ bytes, atNs: i * 1000 })));
      const dump = await Dump.start(testbed, "right");
      const { sent, unsendable } = finalOf(await send(testbed, ["-i", port, "--file", file.path]));
      const fit = packets.filter(({ length }) => length <= most);
      assertEquals((await dump.stop()).map(({ bytes }) => bytes), fit);
      assertEquals([sent, unsendable], [fit.length, packets.length - fit.length]);
    },
  );
}

/** Has all that the left end sends tagged as of VLAN 7 from now on; returns why it cannot. */
async function tagAll(testbed: Testbed): Promise<string | undefined> {
  const path = Deno.makeTempFileSync();
  const source = new URL("push_vlan.c", import.meta.url).pathname;
  const args = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", source, "-o", path];
  try {
    const compiler = new Deno.Command(Deno.env.get("CC") ?? "cc", { args });
    if (!compiler.outputSync().success) return "no such compiler here";
    const child = testbed.spawn("left", [path, "l0", "7"], { stderr: "null" });
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await reader.read();
    return value === "attached\n" ? undefined : `no tcx programs here: ${value}`;
  } catch (error) {
    return String(error);
  } finally {
    Deno.removeSync(path);
  }
}

/**
 * What is counted of 100 ticks with a tag beside the packet. AF_PACKET tells the tag, and the port puts it
 * back. XDP programs and sockets see the packet alone: where kernel or NIC take tags out
 * ("ethtool -k", rx-vlan-offload), an xdp port has the packets of every VLAN, without their tags.
 */
const TAGGED: Record<string, { received: number; bytes: number }> = {
  udp: { received: 0, bytes: 0 },
  packet: { received: 100, bytes: 60 },
  "xdp in native mode": { received: 100, bytes: 56 },
  "xdp in generic mode": { received: 100, bytes: 56 },
};

testNetwork("capture of packets with a VLAN tag beside them", {}, async (testbed, t) => {
  const packet = truePacket(await macOf(testbed, "right"));
  using file = TemporaryFile.of([{ bytes: packet, atNs: 0 }]);
  const absent = await tagAll(testbed);
  for (const [title, args] of Object.entries(PORTS)) {
    await t.step({
      name: absent ? `by ${title} (${absent})` : `by ${title}`,
      ignore: absent !== undefined,
      fn: async () => {
        const capture = await startCapture(testbed, [...args, "-p", "5001"]);
        await replay(testbed, file.path, "--loop=100", "--pps=10000");
        const s = finalOf(await stopCapture(capture)), { received, bytes } = TAGGED[title];
        assertEquals([s.received, s.accepted], [received, received]);
        assertEquals([s.bytes, s.lost], [received * bytes, 0]);
      },
    });
  }
});
