/**
 * Purpose: a folder to work in, which is gone afterwards, also after Ctrl-C.
 */

import { cannotWrite } from "./release_file.ts";

/** Makes a folder below `parent`, works in it, and removes it. */
export async function inWorkFolder<T>(
  parent: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = makeFolder(parent);
  const remove = () => Deno.removeSync(folder, { recursive: true });
  const stop = () => {
    remove();
    Deno.exit(130); // 128 and SIGINT, as of a shell
  };
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  try {
    return await work(folder);
  } catch (error) {
    throw isFull(error) ? cannotWrite(parent, error) : error;
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
    Deno.removeSignalListener("SIGTERM", stop);
    remove();
  }
}

function makeFolder(parent: string): string {
  try {
    Deno.mkdirSync(parent, { recursive: true });
    return Deno.makeTempDirSync({ dir: Deno.realPathSync(parent), prefix: ".uspf-" });
  } catch (error) {
    throw cannotWrite(parent, error);
  }
}

function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((error as { code?: string }).code ?? "");
}
