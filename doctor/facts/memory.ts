/**
 * Purpose: facts about memory: large pages, and where soft ports live.
 */
import type { FileInfo, SystemFiles } from "../../ffi/system_files.ts";

/** Memory of the machine. */
export interface MemoryFacts {
  /** Huge pages that are reserved, and their size in bytes. */
  hugePages: { total: number; free: number; bytes: number };
  /** `always`, `madvise` or `never`. */
  transparentHugePages?: string;
  availableBytes: number;
  /** /dev/shm; nothing: there is none. */
  shared?: Pick<FileInfo, "writable" | "freeBytes" | "mode">;
}

/** Reads them. */
export function memoryFacts(files: SystemFiles): MemoryFacts {
  const text = files.text("/proc/meminfo") ?? "";
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const large = files.text("/sys/kernel/mm/transparent_hugepage/enabled");
  const shared = files.info("/dev/shm");
  return {
    hugePages: {
      total: field("HugePages_Total"),
      free: field("HugePages_Free"),
      bytes: field("Hugepagesize") * 1024,
    },
    transparentHugePages: /\[(\w+)\]/.exec(large ?? "")?.[1],
    availableBytes: field("MemAvailable") * 1024,
    shared: shared && {
      writable: shared.writable,
      freeBytes: shared.freeBytes,
      mode: shared.mode & 0o7777,
    },
  };
}
