/**
 * Purpose: is the chosen core near the NIC, and does it serve other masters?
 */
import { formatCores } from "../facts/core_list.ts";
import type { Facts } from "../facts/facts.ts";
import { type Finding, harms, note, ok } from "../finding.ts";

const OFTEN = 500; // a second: each takes some microseconds
const FEWEST = 50;

/** Interrupts of devices on the chosen core, while we looked. */
export function checkInterrupts({ traffic, cores }: Facts): Finding[] {
  const { core } = cores.chosen, least = Math.max(FEWEST, OFTEN * traffic.seconds);
  const other = cores.allowed.find((one) => one !== core);
  const busy = Object.entries(traffic.grown).flatMap(([counter, by]) => {
    const [, number, name] = /^interrupt (\d+) (.*)$/.exec(counter) ?? [];
    return number === undefined || by < least ? [] : [{ number, name, by }];
  });
  if (busy.length === 0) return [];
  const list = busy.map(({ name, by }) => `${name} ${Math.round(by / traffic.seconds)}/s`);
  const what = `core ${core} serves interrupts: ${list.join(", ")}`;
  const why =
    "Each takes the core from the capture thread for some microseconds, and what it brings, more.";
  if (other === undefined) {
    return [note("cores.interrupts", what, why, "# there is no other core for them")];
  }
  return [harms(
    "cores.interrupts",
    what,
    why,
    ...busy.map(({ number }) => `echo ${other} > /proc/irq/${number}/smp_affinity_list`),
    "# and if irqbalance runs, which would bring them back:",
    "systemctl stop irqbalance",
  )];
}

/** The NIC's memory node against the core's. */
export function checkNode({ cores, interface: device }: Facts): Finding[] {
  if (device?.node === undefined || cores.chosen.node === undefined) return [];
  const { node, core } = cores.chosen;
  if (node === device.node) {
    return [ok("node", `"${device.link.name}" and core ${core} are of NUMA node ${node}`)];
  }
  const near = cores.nodes[device.node] ?? [];
  const best = near.filter((one) => cores.isolated.includes(one));
  return [harms(
    "node",
    `"${device.link.name}" is of NUMA node ${device.node}, and core ${core} of node ${node}`,
    "Each packet crosses from one processor to the other: 100 ns more, and less throughput.",
    `# give -c ${best[0] ?? near.at(-1) ?? 0}: node ${device.node} has cores ${formatCores(near)}`,
  )];
}
