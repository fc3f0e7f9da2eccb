/**
 * A machine that there is not here, for tests of the doctor: its files, and its facts.
 */
import type { Facts } from "../doctor/facts/facts.ts";
import type { InterfaceFacts } from "../doctor/facts/interface.ts";
import type { PortFacts } from "../doctor/facts/port.ts";
import type { FileInfo, SystemFiles } from "../ffi/system_files.ts";

/** Files by path; folders are what they lie in. */
export class Files implements SystemFiles {
  constructor(
    readonly texts: Record<string, string>,
    readonly infos: Record<string, Partial<FileInfo>> = {},
    readonly links: Record<string, string> = {},
  ) {}

  text(path: string): string | undefined {
    return this.texts[path]?.trim();
  }

  names(path: string): string[] {
    const all = [...Object.keys(this.texts), ...Object.keys(this.links)];
    const below = all.filter((name) => name.startsWith(`${path}/`));
    return [...new Set(below.map((name) => name.slice(path.length + 1).split("/")[0]))];
  }

  link(path: string): string | undefined {
    return this.links[path];
  }

  info(path: string): FileInfo | undefined {
    const info = this.infos[path];
    return info && { mode: 0o666, owner: 0, group: 0, writable: true, freeBytes: 1e9, ...info };
  }
}

const ROOTS = [
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_SYS_ADMIN",
  "CAP_PERFMON",
  "CAP_BPF",
];

/** A host for trading as it should be: eight cores, of which the last four are left alone. */
export const GOOD_HOST: Facts = {
  kernel: {
    release: "6.12.0",
    version: 612,
    protocols: ["XDP", "PACKET", "UDP"],
    jit: 1,
    arch: "x86_64",
    clock: { source: "tsc", available: ["tsc", "hpet"] },
  },
  cores: {
    online: [0, 1, 2, 3, 4, 5, 6, 7],
    allowed: [0, 1, 2, 3, 4, 5, 6, 7],
    isolated: [4, 5, 6, 7],
    tickless: [4, 5, 6, 7],
    nodes: { 0: [0, 1, 4, 5], 1: [2, 3, 6, 7] },
    flags: ["tsc", "constant_tsc", "nonstop_tsc"],
    chosen: {
      core: 7,
      asked: false,
      usable: true,
      siblings: [],
      governor: "performance",
      node: 1,
      deepestIdleUs: 2,
    },
  },
  process: {
    program: "/usr/bin/deno",
    root: true,
    capabilities: ROOTS,
    obtainable: ROOTS,
    noNewPrivileges: false,
    userNamespace: false,
    controlGroup: {},
  },
  memory: {
    hugePages: { total: 0, free: 0, bytes: 2 ** 21 },
    transparentHugePages: "madvise",
    availableBytes: 2 ** 34,
    shared: { writable: true, freeBytes: 2 ** 33, mode: 0o1777 },
  },
  netmap: {
    loaded: false,
    installed: false,
    device: false,
    writable: false,
    drivers: [],
    admode: 0,
    bufferBytes: 2048,
  },
  interfaces: [{ name: "lo", up: true, carrier: true }, { name: "eth0", up: true, carrier: true }],
  namespaces: [],
  traffic: { seconds: 1, grown: { "time all": 800, "link rx_packets": 1000 }, lostBefore: {} },
};

/** A NIC as it should be. */
export const GOOD_NIC: InterfaceFacts = {
  link: {
    name: "eth0",
    index: 2,
    type: 1,
    up: true,
    carrier: true,
    loopback: false,
    state: "up",
    mtu: 1500,
    promiscuity: 0,
    allMulticast: true,
  },
  device: {
    driver: "ice",
    speed: 25000,
    duplex: "full",
    combinedChannels: { now: 4, max: 64 },
    rxRing: { now: 4096, max: 4096 },
    pause: { negotiated: false, rx: false, tx: false },
    coalescing: { rxUs: 0, adaptive: false },
    indirection: [0, 1, 2, 3, 0, 1, 2, 3],
    rules: 0,
    features: {},
  },
  members: [],
  queues: 4,
  node: 1,
  interrupts: [],
  addresses: ["192.0.2.1"],
  groups: [],
  xdpFeatures: ["basic", "redirect", "zerocopy", "pieces"],
  defaultRoute: true,
  reversePath: 0,
};

/** Ports on that NIC. */
export const PORTS: Record<"xdp" | "queue" | "packet" | "netmap" | "udp" | "pipe", PortFacts> = {
  xdp: { text: "xdp:eth0", kind: "xdp", interface: "eth0" },
  queue: { text: "xdp:eth0-2", kind: "xdp", interface: "eth0", queue: 2 },
  packet: { text: "packet:eth0", kind: "packet", interface: "eth0" },
  netmap: { text: "netmap:eth0", kind: "netmap", interface: "eth0" },
  udp: {
    text: "udp:239.1.1.1:5001@eth0",
    kind: "udp",
    interface: "eth0",
    udp: { port: 5001, group: true, holders: [], largestBuffer: 2 ** 26, firstFreePort: 1024 },
  },
  pipe: { text: "soft:lab{1", kind: "pipe", interface: "" },
};

type Deep<T> = T extends readonly unknown[] ? T
  : T extends object ? { [K in keyof T]?: Deep<T[K]> }
  : T;

/** The good host with that port, but for some facts. */
export function host(port: PortFacts | undefined, but: Deep<Facts> = {}): Facts {
  const device = port?.interface === "eth0" ? GOOD_NIC : undefined;
  return merged({ ...GOOD_HOST, port, interface: device }, but);
}

/** Plain objects are merged; all else is replaced, by nothing, too. */
function merged<T>(facts: T, but: unknown): T {
  if (!isPlain(facts) || !isPlain(but)) return but as T;
  const entries = Object.entries(but).map(([key, change]) => [key, merged(facts[key], change)]);
  return { ...facts, ...Object.fromEntries(entries) };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
