/**
 * Purpose: what the main isolate no longer needs once the threads run, it gives up: it then only reads
 * shared memory, prints, and hears signals.
 */
import { libraryPath } from "../ffi/library.ts";

/** Revokes everything that the capture command was started with. */
export async function giveUpPermissions(): Promise<void> {
  await Deno.permissions.revoke({ name: "ffi", path: libraryPath() });
  await Deno.permissions.revoke({ name: "ffi" });
  await Deno.permissions.revoke({ name: "read" });
  await Deno.permissions.revoke({ name: "env" });
}
