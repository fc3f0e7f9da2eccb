/**
 * Purpose: the error of a port whose system call failed.
 */
import { constants } from "node:os";

const names = new Map(Object.entries(constants.errno).map(([name, code]) => [code, name]));

/** A port could not be opened, synced or read; `code` is the errno's name, such as `"ENODEV"`. */
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
