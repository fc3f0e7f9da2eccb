/**
 * Files that a capture has written: a place for them, and what tshark and capinfos say of them.
 */
import { assert, assertEquals } from "@std/assert";

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
