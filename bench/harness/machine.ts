/**
 * Purpose: what a result must name to be worth anything: the machine, its kernel and the versions.
 */
import { allowedCores, tscHz } from "../../ffi/host.ts";
import { VERSION } from "../../ffi/version.ts";

/** What a bench ran on. */
export interface Machine {
  /** The processor's name. */
  cpu: string;
  /** Cores of the machine, and those that the bench may use. */
  cores: number;
  allowedCores: number[];
  /** Cores kept free of the scheduler (isolcpus); empty: none. */
  isolatedCores: string;
  /** How the clock speed is governed; `null` where the machine does not say. */
  governor: string | null;
  /** Whether the processor says that it is a virtual one. */
  virtual: boolean;
  tscGHz: number;
  clockSource: string;
  kernel: string;
  uspf: string;
  /** The commit that ran; with "+" if files differed from it; `null` outside a checkout. */
  commit: string | null;
  deno: string;
  v8: string;
  /** The C compiler; `null` where there is none. */
  cc: string | null;
}

/** Asks this machine. */
export function describeMachine(): Machine {
  const cpuinfo = read("/proc/cpuinfo") ?? "", sys = "/sys/devices/system";
  return {
    cpu: /^model name\s*: (.*)$/m.exec(cpuinfo)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    allowedCores: allowedCores(),
    isolatedCores: read(`${sys}/cpu/isolated`) ?? "",
    governor: read(`${sys}/cpu/cpu0/cpufreq/scaling_governor`),
    virtual: /^flags.*\bhypervisor\b/m.test(cpuinfo),
    tscGHz: Math.round(tscHz() / 1e6) / 1e3,
    clockSource: read(`${sys}/clocksource/clocksource0/current_clocksource`) ?? "unknown",
    kernel: Deno.osRelease(),
    uspf: VERSION,
    commit: commit(),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    cc: firstLine("cc", "--version"),
  };
}

/** The machine in one line, for people. */
export function machineLine(m: Machine): string {
  const kind = m.virtual ? "virtual cores" : "cores";
  return `${m.cpu}, ${m.allowedCores.length} of ${m.cores} ${kind} at ${
    m.tscGHz.toFixed(2)
  } GHz (TSC), ` +
    `Linux ${m.kernel}, Deno ${m.deno}, ${m.cc ?? "no C compiler"}`;
}

/** The driver of an interface, "veth" for a virtual pair; `inside` is what enters its namespace. */
export function driverOf(name: string, inside: string[] = []): string | null {
  const link = [...inside, "readlink", `/sys/class/net/${name}/device/driver`];
  const driver = firstLine(link[0], ...link.slice(1));
  if (driver !== null) return driver.split("/").at(-1)!;
  const show = [...inside, "ip", "-j", "-d", "link", "show", "dev", name];
  try {
    return JSON.parse(firstLine(show[0], ...show.slice(1)) ?? "[]")[0].linkinfo.info_kind;
  } catch {
    return null;
  }
}

function commit(): string | null {
  const head = firstLine("git", "rev-parse", "--short", "HEAD");
  if (head === null) return null;
  return head +
    (firstLine("git", "status", "--porcelain", "--untracked-files=no") === null ? "" : "+");
}

/** What a program prints first; `null` where it fails or prints nothing. */
function firstLine(program: string, ...args: string[]): string | null {
  try {
    const cwd = new URL("../..", import.meta.url).pathname;
    const { success, stdout } = new Deno.Command(program, { args, cwd, stderr: "null" })
      .outputSync();
    return success ? new TextDecoder().decode(stdout).split("\n")[0].trim() || null : null;
  } catch {
    return null;
  }
}

function read(path: string): string | null {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return null;
  }
}
