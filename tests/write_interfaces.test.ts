/**
 * `capture --write` on the interfaces of a test network: what tcpreplay sends is in the file, byte for byte.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { Files } from "./capture_files.ts";
import { type AnyStatistics, finalOf, run } from "./command.ts";
import {
  macOf,
  replay,
  startCapture,
  stopCapture,
  TemporaryFile,
  testNetwork,
  truePacket,
} from "./foreign.ts";
import type { ParsedFile } from "./pcapng_parser.ts";
import type { Testbed, TestbedOptions } from "./testbed.ts";
import { checkWritten, interfacesOf, noTshark } from "./written_files.ts";

const GAP_NS = 500_000;

function testWritten(
  name: string,
  options: TestbedOptions,
  fn: (testbed: Testbed, files: Files) => Promise<void>,
): void {
  if (noTshark !== undefined) {
    return Deno.test.ignore(`capture --write ${name}${noTshark}`, () => {});
  }
  testNetwork(`capture --write ${name}`, options, async (testbed) => {
    using files = new Files();
    await fn(testbed, files);
  });
}

/** What a test sends, and what becomes of it. */
interface Sent {
  bytes: Uint8Array;
  is: "accepted" | "malformed" | "other";
}

/** Ticks of many sizes, some malformed, some for another port. */
function mixed(mac: string, count: number): Sent[] {
  return Array.from({ length: count }, (_, i) => {
    const choice = { instrument: i, padding: i * 7 % 200 };
    if (i % 5 === 3) return { bytes: truePacket(mac, { ...choice, type: 3 }), is: "malformed" };
    if (i % 5 === 4) return { bytes: truePacket(mac, { ...choice, port: 5002 }), is: "other" };
    return { bytes: truePacket(mac, choice), is: "accepted" };
  });
}

function fileOf(packets: { bytes: Uint8Array }[]): TemporaryFile {
  return TemporaryFile.of(packets.map(({ bytes }, i) => ({ bytes, atNs: i * GAP_NS })));
}

function nowNs(ms = 0): bigint {
  return BigInt(Date.now() + ms) * 1_000_000n;
}

/** The packets that should be in a file are, and their times are in order and within the run. */
function assertWritten(parsed: ParsedFile, expected: Sent[], [from, to]: [bigint, bigint]): void {
  assertEquals(parsed.packets.map(({ bytes }) => bytes), expected.map(({ bytes }) => bytes));
  parsed.packets.reduce((last, { ns }) => (assert(ns >= last && ns < to), ns), from);
}

async function assertReplays(file: string, s: AnyStatistics): Promise<void> {
  const again = finalOf(await run("capture", ["-i", `pcap:${file}`, "-p", "5001", "--json"]));
  for (const field of ["received", "bytes", "accepted", "rejectedBy", "malformedBy"]) {
    assertEquals(again[field], s[field], field);
  }
}

testWritten(
  "of packet: has what tcpreplay sends, with each packet's time",
  {},
  async (testbed, files) => {
    const packets = mixed(await macOf(testbed, "right"), 500), from = nowNs();
    using source = fileOf(packets);
    const names = ["accepted", "all"].map((name) => `${files.directory}/${name}.pcapng`);
    const args = ["-i", "packet:r0", "-p", "5001", "--wait", "poll", "--write"];
    const captures = [
      await startCapture(testbed, [...args, names[0]]),
      await startCapture(testbed, [...args, names[1], "--write-all"]),
    ];
    assertEquals(await replay(testbed, source.path, "--pps=2000"), packets.length);
    const s = await Promise.all(
      captures.map(async (capture) => finalOf(await stopCapture(capture))),
    );
    const run: [bigint, bigint] = [from, nowNs(1)];
    for (const [i, name] of names.entries()) {
      const parsed = checkWritten(name, s[i]);
      assertEquals([s[i].received, s[i].accepted, s[i].lost, s[i].write.missed], [500, 300, 0, 0]);
      assertWritten(parsed, packets.filter(({ is }) => i === 1 || is === "accepted"), run);
      const [[interfaceName, description]] = interfacesOf(parsed);
      assertEquals(interfaceName, "r0");
      assertMatch(description, /^packet:r0 \(AF_PACKET, TPACKET_V3.*\)$/);
      // Those of a burst would be the same, and the kernel shows several packets at a time.
      const { packets: written } = parsed,
        gaps = written.slice(1).map(({ ns }, k) => ns - written[k].ns);
      assert(gaps.every((gap) => gap > 0n));
      const spanNs = Number(written.at(-1)!.ns - written[0].ns);
      assertGreater(spanNs, 490 * GAP_NS * 0.95);
      assertLess(spanNs, 500 * GAP_NS + 100e6);
    }
    await assertReplays(names[1], s[1]);
  },
);

/** Ticks with padding that fill one buffer of an xdp port, and a few: one more byte takes one more. */
function jumbo(mac: string): Sent[] {
  return [1736, 1737, 3000, 3528, 3529, 8900, 0].map((padding, instrument) => {
    const bytes = truePacket(mac, { instrument, padding });
    for (let i = 56; i < bytes.length; i++) bytes[i] = i * 31 + instrument;
    return { bytes, is: bytes.length > 1792 ? "malformed" : "accepted" };
  });
}

for (const mode of ["native", "generic"]) {
  testWritten(
    `of xdp: in ${mode} mode has what its program takes, jumbo packets as one`,
    { mtu: 9000 },
    async (testbed, files) => {
      const mac = await macOf(testbed, "right"), from = nowNs();
      const packets = [...mixed(mac, 500), ...jumbo(mac), ...mixed(mac, 10)];
      using source = fileOf(packets);
      // The program leaves what the filter cannot want to the kernel.
      const taken = packets.filter(({ is }) => is !== "other");
      const file = `${files.directory}/x.pcapng`;
      const args = ["-i", "xdp:r0", "--xdp-mode", mode, "-p", "5001", "--write", file];
      const capture = await startCapture(testbed, [...args, "--write-all"]);
      assertEquals(await replay(testbed, source.path, "--pps=5000"), packets.length);
      const s = finalOf(await stopCapture(capture)), parsed = checkWritten(file, s);
      assertEquals([s.received, s.lost, s.write.missed], [taken.length, 0, 0]);
      assertEquals(s.malformedBy.split, 5);
      assertWritten(parsed, taken, [from, nowNs(1)]);
      const [[name, description]] = interfacesOf(parsed);
      assertEquals([name, description.startsWith("xdp:r0 (")], ["r0", true]);
      assertMatch(description, new RegExp(mode));
    },
  );
}

const FLOWS = 32, PACKETS = 1024;
const isTick = (number: number) => number % 9 !== 0;
const TICKS = Array.from({ length: PACKETS }, (_, i) => i).filter(isTick).length;

for (const kind of ["xdp", "packet"]) {
  testWritten(
    `of ${kind}: --rings all has the packets of two queues in one file`,
    { queues: 2 },
    async (testbed, files) => {
      const mac = await macOf(testbed, "right"), file = `${files.directory}/x.pcapng`;
      const packets = Array.from({ length: PACKETS }, (_, i) => {
        const bytes = truePacket(mac, { instrument: i, padding: i % 9, type: isTick(i) ? 0 : 3 });
        new DataView(bytes.buffer).setUint16(34, 20_000 + i % FLOWS);
        return { bytes };
      });
      using source = fileOf(packets);
      const args = ["-i", `${kind}:r0`, "-p", "5001", "--rings", "all", "--write", file];
      const capture = await startCapture(testbed, args);
      assertEquals(await replay(testbed, source.path, "--pps=10000"), PACKETS);
      const s = finalOf(await stopCapture(capture)), parsed = checkWritten(file, s);
      assertEquals([s.received, s.accepted], [PACKETS, TICKS]);
      assertEquals([s.write.packets, s.write.missed], [TICKS, 0]);
      const ports = s.queues.map(({ port }: { port: string }) => port);
      interfacesOf(parsed).forEach(([name, description], i) => {
        assertEquals([name, description.startsWith(`${ports[i]} (`)], ["r0", true], description);
      });
      const numberOf = (bytes: Uint8Array) =>
        new DataView(bytes.buffer, bytes.byteOffset).getUint32(42, true);
      const homes = new Map<number, number>(), last = [-1, -1];
      for (const { interfaceId, bytes } of parsed.packets) {
        const number = numberOf(bytes), home = homes.get(number % FLOWS) ?? interfaceId;
        homes.set(number % FLOWS, home);
        assertEquals([interfaceId, bytes], [home, packets[number].bytes]);
        assert(isTick(number));
        assertGreater(number, last[interfaceId], "out of order");
        last[interfaceId] = number;
      }
      assertEquals(new Set(parsed.packets.map(({ bytes }) => numberOf(bytes))).size, TICKS);
      assertEquals(new Set(homes.values()).size, 2);
    },
  );
}
