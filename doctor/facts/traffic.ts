/**
 * Purpose: counters that are watched for a moment: what arrives, what is dropped and where.
 *
 * ```text
 *  NIC            kernel's backlog     IPv4 and UDP        this machine
 *  link rx_…      softnet dropped      ip …, udp …         time stolen
 *  driver rx_…    softnet squeezed                         interrupt N name, core busy: the chosen one
 * ```
 */
import { driverCounters } from "../../ffi/ethtool.ts";
import { allLinks } from "../../ffi/netlink.ts";
import type { SystemFiles } from "../../ffi/system_files.ts";

/** What was counted in a while. */
export interface TrafficFacts {
  seconds: number;
  /** By how much counters grew, by their place and name; those that stood still are left out. */
  grown: Record<string, number>;
  /** Totals of those that count losses of the interface, as they were at the end. */
  lostBefore: Record<string, number>;
}

/** Counters by place and name. */
export type Counters = Record<string, number>;

/** Reads all counters; `name` is an interface's, or empty. */
export function readCounters(files: SystemFiles, name: string, core: number): Counters {
  const link = name === "" ? undefined : allLinks().find((link) => link.name === name);
  return {
    ...prefixed("link", link?.statistics ?? {}),
    ...prefixed("driver", link === undefined ? {} : driverCounters(name)),
    ...softnet(files.text("/proc/net/softnet_stat") ?? ""),
    ...prefixed("udp", pairs(files.text("/proc/net/snmp") ?? "", "Udp")),
    ...prefixed("ip", pairs(files.text("/proc/net/snmp") ?? "", "Ip")),
    ...prefixed("ip", pairs(files.text("/proc/net/netstat") ?? "", "TcpExt")),
    ...interruptsOn(files.text("/proc/interrupts") ?? "", core),
    ...time(files.text("/proc/stat") ?? "", core),
  };
}

/** What has happened between two readings. */
export function trafficBetween(before: Counters, after: Counters, seconds: number): TrafficFacts {
  const grown = Object.entries(after).map(([name, now]) =>
    [name, now - (before[name] ?? now)] as const
  );
  const losses = Object.entries(after).filter(([name, now]) => now > 0 && isLoss(name));
  return {
    seconds,
    grown: Object.fromEntries(grown.filter(([, by]) => by > 0)),
    lostBefore: Object.fromEntries(losses),
  };
}

/** Whether a counter of the interface or its driver counts received packets that nobody got. */
export function isLoss(counter: string): boolean {
  const [place, name] = counter.split(" ");
  if (place === "link") return /^rx_(dropped|missed|fifo|over|crc|frame|length)/.test(name);
  if (place !== "driver" || /tx|xdp_redirect/.test(name)) return false;
  return /drop|discard|miss|no_?buf|no_dma|overrun|overflow|out_of_buf|alloc.*fail|(crc|over|fifo)_err/
    .test(
      name,
    );
}

function prefixed(place: string, counters: Record<string, number>): Counters {
  return Object.fromEntries(
    Object.entries(counters).map(([name, count]) => [`${place} ${name}`, count]),
  );
}

/** A line for each core: hexadecimal; processed, dropped, squeezed. */
function softnet(text: string): Counters {
  const sums = [0, 0, 0];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(/\s+/).map((field) => parseInt(field, 16));
    sums.forEach((sum, i) => sums[i] = sum + (fields[i] || 0));
  }
  return { "softnet processed": sums[0], "softnet dropped": sums[1], "softnet squeezed": sums[2] };
}

/** A line of names, and one of values. */
function pairs(text: string, protocol: string): Counters {
  const lines = text.split("\n").filter((line) => line.startsWith(`${protocol}: `));
  const [names, values] = lines.map((line) => line.split(/\s+/).slice(1));
  return Object.fromEntries((names ?? []).map((name, i) => [name, Number(values?.[i] ?? 0)]));
}

/** Those of devices, which have numbers. */
function interruptsOn(text: string, core: number): Counters {
  const [header, ...lines] = text.split("\n"), columns = header.trim().split(/\s+/);
  const column = columns.indexOf(`CPU${core}`);
  if (column < 0) return {};
  return Object.fromEntries(lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/), number = /^(\d+):$/.exec(fields[0])?.[1];
    if (number === undefined) return [];
    return [[`interrupt ${number} ${fields.at(-1)}`, Number(fields[1 + column])]];
  }));
}

/** Time of all cores, what the hypervisor took of it, and the chosen core's, in the kernel's ticks. */
function time(text: string, core: number): Counters {
  const ticks = (name: string) => {
    const line = new RegExp(`^${name}\\s+(.*)$`, "m").exec(text)?.[1];
    return line?.split(/\s+/).slice(0, 8).map(Number) ?? [];
  };
  const sum = (list: number[]) => list.reduce((total, some) => total + some, 0);
  const all = ticks("cpu"), own = ticks(`cpu${core}`);
  const [idle = 0, waiting = 0] = own.slice(3, 5);
  return {
    "time all": sum(all),
    "time stolen": all[7] ?? 0,
    "core all": sum(own),
    "core busy": sum(own) - idle - waiting,
  };
}
