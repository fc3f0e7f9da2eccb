/**
 * Purpose: what is told of a file that has been made for release.
 */
import { print } from "../ffi/usage.ts";

/** Prints its path, size and SHA-256, and what a host must have to run it. */
export async function announceFile(path: string, needs: string): Promise<void> {
  const bytes = Deno.readFileSync(path);
  const megabytes = (bytes.length / 1e6).toFixed(1);
  print(`${path}: ${megabytes} MB, ${needs}`);
  print(`SHA-256 ${await sha256(bytes)}`);
}

/** The SHA-256 of bytes, in hex. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
