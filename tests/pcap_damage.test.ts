/** Capture files that are damaged, or none at all: all packets before the damage come, then one line. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { openPort } from "../ffi/open_port.ts";
import { RX, TX } from "../ffi/port.ts";
import { PortError } from "../ffi/port_error.ts";
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

const packet = { bytes: packetOf(1, 61), second: 3, nanosecond: 0 };
const little = new Blocks(false), section = little.section(), eth = little.interface(1);
const good = little.enhanced(0, 3_000_000n, packet);

/** A copy with 32 bits changed. */
function with32(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

function isPortError(error: Error | undefined): asserts error is PortError {
  if (!(error instanceof PortError)) throw new Error(`no PortError: ${error?.stack}`);
}

/** What is wrong, where, and how many packets come before. */
const DAMAGED: [name: string, file: Uint8Array, offset: number, reason: RegExp, before: number][] =
  [
    [
      "a pcap header cut off",
      pcapFile({}, []).slice(0, 20),
      0,
      /ends within its header, of which 20/,
      0,
    ],
    [
      "a record header cut off",
      pcapFile({}, [packet, packet]).slice(0, 24 + 77 + 15),
      24 + 77,
      /ends within a record, of which 15 bytes/,
      1,
    ],
    [
      "a record's packet cut off",
      pcapFile({}, [packet, packet]).slice(0, -1),
      24 + 77,
      /ends within a record, of which 76 bytes/,
      1,
    ],
    [
      "a record too long",
      with32(pcapFile({}, [packet, packet]), 24 + 77 + 8, 262145),
      24 + 77,
      /a record of 262145 bytes, where 262144 are the most/,
      1,
    ],
    [
      "a record of a negative length",
      with32(pcapFile({}, [packet]), 24 + 8, -1),
      24,
      /a record of 4294967295 bytes/,
      0,
    ],
    [
      "a section header cut off",
      section.slice(0, 11),
      0,
      /ends within its first block, of which 11/,
      0,
    ],
    ["a section cut off", section.slice(0, 27), 0, /ends within a block, of which 27/, 0],
    ["a bad byte-order magic", with32(section, 8, 0x1a2b3c4e), 0, /byte-order magic 4e3c2b1a/, 0],
    [
      "a bad byte-order magic later",
      join([section, eth, good, with32(section, 8, 0)]),
      28 + 20 + 96,
      /byte-order magic 00000000/,
      1,
    ],
    ["an unknown version", with32(section, 12, 2), 0, /a section of version 2/, 0],
    ["a section too short", with32(section, 4, 24), 0, /a block of 24 bytes/, 0],
    [
      "a block cut off",
      join([section, eth, good, good.slice(0, 95)]),
      28 + 20 + 96,
      /ends within a block, of which 95 bytes/,
      1,
    ],
    [
      "a block of no bytes",
      join([section, eth, good, with32(little.block(9, packet.bytes), 4, 0)]),
      28 + 20 + 96,
      /a block of 0 bytes/,
      1,
    ],
    [
      "a packet block of no bytes",
      join([section, eth, with32(good, 4, 0)]),
      28 + 20,
      /a block of 0 bytes/,
      0,
    ],
    [
      "a block whose length is no multiple of 4",
      join([section, eth, with32(good, 4, 97)]),
      28 + 20,
      /a block of 97 bytes/,
      0,
    ],
    [
      "lengths that differ",
      join([section, eth, good, with32(good, 92, 100)]),
      28 + 20 + 96,
      /a block of 96 bytes says 100 at its end/,
      1,
    ],
    [
      "lengths of an unknown block that differ",
      join([section, with32(little.block(9, new Uint8Array(4)), 12, 12)]),
      28,
      /a block of 16 bytes says 12 at its end/,
      0,
    ],
    [
      "lengths of a huge block that differ",
      join([section, eth, good, with32(little.block(9, new Uint8Array(1e6)), 1e6 + 8, 12)]),
      28 + 20 + 96,
      /a block of 1000012 bytes says 12 at its end/,
      1,
    ],
    [
      "a huge block cut off",
      join([section, eth, good, little.block(9, new Uint8Array(1e6)).slice(0, 900_000)]),
      28 + 20 + 96,
      /ends within a block, of which 900000 bytes/,
      1,
    ],
    [
      "a packet larger than its block",
      join([section, eth, good, with32(good, 20, 65)]),
      28 + 20 + 96,
      /a packet of 65 bytes in a block of 96/,
      1,
    ],
    [
      "a packet larger than any",
      join([section, eth, little.enhanced(0, 0n, { ...packet, bytes: new Uint8Array(262145) })]),
      28 + 20,
      /a packet of 262145 bytes, where 262144 are the most/,
      0,
    ],
    [
      "a packet of an interface that was not described",
      join([section, eth, good, little.enhanced(1, 0n, packet)]),
      28 + 20 + 96,
      /a packet of interface 1, which was not described/,
      1,
    ],
    [
      "a packet of an interface of the section before",
      join([section, eth, good, section, good]),
      28 + 20 + 96 + 28,
      /a packet of interface 0, which was not described/,
      1,
    ],
    [
      "a simple packet without an interface",
      join([section, little.simple(packet)]),
      28,
      /a packet of interface 0, which was not described/,
      0,
    ],
    [
      "a simple packet larger than its block, by the snap length",
      join([section, little.interface(1, [], 1000), little.simple({ ...packet, original: 999 })]),
      28 + 20,
      /a packet of 999 bytes in a block of 80/,
      0,
    ],
    [
      "an option larger than its block",
      join([section, with32(little.interface(1, [[9, Uint8Array.of(6)]]), 16, 9 | 300 << 16)]),
      28,
      /an option of 300 bytes in an interface of 32/,
      0,
    ],
    [
      "a resolution of 2 bytes",
      join([section, little.interface(1, [[9, Uint8Array.of(6, 6)]])]),
      28,
      /option 9 of an interface has 2 bytes, not 1/,
      0,
    ],
  ];

for (const [name, file, offset, reason, before] of DAMAGED) {
  Deno.test(`PcapPort names ${name}, and where, after all packets before`, () => {
    using files = new Files();
    for (const chunk of [5, 64, undefined]) {
      const { packets, error } = files.read(file, chunk);
      assertEquals(packets, Array(before).fill(packet));
      isPortError(error);
      const path = `${files.directory}/read`;
      assert(
        error.message.startsWith(`Cannot read "${path}": damaged at byte ${offset}: `),
        error.message,
      );
      assertMatch(error.message, reason);
      assertEquals(error.message.includes("\n"), false);
    }
  });
}

Deno.test("PcapPort says that a block is too large, and where, after all packets before", () => {
  using files = new Files();
  const path = `${files.directory}/read`, least = 16 * 1024 * 1024 + 4;
  const cases: [Uint8Array, number][] = [
    [little.block(9, packet.bytes), least],
    [good, 0xfffffffc],
    [section, least],
    [eth, 524_292],
  ];
  for (const [block, bytes] of cases) {
    const file = join([section, eth, good, with32(block, 4, bytes)]);
    const { packets, error } = files.read(file);
    assertEquals(packets, [packet]);
    isPortError(error);
    const most = `where ${block === eth ? 524_288 : 16_777_216} are the most`, at = 28 + 20 + 96;
    const what = `a block of ${bytes} bytes at byte ${at}, ${most}`;
    const remedy = "all before it was read, look whether the file is damaged";
    assertEquals(error.message, `Cannot read "${path}": ${what}: ${remedy}`);
  }
});

Deno.test("PcapPort names a packet's block whose end is wrong behind options that do not fit the window", () => {
  using files = new Files();
  const large = little.enhanced(0, 3_000_000n, packet, Array(20).fill([1, new Uint8Array(60_000)]));
  const { packets, error } = files.read(
    join([section, eth, good, with32(large, large.length - 4, 8), good]),
  );
  assertEquals(packets, [packet, packet]); // it is shown before its end is seen
  assertMatch(error!.message, /damaged at byte 144: a block of \d+ bytes says 8 at its end/);
});

Deno.test("PcapPort throws the damage once, and has ended then", () => {
  using files = new Files();
  const port = openFile(files.write(pcapFile({}, [packet]).slice(0, -1)));
  assertEquals(port.ended, false);
  assertThrows(() => port.rxSync(), PortError, "damaged at byte 24");
  assertEquals(port.ended, true);
  assert(port.rxSync() >= 0);
  port.close();
});

Deno.test("PcapPort tells where the damage is after many chunks", () => {
  using files = new Files();
  const packets = Array.from({ length: 20_000 }, () => packet);
  const { packets: given, error } = files.read(pcapFile({}, packets).slice(0, -5), 1000);
  assertEquals(given.length, 19_999);
  isPortError(error);
  assertMatch(error.message, new RegExp(`damaged at byte ${24 + 19_999 * 77}: `));
});

/* ---- seeded damage ---- */

/** A file, and where each of its packets is safe: damage from that byte on cannot touch it. */
function whole(random: () => number): { file: Uint8Array; packets: Packet[]; ends: number[] } {
  const packets: Packet[] = Array.from({ length: 40 }, (_, i) => ({
    bytes: packetOf(i, random() % 90),
    second: 1000 + i,
    nanosecond: 0,
  }));
  const big = random() % 2 === 0, ends: number[] = [];
  if (random() % 2 === 0) {
    for (let at = 24, i = 0; i < packets.length; i++) ends.push(at += 16 + packets[i].bytes.length);
    return { file: pcapFile({ big }, packets), packets, ends };
  }
  const b = new Blocks(big), pieces = [b.section(), b.interface(1)];
  let at = 48;
  for (const one of packets) {
    if (random() % 4 === 0) pieces.push(b.block(4, packetOf(1, random() % 50)));
    pieces.push(b.enhanced(0, BigInt(one.second) * 1_000_000n, one));
  }
  at = 0;
  for (const piece of pieces) {
    at += piece.length;
    if (new DataView(piece.buffer).getUint32(0, !big) === 6) ends.push(at);
  }
  return { file: join(pieces), packets, ends };
}

Deno.test("PcapPort survives any damage: packets before it are right, and nothing but one PortError comes", () =>
  withSeeds(import.meta.url, (random) => {
    using files = new Files();
    for (let round = 0; round < 500; round++) {
      const { file, packets, ends } = whole(random);
      let damaged = file.slice(), from = random() % file.length;
      const kind = random() % 4;
      if (kind === 0) damaged = file.slice(0, from);
      else if (kind === 1) damaged[from] ^= 1 << random() % 8;
      else if (kind === 2) damaged.fill(random(), from, from + random() % 16);
      else {damaged = join([
          file.slice(0, from),
          file.slice(from + 1 + random() % 8),
        ]) as typeof damaged;}
      if (kind !== 0) {
        while (from < damaged.length && from < file.length && damaged[from] === file[from]) from++;
      }
      const { packets: given, error } = files.read(damaged, [undefined, 50, 1][round % 3]);
      if (error !== undefined) isPortError(error);
      const safe = ends.filter((end) => end <= from).length;
      // Damage in the file's header may have it refused, or its times read in another unit.
      if (from < (damaged.length > 0 && damaged[0] === 0x0a ? 48 : 24)) continue;
      assert(given.length >= safe, `${given.length} packets, not ${safe}: ${error}`);
      assertEquals(given.slice(0, safe), packets.slice(0, safe));
      if (kind === 0 && !ends.includes(from) && from < ends.at(-1)!) {
        assertEquals(given.length, safe);
      }
    }
  }));

Deno.test("PcapPort survives files that are noise behind a right magic", () =>
  withSeeds(import.meta.url, (random) => {
    using files = new Files();
    for (let round = 0; round < 200; round++) {
      const noise = Uint8Array.from({ length: random() % 3000 }, () => random() % 3 ? 0 : random());
      const head = [pcapFile({}, []), pcapFile({ big: true }, []), join([section, eth])][round % 3];
      const { error } = files.read(join([head, noise]), [undefined, 33][round % 2]);
      if (error !== undefined) isPortError(error);
    }
  }));

/* ---- refused ---- */

function refused(bytes: Uint8Array, files: Files): string {
  const { packets, error } = files.read(bytes);
  isPortError(error);
  assertEquals(packets, []);
  return error.message.replace(`Cannot read "${files.directory}/read": `, "");
}

Deno.test("PcapPort refuses what is no capture file, by name", () => {
  using files = new Files();
  const bytes = (...values: number[]) => join([Uint8Array.of(...values), new Uint8Array(100)]);
  const path = `${files.directory}/read`;
  assertEquals(
    refused(bytes(0x1f, 0x8b, 8, 0), files),
    `it is compressed with gzip: unpack it, as in "zcat ${path} | deno task capture -i pcap:-"`,
  );
  assertMatch(refused(bytes(0x28, 0xb5, 0x2f, 0xfd), files), /zstd: .*zstdcat/);
  assertMatch(refused(bytes(0xfd, 0x37, 0x7a, 0x58, 0x5a), files), /xz: .*xzcat/);
  assertMatch(refused(bytes(0x42, 0x5a, 0x68, 0x39), files), /bzip2: .*bzcat/);
  assertMatch(refused(bytes(0x04, 0x22, 0x4d, 0x18), files), /lz4/);
  assertMatch(refused(bytes(0x50, 0x4b, 3, 4), files), /zip/);
  assertMatch(refused(bytes(0xa1, 0xb2, 0xcd, 0x34), files), /Kuznetzov/);
  assertMatch(refused(bytes(0x73, 0x6e, 0x6f, 0x6f, 0x70), files), /snoop/);
  assertMatch(refused(join([eth, good]), files), /pcapng without its section header/);
  assertMatch(refused(bytes(0x7f, 0x45, 0x4c, 0x46), files), /the bytes 7f454c46/);
  assertMatch(refused(new Uint8Array(0), files), /it is empty/);
  assertMatch(refused(Uint8Array.of(0xd4, 0xc3), files), /it has 2 bytes/);
  assertMatch(refused(with32(pcapFile({}, []), 4, 2 | 2 << 16), files), /its version is 2.2/);
});

Deno.test("PcapPort refuses link types that it does not understand, by name", () => {
  using files = new Files();
  const wifi =
    "its link type is 105, IEEE 802.11: give a file of Ethernet, raw IP, Linux cooked or " +
    "loopback packets";
  assertEquals(refused(pcapFile({ link: 105 }, [packet]), files), wifi);
  assertMatch(refused(pcapFile({ link: 9999 }, [packet]), files), /type is 9999, unknown: /);
  assertMatch(refused(pcapFile({ link: 150 }, [packet]), files), /type is 150, for private use: /);
  const b = new Blocks(true), other = b.enhanced(1, 0n, packet);
  const { packets, error } = files.read(
    join([b.section(), b.interface(1), b.interface(105), b.enhanced(0, 3_000_000n, packet), other]),
  );
  assertEquals(packets, [packet]);
  isPortError(error);
  assertEquals(error.message, `Cannot read "${files.directory}/read": ${wifi}`);
});

/** The error of opening a file. */
function notOpened(file: string, code: string, says: RegExp, directions = RX, options = {}): void {
  const error = assertThrows(() => openPort(`pcap:${file}`, directions, options), PortError);
  assert(error.message.startsWith(`Cannot open "pcap:${file}": `), error.message);
  assertEquals(error.code, code);
  assertMatch(error.message, says);
}

Deno.test("PcapPort says why a file cannot be opened", () => {
  using files = new Files();
  const path = files.write(pcapFile({}, [packet]));
  notOpened(`${files.directory}/none`, "ENOENT", /no such file: check its name/);
  notOpened(`${path}/none`, "ENOTDIR", /no such file/);
  notOpened(files.directory, "EISDIR", /it is a directory/);
  notOpened(path, "EBADF", /--write/, TX);
  notOpened(path, "EBADF", /--write/, RX | TX);
  notOpened("-", "ESPIPE", /only once/, RX, { loop: 2 });
  notOpened("/dev/null", "ESPIPE", /only once/, RX, { loop: 0 });
  for (
    const options of [{ speed: -1 }, { speed: NaN }, { speed: Infinity }, { loop: -1 }, {
      loop: 1.5,
    }]
  ) {
    assertThrows(() => openPort(`pcap:${path}`, RX, options), RangeError, "Cannot open");
  }
  assertEquals(takeAll(openPort(`pcap:${path}`, RX)).packets.length, 1);
});

Deno.test({
  name: "PcapPort says that a file may not be read: by its mode, by Deno",
  ignore: Deno.uid() !== 0,
  async fn() {
    using files = new Files();
    const path = files.write(pcapFile({}, [packet]));
    const probe = new URL("pcap_probe.ts", import.meta.url).pathname;
    const run = async (read: string, uid?: number) => {
      const library = new URL("../ffi/build/libuspf.so", import.meta.url).pathname;
      const args = ["run", "-q", `--allow-ffi=${library}`, `--allow-read=${read}`, probe, path];
      const command = uid === undefined ? Deno.execPath() : "setpriv";
      const first = uid === undefined
        ? []
        : ["--bounding-set=-all", "--inh-caps=-all", Deno.execPath()];
      const { stdout, stderr } = await new Deno.Command(command, { args: [...first, ...args] })
        .output();
      return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    };
    const root = new URL("..", import.meta.url).pathname;
    assertMatch(await run(root), /Cannot open .* not allowed: allow it with --allow-read=/);
    Deno.chmodSync(path, 0o000);
    assertMatch(await run(`${root},${path}`, 0), /Cannot open .* no permission: see ..ls -l/);
  },
});
