/**
 * Purpose: lists of cores as the kernel writes them: `0-3,8`.
 */

/** The cores of a list; none for an empty or missing one. */
export function parseCores(text: string | undefined): number[] {
  return (text ?? "").split(",").flatMap((part) => {
    const match = /^\s*(\d+)(?:-(\d+))?/.exec(part);
    if (match === null) return [];
    const first = Number(match[1]), last = Number(match[2] ?? first);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
}

/** The other way round; cores in ascending order. */
export function formatCores(cores: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const core of cores) {
    const run = runs.at(-1);
    if (run !== undefined && core === run[1] + 1) run[1] = core;
    else runs.push([core, core]);
  }
  return runs.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`).join(",");
}
