/**
 * Purpose: what others took from the cores that a soak runs on: the hypervisor, and other programs.
 */
import { stolenMs } from "../harness/machine.ts";

/** Milliseconds that the hypervisor has taken from some cores, since the machine began. */
export function stolenFrom(cores: readonly number[]): number {
  const stolen = stolenMs();
  return [...new Set(cores)].reduce((sum, core) => sum + (stolen.get(core) ?? 0), 0);
}

/**
 * Milliseconds for which threads of this process that are kept on one of the cores had to wait while others
 * ran there: the second figure of schedstat (sched-stats of the kernel's documentation). 0 where the kernel
 * does not say.
 */
export function waitedFor(cores: readonly number[]): number {
  let waitedNs = 0;
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    try {
      const status = Deno.readTextFileSync(`/proc/self/task/${name}/status`);
      const kept = /^Cpus_allowed_list:\s*(\d+)$/m.exec(status);
      if (kept === null || !cores.includes(Number(kept[1]))) continue;
      waitedNs += Number(Deno.readTextFileSync(`/proc/self/task/${name}/schedstat`).split(" ")[1]);
    } catch { /* the thread has ended, or the kernel keeps no such figures */ }
  }
  return waitedNs / 1e6;
}
