/**
 * Purpose: the files that releases are made from and into: why one cannot be read, and how one takes its
 * place at once.
 */
import { ReleaseError } from "./release_error.ts";

const STATES: Record<string, string> = {
  ENOENT: "it does not exist",
  ENOTDIR: "it does not exist",
  EACCES: "it cannot be read",
};

/** Why a file that was named cannot be used; `undefined`: it can be read. */
export function whyUnreadable(path: string): string | undefined {
  try {
    if (Deno.statSync(path).isDirectory) return "it is a directory";
    Deno.openSync(path).close();
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return STATES[code] ?? `it cannot be read (${code})`;
  }
}

/**
 * Puts a finished file where it belongs; whoever has the one before open keeps that.
 *
 * @throws {ReleaseError} where it cannot be put.
 */
export function putInPlace(file: string, path: string): void {
  try {
    Deno.renameSync(file, path);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** For a failure of the system one line; anything else stays what it is. */
export function cannotWrite(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  return new ReleaseError(`Cannot write "${path}": ${code}: name another folder with --output`);
}

/** What the system says of it; Deno itself lets nobody below /proc and the like. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof Deno.errors.NotCapable) return "EPERM";
  return (error as { code?: string }).code;
}
