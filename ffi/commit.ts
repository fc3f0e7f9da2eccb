/**
 * Purpose: the commit of a checkout, read from its `.git` without git (gitrepository-layout(5)).
 *
 * ```text
 *  .git/HEAD ── "ref: refs/heads/main" ──▶ .git/refs/heads/main, or a line of .git/packed-refs ──▶ commit
 *            └─ a commit: it is detached
 *  .git, a file ── "gitdir: DIR" ──▶ DIR/HEAD; its refs are in DIR/commondir
 * ```
 */

const MOST_REFS = 5; // that refer to each other, as in git itself
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** The commit of the checkout in this folder, itself and not one around it; `null` where there is none. */
export function readCommit(folder: string): string | null {
  const git = gitDirectory(`${folder}/.git`);
  if (git === undefined) return null;
  const common = read(`${git}/commondir`), shared = common ? absolute(common, git) : git;
  let value = read(`${git}/HEAD`);
  for (let i = 0; i < MOST_REFS && value?.startsWith("ref: "); i++) {
    const ref: string = value.slice("ref: ".length);
    value = read(`${git}/${ref}`) ?? read(`${shared}/${ref}`) ?? packed(shared, ref);
  }
  return value !== undefined && COMMIT.test(value) ? value : null;
}

/** A worktree's and a submodule's `.git` is a file that names it. */
function gitDirectory(path: string): string | undefined {
  const named = read(path)?.match(/^gitdir: (.*)/)?.[1];
  if (named !== undefined) return absolute(named, path.slice(0, path.lastIndexOf("/")));
  return read(`${path}/HEAD`) === undefined ? undefined : path;
}

function packed(git: string, ref: string): string | undefined {
  const line = read(`${git}/packed-refs`)?.split("\n").find((line) => line.endsWith(` ${ref}`));
  return line?.slice(0, line.indexOf(" "));
}

function absolute(path: string, from: string): string {
  return path.startsWith("/") ? path : `${from}/${path}`;
}

/** `undefined` for what is not there, or nobody may read, or is a folder: then nothing is known. */
function read(path: string): string | undefined {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined;
  }
}
