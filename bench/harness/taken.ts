/**
 * Purpose: what others took from the cores that a bench runs on: the hypervisor, and other programs.
 */

/** A clock tick of /proc/stat: USER_HZ is 100 on every machine that we run on (time(7)). */
const MS_PER_TICK = 10;

/** Milliseconds that the hypervisor has taken from some cores since the machine began; 0 where it does not say. */
export function stolenFrom(cores: readonly number[]): number {
  // proc_stat(5): user nice system idle iowait irq softirq steal
  const lines = (read("/proc/stat") ?? "").matchAll(/^cpu(\d+) (.*)$/gm);
  const stolen = new Map([...lines].map(([, core, t]) => [Number(core), Number(t.split(" ")[7])]));
  return [...new Set(cores)].reduce((sum, core) => sum + (stolen.get(core) ?? 0), 0) * MS_PER_TICK;
}

/**
 * Milliseconds for which a thread of this process has wanted to run while others had its core: the second
 * figure of schedstat, in ns (Documentation/scheduler/sched-stats.rst). 0 where the kernel does not say.
 */
export function waitedBy(thread: string | number): number {
  return Number(read(`/proc/self/task/${thread}/schedstat`)?.split(" ")[1] ?? 0) / 1e6;
}

/** The same of all threads of this process that are kept on one of the cores. */
export function waitedOn(cores: readonly number[]): number {
  const threads = [...Deno.readDirSync("/proc/self/task")].map(({ name }) => name);
  return threads.filter((thread) => {
    const status = read(`/proc/self/task/${thread}/status`) ?? "";
    const kept = /^Cpus_allowed_list:\s*(\d+)$/m.exec(status);
    return kept !== null && cores.includes(Number(kept[1]));
  }).reduce((sum, thread) => sum + waitedBy(thread), 0);
}

/** A file's text; `null` for a thread that has ended, or where the kernel keeps no such figures. */
function read(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}
