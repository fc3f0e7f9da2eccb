/**
 * Purpose: collects all facts; while it watches counters grow it sleeps.
 */
import { deviceFacts } from "../ffi/ethtool.ts";
import { allowedCores, mayPin, sleepNs } from "../ffi/host.ts";
import { allLinks, type LinkFacts } from "../ffi/netlink.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { MachineFiles } from "../ffi/system_files.ts";
import { coreFacts } from "./facts/cores.ts";
import type { Facts, InterfaceLine } from "./facts/facts.ts";
import { interfaceFacts } from "./facts/interface.ts";
import { kernelFacts } from "./facts/kernel.ts";
import { memoryFacts } from "./facts/memory.ts";
import { netmapFacts } from "./facts/netmap.ts";
import { portFacts } from "./facts/port.ts";
import { processFacts } from "./facts/process.ts";
import { readCounters, trafficBetween } from "./facts/traffic.ts";

const SHOWN = 64; // interfaces in lines: hosts of containers have thousands

/** What to look at. */
export interface Subject {
  /** A port's name; nothing: the machine alone. */
  port?: string;
  core?: number;
  /** How long counters are watched. */
  seconds: number;
}

/** Looks at it. */
export function collectFacts({ port, core, seconds }: Subject): Facts {
  const files = new MachineFiles(), links = allLinks();
  const kernel = kernelFacts(files, Deno.build.arch);
  const cores = coreFacts(files, allowedCores(), mayPin, core);
  const target = port === undefined ? undefined : portFacts(files, parsePortName(port), links);
  const link = links.find(({ name }) => name === target?.interface);
  const counters = () => readCounters(files, link?.name ?? "", cores.chosen.core);
  const facts = {
    kernel,
    cores,
    process: processFacts(files, Deno.execPath()),
    memory: memoryFacts(files),
    netmap: netmapFacts(files, kernel.release),
    interfaces: links.slice(0, SHOWN).map(lineOf),
    namespaces: files.names("/run/netns"),
    port: target,
    interface: link && interfaceFacts(files, links, link),
  };
  // Only now, so that the chosen core is not called busy for what we did there.
  const before = counters(), began = performance.now();
  sleepNs(seconds * 1e9);
  const after = counters();
  return { ...facts, traffic: trafficBetween(before, after, (performance.now() - began) / 1000) };
}

function lineOf({ name, up, carrier, kind }: LinkFacts): InterfaceLine {
  const { driver, speed } = deviceFacts(name);
  return { name, up, carrier, kind, driver, speed };
}
