/**
 * Purpose: the error of a port whose system call failed.
 */
import { constants } from "node:os";

const names = new Map(Object.entries(constants.errno).map(([name, code]) => [code, name]));

/**
 * A port could not be opened, synced or read; `code` is the errno's name, such as `"ENODEV"`.
 *
 * @example What went wrong
 * ```ts
 * import { openPort, PortError, RX } from "@uspf/uspf";
 *
 * try {
 *   openPort("pcap:none.pcap", RX);
 * } catch (error) {
 *   console.assert(error instanceof PortError && error.code === "ENOENT");
 * }
 * ```
 */
export class PortError extends Error {
  /** Always `PortError`. */
  override readonly name = "PortError";

  /** `code`: the errno's name. */
  constructor(message: string, readonly code: string) {
    super(message);
  }
}

/** The name of an errno, `"E?"` where the machine has none. */
export function errnoName(errno: number): string {
  return names.get(Math.abs(errno)) ?? "E?";
}
