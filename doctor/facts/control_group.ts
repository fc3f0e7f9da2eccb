/**
 * Purpose: what the control groups that we are in allow: time on the cores, and memory; cgroups(7), both
 * versions. What a group's parents allow holds, too.
 *
 * ```text
 * version 2   /sys/fs/cgroup/a/b/cpu.max             "50000 100000": half a core
 * version 1   /sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us, cpu.cfs_period_us
 * ```
 */
import type { SystemFiles } from "../../ffi/system_files.ts";

/** A limit, and the file that sets it. */
export interface Limit {
  /** Cores' worth of time, or bytes. */
  value: number;
  file: string;
}

/** The tightest limits of each kind; none where there is none. */
export interface ControlGroupFacts {
  cores?: Limit;
  bytes?: Limit;
}

/** Reads them. */
export function controlGroupFacts(files: SystemFiles): ControlGroupFacts {
  return {
    cores: tightest([
      ...folders(files, "").map((folder) => coresOf(files, folder)),
      ...folders(files, "cpu").map((folder) => oldCoresOf(files, folder)),
    ]),
    bytes: tightest([
      ...folders(files, "").map((folder) => bytesOf(files, `${folder}/memory.max`)),
      ...folders(files, "memory").map((folder) =>
        bytesOf(files, `${folder}/memory.limit_in_bytes`)
      ),
    ]),
  };
}

/** The folders of our group and its parents; `controller` is empty for version 2. */
function folders(files: SystemFiles, controller: string): string[] {
  const lines = files.text("/proc/self/cgroup")?.split("\n").map((line) => line.split(":")) ?? [];
  const line = lines.find(([, names]) =>
    controller === "" ? names === "" : names?.split(",").includes(controller)
  );
  if (line === undefined) return [];
  const parts = line.slice(2).join(":").split("/").filter((part) => part !== "");
  const tops = controller === ""
    ? ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
    : [`/sys/fs/cgroup/${line[1]}`];
  return tops.flatMap((top) =>
    Array.from(
      { length: parts.length + 1 },
      (_, count) => [top, ...parts.slice(0, count)].join("/"),
    )
  );
}

function coresOf(files: SystemFiles, folder: string): Limit | undefined {
  const file = `${folder}/cpu.max`, [quota, period] = files.text(file)?.split(" ") ?? [];
  return quota === undefined || quota === "max"
    ? undefined
    : { value: Number(quota) / Number(period), file };
}

function oldCoresOf(files: SystemFiles, folder: string): Limit | undefined {
  const file = `${folder}/cpu.cfs_quota_us`, quota = Number(files.text(file) ?? -1);
  const period = Number(files.text(`${folder}/cpu.cfs_period_us`) ?? 100_000);
  return quota <= 0 ? undefined : { value: quota / period, file };
}

function bytesOf(files: SystemFiles, file: string): Limit | undefined {
  const value = Number(files.text(file) ?? NaN); // "max" is none; version 1 says 2^63 or so
  return Number.isFinite(value) && value < 2 ** 50 ? { value, file } : undefined;
}

function tightest(limits: (Limit | undefined)[]): Limit | undefined {
  return limits.filter((limit) => limit !== undefined).sort((a, b) => a.value - b.value)[0];
}
