/** What tcpdump saw on an interface, read from the file that it wrote. */
import type { Side, Testbed } from "./testbed.ts";

/** A packet in a file. */
export interface Recorded {
  bytes: Uint8Array;
  /** Nanoseconds since 1970, as far as a number tells. */
  timeNs: number;
}

/** A tcpdump that runs. */
export interface Recording {
  /** Returns when these packets, too, are in the file: it loses some where more than 500 wait for it. */
  wrote(packets: Uint8Array[]): Promise<void>;
  /** Ends it; returns what came. */
  stop(): Promise<Recorded[]>;
}

const LIMIT_MS = 5000;

/** Starts tcpdump on an interface, for packets that come in. */
export async function record(testbed: Testbed, side: Side, name: string): Promise<Recording> {
  const path = await Deno.makeTempFile({ suffix: ".pcap" });
  const child = testbed.spawn(side, [
    ...[
      "tcpdump",
      "-i",
      name,
      "-Q",
      "in",
      "-s",
      "0",
      "-B",
      "32768",
      "-U",
      "-Z",
      "root",
      "--immediate-mode",
    ],
    ...["--time-stamp-precision=nano", "-w", path],
  ]);
  const errors = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("listening on");) {
    const { value, done } = await errors.read();
    if (done) throw new Error(`tcpdump ended: ${text}`);
    text += value;
  }
  let expected = 24;
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  return {
    wrote: async (packets) => {
      expected += packets.reduce((sum, { length }) => sum + 16 + length, 0);
      const end = performance.now() + LIMIT_MS;
      while ((await Deno.stat(path)).size < expected && performance.now() < end) await wait(1);
    },
    stop: async () => {
      child.kill("SIGINT");
      while (!(await errors.read()).done);
      await child.stdout.cancel();
      await child.status;
      const packets = parse(await Deno.readFile(path));
      await Deno.remove(path);
      return packets;
    },
  };
}

/** A pcap file of this machine's byte order, with times in ns. */
function parse(bytes: Uint8Array): Recorded[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const packets: Recorded[] = [];
  if (view.getUint32(0, true) !== 0xa1b23c4d) throw new Error("no pcap file with ns");
  for (let at = 24; at + 16 <= bytes.length;) {
    const length = view.getUint32(at + 8, true), start = at + 16;
    const timeNs = view.getUint32(at, true) * 1e9 + view.getUint32(at + 4, true);
    packets.push({ bytes: bytes.slice(start, start + length), timeNs });
    at = start + length;
  }
  return packets;
}
