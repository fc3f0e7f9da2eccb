/**
 * What a capture file holds if its writer is killed: at every byte of every call that it makes, and at random
 * moments. It is whole, or ends within a block of packets; all before that is as it was written.
 */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { stub } from "@std/testing/mock";
import { PacketLog } from "../capture/packet_log.ts";
import { PacketLogReader } from "../capture/packet_log_reader.ts";
import {
  interfaceDescription,
  interfaceStatistics,
  joined,
  sectionHeader,
} from "../capture/pcapng_format.ts";
import { type Frame, PcapngWriter } from "../capture/pcapng_writer.ts";
import { openFile, takeAll } from "./capture_files.ts";
import { seededRandom, withSeeds } from "./engine_seed.ts";
import { type LaidPacket, laidPacket, LogRing } from "./log_ring.ts";
import { noTshark, Place, same } from "./written_files.ts";

const SECOND = 1_700_000_000;
const INTERFACES = 2;

/** Blocks of random packets, and the packets in them. */
class Source {
  readonly packets: LaidPacket[] = [];
  readonly #log = PacketLog.create({ chunks: 2, chunkBytes: 65536 });
  readonly #reader = new PacketLogReader(this.#log.buffer);
  readonly #laid = new LogRing({ slotCount: 256 });

  constructor(readonly random: () => number) {}

  /** Logs so many packets and writes their blocks. */
  write(writer: Pick<PcapngWriter, "write">, most: number): void {
    const picks: number[] = [], count = 1 + this.random() % most;
    for (let i = 0; i < count; i++) {
      const packet = laidPacket(this.random);
      packet.bytes = packet.bytes.subarray(0, 200);
      this.#laid.put(packet, picks, this.random);
      this.packets.push(packet);
    }
    this.#log.write(this.#laid.ring, Int32Array.from(picks), picks.length, SECOND, 0);
    this.#log.flush();
    const { blocks, packets, packetBytes } = this.#reader.take()!;
    writer.write(blocks, { bytes: blocks.length, packets, packetBytes }, this.#reader);
    this.#reader.release();
  }
}

/** A head, and a tail that changes; `lost` comes and goes in it, and so does its size. */
function frameOf(random: () => number): Frame {
  const info = { name: "eth0", description: "a port" };
  const tail = () => {
    const counts = { received: random(), accepted: random(), missed: 0, written: random() };
    const times = { startNs: 1n, endNs: BigInt(random()) };
    return joined(Array.from({ length: INTERFACES }, (_, i) => {
      const lost = random() % 4 > 0 ? random() : null;
      return interfaceStatistics(i, { ...times, ...counts, lost });
    }));
  };
  const section = sectionHeader({ hardware: "", os: "", application: "test" });
  const head = joined([section, ...Array(INTERFACES).fill(interfaceDescription(info))]);
  return { head, tail, tailBytes: 400 };
}

/** A file that remembers what is done to it. */
type Step = { at: number; bytes: Uint8Array } | { cut: number };

function recordingFile(steps: Step[]): Deno.FsFile {
  let at = 0;
  const file = {
    tryLockSync: () => true,
    truncateSync: (cut = 0) => void steps.push({ cut }),
    seekSync: (offset: number) => at = offset,
    writeSync(bytes: Uint8Array) {
      steps.push({ at, bytes: bytes.slice() });
      at += bytes.length;
      return bytes.length;
    },
    close() {},
    [Symbol.dispose]() {},
  };
  return file as unknown as Deno.FsFile;
}

/** What a file holds after a step of which only the first bytes were done. */
function after(file: Uint8Array, step: Step, done = Infinity): Uint8Array {
  if ("cut" in step) return file.slice(0, step.cut);
  const bytes = step.bytes.subarray(0, done);
  const next = new Uint8Array(Math.max(file.length, step.at + bytes.length));
  next.set(file);
  next.set(bytes, step.at);
  return next;
}

/** The packets of a file that may be cut off within its last block, and be wrong in nothing else. */
function packetsOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer), packets = [];
  for (let at = 0; at + 8 <= file.length;) {
    const type = view.getUint32(at, true), bytes = view.getUint32(at + 4, true);
    assert([0x0a0d0d0a, 1, 5, 6].includes(type) && bytes % 4 === 0 && bytes >= 12, `at ${at}`);
    if (at + bytes > file.length) break;
    assertEquals(view.getUint32(at + bytes - 4, true), bytes, `the end of the block at ${at}`);
    if (type === 6) packets.push(file.slice(at + 28, at + 28 + view.getUint32(at + 20, true)));
    at += bytes;
  }
  return packets;
}

Deno.test("PcapngWriter leaves all packets before it, wherever it is killed", () =>
  withSeeds(import.meta.url, (random) => {
    const steps: Step[] = [],
      source = new Source(random),
      ends: { step: number; packets: number }[] = [];
    using _open = stub(Deno, "openSync", () => recordingFile(steps));
    const options = { file: "x", rotateBytes: 0, rotateSeconds: 0, rotateFiles: 0 };
    const writer = new PcapngWriter(options, frameOf(random));
    for (let i = 0; i < 8; i++) {
      source.write(writer, 4);
      ends.push({ step: steps.length, packets: source.packets.length });
    }
    writer.close();
    let file = new Uint8Array(0), images = 0;
    steps.forEach((step, i) => {
      const safe = ends.findLast((end) => end.step <= i)?.packets ?? 0;
      const length = "cut" in step ? 0 : step.bytes.length;
      for (let done = 0; done <= length; done++, images++) {
        const packets = packetsOf(after(file, step, done));
        assert(packets.length >= safe, `${packets.length} packets, not ${safe}`);
        packets.forEach((bytes, k) => assert(same(bytes, source.packets[k].bytes), `packet ${k}`));
      }
      file = after(file, step) as typeof file;
    });
    assertGreater(images, 1000);
    assertEquals(packetsOf(file).length, source.packets.length);
  }));

/* ---- really killed ---- */

const KILLS = 6, MOST_PACKETS = 200; // for a seed; in a call

/** This file as a program: writes random packets into a file until it is killed. */
if (import.meta.main && Deno.args[0] === "write") {
  const [, file, seed] = Deno.args, source = new Source(seededRandom(Number(seed)));
  const options = { file, rotateBytes: 0, rotateSeconds: 0, rotateFiles: 0 };
  const writer = new PcapngWriter(options, frameOf(seededRandom(0)));
  source.write(writer, MOST_PACKETS);
  console.log("ready");
  for (;;) source.write(writer, MOST_PACKETS);
}

/** Starts that program, kills it after so many ms. */
async function killed(file: string, seed: number, ms: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", import.meta.filename!, "write", file, String(seed)],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, ms));
  child.kill("SIGKILL");
  await Promise.all([child.status, reader.cancel()]);
}

/** What tshark complains of. */
function complaints(file: string): string {
  const { stderr } = new Deno.Command("tshark", { args: ["-r", file] }).outputSync();
  const lines = new TextDecoder().decode(stderr).split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("Running as")).join("\n");
}

Deno.test({
  name: `PcapngWriter killed at random leaves a file that tshark and we read${noTshark ?? ""}`,
  ignore: noTshark !== undefined,
  fn: () =>
    withSeeds(import.meta.url, async (random) => {
      using place = new Place();
      for (let kill = 0; kill < KILLS; kill++) {
        const seed = random(), file = `${place.path}/x.pcapng`;
        await killed(file, seed, random() % 4000 / 100);
        const { packets, error } = takeAll(openFile(file)), said = complaints(file);
        if (error === undefined) assertEquals(said, "");
        else {
          assertMatch(error.message, /the file ends within a block/);
          assertMatch(said, /cut short/);
        }
        const source = new Source(seededRandom(seed));
        while (source.packets.length < packets.length) source.write({ write() {} }, MOST_PACKETS);
        assertGreater(packets.length, 0);
        packets.forEach(({ bytes }, i) =>
          assert(same(bytes, source.packets[i].bytes), `packet ${i}`)
        );
      }
    }),
});
