/** The real netmap: switch ports, pipes, a veth pair, host rings, monitors. Where it is absent, ignored. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createSocket } from "node:dgram";
import { BypassIO } from "../capture/bypass_io.ts";
import type { CaptureCounts } from "../capture/capture_state.ts";
import { PacketCapture } from "../capture/packet_capture.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { sleepNs } from "../ffi/host.ts";
import { type Ring, slotsReady } from "../ffi/layout.ts";
import type { NetmapPort } from "../ffi/netmap_port.ts";
import { openPort } from "../ffi/open_port.ts";
import { type Port, RX, TX } from "../ffi/port.ts";
import { PortError } from "../ffi/port_error.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { parseMac } from "../sender/mac_address.ts";
import { Market } from "../sender/market.ts";
import { PacketSender } from "../sender/packet_sender.ts";
import { PacketTemplate } from "../sender/packet_template.ts";
import { type PacketChoice, tickPacket } from "./packets.ts";
import { OpenPorts } from "./port_kinds.ts";
import { put } from "./port_traffic.ts";

const ADMODE = "/sys/module/netmap/parameters/admode";
const MORE_FRAGMENTS = 0x20; // NS_MOREFRAG
const IDLE_STEPS = 5000;

/* ---- where it can be tested ---- */

const noNetmap = reasonOf(() => Deno.statSync("/dev/netmap")) === undefined
  ? reasonOf(() => openPort("vale:uspf_probe", RX).close())
  : "no /dev/netmap here";
const noVeth = noNetmap ?? reasonOf(() => {
  ip("link", "add", "uspfp0", "type", "veth", "peer", "name", "uspfp1");
  ip("link", "del", "uspfp0");
});

function reasonOf(attempt: () => void): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

function netmapTest(sentence: string, fn: () => void | Promise<void>, absent = noNetmap): void {
  const name = absent === undefined ? sentence : `${sentence} (${absent})`;
  Deno.test({ name, ignore: absent !== undefined, fn });
}

function ip(...args: string[]): void {
  const { success, stderr } = new Deno.Command("ip", { args }).outputSync();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** A veth pair that goes with the test; `admode` 0: native where the driver can, 2: emulated. */
class Veth {
  static #count = 0;
  readonly ends: [string, string];
  readonly #before = Deno.readTextFileSync(ADMODE);

  constructor(admode: number) {
    const name = `uspf${Deno.pid % 10_000}v${Veth.#count++}`;
    this.ends = [`${name}a`, `${name}b`];
    ip("link", "add", this.ends[0], "type", "veth", "peer", "name", this.ends[1]);
    for (const end of this.ends) ip("link", "set", end, "up");
    Deno.writeTextFileSync(ADMODE, `${admode}`);
  }

  [Symbol.dispose](): void {
    Deno.writeTextFileSync(ADMODE, this.#before);
    if (reasonOf(() => Deno.statSync(`/sys/class/net/${this.ends[0]}`)) === undefined) {
      ip("link", "del", this.ends[0]);
    }
  }
}

let networks = 0;

function valeName(): string {
  return `vale${Deno.pid % 10_000}_${networks++}`;
}

function pipeName(): string {
  return `netmap:uspf${Deno.pid % 10_000}_${networks++}`;
}

/**
 * Steps until `done`, or until thousands of steps in a row, a millisecond each, brought nothing. A clock
 * would not do: an emulated machine may stand still for half a minute.
 */
function stepUntil(done: () => boolean, step: () => number): void {
  for (let idle = 0; idle < IDLE_STEPS && !done(); idle++) {
    if (step() > 0) idle = 0;
    else sleepNs(1e6);
  }
}

/* ---- a mixed stream, counted ---- */

interface Capture {
  pump(): number;
  counts(): CaptureCounts;
}

function captureOn(port: Port): Capture {
  const ticks = TickRing.create(4096);
  const filter = new PacketFilter({ destinationPort: 5001 });
  const capture = new PacketCapture({ port, filter, ticks });
  const pump = () => {
    const received = capture.pump();
    ticks.release(ticks.take(4096));
    return received;
  };
  return { pump, counts: () => capture.state.read() };
}

/** A packet that a switch forwards to all: it learns senders, and drops what they send to themselves. */
function broadcast(choice: PacketChoice = {}): Uint8Array {
  const packet = tickPacket(choice);
  packet.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1]);
  return packet;
}

/** What a stream's packets must be counted as. */
const MIXED = { packets: 3000, ticks: 2400, port: 300, length: 150, badTick: 100, split: 50 };

/** Packet `i` of the mixed stream: packets of each cause stand all over it. */
function putMixed(port: Port, i: number): number {
  const turn = i % 60;
  if (turn === 59) {
    const whole = broadcast({ instrument: i, payloadBytes: 500 });
    put(port, whole.subarray(0, 300), MORE_FRAGMENTS);
    put(port, whole.subarray(300));
    return 2;
  }
  if (turn % 10 === 3) put(port, broadcast({ port: 5002 }));
  else if (turn % 20 === 7) put(port, broadcast({ payloadBytes: 18 }));
  else if (turn === 21 || turn === 42) put(port, broadcast({ price: NaN }));
  else put(port, broadcast({ instrument: i, padding: 18 - (i % 2) * 18 }));
  return 1;
}

/** Sends the mixed stream, never more than the rings hold, and captures all of it. */
function exchange(sender: Port, receiver: Port): CaptureCounts {
  const capture = captureOn(receiver);
  const room = Math.min(sender.tx[0].slotCount, receiver.rx[0].slotCount) / 4 | 0;
  let received = 0, sent = 0;
  stepUntil(() => received === MIXED.packets, () => {
    for (let slots = 0; slots < room && sent < MIXED.packets && sent - received < room; sent++) {
      if (slotsReady(sender.tx[0]) < 2) break;
      slots += putMixed(sender, sent);
    }
    sender.txSync();
    const got = capture.pump();
    received += got;
    return got;
  });
  return capture.counts();
}

function assertMixed(counts: CaptureCounts): void {
  const { rejectedBy, malformedBy } = counts;
  assertEquals(
    {
      packets: counts.received,
      ticks: counts.delivered,
      port: rejectedBy.port,
      length: rejectedBy.length,
      badTick: malformedBy.badTick,
      split: malformedBy.split,
    },
    MIXED,
  );
  assertEquals(counts.received, counts.accepted + counts.rejected + counts.malformed);
  assertEquals(counts.accepted, counts.delivered + counts.dropped);
}

const SWITCHES = [
  "",
  "@conf:slots=512",
  "@conf:slots=256",
  "@conf:slots=1000",
  "@conf:rings=2",
  "@offset:initial=64",
];
for (const options of SWITCHES) {
  netmapTest(`NetmapPort on a switch port "${options}" loses and misreads nothing`, () => {
    using ports = new OpenPorts();
    const name = valeName();
    const receiver = ports.open(`${name}:r${options}`, RX);
    const sender = ports.open(`${name}:s`, RX | TX);
    assertEquals(receiver.mode, "netmap, native");
    assertMixed(exchange(sender, receiver));
  });
}

for (const [from, to] of ["{}", "}{"]) {
  netmapTest(`NetmapPort carries a pipe's packets from "${from}" to "${to}"`, () => {
    using ports = new OpenPorts();
    const name = pipeName();
    const receiver = ports.open(`${name}${to}1`, RX), sender = ports.open(`${name}${from}1`, TX);
    assertEquals(receiver.mode, "netmap, native");
    assertMixed(exchange(sender, receiver));
  });
}

for (const admode of [0, 2]) {
  netmapTest(
    `NetmapPort captures a veth pair in admode ${admode} and says how it is driven`,
    () => {
      using veth = new Veth(admode);
      using ports = new OpenPorts();
      const [receiver, sender] = veth.ends.map((end) => ports.open(`netmap:${end}`, RX | TX));
      const native = reasonOf(() => Deno.statSync("/sys/module/netmap/holders/veth")) === undefined;
      assertEquals(receiver.mode, `netmap, ${native && admode === 0 ? "native" : "emulated"}`);
      const counts = exchangeTicks(sender, receiver, 2000);
      assertEquals([counts.delivered, counts.malformed], [2000, 0]);
    },
    noVeth,
  );
}

/** Sends ticks only: an emulated port can't send a packet of several pieces. */
function exchangeTicks(sender: Port, receiver: Port, count: number): CaptureCounts {
  const capture = captureOn(receiver);
  let sent = 0, received = 0;
  stepUntil(() => received === count, () => {
    for (; sent < count && sent - received < 64 && slotsReady(sender.tx[0]) > 0; sent++) {
      put(sender, broadcast({ instrument: sent, padding: 4 }));
    }
    sender.txSync();
    capture.pump();
    const before = received;
    received = capture.counts().delivered; // the host's stack sends too
    return received - before;
  });
  return capture.counts();
}

/* ---- rings ---- */

netmapTest('NetmapPort has the rings and slots that "@conf" asks for', () => {
  using ports = new OpenPorts();
  const shape = (rings: readonly Ring[]) => rings.map((ring) => ring.slotCount);
  const port = ports.open(`${valeName()}:1@conf:rings=2,tx_slots=128,rx-slots=1000`, RX | TX);
  assertEquals([shape(port.tx), shape(port.rx)], [[128, 128], [1000, 1000]]);
});

netmapTest(
  "NetmapPort binds the receive or the transmit rings alone where the name says so",
  () => {
    using ports = new OpenPorts();
    const name = valeName(), count = (port: Port) => [port.rx.length, port.tx.length];
    assertEquals(count(ports.open(`${name}:1/R`, RX)), [1, 0]);
    assertEquals(count(ports.open(`${name}:2/T`, TX)), [0, 1]);
    assertThrows(() => ports.open(`${name}:3/R`, TX), PortError, "it has no transmit rings");
    assertThrows(() => ports.open(`${name}:4/T`, RX), PortError, "it has no receive rings");
  },
);

netmapTest("NetmapPort takes several switch rings and one of them", () => {
  using ports = new OpenPorts();
  const name = valeName();
  const all = ports.open(`${name}:r@conf:rings=4`, RX);
  assertEquals(all.rx.length, 4);
  const [third, ...others] = ports.open(`${name}:r-2`, RX).rx;
  assertEquals([third.words[third.at + 4] & 0xffff, others.length], [2, 0]);
  assertThrows(() => ports.open(`${name}:r-9`, RX), PortError, "netmap refuses this request");
});

netmapTest("NetmapPort shows what the host's stack sends on its host ring", async () => {
  using veth = new Veth(0);
  ip("addr", "add", "198.51.100.1/24", "dev", veth.ends[0]);
  using io = new Io(`netmap:${veth.ends[0]}*`);
  const socket = createSocket("udp4");
  const found = await io.until(
    (bytes, at) => bytes[at + 12] === 0x08 && bytes[at + 13] === 0x06, // ARP asks for the other
    () => void socket.send("x", 9, "198.51.100.2"),
  );
  socket.close();
  assert(found);
}, noVeth);

netmapTest("NetmapPort monitors what another sends", () => {
  using veth = new Veth(0);
  using ports = new OpenPorts();
  const sender = ports.open(`netmap:${veth.ends[0]}`, TX);
  const monitor = ports.open(`netmap:${veth.ends[0]}/t`, RX), capture = captureOn(monitor);
  for (let i = 0; i < 10; i++) put(sender, broadcast({ instrument: i }));
  sender.txSync();
  stepUntil(() => capture.counts().delivered === 10, () => capture.pump());
  assertEquals(capture.counts().delivered, 10);
}, noVeth);

/* ---- sending ---- */

netmapTest("PacketSender sends exactly its count into a pipe, of which all arrive", () => {
  using ports = new OpenPorts();
  const name = pipeName(), count = 5000;
  const capture = captureOn(ports.open(`${name}}1`, RX)), port = ports.open(`${name}{1`, TX);
  const sender = new PacketSender({
    port,
    count,
    template: new PacketTemplate({
      sourceMac: parseMac("02:00:00:00:00:01"),
      destinationMac: parseMac("ff:ff:ff:ff:ff:ff"),
      sourceAddress: 0x0a000001,
      destinationAddress: 0x0a000002,
      sourcePort: 5000,
      destinationPort: 5001,
      ttl: 64,
      payloadBytes: 14,
    }),
    market: new Market({ seed: 1 }),
  });
  stepUntil(() => sender.done, () => {
    sender.run(1);
    return capture.pump();
  });
  while (capture.pump() > 0);
  capture.pump();
  sender.flush();
  assertEquals([sender.stats().sent, capture.counts().delivered], [count, count]);
  assert(sender.stats().ringFull > 0);
});

netmapTest("PacketCapture sends nothing and changes no transmit ring while warming up", () => {
  using veth = new Veth(0);
  using ports = new OpenPorts();
  const [name, other] = veth.ends.map((end) => `netmap:${end}`);
  const trader = ports.open(name, TX), wire = captureOn(ports.open(other, RX));
  const ring = trader.tx[0], first = bufferStart(ring, 0);
  put(trader, broadcast({ instrument: 42 })); // placed, and not sent yet
  const before = ring.bytes.slice(first, first + 64 * ring.bufferBytes);
  const port = ports.open(name, RX);
  const ticks = TickRing.create(1024), filter = new PacketFilter();
  const capture = new PacketCapture({ port, filter, ticks });
  const [slots, header] = [ring.slotsAt, ring.at].map((at) => ring.words.slice(at, at + 1024));
  capture.warmUp(20_000);
  assertEquals(ring.words.slice(ring.slotsAt, ring.slotsAt + 1024), slots);
  assertEquals(ring.words.slice(ring.at, ring.at + 1024), header);
  assert(ring.bytes.slice(first, first + 64 * ring.bufferBytes).every((b, i) => b === before[i]));
  assertEquals(ticks.waiting, 0);
  trader.txSync();
  stepUntil(() => wire.counts().received > 0, () => wire.pump());
  assertEquals([wire.pump(), wire.counts().delivered], [0, 1]);
}, noVeth);

function bufferStart(ring: Ring, slot: number): number {
  return (ring.buffersAt - ring.at) * 4 + ring.words[ring.slotsAt + slot * 4] * ring.bufferBytes;
}

netmapTest("NetmapPort gives its own buffers back when it is closed", () => {
  const name = valeName();
  using ports = new OpenPorts();
  ports.open(`${name}:1`, RX); // keeps the port, and so its memory, alive
  for (let i = 0; i < 100; i++) {
    const port = openPort(`${name}:1`, RX) as NetmapPort, { scratch } = port;
    assertEquals(slotsReady(scratch!), 111);
    for (let slot = 0; slot < 111; slot++) {
      const at = bufferStart(scratch!, slot);
      scratch!.bytes.fill(0xee, at, at + scratch!.bufferBytes);
    }
    port.close();
  }
});

/* ---- both ways ---- */

/** A BypassIO that closes with its test. */
class Io {
  readonly io: BypassIO;

  constructor(name: string) {
    this.io = BypassIO.open(name);
  }

  /** Calls `prod` until a received packet passes `test`. */
  async until(
    test: (bytes: Uint8Array, at: number) => boolean,
    prod: () => void,
  ): Promise<boolean> {
    const { io } = this;
    for (let step = 0; step < 100; step++) {
      prod();
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (let count = io.rx(); count > 0; count = io.rx()) {
        for (let i = 0; i < count; i++) if (test(io.bytes, io.offsets[i])) return true;
      }
    }
    return false;
  }

  [Symbol.dispose](): void {
    this.io.close();
  }
}

netmapTest("BypassIO bounces packets between two switch ports", () => {
  const name = valeName();
  using a = new Io(`${name}:a`);
  using b = new Io(`${name}:b`);
  const packet = new Uint8Array(64);
  packet.set([2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa]);
  let sent = 0, back = 0, wrong = 0;
  stepUntil(() => back === 1000, () => {
    for (; sent < 1000 && sent - back < 100; sent++) {
      packet[60] = sent;
      assert(a.io.tx(packet));
    }
    a.io.flush();
    for (let i = 0, n = b.io.rx(); i < n; i++) b.io.tx(b.io.bytes, b.io.offsets[i], 64);
    b.io.flush();
    const count = a.io.rx();
    for (let i = 0; i < count; i++, back++) {
      if (a.io.bytes[a.io.offsets[i] + 60] !== (back & 0xff) || a.io.lengths[i] !== 64) wrong++;
    }
    return count;
  });
  assertEquals([back, wrong], [1000, 0]);
});

/* ---- errors ---- */

const REFUSED = [
  ["netmap:uspf_absent", "ENXIO", /no such interface or file "uspf_absent": list interfaces/],
  ["vale:uspf-7", "EINVAL", /netmap refuses this request/],
  ["vale:uspf@conf:slots=64@offset:initial=4096", "ENOPROTOOPT", /netmap refuses an option/],
  ["vale:uspf@extmem=/dev/shm/uspf_absent", "ENOENT", /no such interface or file "\/dev\/shm/],
] as const;
for (const [name, code, message] of REFUSED) {
  netmapTest(`NetmapPort refuses "${name}" in one line`, () => {
    const error = assertThrows(() => openPort(name, RX), PortError);
    assertEquals(error.code, code);
    assertMatch(error.message, /^Cannot open "[^\n]*": [^\n]*: [^\n.]*$/);
    assertMatch(error.message, message);
  });
}

netmapTest("NetmapPort refuses rings that another has for itself", () => {
  using ports = new OpenPorts();
  const name = valeName();
  ports.open(`${name}:1/x`, RX);
  const error = assertThrows(() => ports.open(`${name}:1`, RX), PortError);
  assertEquals(error.code, "EBUSY");
  assertMatch(error.message, /another program has these rings/);
});

netmapTest("NetmapPort fails with one line when its interface goes away", async () => {
  using veth = new Veth(0);
  const port = openPort(`netmap:${veth.ends[0]}`, RX);
  // It ends only when the port is closed.
  const removal = new Deno.Command("ip", { args: ["link", "del", veth.ends[0]] }).output();
  const error = await failureOf(port);
  port.close();
  assertMatch(error, /^Cannot receive from ".*": \w+: check that its interface is there and up$/);
  assert((await removal).success);
}, noVeth);

async function failureOf(port: Port): Promise<string> {
  for (let step = 0; step < 1000; step++) {
    try {
      port.rxSync();
    } catch (error) {
      return (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return "nothing failed";
}
