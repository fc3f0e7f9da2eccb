/** Capture files over time: at a speed, again and again, from a pipe, and in constant memory. */

import { assert, assertEquals } from "@std/assert";
import { RING, slotsReady } from "../ffi/layout.ts";
import { nowNs, threadCpuNs } from "../ffi/host.ts";
import { packetsReady, type Port, RX } from "../ffi/port.ts";
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

const START = 1_700_000_000;

/** Packets at these ms after START. */
function packetsAt(...ms: number[]): Packet[] {
  return ms.map((at, i) => ({
    bytes: packetOf(i, 60 + i % 5),
    second: START + Math.floor(at / 1000),
    nanosecond: Math.round(at % 1000 * 1e6),
  }));
}

/** When each packet came, in ms after the first sync; waits in between as a capture does. */
function arrivals(port: Port): number[] {
  const times: number[] = [], ring = port.rx[0], start = nowNs();
  while (!port.ended) {
    port.rxSync();
    const ready = slotsReady(ring), head = ring.words[ring.at + RING.head];
    for (let i = 0; i < ready; i++) times.push((nowNs() - start) / 1e6);
    ring.words[ring.at + RING.head] = (head + ready) % ring.slotCount;
    if (ready === 0 && !port.ended) port.wait(RX, 1_000_000);
  }
  port.close();
  return times;
}

/** Not early; late by what a busy machine may take. */
function assertTimes(times: number[], due: number[]): void {
  assertEquals(times.length, due.length);
  times.forEach((time, i) => {
    assert(
      time >= due[i] - 0.001 && time < due[i] + 100,
      `packet ${i}: ${time} ms, due at ${due[i]}`,
    );
  });
}

Deno.test("PcapPort replays at the recorded times with speed 1, in pcap and in pcapng", () => {
  using files = new Files();
  const ms = [0, 0, 50, 51.5, 120, 250], packets = packetsAt(...ms), b = new Blocks(true);
  assertTimes(arrivals(openFile(files.write(pcapFile({}, packets)), { speed: 1 })), ms);
  const blocks = packets.map((packet) =>
    b.enhanced(0, BigInt(packet.second) * 1_000_000n + BigInt(packet.nanosecond / 1000), packet)
  );
  const file = files.write(join([b.section(), b.interface(1), ...blocks]));
  assertTimes(arrivals(openFile(file, { speed: 1 })), ms);
});

Deno.test("PcapPort replays faster and slower, and goes on after each pass", () => {
  using files = new Files();
  const ms = [0, 100, 400], path = files.write(pcapFile({ big: true }, packetsAt(...ms)));
  assertTimes(arrivals(openFile(path, { speed: 4 })), ms.map((at) => at / 4));
  assertTimes(arrivals(openFile(path, { speed: 0.8 })), ms.map((at) => at / 0.8));
  const twice = [...ms, ...ms.map((at) => at + 400)].map((at) => at / 4);
  assertTimes(arrivals(openFile(path, { speed: 4, loop: 2 })), twice);
});

Deno.test("PcapPort replays packets whose times go backwards at once, and goes on from the latest", () => {
  using files = new Files();
  const path = files.write(pcapFile({ nano: true }, packetsAt(500, 600, 100, 0, 650, 550)));
  assertTimes(arrivals(openFile(path, { speed: 1 })), [0, 100, 100, 100, 150, 150]);
  const again = arrivals(openFile(path, { speed: 2, loop: 2 }));
  assertTimes(again, [0, 50, 50, 50, 75, 75, 75, 125, 125, 125, 150, 150]);
});

Deno.test("PcapPort's wait sleeps until a packet is due, at most the timeout, and costs no CPU", () => {
  using files = new Files();
  const path = files.write(pcapFile({}, packetsAt(0, 300)));
  const port = openFile(path, { speed: 1 }), { words, at } = port.rx[0];
  const startNs = nowNs();
  port.rxSync();
  port.wait(RX, 1_000_000); // one is ready: no sleep
  assert(nowNs() - startNs < 100e6);
  words[at + RING.head] = 1;
  const cpuNs = threadCpuNs();
  port.wait(RX, 50_000);
  assert(nowNs() - startNs >= 50e6 && nowNs() - startNs < 250e6, "not the timeout");
  port.rxSync();
  assertEquals(packetsReady(port), 0);
  port.wait(RX, 5_000_000);
  assert(nowNs() - startNs >= 300e6 && nowNs() - startNs < 600e6, "not the time it was due");
  assert(threadCpuNs() - cpuNs < 50e6, "it did not sleep");
  port.rxSync();
  assertEquals(packetsReady(port), 1);
  port.close();
});

Deno.test("PcapPort replays a file as often as it is told, without end for 0", () => {
  using files = new Files();
  const packets = packetsAt(...Array.from({ length: 1500 }, (_, i) => i)),
    path = files.write(pcapFile({}, packets));
  for (const loop of [1, 2, 5]) {
    const { packets: given, error } = takeAll(openFile(path, { loop }, 10_000));
    assertEquals(error, undefined);
    assertEquals(given, Array(loop).fill(packets).flat());
  }
  assert(takeAll(openFile(path, { loop: 0 }), Infinity, 100_000).packets.length >= 100_000);
  const empty = files.write(pcapFile({}, []));
  assertEquals(takeAll(openFile(empty, { loop: 0 })), { packets: [] });
});

Deno.test("PcapPort stays at constant memory over a gigabyte", () => {
  using files = new Files();
  const packets = Array.from({ length: 10_000 }, (_, i) => ({
    bytes: packetOf(i, 1000 + i % 7),
    second: i,
    nanosecond: 0,
  }));
  const port = openFile(files.write(pcapFile({}, packets)), { loop: 100 }), ring = port.rx[0];
  let before = 0, taken = 0;
  while (!port.ended) {
    port.rxSync();
    taken += slotsReady(ring);
    ring.words[ring.at + RING.head] = ring.words[ring.at + RING.tail];
    if (before === 0 && taken > 50_000) before = Deno.memoryUsage().rss;
  }
  const grown = Deno.memoryUsage().rss - before;
  port.close();
  assertEquals(taken, 1_000_000);
  assert(grown < 16e6, `${grown / 1e6} MB more`);
});

/** Runs the probe with a file coming through a pipe in pieces of these sizes. */
async function piped(file: Uint8Array, sizes: number[], ...where: string[]) {
  const probe = new URL("pcap_probe.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", probe, "-", ...where],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  for (let at = 0, i = 0; at < file.length; i++) {
    const size = sizes[i % sizes.length];
    await writer.write(file.slice(at, at + size));
    if (i < 10) await new Promise((resolve) => setTimeout(resolve, 5));
    at += size;
  }
  await writer.close();
  const { stdout } = await child.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("PcapPort reads standard input, on the main thread and in a worker, however it comes", async () => {
  const packets = packetsAt(...Array.from({ length: 20_000 }, (_, i) => i));
  const file = pcapFile({ big: true }, packets);
  const bytes = packets.reduce((sum, packet) => sum + packet.bytes.length, 0);
  const expected = { packets: packets.length, bytes, error: "none" };
  for (const where of [[], ["worker"]]) {
    assertEquals(await piped(file, [3, 1, 40, 7, 65_536, 100_000], ...where), expected);
  }
  assertEquals(await piped(file.slice(0, -1), [100_000]), {
    packets: packets.length - 1,
    bytes: bytes - packets.at(-1)!.bytes.length,
    error:
      `Cannot read "-": damaged at byte ${
        file.length - 16 - packets.at(-1)!.bytes.length
      }: the file ` +
      `ends within a record, of which ${
        15 + packets.at(-1)!.bytes.length
      } bytes are there: all before ` +
      "it was read, fetch the file anew",
  });
});
