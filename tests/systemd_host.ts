/**
 * A systemd of one's own, to start units for real: in namespaces of a test network, with the machine's root
 * read-only, and all that it writes in memory. It is gone with the test.
 *
 * ```text
 *  machine                          in its namespaces, read-only but for /run, /tmp, /var/…
 *  systemctl, through nsenter ────▶ systemd, process 1; reads no units but those of the test
 *  a temporary folder ◀───────────▶ /run/uspf/share: units, and what services print
 *  this program, Deno, its cache ─▶ /run/uspf/app, deno, cache: who serves cannot see /root or /home
 * ```
 */
import { noTestbed, type Side, type Testbed } from "./testbed.ts";
import { isThere } from "./unit_file.ts";

const SYSTEMD = "/lib/systemd/systemd";
/** Units that others name; they have nothing to do. */
const TARGETS = ["basic", "sysinit", "shutdown", "network", "network-online", "multi-user"];
const READY_MS = 15_000, STEP_MS = 50;

/** Where a unit finds the capture. */
export const PROGRAM = "/run/uspf/capture";

/** Why no systemd can be had here; nothing: it can. */
export const noSystemdHost: string | undefined = noTestbed ?? whyNot();

/** Whether the limit of locked memory is kept from without, so that even systemd may not raise it. */
export const keptLimit: boolean = noSystemdHost === undefined &&
  !works("prlimit", "--memlock=unlimited", "true");

/** A systemd that runs. */
export class SystemdHost {
  readonly #share = Deno.makeTempDirSync({ prefix: "uspf-systemd-" });
  readonly #cgroup = `${cgroupFolder()}/uspf-test-${Deno.pid}-${made++}`;
  readonly #process: Deno.ChildProcess;
  #systemd = 0;

  private constructor(testbed: Testbed, side: Side) {
    Deno.chmodSync(this.#share, 0o755);
    for (const name of TARGETS) this.put(`${name}.target`, `[Unit]\nDescription=${name}\n`);
    Deno.mkdirSync(this.#cgroup);
    const unshare = ["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"];
    const boot = ["sh", "-c", BOOT, "sh", this.#share, ROOT, Deno.execPath(), cacheFolder()];
    // First the control group: in the namespace of an end /sys shows none.
    const [program, ...args] = ["sh", "-c", ENTER, "sh", this.#cgroup]
      .concat(testbed.inside(side, ["unshare", ...unshare, ...boot]));
    this.#process = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    })
      .spawn();
  }

  /** Boots one in the namespace of an end. */
  static async boot(testbed: Testbed, side: Side): Promise<SystemdHost> {
    const host = new SystemdHost(testbed, side);
    const end = performance.now() + READY_MS;
    while (!/^(running|degraded)/.test(await host.#state())) {
      if (performance.now() > end) {
        await host[Symbol.asyncDispose]();
        throw new Error("systemd does not come up");
      }
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
    return host;
  }

  /** Writes a unit, or a file beside the units. */
  put(name: string, text: string): void {
    const file = `${this.#share}/${name}`;
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(file, text);
  }

  /** What a service has written to /run/uspf/share. */
  read(name: string): string {
    try {
      return Deno.readTextFileSync(`${this.#share}/${name}`);
    } catch {
      return "";
    }
  }

  /** The command that runs `command` beside it. */
  inside(command: string[]): string[] {
    const namespaces = ["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--net"];
    return ["nsenter", "--target", `${this.#systemd}`, ...namespaces, ...command];
  }

  /** What systemctl prints. */
  async systemctl(...args: string[]): Promise<string> {
    const [program, ...rest] = this.inside(["systemctl", ...args]);
    const { stdout } = await new Deno.Command(program, { args: rest, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).trim();
  }

  /** Properties of a unit. */
  async show(unit: string, ...names: string[]): Promise<string[]> {
    const args = names.map((name) => ["-p", name]).flat();
    const lines = (await this.systemctl("show", ...args, unit)).split("\n");
    const all = Object.fromEntries(lines.map((line) => line.split("=", 2)));
    return names.map((name) => all[name]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#systemd > 0) Deno.kill(this.#systemd, "SIGKILL"); // and with it all of its namespace
      this.#process.kill("SIGKILL");
    } catch { /* it has ended */ }
    await this.#process.status;
    Deno.removeSync(this.#share, { recursive: true });
    removeCgroups(this.#cgroup);
  }

  async #state(): Promise<string> {
    this.#systemd ||= systemdBelow(this.#process.pid);
    return this.#systemd === 0 ? "" : await this.systemctl("is-system-running");
  }
}

let made = 0;

const ROOT = new URL("..", import.meta.url).pathname;

/** Into a control group of its own, whose namespace is then made. */
const ENTER = `echo $$ > "$1/cgroup.procs" && shift && exec "$@"`;

const BOOT = `set -e
share=$1 root=$2 deno=$3 cache=$4
mount --make-rprivate /
mkdir /dev/shm/uspf-boot-$$ 2>/dev/null || true
stage=/dev/shm/uspf-boot-$$
mount -t tmpfs tmpfs "$stage"
mkdir -p "$stage/uspf/share" "$stage/uspf/app" "$stage/uspf/cache" "$stage/uspf/none" "$stage/lock" "$stage/netns"
touch "$stage/uspf/deno"
mount --bind "$share" "$stage/uspf/share"
mount --bind "$root" "$stage/uspf/app"
mount --bind "$cache" "$stage/uspf/cache"
mount --bind "$deno" "$stage/uspf/deno"
cat > "$stage/uspf/capture" <<'END'
#!/bin/sh
cd /run/uspf/app && DENO_DIR=/run/uspf/cache exec /run/uspf/deno run -q --no-prompt -P=capture capture/main.ts "$@"
END
chmod 755 "$stage/uspf/capture"
mount -o remount,bind,ro /
mount -n --move "$stage" /run
rmdir "$stage"
for folder in /tmp /var/tmp /var/lib /var/log; do mount -t tmpfs tmpfs $folder; done
mount -t proc proc /proc
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i PATH="$PATH" container=other SYSTEMD_UNIT_PATH=/run/uspf/share \\
  SYSTEMD_GENERATOR_PATH=/run/uspf/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/uspf/none \\
  ${SYSTEMD} --system --unit=basic.target --show-status=0`;

/** Deno's cache, which has the packages. */
function cacheFolder(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/** The folder of our own control group, version 2. */
function cgroupFolder(): string {
  const mount = /^cgroup2? (\S+) cgroup2 /m.exec(Deno.readTextFileSync("/proc/mounts"))?.[1];
  const own = /^0::(.*)$/m.exec(Deno.readTextFileSync("/proc/self/cgroup"))?.[1];
  return mount === undefined || own === undefined ? "" : `${mount}${own === "/" ? "" : own}`;
}

/** The process below `pid` that is process 1 of its namespace. */
function systemdBelow(pid: number): number {
  try {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ").map(
      Number,
    );
    const [child] = children.filter((one) => one > 0);
    if (child === undefined) return 0;
    const isFirst = /^NSpid:.*\s1$/m.test(Deno.readTextFileSync(`/proc/${child}/status`));
    return isFirst && Deno.readTextFileSync(`/proc/${child}/comm`) === "systemd\n"
      ? child
      : systemdBelow(child);
  } catch {
    return 0;
  }
}

/** Groups can go when their processes have. */
function removeCgroups(folder: string): void {
  const args = [folder, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"];
  for (let tries = 0; tries < 100; tries++) {
    new Deno.Command("find", { args, stderr: "null" }).outputSync();
    try {
      Deno.statSync(folder);
    } catch {
      return;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STEP_MS);
  }
}

function works(program: string, ...args: string[]): boolean {
  return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
}

function whyNot(): string | undefined {
  const missing = ["unshare", "nsenter", "systemctl", SYSTEMD].find((name) => !isThere(name));
  if (missing !== undefined) return `no ${missing} here`;
  const folder = cgroupFolder();
  if (folder === "") return "no control groups, version 2, here";
  try {
    Deno.mkdirSync(`${folder}/uspf-try-${Deno.pid}`);
    Deno.removeSync(`${folder}/uspf-try-${Deno.pid}`);
    return undefined;
  } catch {
    return "control groups may not be made here";
  }
}
