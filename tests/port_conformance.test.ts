/** What every kind of port does alike: order, content, full rings, waiting, opening and closing. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { FakePort } from "../ffi/fake_port.ts";
import { nowNs, threadCpuNs } from "../ffi/host.ts";
import { slotsReady } from "../ffi/layout.ts";
import { openPort } from "../ffi/open_port.ts";
import { PortError } from "../ffi/port_error.ts";
import { packetsReady, type Port, RX, TX } from "../ffi/port.ts";
import { withSeeds } from "./engine_seed.ts";
import { type Network, OpenPorts, type PortKind, SENDER, testKinds } from "./port_kinds.ts";
import { headerChecksum, packetLength, streamOf, writePacket } from "./port_packets.ts";
import { type Peer, senderJob, startProcess, startWorker } from "./port_peers.ts";
import { allSent, Arrivals, put, receive, send } from "./port_traffic.ts";

const all = () => true;

/* ---- order and content ---- */

testKinds(
  all,
  "carries packets of every size in order, many times around its rings",
  (kind) =>
    withSeeds(import.meta.url, (random) => {
      using ports = new OpenPorts();
      const network = kind.network(), stream = network.stream(1, random());
      const receiver = ports.open(network.receiver, RX);
      const sender = ports.open(network.sender(1), SENDER);
      carry(sender, receiver, 8000, random, new Arrivals(kind.wholePackets, [stream]), stream);
      assert(receiver.lost() === (kind.countsLost ? 0 : null));
      assertEquals(receiver.counts(), {
        lost: receiver.lost(),
        starved: receiver.starved(),
        rejectedEarly: 0,
      });
    }),
);

Deno.test("FakePort carries packets of every size in order, many times around its rings", () =>
  withSeeds(import.meta.url, (random) => {
    const stream = streamOf(1, random()), arrivals = new Arrivals(true, [stream]);
    const port = new FakePort({ slotCount: 64, bufferBytes: 2048 });
    for (let sent = 0; sent < 2000;) {
      sent += send(port, stream, sent, random() % 64);
      while (port.sent.length > 0 && port.put(port.sent[0])) port.sent.shift();
      arrivals.take(port, random() % 100);
    }
    while (arrivals.received < 2000) {
      while (port.sent.length > 0 && port.put(port.sent[0])) port.sent.shift();
      assert(arrivals.take(port) > 0);
    }
  }));

/** Sends in bursts of random size, and receives often enough that no ring is full. */
function carry(
  sender: Port,
  receiver: Port,
  count: number,
  random: () => number,
  arrivals: Arrivals,
  stream = streamOf(1, 1),
): void {
  for (let sent = 0; sent < count;) {
    sent += send(sender, stream, sent, Math.min(random() % 300, count - sent));
    if (sent - arrivals.received > 600) arrivals.drain(receiver);
    else arrivals.take(receiver, random() % 200);
  }
  arrivals.drain(receiver);
  assertEquals(arrivals.received, count);
}

testKinds(all, "shows nothing where nothing was sent, then the one packet", (kind, network) => {
  using ports = new OpenPorts();
  const receiver = ports.open(network.receiver, RX), stream = network.stream(1, 5);
  assertEquals(receive(receiver, () => {}), 0);
  const sender = ports.open(network.sender(1), SENDER),
    arrivals = new Arrivals(kind.wholePackets, [stream]);
  assertEquals(receive(receiver, () => {}), 0);
  sender.txSync();
  assertEquals(send(sender, stream, 0, 1), 1);
  arrivals.drain(receiver);
  assertEquals(arrivals.received, 1);
  assert(receiver.rxSync() >= 0);
  assertEquals(packetsReady(receiver), 0);
});

/* ---- full rings ---- */

testKinds(
  (kind) => kind.whenFull === "drops",
  "drops what finds a full ring, and counts it",
  (kind, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX),
      sender = ports.open(network.sender(1), SENDER);
    const stream = network.stream(1, 6, { sizes: [60, 60] }),
      arrivals = new Arrivals(true, [stream]);
    let sent = 0;
    for (let round = 0; round < 4; round++) {
      const bursts = (kind.tooMany ?? 3500) / 500;
      for (let i = 0; i < bursts; i++) sent += send(sender, stream, sent, 500);
      arrivals.drain(receiver);
      assert(arrivals.received > 0 && arrivals.received < sent);
      if (kind.countsLost) assertEquals(sent, arrivals.received + receiver.lost()!);
    }
  },
);

testKinds(
  (kind) => kind.whenFull === "keeps",
  "keeps what finds a full ring with the sender",
  (_, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX),
      sender = ports.open(network.sender(1), SENDER);
    const stream = network.stream(1, 7), arrivals = new Arrivals(true, [stream]);
    let sent = 0;
    for (let idle = 0; idle < 10;) {
      const count = send(sender, stream, sent, 500);
      sent += count;
      idle = count === 0 ? idle + 1 : 0;
    }
    assertEquals(slotsReady(sender.tx[0]), 0);
    // netmap's pipe has one ring for both ends, ours one each.
    const rings = network.file ? 2 : 1;
    assertEquals(sent, rings * (sender.tx[0].slotCount - 1));
    assertEquals(arrivals.take(receiver, 3), 3);
    receiver.rxSync();
    sender.txSync();
    assertEquals(slotsReady(sender.tx[0]) > 0, true);
    while (!allSent(sender) || packetsReady(receiver) > 0) {
      arrivals.take(receiver);
      receiver.rxSync();
      sender.txSync();
    }
    arrivals.drain(receiver);
    assertEquals(arrivals.received, sent);
  },
);

testKinds(
  (kind) => kind.whenFull === "overflows",
  "counts what its socket has no room for",
  (kind, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX),
      sender = ports.open(network.sender(1), SENDER);
    // 1400 bytes take 2304 of a socket's buffer, which holds up to 128 MB.
    const stream = network.stream(1, 8, { sizes: [1400, 1400] });
    const arrivals = new Arrivals(kind.wholePackets, [stream]);
    let sent = 0;
    while (sent < 200_000 && !(receiver.lost()! > 1000)) sent += send(sender, stream, sent, 500);
    arrivals.drain(receiver);
    assert(receiver.lost()! > 1000, `the socket held ${sent} packets`);
    assertEquals(sent, arrivals.received + receiver.lost()!);
  },
);

/* ---- between processes and threads ---- */

for (
  const [where, start] of [
    ["a process to another", startProcess],
    ["a worker to another thread", startWorker],
  ] as const
) {
  testKinds(all, `carries 30000 packets from ${where}`, async (kind, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX), seed = 9;
    await using peer = await start(senderJob(kind, network, 1, seed, { count: 30_000 }));
    await receiveAll(kind, receiver, network, [peer], seed);
  });
}

testKinds(
  (kind) => kind.manySenders,
  "keeps the order of each of three senders",
  async (kind, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX), seed = 10;
    const job = (id: number) => senderJob(kind, network, id, seed, { count: 15_000 });
    await using first = await startProcess(job(1));
    await using second = await startProcess(job(2));
    await using third = await startWorker(job(3));
    await receiveAll(kind, receiver, network, [first, second, third], seed);
  },
);

/** Lets the peers send, and checks that all that they sent was received or lost. */
async function receiveAll(
  kind: PortKind,
  receiver: Port,
  network: Network,
  peers: Peer[],
  seed: number,
): Promise<void> {
  const arrivals = new Arrivals(
    kind.wholePackets,
    peers.map((_, i) => network.stream(i + 1, seed)),
  );
  let sent = 0, ended = 0;
  for (const peer of peers) {
    await peer.go();
    peer.report.then((report) => {
      assertEquals(report.error, undefined);
      sent += report.sent;
      ended++;
    });
  }
  await arrivals.takeUntil(receiver, () => ended === peers.length, 15_000);
  arrivals.drain(receiver);
  if (kind.countsLost) assertEquals(arrivals.received + receiver.lost()!, sent);
  if (kind.whenFull === "keeps") assertEquals(arrivals.received, sent);
  assert(arrivals.received > sent / 100);
}

/* ---- waiting ---- */

testKinds(
  all,
  "sleeps in wait until a packet comes, or the time is over",
  async (kind, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX), seed = 11;
    const arrivals = new Arrivals(kind.wholePackets, [network.stream(1, seed)]);
    await using peer = await startProcess(senderJob(kind, network, 1, seed, { delayMs: 150 }));
    receiver.rxSync(); // sees the peer, which is news by itself
    const startNs = nowNs();
    receiver.wait(RX, 30_000);
    assert(nowNs() - startNs >= 25e6, "wait came back early");
    await peer.go();
    const cpuNs = threadCpuNs();
    while (arrivals.take(receiver) === 0) receiver.wait(RX, 5_000_000);
    const wokenNs = nowNs(), usedMs = (threadCpuNs() - cpuNs) / 1e6;
    arrivals.drain(receiver); // gives the slot back, for which a netmap sender waits
    const { startedNs, error } = await peer.report;
    assertEquals(error, undefined);
    assert(wokenNs - startedNs < 100e6, `woken after ${(wokenNs - startedNs) / 1e6} ms`);
    assert(usedMs < 50, `wait used ${usedMs} ms of the core`);
  },
);

testKinds(all, "does not sleep where packets are waiting", (kind, network) => {
  using ports = new OpenPorts();
  const receiver = ports.open(network.receiver, RX), sender = ports.open(network.sender(1), SENDER);
  receiver.rxSync();
  send(sender, network.stream(1, 12), 0, 3);
  const startNs = nowNs();
  receiver.wait(RX, 2_000_000);
  const arrivals = new Arrivals(kind.wholePackets, [network.stream(1, 12)]);
  assertEquals(arrivals.take(receiver, 1), 1);
  receiver.wait(RX, 2_000_000); // two are left in the ring
  assert(nowNs() - startNs < 1e9, "wait slept in spite of packets");
  arrivals.drain(receiver);
  assertEquals(arrivals.received, 3);
});

/* ---- opening and closing ---- */

testKinds(
  ({ secondIs }) => secondIs !== undefined,
  "refuses a name that is taken, and says so",
  (kind, network) => {
    using ports = new OpenPorts();
    // netmap shares its rings, unless one asks for exclusive use.
    const name = kind.symbol.startsWith("Netmap") ? `${network.receiver}/x` : network.receiver;
    ports.open(name, RX);
    const error = assertThrows(() => openPort(name, RX), PortError);
    assertEquals(error.code, kind.secondIs);
    const state = kind.symbol.startsWith("Netmap")
      ? "another program has these rings: "
      : "the port is taken: ";
    assert(error.message.startsWith(`Cannot open "${name}": ${state}`), error.message);
    assert(!error.message.endsWith("."), error.message);
  },
);

testKinds(all, "closes twice without harm, and leaves views of nothing", (_, network) => {
  const port = openPort(network.receiver, RX);
  port.rxSync();
  const views = [...port.rx, ...port.tx].flatMap(({ words, bytes }) => [words, bytes]);
  port.close();
  port.close();
  for (const view of views) assertEquals(view.length, 0);
  openPort(network.receiver, RX).close(); // its name is free again
});

testKinds(all, "closes while packets are in its rings", (kind, network) => {
  for (let round = 0; round < 3; round++) {
    const receiver = openPort(network.receiver, RX), sender = openPort(network.sender(1), SENDER);
    const stream = network.stream(1, 13);
    send(sender, stream, 0, 100);
    sender.close();
    const arrivals = new Arrivals(kind.wholePackets, [stream]);
    if (kind.symbol !== "NetmapPort of a pipe") {
      arrivals.drain(receiver);
      assertEquals(arrivals.received, 100);
    }
    receiver.close();
  }
});

for (const directions of [RX, TX]) {
  testKinds(all, `opens for ${directions === RX ? "RX" : "TX"} alone`, (kind, network) => {
    using ports = new OpenPorts();
    const other = ports.open(directions === RX ? network.sender(1) : network.receiver, SENDER);
    const port = ports.open(directions === RX ? network.receiver : network.sender(1), directions);
    // A udp port for TX alone has a source port of the kernel's choice, and sends to its own address.
    if (kind.symbol === "UdpPort" && directions === TX) return;
    const stream = network.stream(1, 14), arrivals = new Arrivals(kind.wholePackets, [stream]);
    const [sender, receiver] = directions === RX ? [other, port] : [port, other];
    send(sender, stream, 0, 200);
    arrivals.drain(receiver);
    assertEquals(arrivals.received, 200);
  });
}

/* ---- udp alone ---- */

testKinds(
  (kind) => kind.symbol === "UdpPort",
  "opened for TX alone sends to the address of its name",
  (_, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX), sender = ports.open(network.receiver, TX);
    const stream = network.stream(1, 15, { destinationPort: 9 });
    send(sender, stream, 0, 50);
    const from = new Set<number>();
    let number = 0;
    assertEquals(
      receive(receiver, (bytes, at, length) => {
        const packet = new DataView(bytes.buffer, bytes.byteOffset + at, length);
        assertEquals(packet.getUint32(46, true), number);
        assertEquals(length, packetLength(stream, number++));
        assertEquals(packet.getUint16(36), Number(network.receiver.split(":")[2]));
        assertEquals(headerChecksum(packet), 0);
        from.add(packet.getUint16(34));
      }),
      50,
    );
    assertEquals(from.size, 1);
  },
);

testKinds(
  (kind) => kind.symbol === "UdpPort",
  "passes over packets that are not UDP, or no packets",
  (kind, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX),
      sender = ports.open(network.sender(1), SENDER);
    const stream = network.stream(1, 16), good = new Uint8Array(2048);
    const packet = good.subarray(0, writePacket(good, 0, stream, 0));
    const change = (at: number, value: number) => {
      const changed = packet.slice();
      changed[at] = value;
      return changed;
    };
    const wrong = [
      packet.subarray(0, 0),
      packet.subarray(0, 41),
      packet.subarray(0, packet.length - 1),
      change(12, 0x86), // not IPv4
      change(14, 0x65), // version 6
      change(14, 0x44), // a header of 16 bytes
      change(21, 1), // a later fragment
      change(23, 6), // TCP
      change(38, 0xff), // longer than the packet
    ];
    for (const bytes of wrong) put(sender, bytes);
    put(sender, packet);
    sender.txSync();
    assert(allSent(sender));
    const arrivals = new Arrivals(kind.wholePackets, [stream]);
    arrivals.drain(receiver);
    assertEquals(arrivals.received, 1);
  },
);
