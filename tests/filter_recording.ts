/**
 * Purpose: packets as kernels send them, recorded by tcpdump in a test network: TCP connections, ARP,
 * neighbour discovery, group membership, fragments, unreachable ports.
 */
import type { FilterPacket } from "./filter_packets.ts";
import { delay, Dump } from "./foreign.ts";
import { ADDRESS, INTERFACE, type Testbed } from "./testbed.ts";

const LEFT6 = "2001:db8::1", RIGHT6 = "2001:db8::2";
const TALKER = new URL("filter_talker.ts", import.meta.url).pathname;
const LOOK_AGAIN_MS = 100;

/** Some hundred packets that come in at the right end; the test network gets IPv6, too. */
export async function recordTraffic(testbed: Testbed): Promise<FilterPacket[]> {
  const dump = await Dump.start(testbed, "right", INTERFACE.right, "inout");
  await addIpv6(testbed);
  const program = [Deno.execPath(), "run", "-A", "--unstable-net", TALKER];
  const server = testbed.spawn("right", [...program, "serve", ADDRESS.right], { stderr: "null" });
  await shown(server.stdout, "ready");
  await settled(testbed);
  await testbed.must("left", "ip", "neigh", "flush", "all");
  await testbed.must("left", ...program, "talk", ADDRESS.right, RIGHT6);
  server.kill("SIGTERM");
  await server.status;
  return (await dump.stop()).map(({ bytes }) => ({ bytes, wireLength: bytes.length }));
}

async function addIpv6(testbed: Testbed): Promise<void> {
  for (const [side, address] of [["left", LEFT6], ["right", RIGHT6]] as const) {
    const setting = `/proc/sys/net/ipv6/conf/${INTERFACE[side]}/disable_ipv6`;
    await testbed.must(side, "sh", "-c", `echo 0 > ${setting}`);
    await testbed.must(side, "ip", "addr", "add", `${address}/64`, "dev", INTERFACE[side]);
  }
}

/** Until each end has asked whether somebody else has its addresses (RFC 4862). */
async function settled(testbed: Testbed): Promise<void> {
  for (const side of ["left", "right"] as const) {
    while (await testbed.must(side, "ip", "-6", "addr", "show", "tentative") !== "") {
      await delay(LOOK_AGAIN_MS);
    }
  }
}

/** Reads on until a text was there. */
async function shown(stream: ReadableStream<Uint8Array>, text: string): Promise<void> {
  const decoder = new TextDecoder();
  let seen = "";
  for await (const piece of stream.values({ preventCancel: true })) {
    if ((seen += decoder.decode(piece)).includes(text)) break;
  }
  await stream.cancel();
  if (!seen.includes(text)) throw new Error(`the talker ended: ${seen}`);
}
