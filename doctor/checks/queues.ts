/**
 * Purpose: do the packets come into the queues that the port has, and is there room in them?
 */
import type { Facts } from "../facts/facts.ts";
import type { InterfaceFacts } from "../facts/interface.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";

const MOST_XDP_QUEUES = 16; // MAX_QUEUES in xdp.h
const SHORT_US = 10;

/** Queues, how packets are spread over them, and their rings. */
export function checkQueues(facts: Facts): Finding[] {
  const { port, interface: device } = facts;
  if (port === undefined || device === undefined) return [];
  const rest = [...checkRing(device), ...checkCoalescing(port.kind, device)];
  return ["xdp", "packet", "netmap"].includes(port.kind)
    ? [...checkChoice(facts, device), ...rest]
    : rest;
}

function checkChoice({ port, kernel, traffic }: Facts, device: InterfaceFacts): Finding[] {
  const { queues, link } = device, { kind, queue } = port!, { name } = link;
  if (queues === undefined) {
    const what = "/sys shows another network namespace than this";
    return kind !== "xdp" ? [] : [stops(
      "queues.unknown",
      what,
      "An xdp port counts the interface's queues there, and does not open.",
      "mount -t sysfs sysfs /sys",
      `# ip netns exec does that by itself; the kernel is ${kernel.release}`,
    )];
  }
  if (queue !== undefined && queue >= queues) {
    return [stops(
      "queues.missing",
      `"${name}" has no queue ${queue}: it has ${queues}, from 0`,
      "The port does not open.",
      ...(more(device, queue + 1) ?? [`# open another: -i ${kind}:${name}-${queues - 1}`]),
    )];
  }
  if (queue !== undefined) return checkShare(device, kind, queue, queues, traffic);
  if (kind === "xdp" && queues > MOST_XDP_QUEUES) {
    return [stops(
      "queues.many",
      `"${name}" has ${queues} queues, and a port takes ${MOST_XDP_QUEUES} at most`,
      "The port does not open.",
      ...(more(device, MOST_XDP_QUEUES) ?? [`# open them one by one: -i xdp:${name}-0`]),
    )];
  }
  if (queues === 1) return [ok("queues", "one receive queue")];
  return [note(
    "queues.threads",
    `${queues} receive queues`,
    `One capture thread goes round all of them; of one stream all packets are in the same.`,
    "# a thread, core and ring for each: --rings all",
    // veth runs XDP only with as many queues as the other end has to send into.
    ...(link.kind === "veth" ? [] : more(device, 1) ?? []).map((line) => `# or one queue: ${line}`),
  )];
}

/** How to have so many queues, if the driver can. */
function more({ device, link }: InterfaceFacts, count: number): string[] | undefined {
  const { combinedChannels, rxChannels } = device;
  if (combinedChannels !== undefined && combinedChannels.max >= count) {
    return [`ethtool -L ${link.name} combined ${count}`];
  }
  if (rxChannels !== undefined && rxChannels.max >= count) {
    return [`ethtool -L ${link.name} rx ${count}`];
  }
}

/** RSS sends streams by their addresses; a port of one queue has those of that queue alone. */
function checkShare(
  { device, link }: InterfaceFacts,
  kind: string,
  queue: number,
  queues: number,
  traffic: Facts["traffic"],
): Finding[] {
  const { indirection, rules = 0 } = device, { name } = link;
  const entries = indirection?.filter((entry) => entry === queue).length;
  if (queues === 1 || (indirection !== undefined && entries === indirection.length)) {
    return [ok("queues", `all packets come into queue ${queue}`)];
  }
  const rest = kind === "xdp" ? "the others go to the kernel's stack" : "the others stay unread";
  const remedies = [
    `ethtool -X ${name} start ${queue} equal 1`,
    `# all into queue ${queue}; or one stream: ethtool -K ${name} ntuple on,`,
    `# ethtool -N ${name} flow-type udp4 dst-port 5001 action ${queue}`,
  ];
  const share = indirection === undefined || entries === undefined
    ? "an unknown part"
    : `${(entries / indirection.length * 100).toFixed(0)} %`;
  if (entries === 0) {
    const finding = rules > 0 ? harms : stops;
    return [finding(
      "queues.share",
      `RSS sends nothing into queue ${queue}` + (rules > 0 ? `; ${rules} ntuple rules may` : ""),
      `Streams are spread over the other ${queues - 1}: the port receives nothing of them.`,
      ...remedies,
    )];
  }
  return [harms(
    "queues.share",
    `queue ${queue} is one of ${queues}, and has ${share} of the streams` +
      (rules > 0 ? ` (and ${rules} ntuple rules)` : "") + seen(traffic, queue),
    `The port receives these; ${rest}.`,
    ...remedies,
  )];
}

/** What came into each queue while we looked, where the driver counts that: `rx_queue_2_packets`, `rx-2.packets`. */
function seen({ grown, seconds }: Facts["traffic"], queue: number): string {
  let ours = 0, others = 0;
  for (const [counter, by] of Object.entries(grown)) {
    const number = /^driver rx[-_]?(?:queue_)?(\d+)[_.](?:rx_)?packets$/.exec(counter)?.[1];
    if (number === undefined) continue;
    if (Number(number) === queue) ours += by;
    else others += by;
  }
  if (ours + others === 0) return "";
  return `; in ${seconds.toFixed(1)} s ${ours} packets came into it, ${others} into others`;
}

/** netmap's syncs look at the ring itself. */
function checkCoalescing(kind: string, { device, link }: InterfaceFacts): Finding[] {
  const { coalescing } = device;
  if (coalescing === undefined || kind === "netmap") return [];
  const { rxUs, adaptive } = coalescing;
  if (!adaptive && rxUs <= SHORT_US) return [];
  return [note(
    "coalescing",
    adaptive
      ? `"${link.name}" holds interrupts back as long as its driver likes (adaptive-rx)`
      : `"${link.name}" holds interrupts back for up to ${rxUs} µs (rx-usecs)`,
    "So much later comes a packet that no others follow; in exchange there are fewer interrupts.",
    `ethtool -C ${link.name}${adaptive ? " adaptive-rx off" : ""} rx-usecs 0`,
  )];
}

function checkRing({ device, link }: InterfaceFacts): Finding[] {
  const ring = device.rxRing;
  if (ring === undefined) return [];
  if (ring.now >= ring.max) {
    return [ok("queues.ring", `receive rings of ${ring.now} slots, their most`)];
  }
  return [harms(
    "queues.ring",
    `receive rings have ${ring.now} slots of ${ring.max}`,
    `A burst of more than ${ring.now} packets in a queue, before its core comes to it, is lost.`,
    `ethtool -G ${link.name} rx ${ring.max}`,
  )];
}
