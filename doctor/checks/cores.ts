/**
 * Purpose: is there a core that the capture thread has to itself, at full speed?
 */
import { formatCores } from "../facts/core_list.ts";
import type { Facts } from "../facts/facts.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";

const LATE_US = 20; // a wake-up that takes longer than the packet's own way
const BUSY = 0.25, ENOUGH_TICKS = 20;
const STOLEN = 0.01, FEWEST_TICKS = 3; // a tick is 10 ms

/** All about cores. */
export function checkCores(facts: Facts): Finding[] {
  const { cores } = facts, { chosen } = cores;
  const usable = checkAllowed(facts);
  if (usable.some(({ level }) => level === "stops")) return usable;
  const known = [
    ...usable,
    ...checkQuota(facts),
    ...checkStolen(facts),
    ...checkBusy(facts),
    ...checkIsolation(facts),
    ...checkSpeed(facts),
    ...checkSiblings(facts),
  ];
  const governor = chosen.governor === "performance" ? ", governor performance" : "";
  const alone = cores.isolated.includes(chosen.core) ? ", isolated" : "";
  const text = `cores ${formatCores(cores.allowed)}; the capture thread's is ${chosen.core}`;
  return [...known, ok("cores", text + alone + governor)];
}

function checkAllowed({ cores }: Facts): Finding[] {
  const { online, allowed, chosen } = cores;
  if (chosen.asked && !online.includes(chosen.core) && online.length > 0) {
    return [stops(
      "cores.chosen",
      `there is no core ${chosen.core}`,
      `The machine has ${formatCores(online)}: a capture with -c ${chosen.core} does not start.`,
      `# choose another: -c ${allowed.at(-1) ?? 0}`,
    )];
  }
  if (chosen.asked && !chosen.usable) {
    return [stops(
      "cores.chosen",
      `core ${chosen.core} is not among those that this session may use (${formatCores(allowed)})`,
      `A capture with -c ${chosen.core} does not start: the control group's cpuset leaves it out.`,
      "# in the session's slice, the container's options (--cpuset-cpus), or the service's unit:",
      `# AllowedCPUs=${formatCores(online)}`,
    )];
  }
  if (allowed.length > 1) return [];
  return [harms(
    "cores.allowed",
    online.length > 1
      ? `this session may use core ${formatCores(allowed)} only, of ${formatCores(online)}`
      : "there is one core",
    "Capture thread and engine take turns on it: each waits for the other's time slice.",
    ...(online.length > 1 ? [`taskset -c -p ${formatCores(online)} $$`] : []),
  )];
}

function checkQuota({ process, cores }: Facts): Finding[] {
  const limit = process.controlGroup.cores;
  if (limit === undefined || limit.value >= cores.allowed.length) return [];
  const isNew = limit.file.endsWith("cpu.max");
  return [harms(
    "cores.quota",
    `a control group allows ${Number(limit.value.toFixed(2))} cores' worth of time`,
    "Threads that spin use it up, and then all stand still for the rest of each period, up to 0.1 s.",
    isNew ? `echo max > ${limit.file}` : `echo -1 > ${limit.file}`,
    "# lasting: CPUQuota= in the service's unit, docker run without --cpus, no limits.cpu in the pod",
  )];
}

function checkStolen({ traffic, cores }: Facts): Finding[] {
  const all = traffic.grown["time all"] ?? 0, stolen = traffic.grown["time stolen"] ?? 0;
  if (stolen >= FEWEST_TICKS && stolen / all > STOLEN) {
    return [harms(
      "cores.stolen",
      `the hypervisor took ${(stolen / all * 100).toFixed(0)} % of the cores' time`,
      "The thread stands still meanwhile, and no setting in here changes that.",
      "# a machine of your own, or cores that are pinned and not shared (dedicated vCPUs)",
    )];
  }
  if (!cores.flags.includes("hypervisor")) return [];
  return [note(
    "cores.virtual",
    "this is a virtual machine",
    "Its cores may be taken away at any time, for milliseconds; none was, to speak of, while we looked.",
    "# a machine of your own, or cores that are pinned and not shared (dedicated vCPUs)",
  )];
}

function checkBusy({ traffic, cores }: Facts): Finding[] {
  const all = traffic.grown["core all"] ?? 0, busy = traffic.grown["core busy"] ?? 0;
  if (all < ENOUGH_TICKS || busy / all < BUSY) return [];
  const { core } = cores.chosen;
  return [harms(
    "cores.busy",
    `core ${core} was ${(busy / all * 100).toFixed(0)} % busy while we looked`,
    "The capture thread takes turns with what runs there.",
    `ps -eLo psr,pcpu,pid,comm --sort -pcpu | awk '$1 == ${core}' | head -n 5`,
    "# end that, move it (taskset), or choose another core: -c",
  )];
}

function checkIsolation({ cores }: Facts): Finding[] {
  const { isolated, tickless, chosen } = cores, { core } = chosen;
  if (isolated.includes(core)) {
    if (tickless.includes(core)) return [];
    return [note(
      "cores.tick",
      `core ${core} is isolated, but has a timer's tick`,
      "The tick takes a few microseconds, 100 to 1000 times a second.",
      "# on the kernel's command line:",
      `# nohz_full=${core} rcu_nocbs=${core}`,
    )];
  }
  const better = isolated[0];
  if (better !== undefined) {
    return [harms(
      "cores.isolated",
      `core ${core} is not isolated, and ${formatCores(isolated)} ${
        isolated.length > 1 ? "are" : "is"
      }`,
      "On a core that is not isolated the scheduler puts other work, for which the capture waits.",
      `# give -c ${better}`,
    )];
  }
  return [note(
    "cores.isolated",
    "no core is isolated",
    `The scheduler may put other work on core ${core}, for which the capture then waits.`,
    "# on the kernel's command line:",
    `# isolcpus=managed_irq,domain,${core} nohz_full=${core} rcu_nocbs=${core}`,
  )];
}

function checkSpeed({ cores }: Facts): Finding[] {
  const { core, governor, deepestIdleUs } = cores.chosen, found: Finding[] = [];
  if (governor !== undefined && governor !== "performance") {
    found.push(harms(
      "cores.governor",
      `the governor of core ${core} is ${governor}`,
      "The core slows down when there is little to do, and is slow when a burst begins.",
      `echo performance > /sys/devices/system/cpu/cpu${core}/cpufreq/scaling_governor`,
    ));
  }
  if (deepestIdleUs !== undefined && deepestIdleUs > LATE_US) {
    found.push(note(
      "cores.idle",
      `core ${core} may sleep so deep that it takes ${deepestIdleUs} µs to wake`,
      "So late may the first packet of a burst be seen with --wait hybrid or poll; never with spin.",
      `for f in /sys/devices/system/cpu/cpu${core}/cpuidle/state[2-9]/disable; do echo 1 > $f; done`,
    ));
  }
  return found;
}

function checkSiblings({ cores }: Facts): Finding[] {
  const { core, siblings } = cores.chosen;
  const shared = siblings.filter((sibling) => cores.online.includes(sibling));
  if (shared.length === 0) return [];
  const other = cores.allowed.find((one) => one !== core && !shared.includes(one));
  return [note(
    "cores.siblings",
    `core ${core} shares its execution units with ${formatCores(shared)}`,
    "What runs there slows the capture thread down, the engine, too.",
    other === undefined
      ? "echo off > /sys/devices/system/cpu/smt/control"
      : `# keep it free: --engine-core ${other}, and nothing else on ${formatCores(shared)}; or:`,
    ...(other === undefined ? [] : [`echo off > /sys/devices/system/cpu/smt/control`]),
  )];
}
