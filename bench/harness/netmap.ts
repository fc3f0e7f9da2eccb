/**
 * Purpose: whether this machine has netmap.
 */

/** Why there is none; `undefined`: there is. */
export function noNetmap(): string | undefined {
  try {
    Deno.statSync("/dev/netmap");
    return undefined;
  } catch {
    return "no /dev/netmap: load the netmap module";
  }
}
