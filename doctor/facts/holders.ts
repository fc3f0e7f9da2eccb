/**
 * Purpose: which process holds something of the kernel's. Of other users' processes only root learns that.
 */
import type { SystemFiles } from "../../ffi/system_files.ts";

/** A process. */
export interface Holder {
  process: number;
  name: string;
}

const WILDCARD = 0;
const MAPPED = "0000000000000000FFFF0000"; // an IPv4 address among those of IPv6, as /proc/net/udp6 has it

/**
 * Who has UDP sockets, of IPv4 or IPv6, on this port and an address that overlaps with ours. To which
 * interface they are bound, and what they let others share, is not shown.
 */
export function holdersOf(files: SystemFiles, address: number, port: number): Holder[] {
  const lines = ["/proc/net/udp", "/proc/net/udp6"].flatMap((path) =>
    files.text(path)?.split("\n") ?? []
  );
  const found = lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/), [own, number] = (fields[1] ?? "").split(":");
    if (number === undefined || parseInt(number, 16) !== port) return [];
    const bound = addressOf(own), overlaps = [bound, WILDCARD].includes(address);
    if (bound !== WILDCARD && (bound === undefined || !overlaps)) return [];
    return holderOfSocket(files, Number(fields[9])) ?? [];
  });
  return found.filter((one, i) => found.findIndex(({ process }) => process === one.process) === i);
}

/** A number of 4 or 16 bytes in the machine's order, by 4; nothing: an address of IPv6 alone. */
function addressOf(text: string): number | undefined {
  if (/^0+$/.test(text)) return WILDCARD;
  if (text.length > 8 && !text.startsWith(MAPPED)) return undefined;
  return parseInt(text.slice(-8).match(/../g)!.reverse().join(""), 16);
}

/** Who has the socket with this inode. */
export function holderOfSocket(files: SystemFiles, inode: number): Holder | undefined {
  return find(files, (process, fd) => files.link(`${process}/fd/${fd}`) === `socket:[${inode}]`);
}

/** Who holds the link of an XDP program: as long as that one lives, the program stays. */
export function holderOfProgram(files: SystemFiles, program: number): Holder | undefined {
  const line = new RegExp(`^prog_id:\\s*${program}$`, "m");
  return find(files, (process, fd) => {
    if (!files.link(`${process}/fd/${fd}`)?.startsWith("anon_inode:bpf")) return false;
    const text = files.text(`${process}/fdinfo/${fd}`) ?? "";
    return /^link_type:\s*xdp$/m.test(text) && line.test(text);
  });
}

function find(
  files: SystemFiles,
  holds: (process: string, fd: string) => boolean,
): Holder | undefined {
  for (const name of files.names("/proc")) {
    if (!/^[1-9]\d*$/.test(name)) continue;
    const process = `/proc/${name}`;
    if (files.names(`${process}/fd`).some((fd) => holds(process, fd))) {
      return { process: Number(name), name: files.text(`${process}/comm`) ?? "" };
    }
  }
}
