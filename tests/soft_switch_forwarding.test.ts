/**
 * Forwarding as VALE does, on the soft switch and, where netmap is, on VALE itself: what both pass is
 * what "as VALE does" means.
 */

import { assert, assertEquals } from "@std/assert";
import { type Port, RX } from "../ffi/port.ts";
import { MORE_FRAGMENTS } from "../ffi/layout.ts";
import { withSeeds } from "./engine_seed.ts";
import { type Network, OpenPorts, type PortKind, SENDER, testKinds } from "./port_kinds.ts";
import { packetLength, streamOf, writePacket } from "./port_packets.ts";
import { put, receive } from "./port_traffic.ts";

const isSwitch = (kind: PortKind) => kind.isSwitch;
const isSoft = (kind: PortKind) => kind.symbol === "SoftSwitch";

const A = 0x02000000000a, B = 0x02000000000b, C = 0x02000000000c;
const BROADCAST = 0xffffffffffff, GROUP = 0x01005e000001;

/** Ports of a switch, and what came to each: the numbers of the packets. */
class Switch implements Disposable {
  readonly #open = new OpenPorts();
  readonly ports: Port[];
  #number = 0;

  constructor(readonly network: Network, count: number) {
    this.ports = Array.from(
      { length: count },
      (_, i) => this.#open.open(network.sender(i), SENDER),
    );
  }

  /** Sends one packet from a port; returns its number. */
  send(from: number, sourceMac: number, destinationMac: number): number {
    this.put(from, sourceMac, destinationMac);
    this.ports[from].txSync();
    return this.#number - 1;
  }

  put(from: number, sourceMac: number, destinationMac: number): void {
    put(this.ports[from], packetOf(sourceMac, destinationMac, this.#number++));
  }

  /** By port, the numbers of the packets that have come to it. */
  arrived(): number[][] {
    return this.ports.map((port) => {
      const numbers: number[] = [];
      const take = (bytes: Uint8Array, at: number) =>
        numbers.push(new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(46, true));
      for (let empty = 0; empty < 3;) empty = receive(port, take) > 0 ? 0 : empty + 1;
      return numbers;
    });
  }

  leave(port: number): void {
    this.ports[port].close();
    this.ports.splice(port, 1);
  }

  [Symbol.dispose](): void {
    this.#open[Symbol.dispose]();
  }
}

function packetOf(sourceMac: number, destinationMac: number, number: number): Uint8Array {
  const stream = streamOf(1, 1, { sourceMac, destinationMac, sizes: [60, 300] });
  const packet = new Uint8Array(packetLength(stream, number));
  writePacket(packet, 0, stream, number);
  return packet;
}

testKinds(isSwitch, "floods what it does not know, but not back", (_, network) => {
  using lab = new Switch(network, 3);
  const number = lab.send(1, B, A);
  assertEquals(lab.arrived(), [[number], [], [number]]);
});

testKinds(isSwitch, "sends to the port where an address was seen, and there only", (_, network) => {
  using lab = new Switch(network, 3);
  lab.send(0, A, BROADCAST);
  lab.arrived();
  const number = lab.send(1, B, A);
  assertEquals(lab.arrived(), [[number], [], []]);
  const answer = lab.send(0, A, B);
  assertEquals(lab.arrived(), [[], [answer], []]);
});

testKinds(isSwitch, "floods broadcast and multicast, and learns no group", (_, network) => {
  using lab = new Switch(network, 3);
  lab.send(0, GROUP, BROADCAST);
  lab.arrived();
  for (const destination of [BROADCAST, GROUP, BROADCAST, GROUP]) {
    const number = lab.send(2, C, destination);
    assertEquals(lab.arrived(), [[number], [number], []]);
  }
});

// VALE does not learn a source again that was its port's last one, though it was seen elsewhere since.
testKinds(isSoft, "follows an address that moves", (_, network) => {
  using lab = new Switch(network, 3);
  for (const port of [0, 1, 0, 1, 1, 0]) {
    lab.send(port, A, BROADCAST);
    lab.arrived();
    const number = lab.send(2, C, A);
    assertEquals(lab.arrived(), [port === 0 ? [number] : [], port === 1 ? [number] : [], []]);
  }
});

testKinds(isSwitch, "keeps to itself what is for an address behind the sender", (_, network) => {
  using lab = new Switch(network, 3);
  lab.send(0, A, BROADCAST);
  lab.arrived();
  lab.send(0, B, A);
  assertEquals(lab.arrived(), [[], [], []]);
});

testKinds(isSoft, "floods what was behind a port that has left", (_, network) => {
  using lab = new Switch(network, 4);
  lab.send(3, A, BROADCAST);
  lab.send(0, B, A);
  lab.arrived();
  lab.leave(3);
  const number = lab.send(0, B, A);
  assertEquals(lab.arrived(), [[], [number], [number]]);
});

testKinds(isSwitch, "shows a port that joins what is sent from then on", (_, network) => {
  using lab = new Switch(network, 2);
  lab.send(0, A, BROADCAST);
  using later = new OpenPorts();
  lab.ports.push(later.open(network.sender(7), SENDER));
  const number = lab.send(0, A, BROADCAST);
  assertEquals(lab.arrived(), [[], [number - 1, number], [number]]);
});

testKinds(isSwitch, "drops what is too short for Ethernet", (_, network) => {
  using lab = new Switch(network, 2);
  lab.send(1, B, BROADCAST);
  lab.arrived();
  for (const length of [0, 1, 13]) put(lab.ports[0], packetOf(A, B, 9).subarray(0, length));
  put(lab.ports[0], packetOf(A, B, 9));
  put(lab.ports[0], packetOf(A, B, 9).subarray(0, 13));
  put(lab.ports[0], packetOf(A, B, 10));
  lab.ports[0].txSync();
  assertEquals(lab.arrived(), [[], [9, 10]]);
});

testKinds(isSoft, "carries a packet of several slots whole, or not at all", (_, network) => {
  using lab = new Switch(network, 2);
  const [sender, receiver] = lab.ports, slots: [number, number][] = [];
  const take = (bytes: Uint8Array, at: number, length: number, flags: number) =>
    slots.push([bytes[at + length - 1], flags]);
  const part = (last: number) => packetOf(A, B, 1).fill(last, 59, 60).subarray(0, 60);
  const putThree = () => {
    put(sender, part(1), MORE_FRAGMENTS);
    put(sender, part(2), MORE_FRAGMENTS);
    put(sender, part(3));
  };
  putThree();
  sender.txSync();
  receive(receiver, take);
  assertEquals(slots, [[1, MORE_FRAGMENTS], [2, MORE_FRAGMENTS], [3, 0]]);
  receiver.rxSync(); // gives the three slots back
  // 1022 of 1023 places are taken.
  for (let i = 0; i < 1022; i++) put(sender, part(4));
  sender.txSync();
  putThree();
  put(sender, part(5));
  sender.txSync();
  slots.length = 0;
  for (let empty = 0; empty < 3;) empty = receive(receiver, take) > 0 ? 0 : empty + 1;
  assertEquals(slots.length, 1023);
  assertEquals(slots.at(-1), [5, 0]);
  assertEquals(receiver.lost(), 1);
  assertEquals(receiver.counts(), { lost: 1, starved: null, rejectedEarly: 0 });
});

/* ---- against a model ---- */

testKinds(
  isSwitch,
  "forwards seeded random traffic as a plain bridge does",
  (kind) =>
    withSeeds(import.meta.url, (random) => {
      using lab = new Switch(kind.network(), 4);
      const macs = [A, B, C, 0x02000000000d, 0x02000000000e, 0x02ffffffffff, BROADCAST, GROUP];
      const seen = new Map<number, number>(), expected: number[][] = [[], [], [], []];
      const last: number[] = [];
      let number = 0;
      for (let burst = 0; burst < 300; burst++) {
        const from = random() % 4;
        for (let count = 1 + random() % 40; count > 0;) {
          const source = macs[random() % 6], destination = macs[random() % macs.length];
          for (let run = Math.min(count, 1 + random() % 9); run > 0; run--, count--) {
            lab.put(from, source, destination);
            if (isSoft(kind) || last[from] !== source) seen.set(source, from);
            last[from] = source;
            bridge(seen, expected, from, destination, number++);
          }
        }
        lab.ports[from].txSync();
        // By sender only is order kept: each burst is taken before the next port sends.
        assertEquals(lab.arrived(), expected);
        expected.forEach((numbers) => numbers.length = 0);
      }
    }),
);

function bridge(
  seen: Map<number, number>,
  arrived: number[][],
  from: number,
  destination: number,
  number: number,
): void {
  const to = seen.get(destination);
  arrived.forEach((numbers, port) => {
    if (port !== from && (to === undefined || to === port)) numbers.push(number);
  });
}

testKinds(
  isSoft,
  "knows more addresses than fit in its caches, and floods where the table is full",
  (_, network) => {
    using lab = new Switch(network, 3);
    const mac = (i: number) => 0x020000100000 + i * 7;
    for (let i = 0; i < 3000; i++) {
      lab.put(0, mac(i), B);
      if (i % 500 === 499) {
        lab.ports[0].txSync();
        lab.arrived();
      }
    }
    let unicast = 0;
    for (let i = 0; i < 3000; i++) {
      const number = lab.send(1, B, mac(i));
      const [first, , third] = lab.arrived();
      assertEquals(first, [number]);
      if (third.length === 0) unicast++;
    }
    assert(unicast > 700, `${unicast} of 3000 addresses known, 1024 places`);
  },
);

Deno.test("SoftSwitch has room for 56 ports, and says so to the 57th", async () => {
  const { openPort } = await import("../ffi/open_port.ts");
  const { assertThrows } = await import("@std/assert");
  const { PortError } = await import("../ffi/port_error.ts");
  using ports = new OpenPorts();
  const name = `test-many-${Deno.pid}`;
  const all = Array.from({ length: 56 }, (_, i) => ports.open(`soft:${name}:${i}`, RX));
  const error = assertThrows(() => openPort(`soft:${name}:more`, RX), PortError);
  assertEquals(error.code, "ENOSPC");
  put(all[55], packetOf(A, BROADCAST, 3));
  all[55].txSync();
  let received = 0;
  for (const port of all) received += receive(port, () => {});
  assertEquals(received, 55);
});

Deno.test("SoftSwitch forwards packets whose addresses are all zero, as on a loopback interface, to everyone", () => {
  using ports = new OpenPorts();
  const name = `zero-${Deno.pid}`, receiver = ports.open(`soft:${name}:1`, RX);
  const sender = ports.open(`soft:${name}:2`, SENDER), packet = new Uint8Array(60);
  receiver.rxSync();
  for (let i = 0; i < 3; i++) {
    put(sender, packet);
    sender.txSync();
  }
  assertEquals(receive(receiver, () => {}), 3);
});
