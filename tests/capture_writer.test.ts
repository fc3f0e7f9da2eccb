/**
 * Files that a CaptureWriter wrote, read by a parser of the test's own, by tshark and by capinfos; this
 * file is also a capture thread that logs packets.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CaptureError } from "../capture/background_capture.ts";
import { CaptureState, COUNTER } from "../capture/capture_state.ts";
import { CaptureWriter, type CaptureWriterOptions } from "../capture/capture_writer.ts";
import { inputOf } from "../capture/input_file.ts";
import { PacketLog } from "../capture/packet_log.ts";
import { VERSION } from "../ffi/version.ts";
import { VERDICT } from "../filter/verdict.ts";
import { seededRandom } from "./engine_seed.ts";
import { type LaidPacket, laidPacket, LogRing } from "./log_ring.ts";
import { type ParsedFile, parsePcapng, u64Of } from "./pcapng_parser.ts";
import { capinfos, execute, noMount, noTshark, Place, tshark } from "./written_files.ts";

const SECOND = 1_700_000_000;

/** What the capture thread in a worker is asked to do. */
interface Job {
  buffer: SharedArrayBuffer;
  packets: number;
}

if ("WorkerGlobalScope" in globalThis) {
  const worker = self as unknown as Worker;
  worker.onmessage = ({ data }: MessageEvent<Job>) => {
    logFlood(data);
    worker.postMessage("done");
  };
  worker.postMessage("ready");
}

/** Packets of 60 bytes that carry their number, as fast as it goes. */
function logFlood({ buffer, packets }: Job): void {
  const log = PacketLog.attach(buffer), { ring } = new LogRing({ slotCount: 256 });
  const picks = Int32Array.from({ length: 256 }, (_, i) => ring.slotsAt + i * 4);
  for (let i = 0; i < 256; i++) {
    ring.words[picks[i]] = i;
    ring.words[picks[i] + 1] = 60;
  }
  for (let number = 0; number < packets;) {
    const count = Math.min(256, packets - number);
    for (let i = 0; i < count; i++) ring.words[ring.buffersAt + i * 512] = number++;
    log.write(ring, picks, count, SECOND, 0);
    if (number % 65536 === 0) log.flush();
  }
  log.close();
}

/** Logs of a few captures, and the packets offered to each. */
class Captures {
  readonly logs: PacketLog[];
  readonly states: CaptureState[];
  readonly offered: LaidPacket[][];
  readonly #rings: LogRing[];

  constructor(count: number, geometry = { chunks: 16, chunkBytes: 16384 }, hasTimes = false) {
    const all = Array.from({ length: count }, (_, i) => i);
    this.logs = all.map((interfaceId) => PacketLog.create({ ...geometry, interfaceId }));
    this.states = all.map(() => new CaptureState());
    this.offered = all.map(() => []);
    this.#rings = all.map(() => new LogRing({ hasTimes, slotCount: 256 }));
  }

  options(file: string, more: Partial<CaptureWriterOptions> = {}): CaptureWriterOptions {
    const logs = this.logs.map(({ buffer }, i) => ({
      buffer,
      name: `eth${i}`,
      description: `port ${i}`,
    }));
    return { file, logs, states: this.states.map(({ buffer }) => buffer), ...more };
  }

  /** Offers a burst of random packets to one of them. */
  offer(index: number, count: number, random: () => number): void {
    const picks: number[] = [], nanoseconds = random() % 1_000_000_000;
    const { ring } = this.#rings[index];
    for (let i = 0; i < count; i++) {
      const packet = laidPacket(random);
      packet.seconds = SECOND + this.offered[index].length;
      if (!ring.hasTimes) Object.assign(packet, { nanoseconds, seconds: SECOND });
      this.#rings[index].put(packet, picks, random);
      this.offered[index].push(packet);
    }
    this.logs[index].write(ring, Int32Array.from(picks), picks.length, SECOND, nanoseconds);
  }

  /** Sees to it that there is room for packets of this test. */
  async room(index: number): Promise<void> {
    while (!this.logs[index].roomFor(8, 8 * 9000)) await pause(1);
  }

  close(): void {
    for (const log of this.logs) log.close();
  }

  get offeredPackets(): number {
    return this.offered.reduce((sum, { length }) => sum + length, 0);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function parse(file: string): ParsedFile {
  return parsePcapng(Deno.readFileSync(file));
}

function testWriter(name: string, fn: () => Promise<void>, why = noTshark): void {
  if ("WorkerGlobalScope" in globalThis) return;
  Deno.test({ name: `CaptureWriter ${name}${why ?? ""}`, ignore: why !== undefined, fn });
}

testWriter("writes every packet of several captures, as tshark reads them", async () => {
  using place = new Place();
  const random = seededRandom(21), file = `${place.path}/x.pcapng`;
  const captures = new Captures(3, undefined, true);
  const writer = await CaptureWriter.start(captures.options(file));
  for (let burst = 0; burst < 300; burst++) {
    const index = random() % 3;
    await captures.room(index);
    captures.offer(index, 1 + random() % 8, random);
    if (random() % 10 === 0) captures.logs[index].flush();
  }
  captures.close();
  await writer.stop();
  const { packets, missed, files, failed } = writer.stats();
  assertEquals([packets, missed, files, failed], [captures.offeredPackets, 0, 1, undefined]);
  const parsed = parse(file), read = tshark(file);
  assertEquals([capinfos(file), read.length, parsed.packets.length], [packets, packets, packets]);
  const next = [0, 0, 0];
  parsed.packets.forEach(({ interfaceId, ns, bytes }, i) => {
    const expected = captures.offered[interfaceId][next[interfaceId]++];
    const at = BigInt(expected.seconds) * 1_000_000_000n + BigInt(expected.nanoseconds);
    assertEquals([ns, read[i].ns], [at, at]);
    assertEquals(bytes, expected.bytes);
    assertEquals(read[i].bytes, expected.bytes);
  });
  assertEquals(next, captures.offered.map(({ length }) => length));
});

testWriter(
  "describes program and interfaces, and ends with each interface's statistics",
  async () => {
    using place = new Place();
    const file = `${place.path}/x.pcapng`,
      captures = new Captures(2, { chunks: 2, chunkBytes: 4096 });
    const before = BigInt(Date.now()) * 1_000_000n;
    const writer = await CaptureWriter.start(captures.options(file));
    const random = seededRandom(4);
    for (let i = 0; i < 200; i++) captures.offer(1, 5, random);
    captures.states.forEach(({ counters }, i) => {
      counters[COUNTER.received] = 2 ** 40 + i;
      counters[VERDICT.accepted] = 1000 + i;
      counters[COUNTER.lost] = i === 0 ? 7 : -1;
    });
    captures.close();
    await writer.stop();
    const after = BigInt(Date.now() + 1) * 1_000_000n;
    const { section, interfaces, statistics, types } = parse(file);
    const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
    assertEquals([2, 3, 4].map((code) => text(section.get(code))), [
      Deno.build.arch,
      Deno.build.os,
      `uspf ${VERSION}`,
    ]);
    interfaces.forEach(({ linkType, snapLength, options }, i) => {
      assertEquals([linkType, snapLength, options.get(9)], [1, 0, Uint8Array.of(9)]);
      assertEquals([text(options.get(2)), text(options.get(3))], [`eth${i}`, `port ${i}`]);
    });
    assertEquals([types.slice(0, 3), types.slice(-2)], [[0x0a0d0d0a, 1, 1], [5, 5]]);
    assertEquals(statistics.map(({ interfaceId }) => interfaceId), [0, 1]);
    statistics.forEach(({ ns, options }, i) => {
      const timeOf = (code: number) => {
        const view = new DataView(options.get(code)!.buffer, options.get(code)!.byteOffset);
        return BigInt(view.getUint32(0, true)) << 32n | BigInt(view.getUint32(4, true));
      };
      assert(before <= timeOf(2) && timeOf(2) <= timeOf(3) && timeOf(3) <= after);
      assert(timeOf(3) - ns < 1_000_000_000n);
      const { packets, missed } = captures.logs[i].counts();
      const numbers = [4, 5, 6, 7, 8].map((code) => u64Of(options.get(code)));
      const lost = i === 0 ? [2 ** 40 + 7, 7] : [2 ** 40 + 1, undefined];
      const expected = [...lost, 1000 + i, missed, packets];
      assertEquals(numbers, expected.map((n) => n === undefined ? n : BigInt(n)));
    });
    const { packets, missed } = writer.stats();
    assertEquals(packets + missed, 1000);
    assert(missed > 0);
    assertEquals(capinfos(file), packets);
    const about = execute("capinfos", "-M", file);
    for (const said of [`uspf ${VERSION}`, "Name = eth1", "Description = port 1", "nanoseconds"]) {
      assertStringIncludes(about, said);
    }
    assertEquals(about.match(/Number of stat entries = 1/g)?.length, 2);
  },
);

testWriter(
  "writes a flood from another thread in order, and counts what it could not keep up with",
  async () => {
    for (const geometry of [{}, { chunks: 2, chunkBytes: 65536 }]) {
      using place = new Place();
      const file = `${place.path}/x.pcapng`, log = PacketLog.create(geometry), packets = 1_000_000;
      const logs = [{ buffer: log.buffer, name: "a", description: "" }];
      const writer = await CaptureWriter.start({ file, logs, states: [new CaptureState().buffer] });
      const worker = new Worker(import.meta.url, { type: "module" });
      const said = () =>
        new Promise<unknown>((resolve, reject) => {
          worker.onmessage = resolve;
          worker.onerror = reject;
        });
      await said();
      worker.postMessage({ buffer: log.buffer, packets } satisfies Job);
      await said();
      worker.terminate();
      await writer.stop();
      const stats = writer.stats(),
        numbers = parse(file).packets.map(({ bytes }) =>
          new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
        );
      assertEquals([stats.packets + stats.missed, numbers.length], [packets, stats.packets]);
      assertEquals(stats.packets * 60, stats.bytes);
      assert(numbers.every((number, i) => i === 0 || number > numbers[i - 1]), "out of order");
      assertEquals(capinfos(file), stats.packets);
    }
  },
);

testWriter("begins a new file at a size, and keeps as many as it is told", async () => {
  for (const rotateFiles of [0, 3]) {
    using place = new Place();
    const rotateBytes = 20_000, random = seededRandom(31), captures = new Captures(2);
    const options = { rotateBytes, rotateFiles };
    const writer = await CaptureWriter.start(captures.options(`${place.path}/x.pcapng`, options));
    for (let burst = 0; burst < 200; burst++) {
      await captures.room(burst % 2);
      captures.offer(burst % 2, 1 + random() % 8, random);
    }
    captures.close();
    await writer.stop();
    const { packets, missed, files } = writer.stats();
    assertEquals([packets, missed], [captures.offeredPackets, 0]);
    const numbers = Array.from({ length: files }, (_, i) => i + 1).slice(-rotateFiles);
    assertEquals(
      place.files(),
      numbers.map((number) => `x_${String(number).padStart(5, "0")}.pcapng`),
    );
    assert(files > 20);
    const got: Uint8Array[][] = [[], []];
    for (const name of place.files()) {
      const path = `${place.path}/${name}`, parsed = parse(path);
      const { size } = Deno.statSync(path), isLast = name === place.files().at(-1);
      assert(size <= rotateBytes && (isLast || size > rotateBytes - 9000 - 40), `${size} bytes`);
      assertEquals([parsed.interfaces.length, parsed.statistics.length], [2, 2]);
      assertEquals(capinfos(path), parsed.packets.length);
      for (const { interfaceId, bytes } of parsed.packets) got[interfaceId].push(bytes);
    }
    captures.offered.forEach((offered, i) => {
      assertEquals(got[i], offered.slice(-got[i].length).map(({ bytes }) => bytes));
      if (rotateFiles === 0) assertEquals(got[i].length, offered.length);
    });
  }
});

testWriter("puts one packet into a file where the limit has no room for any", async () => {
  using place = new Place();
  const captures = new Captures(1);
  const writer = await CaptureWriter.start(
    captures.options(`${place.path}/noending`, { rotateBytes: 1 }),
  );
  captures.offer(0, 5, seededRandom(1));
  captures.close();
  await writer.stop();
  assertEquals(place.files(), [1, 2, 3, 4, 5].map((i) => `noending_0000${i}`));
  for (const name of place.files()) assertEquals(capinfos(`${place.path}/${name}`), 1);
});

testWriter("begins a new file after a time, if there is something for it", async () => {
  using place = new Place();
  const captures = new Captures(1), random = seededRandom(3);
  const file = `${place.path}/x.y.pcapng`;
  const writer = await CaptureWriter.start(captures.options(file, { rotateSeconds: 0.2 }));
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 3; i++) {
      captures.offer(0, 3, random);
      captures.logs[0].flush();
      await pause(10);
    }
    await pause(500);
  }
  captures.close();
  await writer.stop();
  const { packets, missed, files } = writer.stats();
  assertEquals([packets, missed, files, place.files().length], [27, 0, 3, 3]);
  const got = place.files().flatMap((name) => parse(`${place.path}/${name}`).packets);
  assertEquals(
    got.map(({ bytes }) => bytes),
    captures.offered[0].map(({ bytes }) => bytes),
  );
  assertEquals(place.files().map((name) => capinfos(`${place.path}/${name}`)), [9, 9, 9]);
});

testWriter("writes a valid file without packets, and replaces what was there", async () => {
  using place = new Place();
  const file = `${place.path}/x.pcapng`, captures = new Captures(1);
  Deno.writeTextFileSync(file, "x".repeat(10_000));
  const writer = await CaptureWriter.start(captures.options(file));
  await writer.stop(); // the capture thread is gone without closing its log
  assertEquals(parse(file).types, [0x0a0d0d0a, 1, 5]);
  assertEquals(capinfos(file), 0);
});

testWriter("has a whole file at any time, with statistics", async () => {
  using place = new Place();
  const file = `${place.path}/x.pcapng`, captures = new Captures(2), random = seededRandom(6);
  const writer = await CaptureWriter.start(captures.options(file));
  for (let burst = 0; burst < 10; burst++) {
    captures.offer(burst % 2, 3, random);
    captures.states[0].counters[COUNTER.lost] = burst % 3 === 0 ? -1 : 5; // its option comes and goes
    captures.logs[burst % 2].flush();
    const expected = captures.offered.map(({ length }) => length);
    const written = () =>
      parse(file).statistics.map(({ options }) => Number(u64Of(options.get(8))));
    while (writer.stats().packets < captures.offeredPackets) await pause(1);
    await pause(20); // the tail is written a moment later
    assertEquals(written(), expected);
    assertEquals(parse(file).packets.length, captures.offeredPackets);
  }
  captures.close();
  await writer.stop();
  assertEquals(capinfos(file), captures.offeredPackets);
});

for (const rotateBytes of [0, 50_000]) {
  const how = rotateBytes > 0 ? ", rotating" : "";
  testWriter(
    `stops at a full disk with one line, and leaves a whole file${how}`,
    async () => {
      using place = new Place();
      place.mount(256);
      const captures = new Captures(2), random = seededRandom(41), said: string[] = [];
      const options = { rotateBytes, onFailed: (message: string) => said.push(message) };
      const file = `${place.path}/x.pcapng`;
      const writer = await CaptureWriter.start(captures.options(file, options));
      for (let burst = 0; burst < 400; burst++) {
        await captures.room(burst % 2);
        captures.offer(burst % 2, 1 + random() % 8, random);
      }
      captures.close();
      await writer.stop();
      const { packets, bytes, missed, missedBytes, failed } = writer.stats();
      const names = place.files(), last = `${place.path}/${names.at(-1)}`;
      assertEquals(said, [failed]);
      assertEquals(
        failed,
        `Cannot write "${last}": no space left on device: make room, or choose another disk; ` +
          "the capture goes on",
      );
      const all = captures.offered.flat();
      assertEquals(packets + missed, all.length);
      assertEquals(bytes + missedBytes, all.reduce((sum, { bytes }) => sum + bytes.length, 0));
      const got: Uint8Array[][] = [[], []];
      for (const name of names) {
        // A file that found no room for its own beginning has none.
        if (Deno.statSync(`${place.path}/${name}`).size === 0) continue;
        const parsed = parse(`${place.path}/${name}`);
        for (const { interfaceId, bytes } of parsed.packets) got[interfaceId].push(bytes);
        if (name === names.at(-1)) {
          const missed = parsed.statistics.map(({ options }) => Number(u64Of(options.get(7))));
          assert(missed[0] + missed[1] > 0, "the statistics say that nothing is missing");
        }
      }
      assertEquals(got[0].length + got[1].length, packets);
      got.forEach((list, i) =>
        assertEquals(list, captures.offered[i].slice(0, list.length).map(({ bytes }) => bytes))
      );
      assert(packets > 100 && missed > 100, `${packets} written, ${missed} missed`);
      const copy = Deno.makeTempFileSync({ prefix: "uspf-write-" });
      try {
        let read = 0;
        for (const name of names) {
          const path = `${place.path}/${name}`;
          if (Deno.statSync(path).size === 0) continue;
          read += capinfos(path);
          Deno.copyFileSync(path, copy); // where tshark has room for what it writes
          assertEquals(tshark(copy).length, capinfos(path));
        }
        assertEquals(read, packets);
      } finally {
        Deno.removeSync(copy);
      }
    },
    noMount,
  );
}

testWriter("never writes over its input, by whatever name", async () => {
  using place = new Place();
  const input = `${place.path}/in.pcapng`, text = "what is read";
  Deno.writeTextFileSync(input, text);
  const names = [`${place.path}/./in.pcapng`, `${place.path}/symbolic`, `${place.path}/hard`];
  Deno.symlinkSync("in.pcapng", names[1]);
  Deno.linkSync(input, names[2]);
  for (const file of [input, ...names]) {
    const options = { ...new Captures(1).options(file), input: inputOf(`pcap:${input}`) };
    const error = await assertRejects(() => CaptureWriter.start(options), CaptureError);
    const why = "it is the file that is being read: choose another name";
    assertEquals([error.message, error.expected], [`Cannot write "${file}": ${why}`, true]);
  }
  assertEquals(Deno.readTextFileSync(input), text);
  const without = ["", "udp:127.0.0.1:1", `pcap:${place.path}/none`];
  assertEquals(without.map(inputOf), [undefined, undefined, undefined]);
}, undefined);

/** Writes five packets to a row of files of one packet each; returns what became of them. */
async function writeRow(place: Place, more: Partial<CaptureWriterOptions> = {}, seed = 1) {
  const captures = new Captures(1), file = `${place.path}/x.pcapng`;
  const writer = await CaptureWriter.start(captures.options(file, { rotateBytes: 1, ...more }));
  captures.offer(0, 5, seededRandom(seed));
  captures.close();
  await writer.stop();
  return writer.stats();
}

function row(...numbers: number[]): string[] {
  return numbers.map((number) => `x_${String(number).padStart(5, "0")}.pcapng`);
}

testWriter("goes on behind the files of an earlier run, and of others' that it meets", async () => {
  using place = new Place();
  await writeRow(place);
  const before = place.files().map((name) => Deno.readFileSync(`${place.path}/${name}`));
  for (const name of ["x_9.pcapng", "x_000009.pcapng", "x_00009.pcap", "y_00009.pcapng"]) {
    Deno.writeTextFileSync(`${place.path}/${name}`, name);
  }
  Deno.writeTextFileSync(`${place.path}/x_20240101.pcapng`, "a date");
  const { packets, files } = await writeRow(place, {}, 2);
  assertEquals([packets, files], [5, 5]);
  const own = place.files().filter((name) => /^x_\d{5}\.pcapng$/.test(name));
  assertEquals(own, row(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  assertEquals(
    row(1, 2, 3, 4, 5).map((name) => Deno.readFileSync(`${place.path}/${name}`)),
    before,
  );
  const numbers = own.map((name) => capinfos(`${place.path}/${name}`));
  assertEquals(numbers, Array(10).fill(1));
});

testWriter("counts an earlier run's files among those that it keeps", async () => {
  using place = new Place();
  Deno.writeTextFileSync(`${place.path}/x_99997.pcapng`, "");
  await writeRow(place);
  const { files } = await writeRow(place, { rotateFiles: 7 });
  assertEquals(files, 5);
  const more = Array.from({ length: 7 }, (_, i) => 100_001 + i);
  assertEquals(place.files(), row(...more));
  await writeRow(place, { rotateFiles: 2 });
  assertEquals(place.files(), row(100_011, 100_012));
});

testWriter("neither writes over nor removes its input in a row", async () => {
  using place = new Place();
  const input = `${place.path}/x_00003.pcapng`, text = "what is read";
  Deno.writeTextFileSync(input, text);
  const { packets, missed } = await writeRow(place, {
    input: inputOf(`pcap:${input}`),
    rotateFiles: 2,
  });
  assertEquals([packets, missed, Deno.readTextFileSync(input)], [5, 0, text]);
  assertEquals(place.files(), row(3, 7, 8));
});

for (const rotateBytes of [0, 20_000]) {
  const how = rotateBytes > 0 ? ", rotating" : "";
  testWriter(`refuses what another one writes, until that has ended${how}`, async () => {
    using place = new Place();
    const file = `${place.path}/x.pcapng`, captures = new Captures(1), random = seededRandom(8);
    const options = { rotateBytes };
    const first = await CaptureWriter.start(captures.options(file, options));
    const second = () => CaptureWriter.start(new Captures(1).options(file, options));
    for (let burst = 0; burst < 60; burst++) {
      await captures.room(0);
      captures.offer(0, 5, random);
      if (burst % 10 > 0) continue;
      const error = await assertRejects(second, CaptureError), newest = place.files().at(-1);
      assert(
        error.message.endsWith(": another program is writing it: stop it, or choose another name"),
      );
      if (rotateBytes === 0) assertStringIncludes(error.message, `"${place.path}/${newest}"`);
    }
    captures.close();
    await first.stop();
    const { packets, files } = first.stats();
    assertEquals(packets, 300);
    assertEquals(files > 5, rotateBytes > 0);
    const written = place.files().map((name) => capinfos(`${place.path}/${name}`));
    assertEquals(written.reduce((sum, count) => sum + count), 300);
    const next = await second();
    await next.stop();
    assertEquals(place.files().length, rotateBytes > 0 ? files + 1 : 1);
  });
}

testWriter("says why it cannot begin", async () => {
  using place = new Place();
  Deno.writeTextFileSync(`${place.path}/file`, "");
  const cases = [
    [`${place.path}/none/x.pcapng`, `no such directory: create "${place.path}/none" first`],
    [place.path, "it is a directory: give the name of a file"],
    [
      "/dev/uspf-test",
      "Deno permits no writing there: choose an ordinary file outside /dev, /proc and /sys",
    ],
    [`${place.path}/file/x`, `"${place.path}/file" is no directory: choose another place`],
  ];
  const rejected = async (file: string, more: Partial<CaptureWriterOptions>, message: string) => {
    const start = CaptureWriter.start(new Captures(1).options(file, more));
    const error = await assertRejects(() => start, CaptureError);
    assertEquals([error.message, error.expected], [message, true]);
  };
  for (const [file, why] of cases) await rejected(file, {}, `Cannot write "${file}": ${why}`);
  const none = `${place.path}/none`, why = `no such directory: create "${none}" first`;
  await rejected(`${none}/x`, { rotateBytes: 1 }, `Cannot write "${none}/x_00001": ${why}`);
  Deno.symlinkSync("nowhere", `${place.path}/x_00007`);
  const dangling = new Captures(1).options(`${place.path}/x`, { rotateBytes: 1 });
  await assertRejects(() => CaptureWriter.start(dangling), CaptureError, "/x_00007");
}, undefined);

testWriter("says that writing is not permitted, and how to permit it", async () => {
  const module = new URL("../capture/capture_writer.ts", import.meta.url);
  const log = new URL("../capture/packet_log.ts", import.meta.url);
  const code = `import { CaptureWriter } from "${module}";
    import { PacketLog } from "${log}";
    const logs = [{ buffer: PacketLog.create().buffer, name: "", description: "" }];
    await CaptureWriter.start({ file: "/tmp/uspf-none/x", logs, states: [] })
      .catch(({ message }) => console.log(message));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-check", "--allow-read", "-"],
    cwd: new URL("..", import.meta.url),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(code));
  await input.close();
  assertEquals(
    new TextDecoder().decode((await child.output()).stdout).trim(),
    `Cannot write "/tmp/uspf-none/x": not permitted: allow it with --allow-write=/tmp/uspf-none`,
  );
}, undefined);
