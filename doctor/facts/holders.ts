/**
 * Purpose: which process holds something of the kernel's. Of other users' processes only root learns that.
 */
import type { SystemFiles } from "../../ffi/system_files.ts";

/** A process. */
export interface Holder {
  process: number;
  name: string;
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
