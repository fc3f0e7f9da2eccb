/**
 * Purpose: packs a folder so that the same files make the same archive.
 */
import { runProgram } from "./run_program.ts";

/** Packs `name`, a folder in `parent`, into a compressed archive. */
export async function pack(
  archive: string,
  { parent, name, level }: { parent: string; name: string; level: number },
): Promise<void> {
  const purpose = `pack "${archive}"`, tarball = `${parent}/${name}.tar`;
  const owners = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"];
  await runProgram(
    purpose,
    ["tar", "--sort=name", "--format=ustar", ...owners, "-C", parent, "-cf", tarball, name],
  );
  await runProgram(purpose, ["gzip", "-n", `-${level}`, tarball]); // -n: no name, no time
  Deno.renameSync(`${tarball}.gz`, archive);
}
