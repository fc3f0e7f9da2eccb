/**
 * Question: what does it cost to receive a packet through each kind of port, against a socket (recvmmsg)?
 *
 * Set-up: one thread sends a number of packets, which wait in the receiver's buffer (untimed), and then
 * takes them all through the whole pipeline, up to the published tick (timed: system calls, filter, decoder).
 * So the sender is not in the figures, nor what the kernel does on the sender's core. Each kind has a veth
 * pair of its own, between namespaces, and stays open.
 *
 * ```text
 *  namespace left              namespace right
 *  udp socket ── l0 ────────── r0 ── udp | packet | xdp ── PacketCapture ── ticks
 * ```
 * How many: as many as every kind's buffer surely holds. 4096: an xdp port's ring in the kernel has 8192
 * entries, the blocks of a packet port hold 116,000, a socket of ours 100,000. 512: a switch's lane
 * for a sender has 1024 slots, and without root a socket may hold no more than some 550.
 * Right before, 256 others are taken, untimed: a capture that spins has its code in the cache.
 * Baseline: udp, recvmmsg.
 * Work checked: every packet was received, accepted, and became the tick that was sent; none was lost, and
 * all were there when the run began.
 * It cannot show: rates, or what a port costs while a flood goes on on another core (bench:rx shows that);
 * and with 4096 packets waiting, more of them have left the cache than behind a receiver that keeps up.
 */
import { parseIPv4 } from "../ffi/ipv4_address.ts";
import { openPort } from "../ffi/open_port.ts";
import { type Port, RX, TX } from "../ffi/port.ts";
import { PortError } from "../ffi/port_error.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { parseMac } from "../sender/mac_address.ts";
import { tickPacket } from "../tests/packets.ts";
import { compare, type Comparison, mayBench, NOT_ALLOWED, skip } from "./harness/compare.ts";
import { GROUP, groupMac, UDP_PORT, WANTED } from "./harness/market_data.ts";
import { noNetmap } from "./harness/netmap.ts";
import { PacketPath } from "./harness/packet_path.ts";

const PACKETS = 4096, SOFT_PACKETS = 512;
const SOURCE_MAC = "02:00:00:00:00:01";
const AT_ONCE = 0, SETTLE_MS = 1;
/** The kernel hands over a block after 1 ms, or up to 8 ms on kernels before 6.18 (packet_port.ts). */
const BLOCK_MS = 10;

const VETH = "a packet through the kernel, against recvmmsg (veth)";
const NETMAP = "a packet through netmap, against recvmmsg (veth)";
const SOFT = "a packet through the soft switch, against recvmmsg";

if (!mayBench()) { for (const group of [VETH, NETMAP, SOFT]) skip(group, NOT_ALLOWED); }
else {
  const opened = new DisposableStack();
  try {
    await declare(opened);
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

/** A path, or why there is none. */
type Found = { path: PacketPath } | { missing: string };

async function declare(opened: DisposableStack): Promise<void> {
  const veth = await vethOpener(opened), udp = veth("udp");
  const group = (group: string, baseline: Found, others: Other[], count: number) =>
    compareAll({ group, unit: "packet", count, dispose: () => opened.dispose() }, baseline, others);
  group(VETH, udp, [
    { name: "packet", found: veth("packet", BLOCK_MS), atMost: 1.0 },
    { name: "xdp", found: veth("xdp"), atMost: 0.25 },
  ], PACKETS);
  const missing = noNetmap(), netmap = missing === undefined ? veth("netmap") : { missing };
  // A quarter of its ring: of the packets before, the last burst's slots are given back only by the next sync.
  const few = "path" in netmap ? Math.min(PACKETS, netmap.path.slots >> 2) : 0;
  group(NETMAP, udp, [{ name: "netmap", found: netmap }], few);
  const socket = "path" in udp ? udp : loopback(opened);
  group(SOFT, socket, [{ name: "soft", found: soft(opened) }], SOFT_PACKETS);
}

interface Other {
  name: string;
  found: Found;
  atMost?: number;
}

/** Declares a comparison of what there is, and says why the rest is not there. */
function compareAll(about: Omit<Comparison, "ways">, baseline: Found, others: Other[]): void {
  const { group, count } = about;
  if ("missing" in baseline) return skip(group, baseline.missing);
  const ways = [baseline.path.way("udp", count)];
  for (const { name, found, atMost } of others) {
    if ("path" in found) ways.push(found.path.way(name, count, atMost));
    else skip(others.length > 1 ? `${group}: ${name}` : group, found.missing);
  }
  if (ways.length > 1) compare({ ...about, ways });
}

/** Opens paths over veth pairs, each over one of its own. */
async function vethOpener(
  opened: DisposableStack,
): Promise<(kind: string, settleMs?: number) => Found> {
  // Only now: to look for namespaces needs permissions.
  const { INTERFACE, noTestbed, Testbed } = await import("../tests/testbed.ts");
  if (noTestbed !== undefined) return () => ({ missing: noTestbed });
  const { inNamespace } = await import("../tests/namespace.ts");
  return (kind, settleMs = SETTLE_MS) => {
    const testbed = opened.use(Testbed.create()), { left, right } = INTERFACE;
    const receiver = kind === "udp" ? `udp:${GROUP}:${UDP_PORT}@${right}` : `${kind}:${right}`;
    // What is in netmap's hands sees no packet of a socket.
    const sender = kind === "netmap" ? `netmap:${left}` : `udp:${GROUP}:${UDP_PORT}@${left}`;
    return find(opened, settleMs, {
      receiver: () =>
        inNamespace(testbed, "right", () => openPort(receiver, RX, { wanted: WANTED })),
      sender: () => inNamespace(testbed, "left", () => openPort(sender, TX)),
    });
  };
}

function loopback(opened: DisposableStack): Found {
  const name = `udp:127.0.0.1:${UDP_PORT}`;
  return find(opened, SETTLE_MS, {
    receiver: () => openPort(name, RX),
    sender: () => openPort(name, TX),
  });
}

function soft(opened: DisposableStack): Found {
  const name = `soft:bench-ports-${Deno.pid}`;
  return find(opened, AT_ONCE, {
    receiver: () => openPort(`${name}:rx`, RX),
    sender: () => openPort(`${name}:tx`, TX),
  });
}

function find(
  opened: DisposableStack,
  settleMs: number,
  open: { receiver: () => Port; sender: () => Port },
): Found {
  try {
    const receiver = opened.adopt(open.receiver(), (port) => port.close());
    const sender = opened.adopt(open.sender(), (port) => port.close());
    const filter = new PacketFilter(WANTED);
    return { path: new PacketPath({ sender, receiver, filter, packet: packet(), settleMs }) };
  } catch (error) {
    if (error instanceof PortError) return { missing: error.message };
    throw error;
  }
}

function packet(): Uint8Array {
  const packet = tickPacket({ port: UDP_PORT, address: parseIPv4(GROUP) });
  packet.set([...parseMac(groupMac(GROUP)), ...parseMac(SOURCE_MAC)]);
  return packet;
}
