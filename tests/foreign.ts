/**
 * The other side of an interface, for tests of the commands: programs that are not ours, files for them
 * and from them, and commands of ours inside a test network.
 */
import { openPort } from "../ffi/open_port.ts";
import { RX } from "../ffi/port.ts";
import { advance, bufferByte, RING, SLOT_WORDS, slotsReady } from "../ffi/layout.ts";
import { type Finished, type Running, start } from "./command.ts";
import { type PacketChoice, tickPacket } from "./packets.ts";
import {
  ADDRESS,
  INTERFACE,
  noTestbed,
  type Side,
  Testbed,
  type TestbedOptions,
} from "./testbed.ts";

const LIMIT_MS = 40_000;

/** A packet of a capture file. */
export interface FilePacket {
  bytes: Uint8Array;
  /** Its time, in nanoseconds from the first one's. */
  atNs: number;
}

/** Why these tests cannot run here; nothing: they can. */
const absent = noTestbed ?? whatIsMissing();

function whatIsMissing(): string | undefined {
  const isThere = (program: string) => {
    const args = ["-c", 'command -v "$0"', program];
    return new Deno.Command("sh", { args, stdout: "null" }).outputSync().success;
  };
  const missing = ["tcpdump", "tcpreplay", "node", "setpriv"].filter((name) => !isThere(name));
  return missing.length > 0 ? `no ${missing.join(", ")} here` : undefined;
}

/**
 * Registers a test in a network of its own; without root, or the programs of the other side, it is shown
 * as ignored, with the reason; `missing` is a reason of one's own.
 */
export function testNetwork(
  name: string,
  options: TestbedOptions,
  fn: (testbed: Testbed, t: Deno.TestContext) => Promise<void>,
  missing?: string,
): void {
  const why = absent ?? missing;
  Deno.test({
    name: why ? `${name} (${why})` : name,
    ignore: why !== undefined,
    fn: async (t) => {
      using testbed = Testbed.create(options);
      if (!options.together) {
        await meet(testbed, "left", "right");
        await meet(testbed, "right", "left");
      }
      await fn(testbed, t);
    },
  });
}

/** Tells one end the other's Ethernet address, so that no ARP packet is among those that are counted. */
async function meet(testbed: Testbed, side: Side, other: Side): Promise<void> {
  const mac = await macOf(testbed, other);
  const neighbour = ["neigh", "replace", ADDRESS[other], "lladdr", mac, "nud", "permanent"];
  await testbed.must(side, "ip", ...neighbour, "dev", INTERFACE[side]);
}

/** Starts a capture in the right namespace; resolves once it is ready, or has ended. */
export async function startCapture(
  testbed: Testbed,
  args: string[],
  side: Side = "right",
): Promise<Running> {
  // The code is printed as soon as the capture is ready, a second before the first object.
  const all = [...args, "--json", "--print-code"];
  const running = start("capture", all, {}, LIMIT_MS, (command) => testbed.inside(side, command));
  await running.shown("return function ");
  return running;
}

/** Ends a capture as Ctrl-C does, when what is on its way has had time to come. */
export async function stopCapture(capture: Running): Promise<Finished> {
  await delay(250);
  capture.process.kill("SIGINT");
  return await capture.finished;
}

/** Runs the sender in the left namespace to its end. */
export function send(testbed: Testbed, args: string[], side: Side = "left"): Promise<Finished> {
  const inside = (command: string[]) => testbed.inside(side, command);
  return start("send", [...args, "--json"], {}, LIMIT_MS, inside).finished;
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ethernet address of an end. */
export async function macOf(testbed: Testbed, side: Side): Promise<string> {
  return (await testbed.must(side, "cat", `/sys/class/net/${INTERFACE[side]}/address`)).trim();
}

/** A packet with a tick as the left end would send it: addresses and IPv4 checksum are right. */
export function truePacket(mac: string, choice: PacketChoice = {}): Uint8Array {
  const packet = tickPacket({ address: addressOf(ADDRESS.right), ...choice });
  // VLAN 7: packets of VLAN 0 are for everybody.
  for (let tag = 0; tag < (choice.tags ?? 0); tag++) packet[15 + 4 * tag] = 7;
  return addressed(packet, mac, 4 * (choice.tags ?? 0));
}

/** Writes Ethernet and IPv4 source addresses into a packet, and the IPv4 checksum. */
export function addressed(packet: Uint8Array, mac: string, tagBytes = 0): Uint8Array {
  packet.set(mac.split(":").map((byte) => parseInt(byte, 16)));
  packet.set([2, 0, 0, 0, 0, 1], 6);
  const ip = new DataView(packet.buffer, packet.byteOffset + 14 + tagBytes);
  ip.setUint32(12, addressOf(ADDRESS.left));
  ip.setUint16(10, 0);
  let sum = 0; // RFC 791
  for (let at = 0; at < (ip.getUint8(0) & 15) * 4; at += 2) sum += ip.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  ip.setUint16(10, ~sum & 0xffff);
  return packet;
}

export function addressOf(text: string): number {
  return text.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

/** Writes a pcap file with times in nanoseconds (the format of pcap-savefile(5)). */
export function writePcap(path: string, packets: FilePacket[]): void {
  const total = packets.reduce((sum, { bytes }) => sum + 16 + bytes.length, 24);
  const file = new Uint8Array(total), view = new DataView(file.buffer);
  [0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 1].forEach((word, i) => view.setUint32(4 * i, word, true));
  let at = 24;
  for (const { bytes, atNs } of packets) {
    const words = [1_700_000_000 + Math.floor(atNs / 1e9), atNs % 1e9, bytes.length, bytes.length];
    words.forEach((word, i) => view.setUint32(at + 4 * i, word, true));
    file.set(bytes, at + 16);
    at += 16 + bytes.length;
  }
  Deno.writeFileSync(path, file);
}

/** All packets of a capture file. */
export function readPackets(path: string): FilePacket[] {
  const port = openPort(`pcap:${path}`, RX), packets: FilePacket[] = [];
  const [ring] = port.rx;
  let firstS = 0;
  for (port.rxSync(); !port.ended; port.rxSync()) {
    for (; slotsReady(ring) > 0; advance(ring, 1)) {
      const slot = ring.slotsAt + ring.words[ring.at + RING.head] * SLOT_WORDS;
      const seconds = ring.words[slot + 2] >>> 0, nanoseconds = ring.words[slot + 3];
      if (packets.length === 0) firstS = seconds;
      const from = ring.at * 4 + bufferByte(ring, slot), length = ring.words[slot + 1] & 0xffff;
      packets.push({
        bytes: new Uint8Array(ring.words.buffer).slice(from, from + length),
        atNs: (seconds - firstS) * 1e9 + nanoseconds,
      });
    }
  }
  port.close();
  const first = packets[0]?.atNs ?? 0;
  return packets.map(({ bytes, atNs }) => ({ bytes, atNs: atNs - first }));
}

/** tcpdump at one end, until it is stopped. */
export class Dump {
  private constructor(
    readonly path: string,
    readonly process: Deno.ChildProcess,
    readonly rest: Promise<string>,
  ) {}

  /** Resolves once it listens; it sees what comes in, or what `direction` says, as tcpdump's -Q. */
  static async start(
    testbed: Testbed,
    side: Side,
    device: string = INTERFACE[side],
    direction: "in" | "inout" = "in",
  ): Promise<Dump> {
    const path = Deno.makeTempFileSync({ suffix: ".pcap" });
    // -Z: else it gives its rights up, and may not write there; -B: KiB, so that it loses nothing
    const options = [
      "--nano",
      "--immediate-mode",
      "-U",
      "-Z",
      "root",
      "-B",
      "32768",
      "-Q",
      direction,
    ];
    const command = ["tcpdump", "-i", device, "-w", path, ...options];
    const process = testbed.spawn(side, command, { stdout: "null" });
    const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const read = async () => {
      const { value, done } = await reader.read();
      text += value ?? "";
      return !done;
    };
    while (!text.includes("listening on") && await read());
    const rest = (async () => {
      while (await read());
      return text;
    })();
    return new Dump(path, process, rest);
  }

  /** What it has seen. */
  async stop(): Promise<FilePacket[]> {
    await delay(200);
    this.process.kill("SIGINT");
    const text = await this.rest;
    await this.process.status;
    try {
      if (!text.includes("\n0 packets dropped by kernel")) throw new Error(`tcpdump: ${text}`);
      return readPackets(this.path);
    } finally {
      Deno.removeSync(this.path);
    }
  }
}

/** Sends a file with tcpreplay; returns how many packets it says it has sent. */
export async function replay(testbed: Testbed, path: string, ...args: string[]): Promise<number> {
  const text = await testbed.must("left", "tcpreplay", "-i", INTERFACE.left, ...args, path);
  return Number(/Successful packets: +(\d+)/.exec(text)?.[1]);
}

/** A file that is removed with the block it is in. */
export class TemporaryFile {
  readonly path: string = Deno.makeTempFileSync({ suffix: ".pcap" });

  /** A capture file with these packets. */
  static of(packets: FilePacket[]): TemporaryFile {
    const file = new TemporaryFile();
    writePcap(file.path, packets);
    return file;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}
