/**
 * The commands on the interfaces of a test network, with programs on the other side that are not ours:
 * tcpreplay, tcpdump, Node's sockets. What a capture counts is what was on the wire.
 */
import { assertEquals } from "@std/assert";
import { PacketFilter } from "../filter/packet_filter.ts";
import { MALFORMED, REJECTED, VERDICT } from "../filter/verdict.ts";
import { type AnyStatistics, finalOf } from "./command.ts";
import {
  addressed,
  addressOf,
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
import { referenceVerdict } from "./reference_filter.ts";
import { ADDRESS, type Testbed } from "./testbed.ts";

const UDP_NAME = `udp:${ADDRESS.right}:5001`;
/** Each way to receive, and the name of a capture's port for it. */
const KINDS: { kind: "udp" | "packet" | "xdp"; title: string; args: string[] }[] = [
  { kind: "udp", title: "udp", args: ["-i", UDP_NAME] },
  { kind: "packet", title: "packet", args: ["-i", "packet:r0"] },
  { kind: "xdp", title: "xdp in native mode", args: ["-i", "xdp:r0", "--xdp-mode", "native"] },
  { kind: "xdp", title: "xdp in generic mode", args: ["-i", "xdp:r0", "--xdp-mode", "generic"] },
];
const WANTED = ["-p", "5001", "-d", ADDRESS.right];

type Verdict = keyof typeof VERDICT;

/** A packet that a test sends. */
interface Sent {
  packet: Uint8Array;
  count: number;
  /** What becomes of it where every packet is seen: the oracle must agree. */
  packetIs: Verdict;
  /** Whether xdp's program takes it, for it could be wanted; else the kernel's stack has it. */
  xdpTakes: boolean;
  /** What becomes of it behind the kernel's stack; nothing: the stack keeps it. */
  udpIs?: Verdict;
}

/** Every odd kind of packet, a different number of each. */
function zoo(mac: string): Sent[] {
  const all: Sent[] = [];
  const put = (packet: Uint8Array, packetIs: Verdict, xdpTakes: boolean, udpIs?: Verdict) => {
    all.push({ packet, count: 3 + all.length, packetIs, xdpTakes, udpIs });
  };
  const edited = (edit: (view: DataView) => void) => {
    const packet = truePacket(mac);
    edit(new DataView(packet.buffer));
    return addressed(packet, mac);
  };
  const good = truePacket(mac);
  put(good, "accepted", true, "accepted");
  put(truePacket(mac, { padding: 18 }), "accepted", true, "accepted");
  for (const options of [4, 40]) {
    put(truePacket(mac, { options }), "accepted", true, "accepted");
  }
  for (const tags of [1, 2]) put(truePacket(mac, { tags }), "accepted", true);
  put(truePacket(mac, { tags: 3 }), "notIpv4", false);
  put(truePacket(mac, { port: 5002 }), "port", false);
  put(truePacket(mac, { address: addressOf("10.77.0.9") }), "address", false);
  for (const payloadBytes of [0, 13, 15, 1400]) {
    put(truePacket(mac, { payloadBytes }), "length", false, "length");
  }
  put(truePacket(mac, { type: 3 }), "badTick", true, "badTick");
  put(truePacket(mac, { price: NaN }), "badTick", true, "badTick");
  put(edited((view) => view.setUint16(12, 0x88b5)), "notIpv4", false);
  put(edited((view) => view.setUint8(23, 132)), "notUdp", false);
  put(edited((view) => view.setUint8(14, 0x65)), "badHeader", false);
  put(edited((view) => view.setUint16(16, 19)), "badHeader", true);
  put(edited((view) => view.setUint16(16, 38)), "badUdpLength", true);
  put(edited((view) => view.setUint16(38, 7)), "badUdpLength", false);
  put(edited((view) => view.setUint16(16, 60)), "truncated", true);
  // Runts, which end at the Ethernet header, in the IPv4 and in the UDP header.
  for (const bytes of [14, 33, 41]) put(good.slice(0, bytes), "truncated", false);
  return all;
}

/** Both fragments of a tick's datagram. */
function fragments(mac: string, id: number): [Uint8Array, Uint8Array] {
  const whole = truePacket(mac), first = whole.slice(0, 50), second = new Uint8Array(14 + 20 + 6);
  second.set(whole.subarray(0, 34));
  second.set(whole.subarray(50), 34);
  for (const [packet, offset] of [[first, 0x2000], [second, 2]] as const) {
    const view = new DataView(packet.buffer);
    view.setUint16(16, packet.length - 14);
    view.setUint16(18, id);
    view.setUint16(20, offset);
    addressed(packet, mac);
  }
  return [first, second];
}

function countsOf(s: AnyStatistics): Record<string, number> {
  return { accepted: s.accepted, ...s.rejectedBy, ...s.malformedBy };
}

function noCounts(): Record<string, number> {
  return Object.fromEntries(["accepted", ...REJECTED, ...MALFORMED].map((name) => [name, 0]));
}

for (const { kind, title, args } of KINDS) {
  testNetwork(`capture by ${title} counts by verdict what tcpreplay sends`, {}, async (testbed) => {
    const mac = await macOf(testbed, "right"), packets = zoo(mac);
    const filter = new PacketFilter({
      destinationPort: 5001,
      destinationAddress: addressOf(ADDRESS.right),
    });
    const expected = noCounts(), wire: Uint8Array[] = [];
    for (const { packet, count, packetIs, xdpTakes, udpIs } of packets) {
      const wanted = { port: 5001, address: addressOf(ADDRESS.right), payloadBytes: 14 };
      assertEquals(referenceVerdict(packet, wanted).verdict, VERDICT[packetIs]);
      const judged = filter.judge(packet, 0, packet.length);
      if (packetIs !== "badTick") assertEquals(judged > 0 ? 0 : -judged, VERDICT[packetIs]);
      for (let i = 0; i < count; i++) wire.push(packet);
      const verdict = kind === "udp" ? udpIs : kind === "packet" || xdpTakes ? packetIs : undefined;
      if (verdict) expected[verdict] += count;
    }
    for (let id = 1; id <= 5; id++) wire.push(...fragments(mac, id));
    if (kind === "packet") expected.fragment = 10;
    if (kind === "udp") expected.accepted += 5; // the stack puts them together
    using file = TemporaryFile.of(wire.map((bytes, i) => ({ bytes, atNs: i * 1000 })));
    const capture = await startCapture(testbed, [...args, ...WANTED]);
    assertEquals(await replay(testbed, file.path, "--pps=2000"), wire.length);
    const s = finalOf(await stopCapture(capture));
    assertEquals(countsOf(s), expected);
    // Also of tagged packets, whose tag the kernel may have taken out.
    if (kind === "packet") {
      assertEquals(s.bytes, wire.reduce((sum, { length }) => sum + length, 0));
    }
    const received = Object.values(expected).reduce((a, b) => a + b, 0);
    assertEquals([s.received, s.delivered, s.consumed, s.lost, s.starved], [
      received,
      expected.accepted,
      expected.accepted,
      0,
      kind === "udp" ? null : 0,
    ]);
  });
}

/** Commands that send to the right end, 1000 packets at 20 kHz. */
const SENDERS = [
  { title: "udp", args: ["-i", UDP_NAME], wholePackets: false },
  { title: "packet", args: ["-i", "packet:l0"], wholePackets: true },
  { title: "xdp", args: ["-i", "xdp:l0"], wholePackets: true },
];

for (const { title, args, wholePackets } of SENDERS) {
  testNetwork(`send by ${title} puts on the wire what tcpdump sees`, {}, async (testbed) => {
    const mac = await macOf(testbed, "right");
    const dump = await Dump.start(testbed, "right");
    const shape = ["-c", "1000", "-r", "20000", "-b", "32", "-d", mac];
    const addresses = ["-S", ADDRESS.left, "-D", ADDRESS.right];
    const sent = finalOf(await send(testbed, [...args, ...shape, ...addresses]));
    const seen = await dump.stop();
    assertEquals([sent.sent, seen.length], [1000, 1000]);
    if (wholePackets) {
      assertEquals(seen.reduce((sum, { bytes }) => sum + bytes.length, 0), sent.bytes);
    }
    const wanted = { port: 5001, address: addressOf(ADDRESS.right), payloadBytes: 14 };
    const payloads = seen.map(({ bytes }) => {
      assertEquals(referenceVerdict(bytes, wanted).verdict, VERDICT.accepted);
      return bytes.slice(42, 56).toString();
    });
    assertEquals(payloads, await theSame(testbed));
  });
}

/** The payloads of the sender's first 1000 packets, as a program sees them that has nothing to do with us. */
async function theSame(testbed: Testbed): Promise<string[]> {
  const child = testbed.spawn("left", ["node", "-e", NODE_RECEIVER, "1000"]);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? "";
  await send(testbed, ["-i", `udp:127.0.0.1:5009`, "-c", "1000", "-r", "20000"]);
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    text += chunk.value;
  }
  return text.trim().split("\n").slice(1);
}

/** A Node program that prints the payloads of so many datagrams. */
const NODE_RECEIVER = `
const socket = require("node:dgram").createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
let left = Number(process.argv[1]), text = "";
const done = () => { console.log(text); process.exit(0); };
socket.on("message", (tick) => {
  text += Array.from(tick).join() + "\\n";
  if (--left === 0) done();
});
socket.bind(5009, "127.0.0.1", () => console.log("bound"));
setTimeout(done, 10000);`;

/** A Node program that sends \`count\` ticks to an address, the instrument counting up. */
const NODE_SENDER = `
const [address, count] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
let sent = 0;
function next() {
  if (sent === Number(count)) return socket.close();
  const tick = Buffer.alloc(14);
  tick.writeUInt32LE(sent++, 0);
  tick[4] = 1; tick[5] = sent % 2;
  tick.writeFloatLE(100.5, 6);
  tick.writeFloatLE(3, 10);
  socket.send(tick, 5001, address, next);
}
next();`;

for (const { title, args } of KINDS) {
  testNetwork(
    `capture by ${title} has the ticks that a Node program sends`,
    {},
    async (testbed) => {
      const capture = await startCapture(testbed, [...args, "-p", "5001"]);
      await testbed.must("left", "node", "-e", NODE_SENDER, ADDRESS.right, "2000");
      const s = finalOf(await stopCapture(capture));
      assertEquals([s.received, s.accepted, s.consumed, s.lost], [2000, 2000, 2000, 0]);
      assertEquals(s.engine.instruments, 2000);
    },
  );
}
