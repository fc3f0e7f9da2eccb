/**
 * A bare Linux host, for what must run on one: a folder as root directory, with a shell, readlink and the
 * libraries that these and one more program need; no network but an unused loopback, a user who owns
 * nothing, and no environment.
 */

/** Why there can be none here; `undefined`: there can. */
export const noBareHost: string | undefined = whyNot();

const NOBODY = "65534:65534";
const PROGRAMS = ["/bin/sh", "/usr/bin/readlink"];
const ENTER = `mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" &&
  exec "$(command -v env)" -i "$(command -v chroot)" --userspec=${NOBODY} "$0" "$@"`;
const READ_ONLY = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && `;

/** A folder that is a host's root directory; its owner removes it. */
export class BareHost {
  constructor(readonly root: string) {
    for (const name of ["dev", "proc", "tmp", "bin", "usr/bin", "usr/local/bin"]) {
      Deno.mkdirSync(`${root}/${name}`, { recursive: true });
    }
    Deno.chmodSync(`${root}/tmp`, 0o1777);
    for (const program of PROGRAMS) this.#place(program);
  }

  /** Gives it the libraries that a program needs. */
  addLibrariesOf(program: string): void {
    const { stdout } = new Deno.Command("ldd", { args: [program] }).outputSync();
    for (const [path] of new TextDecoder().decode(stdout).matchAll(/\/\S+(?= \()/g)) {
      const to = this.root + path;
      Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
      Deno.copyFileSync(Deno.realPathSync(path), to);
    }
  }

  /** Starts a command there. */
  start(command: string[]): Deno.ChildProcess {
    return new Deno.Command("unshare", {
      args: ["-n", "-m", "sh", "-c", ENTER, this.root, ...command],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Runs a command there on a terminal, where nothing can be written; both its streams are `stdout`. */
  async runOnTerminal(command: string[]): Promise<{ code: number; stdout: string }> {
    const enter = ["unshare", "-n", "-m", "sh", "-c", READ_ONLY + ENTER, this.root, ...command];
    const line = enter.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const args = ["-qec", line, "/dev/null"];
    const { code, stdout } = await new Deno.Command("script", { args, stdin: "null" }).output();
    return { code, stdout: new TextDecoder().decode(stdout).replaceAll("\r\n", "\n") };
  }

  /** Runs a command there to its end. */
  async run(command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code, stdout, stderr } = await this.start(command).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  #place(program: string): void {
    Deno.copyFileSync(Deno.realPathSync(program), this.root + program);
    this.addLibrariesOf(program);
  }
}

function whyNot(): string | undefined {
  if (Deno.uid() !== 0) return "no root, no other root directory";
  try {
    const args = ["-n", "-m", "mount", "-t", "tmpfs", "none", "/mnt"];
    const { success } = new Deno.Command("unshare", { args, stderr: "null" }).outputSync();
    return success ? undefined : "no mount namespaces here";
  } catch {
    return "no unshare here";
  }
}
