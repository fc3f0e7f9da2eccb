/** Packet ports on real interfaces, with tcpdump, ip and the interfaces' own counters as the other side. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { nowNs, threadCpuNs } from "../ffi/host.ts";
import { bufferByte, RING, slotsReady } from "../ffi/layout.ts";
import { PacketPort } from "../ffi/packet_port.ts";
import { PortError } from "../ffi/port_error.ts";
import { type PortOptions, RX, TX } from "../ffi/port.ts";
import { record, type Recorded, type Recording } from "./capture_file.ts";
import { finalOf, start } from "./command.ts";
import { withSeeds } from "./engine_seed.ts";
import { inNamespace } from "./namespace.ts";
import { identify, packetLength, type Stream, streamOf, writePacket } from "./port_packets.ts";
import { allSent, Arrivals, put, receive, send } from "./port_traffic.ts";
import { INTERFACE, noTestbed, type Side, Testbed, type TestbedOptions } from "./testbed.ts";

const QUIET_MS = 60;

/** A test network, and ports in it, which are closed with it. */
class Bench implements AsyncDisposable {
  readonly testbed: Testbed;
  readonly #ports: PacketPort[] = [];

  constructor(options: TestbedOptions = {}) {
    this.testbed = Testbed.create(options);
  }

  open(side: Side, directions: number, more: PortOptions & Where = {}): PacketPort {
    const { name = INTERFACE[side], fanout, ...options } = more;
    const port = inNamespace(
      this.testbed,
      side,
      () => PacketPort.open(`packet:${name}`, { interface: name, fanout }, directions, options),
    );
    this.#ports.push(port);
    return port;
  }

  ip(side: Side, ...args: string[]): Promise<string> {
    return this.testbed.must(side, "ip", ...args);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const port of this.#ports) port.close();
    this.testbed[Symbol.dispose]();
    return Promise.resolve();
  }
}

interface Where {
  name?: string;
  fanout?: number;
}

function test(
  sentence: string,
  options: TestbedOptions,
  fn: (bench: Bench) => Promise<void>,
  absent = noTestbed,
): void {
  Deno.test({
    name: `PacketPort ${sentence}${absent ? ` (${absent})` : ""}`,
    ignore: absent !== undefined,
    fn: async () => {
      await using bench = new Bench(options);
      await fn(bench);
    },
  });
}

/** All that comes until it is quiet. */
function collect(...ports: PacketPort[]): Recorded[] {
  const packets: Recorded[] = [];
  for (let quietSince = performance.now(); performance.now() - quietSince < QUIET_MS;) {
    for (const port of ports) {
      const ring = port.rx[0];
      const take = (bytes: Uint8Array, at: number, length: number) => {
        const slot = ring.slotsAt + ring.words[ring.at + RING.head] * 4;
        const timeNs = ring.words[slot + 2] * 1e9 + ring.words[slot + 3];
        packets.push({ bytes: bytes.slice(at, at + length), timeNs });
        quietSince = performance.now();
      };
      if (receive(port, take) === 0) port.wait(RX, 1000);
    }
  }
  return packets;
}

/** Sends all of these, whatever the room in the ring. */
function sendPackets(port: PacketPort, packets: Uint8Array[]): void {
  for (const packet of packets) {
    while (slotsReady(port.tx[0]) === 0) port.txSync();
    put(port, packet);
  }
  flush(port);
}

/** Sends these a few at a time, so that tcpdump loses none. */
async function sendRecorded(port: PacketPort, packets: Uint8Array[], recording: Recording) {
  for (let i = 0; i < packets.length; i += 200) {
    const some = packets.slice(i, i + 200);
    sendPackets(port, some);
    await recording.wrote(some);
  }
}

function flush(port: PacketPort): void {
  const end = nowNs() + 2e9;
  do port.txSync(); while (!allSent(port) && nowNs() < end);
  assert(allSent(port), "packets stayed in the transmit ring");
}

function sendAll(port: PacketPort, stream: Stream, first: number, count: number): void {
  for (let sent = 0; sent < count;) sent += send(port, stream, first + sent, count - sent);
  flush(port);
}

function packetOf(stream: Stream, number: number): Uint8Array {
  const bytes = new Uint8Array(packetLength(stream, number));
  writePacket(bytes, 0, stream, number);
  return bytes;
}

function packetsOf(stream: Stream, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => packetOf(stream, i));
}

function bytesOf(packets: Recorded[]): Uint8Array[] {
  return packets.map(({ bytes }) => bytes);
}

/** The same packets in the same order; says which is the first that is not. */
function assertSame(got: Uint8Array[], wanted: Uint8Array[]): void {
  wanted.forEach((packet, i) => {
    if (got[i]?.toHex() === packet.toHex()) return;
    const beginOf = (bytes?: Uint8Array) =>
      `${bytes?.length} bytes ${bytes?.subarray(0, 64).toHex()}`;
    throw new Error(
      `packet ${i}: ${beginOf(got[i])}, not ${beginOf(packet)}; ${got.length} of ${wanted.length}`,
    );
  });
  assertEquals(got.length, wanted.length);
}

/* ---- what is seen ---- */

test("sees each packet on lo once, its own, too", {}, (bench) => {
  const stream = streamOf(1, 1), packets = packetsOf(stream, 500);
  const receiver = bench.open("left", RX, { name: "lo" });
  const both = bench.open("left", RX | TX, { name: "lo" });
  sendPackets(both, packets);
  assertSame(bytesOf(collect(receiver)), packets);
  assertSame(bytesOf(collect(both)), packets);
  return Promise.resolve();
});

test("does not see what goes out, and sees what comes in", {}, (bench) => {
  const packets = packetsOf(streamOf(1, 2), 300);
  const left = bench.open("left", RX | TX), other = bench.open("left", RX);
  const right = bench.open("right", RX | TX);
  sendPackets(left, packets);
  assertSame(bytesOf(collect(right)), packets);
  assertSame(bytesOf(collect(left)), []);
  assertSame(bytesOf(collect(other)), []);
  sendPackets(right, packets);
  assertSame(bytesOf(collect(left)), packets);
  return Promise.resolve();
});

/** The packet with a tag after its addresses. */
function tagged(packet: Uint8Array, type: number, tci: number): Uint8Array {
  const tag = [type >>> 8, type & 0xff, tci >>> 8, tci & 0xff];
  return new Uint8Array([...packet.subarray(0, 12), ...tag, ...packet.subarray(12)]);
}

test("puts VLAN tags back, as tcpdump does", {}, async (bench) => {
  const packets = packetsOf(streamOf(1, 3, { sizes: [60, 1400] }), 200);
  const receiver = bench.open("right", RX);
  const recording = await record(bench.testbed, "right", "r0");
  const all = [
    ...packets.map((packet) => tagged(packet, 0x8100, 0x6fff)),
    ...packets.map((packet) => tagged(packet, 0x88a8, 7)),
    ...packets.map((packet) => tagged(tagged(packet, 0x8100, 8), 0x88a8, 9)),
    ...packets,
  ];
  await sendRecorded(bench.open("left", TX), all, recording);
  assertSame(bytesOf(collect(receiver)), all);
  assertSame(bytesOf(await recording.stop()), all);
});

test(
  "puts a tag back that is never in the packet, but beside it",
  {},
  async (bench) => {
    const vlan = ["link", "l0", "name", "l0.5", "type", "vlan", "id", "5"];
    await bench.ip("left", "link", "add", ...vlan);
    await bench.ip("left", "link", "set", "l0.5", "up");
    const packets = packetsOf(streamOf(1, 3, { sizes: [60, 1400] }), 200);
    const receiver = bench.open("right", RX);
    sendPackets(bench.open("left", TX, { name: "l0.5" }), packets);
    const wanted = packets.map((packet) => tagged(packet, 0x8100, 5));
    assertSame(bytesOf(collect(receiver)), wanted);
  },
  noTestbed ?? noVlan(),
);

/** Why there can be no VLAN devices here; `undefined`: there can. */
function noVlan(): string | undefined {
  using testbed = Testbed.create();
  const [program, ...args] = testbed.inside("left", ["ip", "link", "add", "link", "l0"]);
  const more = ["name", "l0.5", "type", "vlan", "id", "5"];
  const command = new Deno.Command(program, { args: [...args, ...more], stderr: "null" });
  return command.outputSync().success ? undefined : "no VLAN devices here";
}

test("gives the time at which each packet came", {}, async (bench) => {
  const receiver = bench.open("right", RX),
    sender = bench.open("left", TX),
    stream = streamOf(1, 4);
  const recording = await record(bench.testbed, "right", "r0");
  const bounds: number[] = [];
  for (let i = 0; i < 20; i++) {
    const before = Date.now();
    sendAll(sender, stream, i, 1);
    bounds.push(before, Date.now() + 1);
    await recording.wrote([packetOf(stream, i)]);
  }
  const seen = collect(receiver), recorded = await recording.stop();
  assertEquals([seen.length, recorded.length], [20, 20]);
  seen.forEach(({ timeNs }, i) => {
    assert(timeNs >= bounds[2 * i] * 1e6 && timeNs <= bounds[2 * i + 1] * 1e6, `packet ${i}`);
    // Each socket reads the clock for itself, one right after the other.
    assert(Math.abs(timeNs - recorded[i].timeNs) < 5e6);
    if (i > 0) assert(timeNs > seen[i - 1].timeNs);
  });
});

test(
  "takes packets of every size from 14 bytes on, and refuses others without stopping",
  {},
  (bench) => {
    const receiver = bench.open("right", RX), sender = bench.open("left", TX);
    const sized = (length: number) =>
      Uint8Array.from({ length }, (_, i) => i < 12 ? 2 : i * 7 + length);
    const packets = Array.from({ length: 1501 }, (_, i) => sized(14 + i));
    const wrong = [0, 1, 13, 1519, 2000].map(sized);
    const mixed = packets.flatMap((packet, i) => i % 100 === 0 ? [...wrong, packet] : [packet]);
    sendPackets(sender, [...mixed, ...wrong]);
    assertSame(bytesOf(collect(receiver)), packets);
    // In several slots, of which none may go out as a packet of its own.
    put(sender, sized(100), 0x20);
    put(sender, sized(100));
    sendPackets(sender, [packets[60]]);
    assertSame(bytesOf(collect(receiver)), [packets[60]]);
    return Promise.resolve();
  },
);

test("carries jumbo packets", { mtu: 9000 }, async (bench) => {
  const packets = packetsOf(streamOf(1, 5, { sizes: [1400, 9014] }), 400);
  packets.push(packetOf(streamOf(1, 5, { sizes: [9014, 9014] }), 0));
  const receiver = bench.open("right", RX), sender = bench.open("left", TX);
  const recording = await record(bench.testbed, "right", "r0");
  await sendRecorded(sender, packets, recording);
  assertSame(bytesOf(collect(receiver)), packets);
  assertSame(bytesOf(await recording.stop()), packets);
});

test("sends what tcpdump then sees whole", {}, async (bench) => {
  const packets = packetsOf(streamOf(1, 6), 4000);
  const recording = await record(bench.testbed, "right", "r0");
  await sendRecorded(bench.open("left", TX), packets, recording);
  assertSame(bytesOf(await recording.stop()), packets);
});

/* ---- what is lost ---- */

for (const looks of [0, 7]) {
  test(
    `accounts for every packet of a flood that it has no room for${looks ? ", looking on" : ""}`,
    {},
    async (bench) => {
      const receiver = bench.open("right", RX), sender = bench.open("left", TX);
      const stream = streamOf(1, 8, { sizes: [60, 200] });
      const before = await bench.testbed.counter("right", "rx_packets");
      let number = 0, received = 0;
      for (let round = 0; round < 3; round++) {
        for (let i = 1; i <= 300; i++) {
          number += send(sender, stream, number, 500);
          if (looks > 0 && i % (300 / looks | 0) === 0) assert(receiver.lost()! >= 0);
        }
        flush(sender);
        received += collect(receiver).length;
        const sent = await bench.testbed.counter("right", "rx_packets") - before;
        assert(received > 0 && received < sent);
        assertEquals(received + receiver.lost()!, sent);
      }
      assert(receiver.starved()! > 0);
      const lost = receiver.lost();
      sendAll(sender, stream, number, 1000);
      assertEquals(collect(receiver).length, 1000);
      assertEquals(receiver.lost(), lost);
    },
  );
}

test(
  "keeps what it shows while slots are released slowly, many times around",
  {},
  (bench) =>
    withSeeds(import.meta.url, (random) => {
      const receiver = bench.open("right", RX), sender = bench.open("left", TX);
      const stream = streamOf(1, random(), { sizes: [60, 1500] });
      const arrivals = new Arrivals(true, [stream]);
      for (let sent = 0; sent < 40_000;) {
        sent += send(sender, stream, sent, random() % 400);
        arrivals.take(receiver, random() % (sent - arrivals.received > 3000 ? 800 : 400));
      }
      flush(sender);
      arrivals.drain(receiver);
      assertEquals(arrivals.next.get(1)! - arrivals.received, receiver.lost());
      receiver.close();
      sender.close();
    }),
);

/* ---- what is asked of the kernel ---- */

/** `struct sock_filter`: code, jumps, value. */
function program(...instructions: [number, number, number, number][]): Uint8Array {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, yes, no, value], i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, yes);
    view.setUint8(i * 8 + 3, no);
    view.setUint32(i * 8 + 4, value, true);
  });
  return new Uint8Array(view.buffer);
}

const LOAD_HALF = 0x28, JUMP_EQUAL = 0x15, RETURN = 0x06; // linux/filter.h

/** UDP packets to port 5001, the header being 20 bytes: as `writePacket` makes them. */
const TO_5001 = program(
  [LOAD_HALF, 0, 0, 12],
  [JUMP_EQUAL, 0, 3, 0x0800],
  [LOAD_HALF, 0, 0, 36],
  [JUMP_EQUAL, 0, 1, 5001],
  [RETURN, 0, 0, 65535],
  [RETURN, 0, 0, 0],
);

test("has the kernel filter, from the first packet on", {}, (bench) => {
  const sender = bench.open("left", TX);
  const wanted = packetsOf(streamOf(1, 9), 300);
  const others = packetsOf(streamOf(2, 9, { destinationPort: 5002 }), 300);
  const mixed = wanted.flatMap((packet, i) => [packet, others[i]]);
  const receiver = bench.open("right", RX, { kernelFilter: TO_5001 });
  sendPackets(sender, mixed);
  assertSame(bytesOf(collect(receiver)), wanted);
  assertEquals(receiver.lost(), 0);
  const short = bench.open("right", RX, { kernelFilter: program([RETURN, 0, 0, 50]) });
  sendPackets(sender, wanted);
  assertSame(bytesOf(collect(short)), wanted.map((packet) => packet.subarray(0, 50)));
  return Promise.resolve();
});

test("refuses what the kernel takes for no program", {}, (bench) => {
  for (const bad of [program([RETURN, 0, 0, 0], [JUMP_EQUAL, 9, 9, 0]), TO_5001.subarray(0, 12)]) {
    const error = assertThrows(() => bench.open("right", RX, { kernelFilter: bad }), PortError);
    assertEquals(error.code, "EINVAL");
    assert(error.message.startsWith(`Cannot open "packet:r0": the kernel refuses the filter`));
  }
  return Promise.resolve();
});

test("is promiscuous where that is asked for, as long as it is open", {}, async (bench) => {
  const isPromiscuous = async () =>
    Number(/promiscuity (\d+)/.exec(await bench.ip("right", "-d", "link", "show", "r0"))![1]) > 0;
  const plain = bench.open("right", RX);
  assertEquals([await isPromiscuous(), plain.mode], [false, "AF_PACKET, TPACKET_V3"]);
  const port = bench.open("right", RX, { promiscuous: true });
  assertEquals([await isPromiscuous(), port.mode, port.source], [
    true,
    "AF_PACKET, TPACKET_V3, promiscuous",
    "r0",
  ]);
  port.close();
  assertEquals(await isPromiscuous(), false);
});

/* ---- fanout ---- */

test("shares packets among a group: all of them, none twice, a flow with one", {}, (bench) => {
  const unique = bench.open("right", RX, { fanout: -1 });
  const members = [unique, bench.open("right", RX, { fanout: unique.fanout })];
  const alone = bench.open("right", RX), sender = bench.open("left", TX);
  assertEquals(members[1].mode, `AF_PACKET, TPACKET_V3, fanout group ${unique.fanout}`);
  assertEquals(alone.fanout, undefined);
  const flows = 64, each = 50;
  const streams = Array.from({ length: flows }, (_, i) => streamOf(i, 10, { sizes: [60, 120] }));
  for (let i = 0; i < each; i++) {
    sendPackets(sender, streams.map((stream) => packetOf(stream, i)));
  }
  const owners = new Map<number, number>(), next = new Map<number, number>();
  members.forEach((member, m) => {
    const packets = collect(member);
    assert(packets.length >= each, `member ${m} has ${packets.length} packets`);
    for (const { bytes } of packets) {
      const { id, number } = identify(bytes, 0);
      assertEquals(owners.get(id) ?? m, m, `flow ${id} is with both`);
      assertEquals(number, next.get(id) ?? 0, `flow ${id} is out of order`);
      owners.set(id, m);
      next.set(id, number + 1);
    }
  });
  assertEquals([...next.values()], Array(flows).fill(each));
  assertEquals(collect(alone).length, flows * each);
  return Promise.resolve();
});

test("makes groups that nobody has, and refuses one of another interface", {}, (bench) => {
  const groups = [1, 2, 3].map(() => bench.open("right", RX, { fanout: -1 }).fanout);
  assertEquals(new Set(groups).size, 3);
  const error = assertThrows(
    () => bench.open("right", RX, { fanout: groups[0], name: "lo" }),
    PortError,
  );
  assertEquals(error.code, "EBUSY");
  assertEquals(
    error.message,
    `Cannot open "packet:lo": fanout group ${
      groups[0]
    } is there already, on another interface or ` +
      `of another kind: choose another number`,
  );
  return Promise.resolve();
});

/* ---- interfaces that come and go ---- */

test("sleeps while its interface is down, and goes on when it is up again", {}, async (bench) => {
  const receiver = bench.open("right", RX), sender = bench.open("left", TX);
  const stream = streamOf(1, 11), arrivals = new Arrivals(true, [stream]);
  let number = 0;
  for (let round = 0; round < 3; round++) {
    sendAll(sender, stream, number, 200);
    number += 200;
    arrivals.drain(receiver);
    assertEquals(arrivals.received, number);
    await bench.ip("right", "link", "set", "r0", "down");
    await bench.ip("left", "link", "set", "l0", "down");
    const startNs = nowNs(), cpuNs = threadCpuNs();
    receiver.wait(RX, 200_000);
    assert(nowNs() - startNs > 190e6, "wait came back early");
    assert(threadCpuNs() - cpuNs < 50e6, "wait was busy");
    assertEquals(arrivals.take(receiver), 0);
    // What is put in now goes out when the interface is up.
    assertEquals(send(sender, stream, number, 100), 100);
    assert(!allSent(sender));
    await bench.ip("right", "link", "set", "r0", "up");
    await bench.ip("left", "link", "set", "l0", "up");
    await new Promise((resolve) => setTimeout(resolve, 100));
    flush(sender);
    number += 100;
    arrivals.drain(receiver);
    assertEquals(arrivals.received, number);
  }
  assertEquals(receiver.lost(), 0);
});

test("can be opened before its interface is up, and asleep when it comes up", {}, async (bench) => {
  await bench.ip("right", "link", "set", "r0", "down");
  const receiver = bench.open("right", RX), sender = bench.open("left", TX);
  receiver.wait(RX, 1000);
  await bench.ip("right", "link", "set", "r0", "up");
  await new Promise((resolve) => setTimeout(resolve, 100));
  const packets = packetsOf(streamOf(1, 12), 100);
  sendPackets(sender, packets);
  assertSame(bytesOf(collect(receiver)), packets);
});

test("fails when its interface is gone", {}, async (bench) => {
  const receiver = bench.open("right", RX), sender = bench.open("left", TX);
  const spinner = bench.open("right", RX);
  await bench.ip("right", "link", "delete", "r0");
  const waits = assertThrows(() => receiver.wait(RX, 1_000_000), PortError);
  assertEquals(waits.code, "ENODEV");
  put(sender, packetOf(streamOf(1, 13), 0));
  assertEquals(assertThrows(() => sender.txSync(), PortError).code, "ENODEV");
  const spins = assertThrows(() => {
    for (const end = nowNs() + 5e9; nowNs() < end;) spinner.rxSync();
  }, PortError);
  assertEquals(spins.code, "ENODEV");
});

test(
  "refuses interfaces without Ethernet headers, and those that are not there",
  {},
  async (bench) => {
    await bench.ip("left", "tuntap", "add", "dev", "tun9", "mode", "tun");
    const tun = assertThrows(() => bench.open("left", RX, { name: "tun9" }), PortError);
    assertEquals(
      tun.message,
      `Cannot open "packet:tun9": "tun9" is no Ethernet interface: use one whose "ip link" says ` +
        `"link/ether" or "link/loopback"`,
    );
    const none = assertThrows(() => bench.open("left", RX, { name: "eth99" }), PortError);
    assertEquals(none.code, "ENODEV");
    assertEquals(
      none.message,
      `Cannot open "packet:eth99": no such interface "eth99": list them with "ip link"`,
    );
  },
);

/* ---- the commands ---- */

test("carries what the sender sends to a capture", {}, async ({ testbed }) => {
  const command = (name: "send" | "capture", side: Side, ...args: string[]) =>
    start(name, [...args, "--json"], {}, 30_000, (words) => testbed.inside(side, words));
  const capture = command("capture", "right", "-i", "packet:r0", "-p", "5001");
  await capture.shown("{");
  const counts = ["-c", "20000", "-r", "50000"];
  const sent = finalOf(await command("send", "left", "-i", "packet:l0", ...counts).finished).sent;
  await new Promise((resolve) => setTimeout(resolve, 300));
  capture.process.kill("SIGINT");
  const s = finalOf(await capture.finished);
  assertEquals([sent, s.received, s.accepted, s.consumed], Array(4).fill(20_000));
  assertEquals(s.lost, 0);
});

test("uses what is left of a ring's slots for the warm-up only", {}, (bench) => {
  const { rx: [ring], scratch } = bench.open("right", RX);
  assertEquals([scratch.strideBytes, scratch.slotCount], [ring.strideBytes, 256]);
  const last = scratch.slotsAt + (scratch.slotCount - 1) * 4;
  assertEquals(bufferByte(scratch, last) + scratch.at * 4, 0x19000 + 255 * 2048);
  return Promise.resolve();
});
