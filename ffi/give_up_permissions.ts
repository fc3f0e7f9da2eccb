/**
 * Purpose: what the main isolate no longer needs, it gives up. Without `--write` it gives up writing at
 * once; once the threads run, everything: it then only reads shared memory, prints, and hears signals.
 */

/** Revokes the permission to write files. */
export async function giveUpWriting(): Promise<void> {
  await Deno.permissions.revoke({ name: "write" });
}

/** Revokes the permission to use the network; threads that were started with it keep theirs. */
export async function giveUpNetwork(): Promise<void> {
  await Deno.permissions.revoke({ name: "net" });
}

/** Revokes everything that a command was started with. */
export async function giveUpPermissions(): Promise<void> {
  await giveUpWriting();
  await giveUpNetwork();
  await Deno.permissions.revoke({ name: "ffi" });
  await Deno.permissions.revoke({ name: "read" });
  await Deno.permissions.revoke({ name: "env" });
  await Deno.permissions.revoke({ name: "run" });
}
