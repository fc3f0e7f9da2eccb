/**
 * Purpose: facts about the kernel: its version, which sockets it knows, whether it compiles BPF, its clock.
 */
import type { SystemFiles } from "../../ffi/system_files.ts";

const CLOCK = "/sys/devices/system/clocksource/clocksource0";

/** What kernel it is. */
export interface KernelFacts {
  release: string;
  /** Major and minor, as one number: 5.9 is 509. */
  version: number;
  /** Families of sockets that it knows, such as `XDP`; empty where it does not say. */
  protocols: string[];
  /** `net.core.bpf_jit_enable`. */
  jit?: number;
  /** The host's name for its processors: `x86_64`, `aarch64`. */
  arch: string;
  clock: { source?: string; available: string[] };
}

/** Reads them. */
export function kernelFacts(files: SystemFiles, arch: string): KernelFacts {
  const release = files.text("/proc/sys/kernel/osrelease") ?? "";
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const protocols = files.text("/proc/net/protocols")?.split("\n").slice(1) ?? [];
  return {
    release,
    version: major === undefined ? 0 : Number(major) * 100 + Number(minor),
    protocols: protocols.map((line) => line.split(/\s+/)[0]),
    jit: numberIn(files, "/proc/sys/net/core/bpf_jit_enable"),
    arch,
    clock: {
      source: files.text(`${CLOCK}/current_clocksource`),
      available: files.text(`${CLOCK}/available_clocksource`)?.split(/\s+/) ?? [],
    },
  };
}

/** A file's number; `undefined` where it has none. */
export function numberIn(files: SystemFiles, path: string): number | undefined {
  const text = files.text(path);
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text);
}
