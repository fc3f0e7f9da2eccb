/**
 * A test network: a veth pair, each end in a network namespace of its own, removed afterwards with all
 * processes that were started in it.
 *
 * ```text
 *  namespace left              namespace right
 *  l0 10.77.0.1/24 ─────────── r0 10.77.0.2/24      no IPv6, so that nothing comes by itself
 * ```
 */

/** An end of the pair. */
export type Side = "left" | "right";

/** What a test network is like. */
export interface TestbedOptions {
  /** Receive and transmit queues of each end; 1 by default. */
  queues?: number;
  /** Largest packet of both ends, without the Ethernet header; 1500 by default. */
  mtu?: number;
  /** Both ends in the left namespace, for programs that open both; without addresses. */
  together?: boolean;
}

/** What a program in a test network printed. */
export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

/** Why there can be no test network here; `undefined`: there can. */
export const noTestbed: string | undefined = whyNot();

/** Name of an end's interface. */
export const INTERFACE = { left: "l0", right: "r0" } as const;
/** Addresses of the ends. */
export const ADDRESS = { left: "10.77.0.1", right: "10.77.0.2" } as const;

const NAMESPACES = "/run/netns"; // where ip-netns(8) keeps them
const OURS = /^uspf-(?:test|try)-(\d+)(?:-|$)/;

let made = 0;

/** A veth pair between two namespaces. */
export class Testbed {
  readonly #names: Record<Side, string>;
  readonly #children: Deno.ChildProcess[] = [];

  private constructor(readonly options: TestbedOptions) {
    const name = `uspf-test-${Deno.pid}-${made++}`;
    this.#names = {
      left: `${name}-l`,
      right: options.together ? `${name}-l` : `${name}-r`,
    };
  }

  /** Makes one; `using` it removes it. First removes those whose makers were killed before they could. */
  static create(options: TestbedOptions = {}): Testbed {
    removeAbandoned();
    const testbed = new Testbed(options);
    try {
      testbed.#make();
    } catch (error) {
      testbed[Symbol.dispose]();
      throw error;
    }
    return testbed;
  }

  /** The command that runs `command` in an end's namespace. */
  inside(side: Side, command: string[]): string[] {
    return ["ip", "netns", "exec", this.#names[side], ...command];
  }

  /** Runs a program to its end. */
  async run(side: Side, command: string[], stdin: Deno.CommandOptions["stdin"] = "null"): Promise<
    Output
  > {
    const [program, ...args] = this.inside(side, command);
    const { code, stdout, stderr } = await new Deno.Command(program, { args, stdin }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  /** Runs a program that must succeed; returns what it printed. */
  async must(side: Side, ...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(side, command);
    if (code !== 0) throw new Error(`${command.join(" ")}: exit ${code}: ${stderr}`);
    return stdout;
  }

  /** Starts a program; it is killed with the network. */
  spawn(side: Side, command: string[], options: Deno.CommandOptions = {}): Deno.ChildProcess {
    const [program, ...args] = this.inside(side, command);
    const child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...options,
    }).spawn();
    this.#children.push(child);
    return child;
  }

  /** A counter of an end's interface, as of /sys/class/net. */
  async counter(side: Side, name: string): Promise<number> {
    return Number(
      await this.must(side, "cat", `/sys/class/net/${INTERFACE[side]}/statistics/${name}`),
    );
  }

  #make(): void {
    const { queues = 1, mtu = 1500, together = false } = this.options;
    const { left, right } = this.#names;
    for (const name of new Set([left, right])) {
      ip("netns", "add", name);
      execute(["ip", "netns", "exec", name, "sh", "-c", NO_IPV6]);
      ip("-n", name, "link", "set", "lo", "up");
    }
    const shape = ["mtu", mtu, "numrxqueues", queues, "numtxqueues", queues].map(String);
    const first = ["-n", left, "link", "add", INTERFACE.left, ...shape, "type", "veth"];
    ip(...first, "peer", "name", INTERFACE.right, ...shape, "netns", right);
    for (const side of ["left", "right"] as const) {
      const name = this.#names[side];
      if (!together) ip("-n", name, "addr", "add", `${ADDRESS[side]}/24`, "dev", INTERFACE[side]);
      ip("-n", name, "link", "set", INTERFACE[side], "up");
    }
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch { /* it has ended */ }
    }
    for (const name of new Set(Object.values(this.#names))) remove(name);
  }
}

/** Removes the namespaces of programs that are no more. */
function removeAbandoned(): void {
  if (!exists(NAMESPACES)) return; // nobody has made one yet
  for (const { name } of Deno.readDirSync(NAMESPACES)) {
    const maker = OURS.exec(name)?.[1];
    if (maker !== undefined && !exists(`/proc/${maker}`)) remove(name);
  }
}

/** It may be gone: others clean up, too. */
function remove(namespace: string): void {
  new Deno.Command("ip", { args: ["netns", "delete", namespace], stderr: "null" }).outputSync();
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

const NO_IPV6 =
  "for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6 2>/dev/null; done; true";

function ip(...args: string[]): void {
  execute(["ip", ...args]);
}

function execute([program, ...args]: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** A network is made and removed, to see. */
function whyNot(): string | undefined {
  if (Deno.uid() !== 0) return "no root, no network namespaces";
  const name = `uspf-try-${Deno.pid}`;
  const run = (...args: string[]) => new Deno.Command("ip", { args, stderr: "null" }).outputSync();
  try {
    if (!run("netns", "add", name).success) return "no network namespaces here";
    const pair = ["link", "add", "l0", "type", "veth", "peer", "name", "r0"];
    return run("-n", name, ...pair).success ? undefined : "no veth here";
  } catch {
    return "no ip program here";
  } finally {
    try {
      run("netns", "delete", name);
    } catch { /* no ip program */ }
  }
}
