/** Capture files of every shape, as a port reads them: packets, times, link types. */

import { assert, assertEquals } from "@std/assert";
import { PacketCapture } from "../capture/packet_capture.ts";
import { RECORDS_WORD, TickRing } from "../engine/tick_ring.ts";
import { openPort } from "../ffi/open_port.ts";
import { RING, SLOT_WORDS } from "../ffi/layout.ts";
import { RX } from "../ffi/port.ts";
import {
  Blocks,
  Files,
  type Given,
  join,
  openFile,
  type Option,
  type Packet,
  packetOf,
  pcapFile,
  takeAll,
} from "./capture_files.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { withSeeds } from "./engine_seed.ts";
import { tickPacket } from "./packets.ts";

const CHUNKS = [1, 3, 61, 100, 4096, undefined];
const RESOLUTION = 9, FCS = 13, OFFSET = 14;
const MADE = [0x02, 0, 0, 0, 0, 0];

/** Packets of random sizes at random times, in whole microseconds where `micro`. */
function randomPackets(random: () => number, count: number, micro: boolean, sizes = 200): Packet[] {
  let second = 1_700_000_000;
  return Array.from({ length: count }, (_, i) => {
    second += random() % 3;
    const nanosecond = micro ? random() % 1_000_000 * 1000 : random() % 1_000_000_000;
    const bytes = packetOf(random(), random() % 4 === 0 ? 60 : random() % sizes);
    return { bytes, second, nanosecond, original: bytes.length + (i % 5 === 0 ? 9 : 0) };
  });
}

function units({ second, nanosecond }: Packet, perSecond: bigint, offset = 0n): bigint {
  return (BigInt(second) - offset) * perSecond + BigInt(nanosecond) * perSecond / 1_000_000_000n;
}

function assertSame({ packets, error }: Given, expected: Packet[], what: string): void {
  assertEquals(error, undefined, what);
  assertEquals(packets.length, expected.length, what);
  packets.forEach((packet, i) => {
    const { bytes, second, nanosecond } = expected[i];
    assertEquals(
      packet,
      { bytes: bytes.slice(0, 65535), second, nanosecond },
      `${what}, packet ${i}`,
    );
  });
}

/* ---- pcap ---- */

for (const big of [false, true]) {
  for (const nano of [false, true]) {
    const what = `${big ? "big" : "little"}-endian ${nano ? "nano" : "micro"}seconds`;
    Deno.test(`PcapPort reads pcap files in ${what}, whatever the alignment and the chunks`, () =>
      withSeeds(import.meta.url, (random) => {
        using files = new Files();
        const packets = randomPackets(random, 300, !nano);
        const file = pcapFile({ big, nano }, packets);
        for (const chunk of CHUNKS) {
          assertSame(files.read(file, chunk), packets, `chunks of ${chunk}`);
          assertSame(files.read(file, chunk, 7), packets, `chunks of ${chunk}, 7 at a time`);
        }
      }));
  }
}

Deno.test("PcapPort reads an empty, a one-packet and a many-ringfuls pcap file", () => {
  using files = new Files();
  for (const count of [0, 1, 1022, 1023, 1024, 1025, 5000]) {
    const packets = Array.from({ length: count }, (_, i) => ({
      bytes: packetOf(i, 60 + i % 2),
      second: i,
      nanosecond: 1000 * i,
    }));
    assertSame(files.read(pcapFile({}, packets)), packets, `${count} packets`);
  }
});

Deno.test("PcapPort reads packets up to 262144 bytes, of which a slot shows 65535", () => {
  using files = new Files();
  const sizes = [65534, 65535, 65536, 65537, 262143, 262144, 1, 0, 262144];
  const packets = sizes.map((size, i) => ({ bytes: packetOf(i, size), second: i, nanosecond: 0 }));
  for (const chunk of [5000, undefined]) {
    assertSame(files.read(pcapFile({}, packets), chunk), packets, `chunks of ${chunk}`);
    const b = new Blocks(true);
    const blocks = packets.map((packet) => b.enhanced(0, units(packet, 1_000_000n), packet));
    const file = join([b.section(), b.interface(1), ...blocks]);
    assertSame(files.read(file, chunk), packets, `pcapng, chunks of ${chunk}`);
  }
});

Deno.test("PcapPort carries a fraction of a second and more over, and reads times up to 2106", () => {
  using files = new Files();
  const bytes = packetOf(1, 60);
  const over = [{ bytes, second: 5, nanosecond: 3_000_000_007 }];
  const { packets } = files.read(pcapFile({ nano: true }, over));
  assertEquals(packets, [{ bytes, second: 8, nanosecond: 7 }]);
  const late = [{ bytes, second: 0xffffffff, nanosecond: 999_999_999 }];
  assertSame(files.read(pcapFile({ nano: true }, late)), late, "2106");
});

Deno.test("PcapPort leaves the FCS out where a pcap file says that there is one", () => {
  using files = new Files();
  const packets = [
    { bytes: packetOf(1, 64), second: 1, nanosecond: 0 },
    { bytes: packetOf(2, 62), second: 1, nanosecond: 0, original: 64 },
    { bytes: packetOf(3, 40), second: 1, nanosecond: 0, original: 64 },
    { bytes: packetOf(4, 3), second: 1, nanosecond: 0 },
  ];
  const lengths = (link: number) =>
    files.read(pcapFile({ link }, packets)).packets.map(({ bytes }) => bytes.length);
  assertEquals(lengths(0x24000001), [60, 60, 40, 0]);
  assertEquals(lengths(0x20000001), [64, 62, 40, 3]); // the bit that says so is not set
  const b = new Blocks(false);
  for (const value of [4, 32]) {
    const file = join([
      b.section(),
      b.interface(1, [[FCS, Uint8Array.of(value)]]),
      ...packets.map((packet) => b.enhanced(0, 0n, packet)),
    ]);
    assertEquals(files.read(file).packets.map(({ bytes }) => bytes.length), [60, 60, 40, 0]);
  }
});

/* ---- pcapng ---- */

for (const big of [false, true]) {
  Deno.test(`PcapPort reads ${big ? "big" : "little"}-endian pcapng files: every kind of block, any resolution`, () =>
    withSeeds(import.meta.url, (random) => {
      using files = new Files();
      const { file, packets } = pcapngFile(random, new Blocks(big));
      for (const chunk of CHUNKS) {
        assertSame(files.read(file, chunk), packets, `chunks of ${chunk}`);
        assertSame(files.read(file, chunk, 5), packets, `chunks of ${chunk}, 5 at a time`);
      }
    }));
}

/** A section with interfaces of several resolutions and blocks in random order. */
function pcapngFile(random: () => number, b: Blocks): { file: Uint8Array; packets: Packet[] } {
  const clocks: { perSecond: bigint; offset: bigint; options: Option[] }[] = [
    { perSecond: 10n ** 6n, offset: 0n, options: [] },
    ...[0, 3, 6, 7, 9, 10].map((v) => ({
      perSecond: 10n ** BigInt(v),
      offset: 0n,
      options: [[RESOLUTION, Uint8Array.of(v)]] as Option[],
    })),
    ...[0, 10, 20, 31, 32].map((v) => ({
      perSecond: 2n ** BigInt(v),
      offset: 0n,
      options: [[RESOLUTION, Uint8Array.of(0x80 | v)]] as Option[],
    })),
    ...[1_600_000_000n, -1000n].map((offset) => ({
      perSecond: 10n ** 9n,
      offset,
      options: [[2, packetOf(1, 5)], [RESOLUTION, Uint8Array.of(9)], [
        OFFSET,
        b.long(offset),
      ]] as Option[],
    })),
  ];
  const pieces = [b.section([[4, packetOf(1, 7)]])], packets: Packet[] = [];
  clocks.forEach(({ options }) => pieces.push(b.interface(1, options)));
  let last = { second: 0, nanosecond: 0 };
  for (const packet of randomPackets(random, 400, false)) {
    const id = random() % 3 === 0 ? random() % clocks.length : 0;
    const { perSecond, offset } = clocks[id], count = units(packet, perSecond, offset);
    const kind = random() % 8;
    if (kind === 0) {
      pieces.push(b.block(5, packetOf(2, random() % 90)), b.block(0x80001234, packetOf(1, 9)));
    }
    if (kind === 1) pieces.push(b.simple({ ...packet, original: packet.bytes.length }));
    else if (kind === 2) pieces.push(b.obsolete(id, count, packet));
    else pieces.push(b.enhanced(id, count, packet, kind === 3 ? [[1, packetOf(3, 11)]] : []));
    if (kind !== 1) last = timeOf(count, perSecond, offset);
    packets.push({ ...packet, ...last });
  }
  return { file: join(pieces), packets };
}

function timeOf(count: bigint, perSecond: bigint, offset: bigint) {
  return {
    second: Number(count / perSecond + offset),
    nanosecond: Number(count % perSecond * 1_000_000_000n / perSecond),
  };
}

Deno.test("PcapPort reads pcapng sections one after the other, each with its byte order and interfaces", () =>
  withSeeds(import.meta.url, (random) => {
    using files = new Files();
    const parts = [false, true, true, false].map((big) => pcapngFile(random, new Blocks(big)));
    const file = join(parts.map((part) => part.file));
    const packets = parts.flatMap((part) => part.packets);
    // Simple packets that begin a section have the last time of the one before.
    let last = { second: 0, nanosecond: 0 };
    for (const packet of packets) {
      if (packet.second === 0) Object.assign(packet, last);
      last = { second: packet.second, nanosecond: packet.nanosecond };
    }
    for (const chunk of CHUNKS) assertSame(files.read(file, chunk), packets, `chunks of ${chunk}`);
  }));

Deno.test("PcapPort reads simple packets cut at their interface's snap length", () => {
  using files = new Files();
  const b = new Blocks(false), packet = { bytes: packetOf(1, 20), second: 0, nanosecond: 0 };
  const file = join([
    b.section(),
    b.interface(1, [], 20),
    b.simple({ ...packet, original: 1500 }),
    b.simple({ ...packet, bytes: packetOf(1, 8) }),
  ]);
  assertSame(files.read(file), [packet, { ...packet, bytes: packetOf(1, 8) }], "snap length 20");
});

/** Captured and original length of a file's packets, of which a ring has room for all. */
function lengthsOf(file: string): [captured: number, original: number][] {
  const port = openFile(file), ring = port.rx[0];
  port.rxSync();
  const lengths = Array.from({ length: ring.words[ring.at + RING.tail] }, (_, i) => {
    const captured = ring.words[ring.slotsAt + i * SLOT_WORDS + 1];
    return [captured, ring.originals![i]] as [number, number];
  });
  port.close();
  return lengths;
}

Deno.test("PcapPort knows the original length of packets that were cut, as Ethernet packets without FCS", () => {
  using files = new Files();
  const sizes = [[61, 1514], [62, 62], [63, 9000], [64, 65], [70_000, 80_000]];
  const packets = sizes.map(([captured, original], i) => (
    { bytes: packetOf(i, captured), original, second: 3, nanosecond: 0 }
  ));
  const expected = (growth: number, fcs = 0) =>
    sizes.map(([captured, original]) => [
      Math.min(captured + growth, original + growth - fcs, 65_535),
      original + growth - fcs,
    ]);
  for (const big of [false, true]) {
    for (const [link, growth] of [[1, 0], [101, 14], [113, -2], [276, -6]]) {
      const path = files.write(pcapFile({ big, link }, packets));
      assertEquals(lengthsOf(path), expected(growth));
    }
    assertEquals(
      lengthsOf(files.write(pcapFile({ big, link: 0x24000001 }, packets))),
      expected(0, 4),
    );
    const b = new Blocks(big), raw = b.interface(101), eth = b.interface(1);
    const blocksOf = (id: number) => packets.map((packet) => b.enhanced(id, 3_000_000n, packet));
    const mixed = join([b.section(), eth, raw, ...blocksOf(0), ...blocksOf(1)]);
    assertEquals(lengthsOf(files.write(mixed)), [...expected(0), ...expected(14)]);
    const fcs = b.interface(1, [[FCS, Uint8Array.of(4)]]);
    assertEquals(lengthsOf(files.write(join([b.section(), fcs, ...blocksOf(0)]))), expected(0, 4));
    const simple = b.simple({ ...packets[0], original: 1500 });
    const cut = join([b.section(), b.interface(1, [], 61), simple, b.obsolete(0, 3n, packets[2])]);
    assertEquals(lengthsOf(files.write(cut)), [[61, 1500], [63, 9000]]);
  }
});

Deno.test("PcapPort reads blocks with options of up to 16 MiB", () => {
  using files = new Files();
  const comment: Option = [1, new Uint8Array(65_000)], most = 16 * 1024 * 1024;
  const one = { bytes: packetOf(1, 61), second: 3, nanosecond: 5 };
  for (const big of [false, true]) {
    const b = new Blocks(big), comments = Array(100).fill(comment);
    const ns: Option = [9, Uint8Array.of(9)];
    const packets = [
      b.enhanced(0, 3_000_000_005n, one, comments),
      b.enhanced(0, 3_000_000_005n, one),
    ];
    const head = [b.section(comments), b.interface(1, [...comments.slice(0, 8), ns])];
    const largest = b.block(0x0bad, new Uint8Array(most - 12));
    const file = join([...head, ...packets, ...packets, largest, ...packets]);
    for (const chunk of [65_536, undefined]) {
      const { packets: given, error } = files.read(file, chunk);
      assertEquals([error, given], [undefined, Array(6).fill(one)]);
    }
  }
});

Deno.test("PcapPort needs no more memory for many large blocks than for one", () => {
  using files = new Files();
  const b = new Blocks(false), comments: Option[] = Array(200).fill([1, new Uint8Array(65_000)]);
  const one = { bytes: packetOf(1, 61), second: 3, nanosecond: 0 };
  const large = b.enhanced(0, 3_000_000n, one, comments); // 13 MB
  const path = files.write(join([b.section(), b.interface(1), large])),
    before = Deno.memoryUsage().rss;
  const { packets } = takeAll(openFile(path, { loop: 40 }));
  assertEquals(packets.length, 40);
  const grown = Deno.memoryUsage().rss - before;
  assert(grown < 8e6, `${grown / 1e6} MB more`);
});

Deno.test("PcapPort passes over blocks of unknown types", () => {
  using files = new Files();
  const packet = { bytes: packetOf(1, 61), second: 3, nanosecond: 0 };
  for (const big of [false, true]) {
    const b = new Blocks(big), packets = [packet, packet];
    const one = b.enhanced(0, 3_000_000n, packet);
    const large = b.block(0x0bad, new Uint8Array(3_000_001));
    const file = join([b.section(), b.interface(1), one, large, one]);
    for (const chunk of [1009, undefined]) assertSame(files.read(file, chunk), packets, `${chunk}`);
  }
});

Deno.test("PcapPort gives times before 1970 as 0 and after 2106 as their ends", () => {
  using files = new Files();
  const b = new Blocks(false), packet = { bytes: packetOf(1, 60), second: 0, nanosecond: 0 };
  const early = b.interface(1, [[OFFSET, b.long(-10n)]]);
  const file = join([
    b.section(),
    early,
    b.enhanced(0, 5_500_000n, packet),
    b.enhanced(0, 11_500_000n, packet),
    b.enhanced(0, 2n ** 64n - 1n, packet),
  ]);
  assertEquals(files.read(file).packets.map(({ second, nanosecond }) => [second, nanosecond]), [
    [0, 0],
    [1, 500_000_000],
    [0xffffffff, 0],
  ]);
});

/* ---- link types ---- */

const IPV4 = Uint8Array.of(0x45, 0, 0, 40), IPV6 = Uint8Array.of(0x60, 0, 0, 0);

/** For each link type: a packet as captured, and what it must become. */
function linkCases(
  random: () => number,
): [link: number, captured: Uint8Array, becomes: Uint8Array][] {
  const rest = packetOf(random(), random() % 90);
  const v4 = join([IPV4, rest]), v6 = join([IPV6, rest]), odd = join([Uint8Array.of(0x15), rest]);
  const made = (type: number, payload: Uint8Array, source = MADE, destination = MADE) =>
    join([Uint8Array.of(...destination, ...source, type >> 8, type & 255), payload]);
  const own = [1, 2, 3, 4, 5, 6], all = [255, 255, 255, 255, 255, 255];
  const cooked = (kind: number, size: number, protocol: number) =>
    Uint8Array.of(0, kind, 0, 1, 0, size, ...own, 0, 0, protocol >> 8, protocol & 255);
  const cooked2 = (kind: number, size: number, protocol: number) =>
    Uint8Array.of(protocol >> 8, protocol & 255, 0, 0, 0, 0, 0, 2, 0, 1, kind, size, ...own, 0, 0);
  return [
    ...[101, 12, 14].flatMap((link): [number, Uint8Array, Uint8Array][] => [
      [link, v4, made(0x0800, v4)],
      [link, v6, made(0x86dd, v6)],
      [link, odd, made(0xffff, odd)],
      [link, new Uint8Array(0), made(0xffff, new Uint8Array(0))],
    ]),
    [228, v4, made(0x0800, v4)],
    [229, v6, made(0x86dd, v6)],
    ...[cooked, cooked2].flatMap((header, i): [number, Uint8Array, Uint8Array][] => {
      const link = [113, 276][i];
      return [
        [link, join([header(0, 6, 0x0800), v4]), made(0x0800, v4, own)],
        [link, join([header(1, 6, 0x0806), odd]), made(0x0806, odd, own, all)],
        [link, join([header(4, 0, 0x86dd), v6]), made(0x86dd, v6)],
        [link, join([header(4, 8, 0x0004), rest]), made(0x0004, rest)],
        [link, header(0, 6, 0x0800).slice(0, 15), new Uint8Array(0)],
      ];
    }),
    ...[
      [2, 0x0800],
      [10, 0x86dd],
      [23, 0x86dd],
      [24, 0x86dd],
      [28, 0x86dd],
      [30, 0x86dd],
      [7, 0xffff],
    ].flatMap(([family, type]): [number, Uint8Array, Uint8Array][] => [
      [0, join([Uint8Array.of(family, 0, 0, 0), v4]), made(type, v4)],
      [0, join([Uint8Array.of(0, 0, 0, family), v4]), made(type, v4)],
      [108, join([Uint8Array.of(0, 0, 0, family), v4]), made(type, v4)],
    ]),
    [108, join([Uint8Array.of(2, 0, 0, 0), v4]), made(0xffff, v4)],
    [0, Uint8Array.of(2, 0, 0), new Uint8Array(0)],
  ];
}

Deno.test("PcapPort gives raw IP, Linux cooked and loopback packets an Ethernet header, at any alignment", () =>
  withSeeds(import.meta.url, (random) => {
    using files = new Files();
    for (const link of [101, 12, 14, 228, 229, 113, 276, 0, 108]) {
      const cases = Array.from({ length: 20 }, () => linkCases(random)).flat()
        .filter(([type]) => type === link);
      const captured = cases.map(([, bytes], i) => ({ bytes, second: i, nanosecond: 0 }));
      const expected = cases.map(([, , bytes], i) => ({ bytes, second: i, nanosecond: 0 }));
      for (const chunk of [64, undefined]) {
        for (const big of [false, true]) {
          const given = files.read(pcapFile({ big, link }, captured), chunk);
          assertSame(given, expected, `link type ${link}, big-endian ${big}, chunks of ${chunk}`);
        }
      }
    }
  }));

Deno.test("PcapPort reads a pcapng file whose interfaces have different link types, simple packets too", () =>
  withSeeds(import.meta.url, (random) => {
    using files = new Files();
    const cases = Array.from({ length: 10 }, () => linkCases(random)).flat();
    const links = [...new Set(cases.map(([link]) => link))];
    for (const big of [false, true]) {
      const b = new Blocks(big);
      const interfaces = links.map((link) => b.interface(link));
      const shuffled = cases.toSorted(() => random() % 2 - 0.5);
      const file = join([
        b.section(),
        ...interfaces,
        b.interface(105), // has no packets, so it does no harm
        ...shuffled.map(([link, bytes]) =>
          links.indexOf(link) === 0 && bytes.length % 2 === 1
            ? b.simple({ bytes, second: 0, nanosecond: 0 })
            : b.enhanced(links.indexOf(link), 0n, { bytes, second: 0, nanosecond: 0 })
        ),
      ]);
      const expected = shuffled.map(([, , bytes]) => ({ bytes, second: 0, nanosecond: 0 }));
      for (const chunk of CHUNKS) {
        assertSame(files.read(file, chunk), expected, `chunks of ${chunk}`);
      }
    }
  }));

/* ---- the port ---- */

Deno.test("PcapPort says what it is, and loses nothing", () => {
  using files = new Files();
  const modes: [Uint8Array, string][] = [
    [pcapFile({ nano: true }, []), "pcap, nanoseconds, Ethernet"],
    [pcapFile({ big: true, link: 113 }, []), "pcap, big-endian, microseconds, Linux cooked v1"],
    [new Blocks(true).section(), "pcapng, big-endian"],
    [new Blocks(false).section(), "pcapng, little-endian"],
  ];
  for (const [bytes, mode] of modes) {
    const path = files.write(bytes), port = openPort(`pcap:${path}`, RX);
    assertEquals(
      [port.mode, port.name, port.source, port.patient, port.ended],
      [mode, `pcap:${path}`, path, true, false],
    );
    assertEquals([port.tx.length, port.rx.length, port.lost(), port.starved()], [0, 1, 0, 0]);
    assertEquals(port.counts(), { lost: 0, starved: 0, rejectedEarly: 0 });
    assert(port.rx[0].hasTimes && !port.rx[0].hasOffsets);
    assert(port.rxSync() >= 0 && port.clock() >= 0);
    assertEquals(port.ended, true);
    const { words } = port.rx[0];
    port.close();
    port.close();
    assertEquals(words.length, 0);
  }
});

Deno.test("PcapPort has ended only once its last packet is released", () => {
  using files = new Files();
  const packets = [1, 2, 3].map((i) => ({ bytes: packetOf(i, 60), second: i, nanosecond: 0 }));
  const port = openFile(files.write(pcapFile({}, packets))), { words, at } = port.rx[0];
  port.rxSync();
  for (let head = 1; head <= 3; head++) {
    assertEquals(port.ended, false);
    words[at + 5] = head;
    port.rxSync();
  }
  assertEquals(port.ended, true);
  assertEquals(takeAll(port).packets, []);
});

Deno.test("PacketCapture takes every tick of a file, aligned or not, in order", () => {
  using files = new Files();
  for (const paddings of [[4], [5], [0, 1, 2, 3, 4, 4, 4, 4]]) {
    const packets = Array.from({ length: 10_000 }, (_, i) => ({
      bytes: tickPacket({ instrument: i, padding: paddings[i % paddings.length] }),
      second: i,
      nanosecond: 0,
    }));
    const port = openFile(files.write(pcapFile({}, packets))), ticks = TickRing.create(16384);
    const filter = new PacketFilter({ destinationPort: 5001 });
    const capture = new PacketCapture({ port, filter, ticks });
    capture.warmUp(10_000);
    while (!port.ended) capture.pump();
    port.close();
    const { received, accepted, delivered } = capture.state.read();
    assertEquals([received, accepted, delivered], [10_000, 10_000, 10_000]);
    for (let i = 0; i < 10_000; i++) assertEquals(ticks.words[RECORDS_WORD + i * 4], i);
  }
});
