/** Filters in the kernel, before real packet and udp ports: what they let through, and that the counts are exact. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { PacketPort } from "../ffi/packet_port.ts";
import { PortError } from "../ffi/port_error.ts";
import { type Port, type PortCounts, type PortOptions, RX, TX } from "../ffi/port.ts";
import { UdpPort } from "../ffi/udp_port.ts";
import { CannotPush } from "../filter/expression/compilers/cannot_push.ts";
import { forPacketSocket } from "../filter/expression/compilers/for_packet_socket.ts";
import { forUdpSocket } from "../filter/expression/compilers/for_udp_socket.ts";
import { ACCEPT, planOf, REJECT } from "../filter/expression/plan/plan.ts";
import { toClassicBpf } from "../filter/expression/compilers/to_classic_bpf.ts";
import {
  and,
  headerBytes,
  loadAt,
  type Node,
  not,
  or,
  test,
} from "../filter/expression/plan/tree.ts";
import { withSeeds } from "./engine_seed.ts";
import { inNamespace } from "./namespace.ts";
import { tickPacket } from "./packets.ts";
import { allSent, put, receive } from "./port_traffic.ts";
import { type Random, randomPacketOf, randomTree } from "./random_tree.ts";
import { ADDRESS, INTERFACE, noTestbed, type Side, Testbed } from "./testbed.ts";
import { holds } from "./tree_judge.ts";

const PORT = 5001, PATIENCE_MS = 2000;
const LOOPBACK = 0x7f000001, GROUP = 0xef010101;
const INSTRUMENT_7 = and(
  test("==", loadAt(12, 2), 0x0800),
  test("==", loadAt(23, 1), 17),
  test("==", { ...loadAt(22, 4, headerBytes(14)), order: "little" }, 7),
);

/** In one end's namespace, from the begin to the end. */
function check(sentence: string, fn: (bench: Bench) => void | Promise<void>): void {
  Deno.test({
    name: `${sentence}${noTestbed ? ` (${noTestbed})` : ""}`,
    ignore: noTestbed !== undefined,
    fn: async () => {
      using bench = new Bench();
      await fn(bench);
    },
  });
}

/** A test network, and ports in it, which are closed with it. */
class Bench {
  readonly testbed = Testbed.create();
  readonly #ports: Port[] = [];

  packet(side: Side, directions: number, options: PortOptions = {}, fanout?: number): PacketPort {
    const name = INTERFACE[side];
    return this.#open(
      side,
      () => PacketPort.open(`packet:${name}`, { interface: name, fanout }, directions, options),
    );
  }

  /** A udp port of the left end. */
  udp(address: number, port: number, directions: number, kernelFilter?: Uint8Array): UdpPort {
    const options = { address, port, directions, kernelFilter, interface: "" };
    const name = address === GROUP ? { interface: INTERFACE.left } : {};
    return this.#open(
      "left",
      () => UdpPort.open(`udp:${address}:${port}`, { ...options, ...name }),
    );
  }

  #open<T extends Port>(side: Side, open: () => T): T {
    const port = inNamespace(this.testbed, side, open);
    this.#ports.push(port);
    return port;
  }

  [Symbol.dispose](): void {
    for (const port of this.#ports) port.close();
    this.testbed[Symbol.dispose]();
  }
}

function sendAll(port: Port, packets: Uint8Array[]): void {
  for (let i = 0; i < packets.length; i += 200) {
    for (const packet of packets.slice(i, i + 200)) put(port, packet);
    const end = performance.now() + PATIENCE_MS;
    do port.txSync(); while (!allSent(port) && performance.now() < end);
    assert(allSent(port), "packets stayed in the transmit ring");
  }
}

/** What comes until `sent` packets are accounted for. */
function collect(receivers: Port[], sent: number): Uint8Array[] {
  const packets: Uint8Array[] = [], end = performance.now() + PATIENCE_MS;
  const accounted = ({ lost, rejectedEarly }: PortCounts) => (lost ?? 0) + (rejectedEarly ?? 0);
  for (;;) {
    for (const port of receivers) {
      receive(port, (bytes, at, length) => packets.push(bytes.slice(at, at + length)));
    }
    const known = receivers.reduce(
      (all, port) => all + accounted(port.counts()),
      packets.length,
    );
    assert(known <= sent, `${known} packets accounted for, ${sent} sent`);
    if (known === sent) return packets;
    assert(performance.now() < end, `${known} packets accounted for of ${sent} sent`);
    receivers[0].wait(RX, 1000);
  }
}

function hex(packets: Uint8Array[]): string[] {
  return packets.map((packet) => packet.toHex());
}

function ticks(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => tickPacket({ instrument: i % 10 }));
}

const udpPlan = (tree: Node) => forUdpSocket(planOf(tree), PORT);
const forPacket = (tree: Node) => toClassicBpf(forPacketSocket(planOf(tree))).bytes;
const forUdp = (tree: Node) => toClassicBpf(udpPlan(tree)).bytes;

/* ---- packet ---- */

check(
  "PacketPort shows what a tree wants and what has a tag, and counts the rest",
  async (bench) => {
    const sender = bench.packet("left", TX);
    await withSeeds(import.meta.url, (random) => {
      for (let i = 0; i < 10; i++) {
        const tree = randomTree(random),
          packets = Array.from({ length: 60 }, () => wirePacket(random));
        const port = bench.packet("right", RX, { kernelFilter: forPacket(tree) });
        sendAll(sender, packets);
        const wanted = packets.filter((packet) =>
          packet[12] === 0x81 || holds(tree, packet, 0, packet.length)
        );
        assertEquals(hex(collect([port], packets.length)), hex(wanted), JSON.stringify(tree));
        assertEquals(port.rejectedEarly(), packets.length - wanted.length);
        port.close();
      }
    });
  },
);

/** One that an interface takes; a fifth have a VLAN tag. */
function wirePacket(random: Random): Uint8Array {
  const packet = new Uint8Array(20 + random() % 80);
  packet.set(randomPacketOf(random).subarray(0, packet.length));
  packet.set(random() % 5 === 0 ? [0x81, 0, 0, 5, 8, 0] : [8, 0], 12);
  return packet;
}

check(
  "PacketPort counts what its filter rejects, at any rate and when packets are lost",
  (bench) => {
    const sender = bench.packet("left", TX), count = 200_000, some = ticks(200);
    const kernelFilter = forPacket(not(INSTRUMENT_7));
    const port = bench.packet("right", RX, { kernelFilter });
    let last = 0;
    for (let sent = 0; sent < count; sent += some.length) {
      sendAll(sender, some);
      const now = port.rejectedEarly()!;
      assert(now >= last && now <= sent / 10 + 20, `${now} after ${last}, of ${sent}`);
      last = now;
    }
    const { length } = collect([port], count);
    assert(port.lost()! > 0, "nothing was lost: the ring is too large for this test");
    assertEquals(port.rejectedEarly(), count / 10);
    assertEquals(length + port.lost()!, count * 9 / 10);
  },
);

check("PacketPort of a fanout group's founder counts what the group's filters reject", (bench) => {
  const options = { kernelFilter: forPacket(INSTRUMENT_7) };
  const founder = bench.packet("right", RX, options, -1);
  const others = [1, 2].map(() => bench.packet("right", RX, options, founder.fanout));
  const group = [founder, ...others], sender = bench.packet("left", TX);
  const packets = ticks(3000).map((packet, i) => {
    packet.set([10, 0, i >> 8, i], 26); // a flow each
    return packet;
  });
  sendAll(sender, packets);
  assertEquals(collect(group, 3000).length, 300);
  assertEquals(group.map((port) => port.rejectedEarly()), [2700, 0, 0]);
  others[0].close(); // its packets go to the others from now on
  sendAll(sender, packets);
  assertEquals(collect([founder, others[1]], 6000 - 300).length, 300);
  assertEquals([founder, others[1]].map((port) => port.rejectedEarly()), [5400, 0]);
});

check(
  "PacketPort says where it cannot know what was rejected, and 0 where there is no filter",
  (bench) => {
    const number = 4711, kernelFilter = forPacket(INSTRUMENT_7);
    assertEquals(bench.packet("right", RX, { kernelFilter }, number).rejectedEarly(), null);
    assertEquals(bench.packet("right", RX).rejectedEarly(), 0);
    const transmits = bench.packet("right", TX, { kernelFilter });
    assertEquals(transmits.rejectedEarly(), 0);
    assertEquals(transmits.counts(), { lost: 0, starved: 0, rejectedEarly: 0 });
  },
);

check("PacketPort counts on when its interface was down", async (bench) => {
  const sender = bench.packet("left", TX), packets = ticks(100);
  const port = bench.packet("right", RX, { kernelFilter: forPacket(INSTRUMENT_7) });
  for (let round = 1; round <= 3; round++) {
    sendAll(sender, packets);
    assertEquals(collect([port], 100 + 90 * (round - 1)).length, 10);
    assertEquals(port.rejectedEarly(), 90 * round);
    for (const way of ["down", "up"]) {
      await bench.testbed.must("right", "ip", "link", "set", "r0", way);
    }
    for (const side of ["left", "right"] as const) await goesUp(bench.testbed, side);
  }
});

/** Waits until the kernel, which takes its time, has an end's interface up again. */
async function goesUp(testbed: Testbed, side: Side): Promise<void> {
  const state = () => testbed.must(side, "cat", `/sys/class/net/${INTERFACE[side]}/operstate`);
  for (const end = performance.now() + PATIENCE_MS; await state() !== "up\n";) {
    assert(performance.now() < end, `${INTERFACE[side]} stays down`);
  }
}

/* ---- udp ---- */

for (const [what, address] of [["an address", LOOPBACK], ["any", 0], ["a group", GROUP]] as const) {
  check(
    `UdpPort of ${what} shows what a tree wants of its headers, and counts the rest`,
    async (bench) => {
      const destination = address === 0 ? LOOPBACK : address;
      const senders = [0, 1].map((i) => bench.udp(LOOPBACK + i, 6000 + i, RX | TX));
      if (address === GROUP) {
        senders.splice(0, 2, bench.udp(addressOf(ADDRESS.left), 6000, RX | TX));
      }
      await withSeeds(import.meta.url, (random) => {
        const packets = Array.from({ length: 60 }, () => datagram(random, destination));
        const send = () =>
          packets.forEach((packet, i) => sendAll(senders[i % senders.length], [packet]));
        const open = bench.udp(address, PORT, RX);
        send();
        const shown = collect([open], packets.length);
        open.close();
        for (let mixed = 0; mixed < 8;) {
          const tree = randomTree(random), kernelFilter = pushable(tree);
          if (kernelFilter === undefined) continue;
          const port = bench.udp(address, PORT, RX, kernelFilter);
          send();
          const wanted = shown.filter((packet) => holds(tree, packet, 0, packet.length));
          assertEquals(hex(collect([port], packets.length)), hex(wanted), JSON.stringify(tree));
          assertEquals(port.rejectedEarly(), packets.length - wanted.length);
          port.close();
          if (wanted.length > 0 && wanted.length < packets.length) mixed++;
        }
      });
    },
  );
}

function addressOf(text: string): number {
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function datagram(random: Random, address: number): Uint8Array {
  const payload = randomPacketOf(random).subarray(0, random() % 60);
  const packet = tickPacket({ port: PORT, address, payloadBytes: payload.length });
  packet.set(payload, 42);
  return packet;
}

function pushable(tree: Node): Uint8Array | undefined {
  try {
    return forUdp(tree);
  } catch (error) {
    if (error instanceof CannotPush) return undefined;
    throw error;
  }
}

check(
  "UdpPort lets a datagram through that is longer than its buffers, for it is shorter there",
  (bench) => {
    const payloadBytes = 2100, sender = bench.udp(LOOPBACK, 6000, RX | TX);
    const tree = test("==", { kind: "length" }, 2048);
    const port = bench.udp(LOOPBACK, PORT, RX, forUdp(tree));
    const long = sendLong(bench, payloadBytes);
    sendAll(sender, [tickPacket({ address: LOOPBACK })]);
    const [packet, ...more] = collect([port], long + 1);
    assertEquals([packet.length, more.length, port.rejectedEarly()], [2048, 0, 1]);
    assert(holds(tree, packet, 0, packet.length));
  },
);

/** A datagram that no ring of ours holds, by bash; returns how many. */
function sendLong(bench: Bench, bytes: number): number {
  const script = `head -c ${bytes} /dev/zero > /dev/udp/127.0.0.1/${PORT}`;
  const [command, ...args] = bench.testbed.inside("left", ["bash", "-c", script]);
  assert(new Deno.Command(command, { args }).outputSync().success);
  return 1;
}

check("UdpPort knows what was rejected until something was lost", (bench) => {
  const sender = bench.udp(LOOPBACK, 6000, RX | TX);
  const rejects = bench.udp(LOOPBACK, PORT, RX, forUdp(INSTRUMENT_7));
  const plain = bench.udp(LOOPBACK, 5002, RX);
  const to = (port: number, instrument: number) =>
    tickPacket({ address: LOOPBACK, port, instrument });
  const others = Array.from({ length: 1000 }, () => to(PORT, 1));
  sendAll(sender, others);
  assertEquals([collect([rejects], 1000).length, rejects.rejectedEarly(), rejects.lost()], [
    0,
    1000,
    0,
  ]);
  const flood = Array.from({ length: 1000 }, () => to(5002, 1));
  for (let sent = 0; plain.lost() === 0 && sent < 1e6; sent += 1000) sendAll(sender, flood);
  assert(plain.lost()! > 0, "nothing was lost: the buffer is too large for this test");
  assertEquals(plain.counts(), { lost: plain.lost(), starved: null, rejectedEarly: 0 });
  assertEquals(rejects.counts(), { lost: null, starved: null, rejectedEarly: null });
  assertEquals([plain.rejectedEarly(), rejects.rejectedEarly(), rejects.lost()], [0, null, null]);
});

check("UdpPort refuses a program that is none, or too large", (bench) => {
  const none = assertThrows(() => bench.udp(LOOPBACK, PORT, RX, new Uint8Array(12)), PortError);
  assertEquals(none.code, "EINVAL");
  const tests = Array.from({ length: 1300 }, (_, i) => test("==", loadAt(42 + i % 50, 2), i + 1));
  // As the kernel translates it, it takes more than the 128 KiB that are the largest default.
  const room = Number(Deno.readTextFileSync("/proc/sys/net/core/optmem_max"));
  if (room > 128 * 1024) return;
  const large = assertThrows(() => bench.udp(LOOPBACK, PORT, RX, forUdp(or(...tests))), PortError);
  assertEquals(large.code, "E2BIG");
});

/* ---- plans for udp ports ---- */

Deno.test("forUdpSocket decides what is the same in every header that a udp port makes up", () => {
  const decided: [Node, boolean][] = [
    [test("==", loadAt(12, 2), 0x0800), true],
    [test("==", loadAt(14, 1), 0x45), true],
    [test("==", loadAt(18, 2), 0), true], // identification
    [test("==", loadAt(22, 1), 64), true],
    [test("==", loadAt(23, 1), 6), false],
    [test("==", loadAt(20, 4), 0x40004011), true],
    [test("==", loadAt(12, 4), 0x08004500), true],
    [test("==", loadAt(13, 2), 0x0045), true],
    [test("==", loadAt(16, 2, headerBytes(14)), PORT), true],
    [test("==", loadAt(40, 2), 0), true],
  ];
  for (const [tree, value] of decided) {
    assertEquals(udpPlan(tree).entry, value ? ACCEPT : REJECT, JSON.stringify(tree));
    assertEquals(udpPlan(not(tree)).entry, value ? REJECT : ACCEPT);
  }
  const payload = test("==", loadAt(42, 1), 1);
  assertEquals(udpPlan(and(decided[0][0], payload)), planOf(test("==", loadAt(8, 1), 1)));
});

Deno.test("forUdpSocket asks the kernel nothing behind a test that no packet of the port passes", () => {
  const unknown = test("==", loadAt(0, 1), 1), isTcp = test("==", loadAt(23, 1), 6);
  assertEquals(udpPlan(and(isTcp, unknown)).entry, REJECT);
  assertEquals(udpPlan(or(not(isTcp), unknown)).entry, ACCEPT);
});

Deno.test("forUdpSocket says what the kernel cannot tell", () => {
  const reasons: [Node, string][] = [
    [test("==", loadAt(0, 1), 1), "the destination's Ethernet address"],
    [test("==", loadAt(4, 4), 1), "the destination's Ethernet address"],
    [test("==", loadAt(24, 2), 1), "the IPv4 checksum"],
    [test("==", loadAt(22, 4), 1), "the IPv4 checksum"],
    [test("==", loadAt(34, 1, loadAt(42, 1)), 1), "a place that is not the same for every packet"],
  ];
  for (const [tree, reason] of reasons) {
    const error = assertThrows(() => udpPlan(and(tree, tree)), CannotPush);
    assert(error.reason.includes(reason), error.reason);
  }
});
