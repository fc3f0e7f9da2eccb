/**
 * Purpose: is the interface there, of the right kind, up, and connected?
 */
import type { Facts } from "../facts/facts.ts";
import type { InterfaceFacts } from "../facts/interface.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";

const ETHERNET = 1, LOOPBACK = 772; // ARPHRD_*
const RAW = ["xdp", "packet", "netmap"];

/** The interface, and what it is connected to. */
export function checkLink(facts: Facts): Finding[] {
  const { port, interface: device } = facts;
  if (port === undefined || port.interface === "") return [];
  if (device === undefined) return [missing(facts, port.interface)];
  const { link } = device, raw = RAW.includes(port.kind);
  if (raw && link.type !== ETHERNET && link.type !== LOOPBACK) {
    return [stops(
      "link.type",
      `"${link.name}" is no Ethernet interface`,
      "Its packets have no Ethernet header: the port does not open.",
      "ip link # choose one that says link/ether; a udp: port takes any",
    )];
  }
  const found = [...checkUp(device), ...(raw ? checkShape(facts, device) : checkMember(device))];
  return found.some(({ level }) => level === "stops")
    ? found
    : [...found, ok("link", describe(device))];
}

function missing({ interfaces, namespaces }: Facts, name: string): Finding {
  const near = interfaces.filter((other) => distance(other.name, name) <= 2).map(({ name }) =>
    name
  );
  const all = near.length > 0 ? near : interfaces.map(({ name }) => name);
  const elsewhere = namespaces.map((space) =>
    `ip -n ${shellWord(space)} link show dev ${shellWord(name)}`
  );
  return stops(
    "link.missing",
    `there is no interface "${name}"`,
    near.length > 0 ? `Near it: ${near.join(", ")}.` : `There are ${all.join(", ") || "none"}.`,
    "ip link",
    ...(namespaces.length > 0 ? ["# it may be in another network namespace:"] : []),
    ...elsewhere.slice(0, 4),
  );
}

/** As a shell takes it; what people type need be no interface's name. */
function shellWord(name: string): string {
  return /^[\w.:@-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}

function checkUp({ link, lower }: InterfaceFacts): Finding[] {
  const { name } = link;
  if (!link.up) {
    return [stops(
      "link.down",
      `"${name}" is set down`,
      "Nothing arrives on an interface that is down.",
      `ip link set dev ${name} up`,
    )];
  }
  if (link.carrier) return [];
  const below = lower ?? (link.kind === "veth" ? "the other end" : undefined);
  return [stops(
    "link.carrier",
    `"${name}" has no link`,
    below === undefined
      ? "There is no signal: cable, optics, the other side's port, or its speed."
      : `It has a link when ${below === lower ? `"${lower}"` : below} is up.`,
    below === undefined
      ? `ethtool ${name} # and ethtool -m ${name} for the optics`
      : lower === undefined
      ? `# set the other end up: ip link set dev … up`
      : `ip link set dev ${lower} up`,
  )];
}

/** What raw ports do not work on, or not well. */
function checkShape({ port }: Facts, device: InterfaceFacts): Finding[] {
  const { link, members, lower, master } = device, { name, kind } = link;
  const half = device.device.duplex === "half"
    ? [harms(
      "link.duplex",
      `"${name}" runs at half duplex`,
      "The two sides did not agree: packets collide and are lost.",
      `ethtool -s ${name} autoneg on`,
    )]
    : [];
  if (port!.kind === "xdp" && (kind === "bond" || kind === "team")) {
    const other = members[0] ?? "eth0";
    return [
      ...half,
      stops(
        "link.bond",
        `"${name}" is a ${kind} of ${members.join(", ") || "no interface"}`,
        "Packets arrive in queues of its members, and AF_XDP gives them only to sockets on these.",
        `# open a member: -i xdp:${other}`,
      ),
    ];
  }
  const indirect = kind !== undefined && ["vlan", "bridge", "macvlan", "ipvlan"].includes(kind);
  const below = lower ?? members[0];
  if (indirect && port!.kind !== "packet") {
    return [
      ...half,
      harms(
        "link.virtual",
        `"${name}" is a ${kind}${lower === undefined ? "" : ` on "${lower}"`}`,
        "It has no queues of its own: packets have been through the kernel's stack before the port has them.",
        below === undefined
          ? `# give it a member, and open that: ip link set dev NIC master ${name}`
          : `# open what is below: -i ${port!.kind}:${below}`,
      ),
    ];
  }
  return [
    ...half,
    ...(master === undefined || port!.kind === "netmap" ? [] : [note(
      "link.master",
      `"${name}" belongs to the ${master.kind ?? "interface"} "${master.name}"`,
      `Its members share the traffic: the rest of it comes by the others of "${master.name}".`,
      `ip link show master ${master.name}`,
    )]),
  ];
}

/** Of a bond or bridge the addresses are the whole's. */
function checkMember({ link, master }: InterfaceFacts): Finding[] {
  if (master === undefined) return [];
  return [harms(
    "link.master",
    `"${link.name}" belongs to the ${master.kind ?? "interface"} "${master.name}"`,
    `Sockets have its packets as packets of "${master.name}".`,
    `# bind there: @${master.name} at the end of the port's name`,
  )];
}

function describe({ link, device }: InterfaceFacts): string {
  const speed = device.speed === undefined ? "" : `, ${device.speed} Mbit/s`;
  const duplex = device.duplex === undefined ? "" : ` ${device.duplex} duplex`;
  const driver = device.driver === undefined ? "" : `, driver ${device.driver}`;
  return `"${link.name}" is up, with a link${speed}${duplex}${driver}, MTU ${link.mtu}`;
}

/** Letters to change, add or leave out (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
