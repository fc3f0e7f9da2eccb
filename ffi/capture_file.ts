/**
 * Purpose: tells by a file's first bytes which format it has, and opens it; says what it is where it is
 * none.
 */
import type { CaptureFile } from "./capture_record.ts";
import { commandName } from "./command_name.ts";
import type { FileWindow } from "./file_window.ts";
import type { Ring } from "./layout.ts";
import { PcapFile } from "./pcap_file.ts";
import { PcapngFile } from "./pcapng_file.ts";

/** Reads what a file begins with; a sentence where it is none that we know. */
export function openCaptureFile(window: FileWindow, ring: Ring): CaptureFile | string {
  if (!window.need(4)) {
    return window.ready === 0
      ? "it is empty: give a pcap or pcapng file"
      : `it has ${window.ready} bytes, no capture file's: give a pcap or pcapng file`;
  }
  const at = window.position, bytes = window.bytes;
  const magic = (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
  return PcapFile.open(window, ring, magic) ?? PcapngFile.open(window, ring, magic) ??
    refusal(window, magic);
}

/** First bytes of what people have instead of a capture file: what it is, and the program that unpacks it. */
const OTHERS: [magic: number, mask: number, name: string, program?: string][] = [
  [0x1f8b0000, 0xffff0000, "gzip", "zcat"],
  [0x28b52ffd, 0xffffffff, "zstd", "zstdcat"],
  [0xfd377a58, 0xffffffff, "xz", "xzcat"],
  [0x425a6800, 0xffffff00, "bzip2", "bzcat"],
  [0x04224d18, 0xffffffff, "lz4", "lz4cat"],
  [0x504b0304, 0xffffffff, "zip", "unzip -p"],
  [0xa1b2cd34, 0xffffffff, "a pcap of Kuznetzov's kind"],
  [0x34cdb2a1, 0xffffffff, "a pcap of Kuznetzov's kind"],
  [0x1c0001ac, 0xffffffff, "an IXIA lcap"],
  [0xac01001c, 0xffffffff, "an IXIA lcap"],
  [0x736e6f6f, 0xffffffff, "a snoop"],
  [0x6274736e, 0xffffffff, "a btsnoop"],
  [0x474d4255, 0xffffffff, "a Network Monitor"],
  [0x01000000, 0xffffffff, "a pcapng without its section header, or no capture"],
  [0x06000000, 0xffffffff, "a pcapng without its section header, or no capture"],
  [0x00000001, 0xffffffff, "a pcapng without its section header, or no capture"],
  [0x00000006, 0xffffffff, "a pcapng without its section header, or no capture"],
];

function refusal(window: FileWindow, magic: number): string {
  const other = OTHERS.find(([value, mask]) => (magic & mask) >>> 0 === value);
  if (other === undefined) {
    const text = magic.toString(16).padStart(8, "0");
    return `no capture file begins with the bytes ${text}: give a pcap or pcapng file`;
  }
  const [, , name, program] = other;
  if (program === undefined) {
    return `it is ${name} file: have it converted, as in "editcap -F pcapng FILE OTHER"`;
  }
  const { name: file } = window;
  return file === "-"
    ? `it is compressed with ${name}: unpack it first, with "${program}"`
    : `it is compressed with ${name}: unpack it, as in "${program} ${file} | ${
      commandName("capture")
    } -i pcap:-"`;
}
