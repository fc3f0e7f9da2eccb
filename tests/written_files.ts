/**
 * Files that a capture has written: a place for them, and what tshark and capinfos say of them.
 */
import { assert, assertEquals } from "@std/assert";
import { openFile, takeAll } from "./capture_files.ts";
import type { AnyStatistics } from "./command.ts";
import { type ParsedFile, parsePcapng, u64Of } from "./pcapng_parser.ts";

/** A directory that is removed with all that is mounted on it. */
export class Place {
  readonly path = Deno.makeTempDirSync({ prefix: "uspf-write-" });
  #mounted = false;

  /** Its files by name. */
  files(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  mount(kibibytes: number): void {
    execute("mount", "-t", "tmpfs", "-o", `size=${kibibytes}k`, "uspf-test", this.path);
    this.#mounted = true;
  }

  [Symbol.dispose](): void {
    if (this.#mounted) execute("umount", this.path);
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Runs a program that must succeed; returns what it printed. */
export function execute(program: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  const text = new TextDecoder().decode(stdout);
  assert(success, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return text;
}

/** Number of packets that capinfos finds; it must find no fault. */
export function capinfos(file: string): number {
  return Number(execute("capinfos", "-M", "-c", file).match(/Number of packets: +(\d+)/)![1]);
}

/** Packets as tshark reads them: it writes them to a plain capture file with ns, which is parsed here. */
export function tshark(file: string): { ns: bigint; bytes: Uint8Array }[] {
  const plain = `${file}.pcap`;
  execute("tshark", "-r", file, "-F", "nsecpcap", "-w", plain);
  const bytes = Deno.readFileSync(plain), view = new DataView(bytes.buffer);
  Deno.removeSync(plain);
  assertEquals(view.getUint32(0, true), 0xa1b23c4d);
  const packets = [];
  for (let at = 24; at < bytes.length;) {
    const length = view.getUint32(at + 8, true);
    const ns = BigInt(view.getUint32(at, true)) * 1_000_000_000n +
      BigInt(view.getUint32(at + 4, true));
    packets.push({ ns, bytes: bytes.slice(at + 16, at + 16 + length) });
    at += 16 + length;
  }
  return packets;
}

/**
 * What one file of a command holds, whose last statistics are `s`: tshark, capinfos and a port of ours read the
 * same in it, and its statistics blocks say what `s` does.
 */
export function checkWritten(file: string, s: AnyStatistics): ParsedFile {
  const parsed = parsePcapng(Deno.readFileSync(file)), { packets, statistics } = parsed;
  assertEquals([packets.length, capinfos(file)], [s.write.packets, s.write.packets]);
  assertEquals(packets.reduce((sum, { bytes }) => sum + bytes.length, 0), s.write.bytes);
  const seen = tshark(file), { packets: taken, error } = takeAll(openFile(file));
  assertEquals([seen.length, taken.length, error], [packets.length, packets.length, undefined]);
  packets.forEach(({ ns, bytes }, i) => {
    const { second, nanosecond } = taken[i];
    assertEquals([seen[i].ns, BigInt(second) * 1_000_000_000n + BigInt(nanosecond)], [ns, ns]);
    assert(same(bytes, seen[i].bytes) && same(bytes, taken[i].bytes), `packet ${i} differs`);
  });
  const sums = { missed: 0n, written: 0n };
  statistics.forEach(({ interfaceId, options }, i) => {
    const { received, lost, accepted } = s.queues[i];
    const expected = [received + (lost ?? 0), lost, accepted].map((n) => n ?? undefined);
    const counts = [4, 5, 6].map((code) => u64Of(options.get(code)));
    assertEquals(counts, expected.map((n) => n === undefined ? n : BigInt(n)));
    const own = packets.filter((packet) => packet.interfaceId === interfaceId).length;
    assertEquals([interfaceId, u64Of(options.get(8))], [i, BigInt(own)]);
    sums.missed += u64Of(options.get(7))!;
    sums.written += u64Of(options.get(8))!;
  });
  assertEquals([statistics.length, parsed.interfaces.length], Array(2).fill(s.queues.length));
  assertEquals(sums, { missed: BigInt(s.write.missed), written: BigInt(s.write.packets) });
  return parsed;
}

/** Name and description of each interface. */
export function interfacesOf({ interfaces }: ParsedFile): [name: string, description: string][] {
  const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
  return interfaces.map(({ options }) => [text(options.get(2)), text(options.get(3))]);
}

/** Whether two packets have the same bytes. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Why files cannot be checked here; nothing: they can. */
export const noTshark: string | undefined = (() => {
  try {
    new Deno.Command("capinfos", { args: ["-v"] }).outputSync();
    new Deno.Command("tshark", { args: ["-v"] }).outputSync();
  } catch {
    return " (no tshark here)";
  }
})();

/** Why there can be no small disk here; nothing: there can. */
export const noMount: string | undefined = noTshark ??
  (Deno.uid() === 0 ? undefined : " (no root, no small disk)");
