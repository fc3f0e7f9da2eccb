/**
 * Purpose: standard output, where what was asked for goes.
 */

/** Standard output takes no more. */
export class OutputError extends Error {
  /** Always `OutputError`. */
  override readonly name = "OutputError";
  /** What runCommand looks at. */
  readonly expected = true;

  /** `closed`: nobody reads it any longer, which is no fault. */
  constructor(readonly closed: boolean, code: string) {
    const state = code === "ENOSPC" ? "no room is left (ENOSPC)" : code;
    super(`Cannot write to standard output: ${state}: send it elsewhere`);
  }
}

/**
 * Prints a line to standard output.
 *
 * @throws {OutputError} where nobody reads it, or there is no room.
 */
export function print(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    const { code = "EIO" } = error as { code?: string };
    throw new OutputError(code === "EPIPE", code);
  }
}
