/**
 * Purpose: packs a folder so that the same files make the same archive.
 */
import { runProgram } from "./run_program.ts";

/** What is packed, and how. */
export interface Packing {
  /** The folder that `name` is in. */
  parent: string;
  name: string;
  /** Of compression, 1 to 9. */
  level: number;
  /** The time that all files get, in seconds since 1970. */
  seconds: number;
}

/** Packs a folder into a compressed archive; links become what they lead to. */
export async function pack(
  archive: string,
  { parent, name, level, seconds }: Packing,
): Promise<void> {
  const purpose = `pack "${archive.slice(archive.lastIndexOf("/") + 1)}"`;
  const compress = `--use-compress-program=gzip -n -${level}`; // no name, no time
  const order = ["--sort=name", "--format=ustar", `--mtime=@${seconds}`];
  const owners = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"];
  const what = ["-C", parent, "-cf", archive, "--dereference", name];
  await runProgram(purpose, ["tar", compress, ...order, ...owners, ...what]);
}
