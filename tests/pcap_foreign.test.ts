/** Capture files against the programs that everybody uses: tshark, capinfos, editcap, mergecap, tcpdump. */

import { assertEquals } from "@std/assert";
import {
  Blocks,
  Files,
  join,
  openFile,
  type Packet,
  packetOf,
  pcapFile,
  takeAll,
} from "./capture_files.ts";
import { withSeeds } from "./engine_seed.ts";

const PROGRAMS = ["tshark", "capinfos", "editcap", "mergecap", "tcpdump"];
const missing = PROGRAMS.filter((program) => !isThere(program));

function isThere(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((directory) => {
    try {
      return Deno.statSync(`${directory}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

function testWithPrograms(sentence: string, fn: () => Promise<void>): void {
  const why = missing.length > 0 ? ` (no ${missing.join(", ")} here)` : "";
  Deno.test({ name: `PcapPort ${sentence}${why}`, ignore: missing.length > 0, fn });
}

async function run(program: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(program, { args, env: { TZ: "UTC", LC_ALL: "C" } });
  const { code, stdout, stderr } = await command.output();
  if (code !== 0) throw new Error(`${program} ${args}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Packets as tshark sees them: time, bytes on the wire or captured. */
async function byTshark(path: string): Promise<{ time: string; length: number; bytes: string }[]> {
  const fields = ["frame.time_epoch", "frame.cap_len"].flatMap((field) => ["-e", field]);
  const [lines, dump] = await Promise.all([
    run("tshark", "-n", "-r", path, "-T", "fields", ...fields),
    run("tshark", "-n", "-r", path, "-T", "jsonraw", "-j", "frame"),
  ]);
  const raw = JSON.parse(dump) as { _source: { layers: { frame_raw: [string] } } }[];
  return lines.trim().split("\n").map((line, i) => {
    const [time, length] = line.split("\t");
    return { time, length: Number(length), bytes: raw[i]._source.layers.frame_raw[0] };
  });
}

function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

function timeOf({ second, nanosecond }: Packet): string {
  return `${second}.${String(nanosecond).padStart(9, "0")}`;
}

async function compare(path: string): Promise<Packet[]> {
  const { packets, error } = takeAll(openFile(path));
  assertEquals(error, undefined);
  const theirs = await byTshark(path);
  assertEquals(
    packets.map((packet) => ({
      time: timeOf(packet),
      length: packet.bytes.length,
      bytes: hex(packet.bytes),
    })),
    theirs,
  );
  const infos = await run("capinfos", "-M", "-c", "-d", "-T", "-r", path);
  const [, count, bytes] = infos.trim().split("\t");
  assertEquals(Number(count), packets.length);
  assertEquals(Number(bytes), packets.reduce((sum, packet) => sum + packet.bytes.length, 0));
  return packets;
}

/** Ethernet packets of at least 14 bytes, with an EtherType that no dissector knows. */
function ethernet(random: () => number, count: number, micro: boolean): Packet[] {
  return Array.from({ length: count }, (_, i) => {
    const bytes = packetOf(i, 60 + random() % 200);
    bytes.set([0x88, 0xb5], 12);
    const nanosecond = micro ? random() % 1_000_000 * 1000 : random() % 1_000_000_000;
    return { bytes, second: 1_700_000_000 + i, nanosecond };
  });
}

testWithPrograms(
  "reads what tshark and capinfos read in the same pcap files",
  () =>
    withSeeds(import.meta.url, async (random) => {
      using files = new Files();
      for (const big of [false, true]) {
        for (const nano of [false, true]) {
          const packets = ethernet(random, 50, !nano);
          assertEquals(await compare(files.write(pcapFile({ big, nano }, packets))), packets);
        }
      }
    }),
);

testWithPrograms(
  "reads what tshark and capinfos read in the same pcapng files",
  () =>
    withSeeds(import.meta.url, async (random) => {
      using files = new Files();
      const parts = [false, true].map((big) => {
        const b = new Blocks(big), packets = ethernet(random, 50, false);
        const clocks = [6, 9, 3, 0x80 | 10].map((v) =>
          b.interface(1, [[9, Uint8Array.of(v)]], 262144)
        );
        const late = b.interface(1, [[14, b.long(1_600_000_000n)]], 262144);
        const per = [10n ** 6n, 10n ** 9n, 10n ** 3n, 2n ** 10n, 10n ** 6n];
        return join([
          b.section([[4, packetOf(1, 9)]]),
          ...clocks,
          late,
          ...packets.map((packet, i) => {
            const id = random() % per.length, ns = BigInt(packet.nanosecond);
            const seconds = BigInt(packet.second) - (id === 4 ? 1_600_000_000n : 0n);
            const units = seconds * per[id] + ns * per[id] / 1_000_000_000n;
            return i % 9 === 0 ? b.obsolete(id, units, packet) : b.enhanced(id, units, packet);
          }),
        ]);
      });
      for (const part of [...parts, join(parts)]) await compare(files.write(part));
    }),
);

testWithPrograms(
  "reads what editcap, mergecap and tcpdump write",
  () =>
    withSeeds(import.meta.url, async (random) => {
      using files = new Files();
      const packets = ethernet(random, 200, true), even = packets.filter((_, i) => i % 2 === 0);
      const path = files.write(pcapFile({}, packets)), half = files.write(pcapFile({}, even));
      const written = (name: string) => `${files.directory}/${name}`;
      for (const format of ["pcap", "nsecpcap", "pcapng"]) {
        await run("editcap", "-F", format, path, written(format));
        assertEquals(await compare(written(format)), packets);
      }
      await run("tcpdump", "-r", path, "-w", written("tcpdump"), "--time-stamp-precision=micro");
      assertEquals(await compare(written("tcpdump")), packets);
      await run("tcpdump", "-r", path, "-w", written("ns"), "--time-stamp-precision=nano");
      assertEquals(await compare(written("ns")), packets);
      await run(
        "mergecap",
        "-F",
        "pcapng",
        "-w",
        written("merged"),
        path,
        half,
        written("nsecpcap"),
      );
      assertEquals((await compare(written("merged"))).length, 500);
      await run("mergecap", "-a", "-F", "pcapng", "-w", written("appended"), path, half);
      assertEquals(await compare(written("appended")), [...packets, ...even]);
    }),
);

testWithPrograms(
  "sees the addresses and ports that tshark sees behind every link type",
  async () => {
    using files = new Files();
    const udp = ipv4Udp();
    const heads: [number, number[]][] = [
      [101, []],
      [12, []],
      [228, []],
      [113, [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0, 8, 0]],
      [276, [8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0]],
      [0, [2, 0, 0, 0]],
      [108, [0, 0, 0, 2]],
    ];
    for (const [link, head] of heads) {
      const bytes = join([Uint8Array.from(head), udp]);
      const path = files.write(pcapFile({ link }, [{ bytes, second: 1, nanosecond: 0 }]));
      const fields = ["ip.src", "ip.dst", "udp.srcport", "udp.dstport"].flatMap((f) => ["-e", f]);
      const theirs = await run("tshark", "-n", "-r", path, "-T", "fields", ...fields);
      const [{ bytes: ours }] = takeAll(openFile(path)).packets;
      const view = new DataView(ours.buffer);
      const address = (at: number) => [...ours.slice(at, at + 4)].join(".");
      assertEquals(view.getUint16(12), 0x0800);
      assertEquals(
        [address(26), address(30), view.getUint16(34), view.getUint16(36)].join("\t"),
        theirs.trim(),
        `link type ${link}`,
      );
    }
  },
);

/** RFC 791 and 768; without UDP checksum. */
function ipv4Udp(): Uint8Array {
  const packet = new Uint8Array(42), view = new DataView(packet.buffer);
  view.setUint32(0, 0x4500002a);
  view.setUint32(8, 0x40110000);
  view.setUint32(12, 0x0a000001);
  view.setUint32(16, 0x0a000002);
  view.setUint32(20, 4001 << 16 | 5001);
  view.setUint32(24, 22 << 16);
  return packet;
}
