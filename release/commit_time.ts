/**
 * Purpose: the time that released files bear, so that the same commit makes the same archive.
 */
import { ROOT } from "./module_graph.ts";
import { tryProgram } from "./run_program.ts";

/** Seconds since 1970: SOURCE_DATE_EPOCH, the commit's time, or now where there is neither. */
export async function commitTime(): Promise<number> {
  const wanted = Number(Deno.env.get("SOURCE_DATE_EPOCH") || NaN);
  if (Number.isInteger(wanted)) return wanted;
  const printed = await tryProgram(["git", "-C", ROOT, "log", "-1", "--format=%ct"]);
  return printed?.success ? Number(printed.stdout) : Math.floor(Date.now() / 1000);
}

/** Gives a folder and everything in it that time. */
export function setTimes(directory: string, seconds: number): void {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) setTimes(path, seconds);
    else Deno.utimeSync(path, seconds, seconds);
  }
  Deno.utimeSync(directory, seconds, seconds);
}
