/**
 * Purpose: do packets arrive, and which counters of lost ones grow?
 */
import type { Facts } from "../facts/facts.ts";
import type { InterfaceFacts } from "../facts/interface.ts";
import { isLoss } from "../facts/traffic.ts";
import { type Finding, harms, note, ok } from "../finding.ts";

const SHOWN = 4; // counters in a line: drivers count a loss at several places
const SHORTEST_S = 0.05;
const BACKLOG = 10_000, BUDGET = 600;

/** Everything that was watched for a while. */
export function checkTraffic(facts: Facts): Finding[] {
  const { port, traffic } = facts;
  if (traffic.seconds < SHORTEST_S) return []; // --seconds 0
  return [
    ...(facts.interface === undefined ? [] : checkArrivals(facts, facts.interface)),
    ...checkBacklog(facts),
    ...(port === undefined || port.kind === "udp" ? checkSockets(facts) : []),
  ];
}

function checkArrivals(facts: Facts, { link }: InterfaceFacts): Finding[] {
  const { traffic } = facts, { name } = link, packets = traffic.grown["link rx_packets"] ?? 0;
  const losses = Object.entries(traffic.grown).filter(([counter]) => isLoss(counter))
    .sort(([, a], [, b]) => b - a);
  const found = losses.length > 0 ? [lossOf(facts, name, losses)] : [];
  const rate = perSecond(packets, traffic.seconds), seconds = traffic.seconds.toFixed(1);
  if (packets === 0 && (!link.up || !link.carrier)) return found; // which has been said
  if (packets === 0) {
    return [
      ...found,
      note(
        "traffic.none",
        `no packet arrived on "${name}" in ${seconds} s`,
        "If there should be some: the other side does not send, or the switch not to here (VLAN, IGMP).",
        `tcpdump -c 5 -ni ${name}`,
        "# longer: --seconds 10",
      ),
    ];
  }
  if (losses.length > 0) return found;
  const before = Object.entries(traffic.lostBefore).filter(([counter]) =>
    counter.startsWith("link ")
  );
  const ever = before.length === 0
    ? ""
    : `; before: ${before.map(([counter, count]) => `${counter.slice(5)} ${count}`).join(", ")}`;
  return [ok("traffic", `${rate} packets/s arrive on "${name}", none lost in ${seconds} s${ever}`)];
}

function lossOf({ interface: device, traffic }: Facts, name: string, losses: [string, number][]) {
  const list = losses.slice(0, SHOWN).map(([counter, by]) =>
    `${counter.split(" ")[1]} +${perSecond(by, traffic.seconds)}/s`
  );
  const ring = device?.device.rxRing, names = losses.map(([counter]) => counter).join(" ");
  const damaged = /crc|frame/.test(names);
  const roomy = ring !== undefined && ring.now < ring.max;
  return harms(
    "traffic.lost",
    `"${name}" loses packets: ${list.join(", ")}`,
    damaged
      ? "They arrive damaged: cable, optics, or a setting of the other side."
      : "Whoever takes packets off the NIC is too slow for them, or is too often away.",
    ...(damaged ? [`ethtool -m ${name}`] : roomy
      ? [
        `ethtool -G ${name} rx ${ring.max}`,
        "# and a core that the capture has to itself: -c, --wait spin",
      ]
      : [
        "# a core that the capture has to itself: -c, --wait spin; a thread for each queue: --rings all",
      ]),
  );
}

/** The kernel's own queue between the driver's part and the rest, and the time it allows for packets. */
function checkBacklog({ traffic }: Facts): Finding[] {
  const { grown, seconds } = traffic;
  const dropped = grown["softnet dropped"] ?? 0, squeezed = grown["softnet squeezed"] ?? 0;
  const found: Finding[] = [];
  if (dropped > 0) {
    found.push(harms(
      "traffic.backlog",
      `the kernel's backlog overflows: ${perSecond(dropped, seconds)} packets/s are dropped there`,
      "They had arrived, and were to be handed to another core, or to another interface (veth).",
      `sysctl -w net.core.netdev_max_backlog=${BACKLOG}`,
      "# in the first network namespace, not in a container",
    ));
  }
  if (squeezed > 0) {
    found.push(note(
      "traffic.squeezed",
      `${
        perSecond(squeezed, seconds)
      } times a second packets waited, as the kernel's time for them was up`,
      "In a moment like that the NIC's rings fill.",
      `sysctl -w net.core.netdev_budget=${BUDGET} net.core.netdev_budget_usecs=8000`,
    ));
  }
  return found;
}

/** Of all sockets in this network namespace. */
function checkSockets({ traffic }: Facts): Finding[] {
  const { grown, seconds } = traffic, found: Finding[] = [];
  const full = grown["udp RcvbufErrors"] ?? 0, wrong = grown["udp InCsumErrors"] ?? 0;
  const nobody = grown["udp NoPorts"] ?? 0;
  if (full > 0) {
    found.push(harms(
      "traffic.sockets",
      `UDP sockets here overflow: ${perSecond(full, seconds)} packets/s are lost (RcvbufErrors)`,
      "The program that has the socket does not come to read, or its buffer is small.",
      "ss -ulnpm # d… is what each socket has dropped",
      "sysctl -w net.core.rmem_max=67108864",
    ));
  }
  if (wrong > 0) {
    found.push(harms(
      "traffic.checksums",
      `${perSecond(wrong, seconds)} UDP packets/s have a wrong checksum (InCsumErrors)`,
      "The kernel drops them without a word.",
      "# mend it at the sender: it must compute them, or its NIC (ethtool -K … tx on)",
    ));
  }
  if (nobody > 0) {
    found.push(note(
      "traffic.no-port",
      `${perSecond(nobody, seconds)} UDP packets/s come to ports that nobody has (NoPorts)`,
      "The feed may use another port than the one that is listened on.",
      "tcpdump -c 5 -ni any udp",
    ));
  }
  return found;
}

/** Grouped by thousands; with a digit behind the point where it is small. */
function perSecond(count: number, seconds: number): string {
  const rate = count / seconds;
  return rate < 10 ? String(Number(rate.toFixed(1))) : Math.round(rate).toLocaleString("en-US");
}
