/**
 * Purpose: a folder to work in, which is gone afterwards, also after Ctrl-C.
 */

/** Makes a folder below `parent`, works in it, and removes it. */
export async function inWorkFolder<T>(
  parent: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  Deno.mkdirSync(parent, { recursive: true });
  const folder = Deno.makeTempDirSync({ dir: Deno.realPathSync(parent), prefix: ".uspf-" });
  const remove = () => Deno.removeSync(folder, { recursive: true });
  const stop = () => {
    remove();
    Deno.exit(130); // 128 and SIGINT, as of a shell
  };
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  try {
    return await work(folder);
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
    Deno.removeSignalListener("SIGTERM", stop);
    remove();
  }
}
