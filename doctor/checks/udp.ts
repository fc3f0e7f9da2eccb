/**
 * Purpose: does a socket get the packets that reach the interface? And groups: do they come at all?
 */
import type { Facts } from "../facts/facts.ts";
import type { InterfaceFacts } from "../facts/interface.ts";
import type { UdpFacts } from "../facts/port.ts";
import { administersNetworks } from "./capabilities.ts";
import { lacksLowPort } from "./privileges.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";

const WANTED_BYTES = 64 * 1024 * 1024; // SOCKET_BUFFER_BYTES in udp_port.ts
const STRICT = 1;

/** A udp port's address, port, group and buffer. */
export function checkUdp(facts: Facts): Finding[] {
  const { port, interface: device } = facts;
  if (port?.udp === undefined) return [];
  return [
    ...checkBind(facts, port.udp),
    ...checkRoute(facts, port.udp),
    ...(device === undefined ? [] : checkReversePath(facts, device)),
    ...checkBuffer(facts, port.udp),
    ...checkPolling(facts, port.udp),
  ];
}

function checkBind(facts: Facts, udp: UdpFacts): Finding[] {
  const { refusal, port } = udp, why = "The port does not open.";
  const { text, interface: name } = facts.port!, address = /^udp:([^:]*)/.exec(text)![1];
  switch (refusal) {
    case undefined:
      return [];
    case "EADDRNOTAVAIL":
      return [stops(
        "udp.address",
        `${address} is not an address of this machine`,
        why,
        "ip -4 address # choose one of these, or 0.0.0.0",
      )];
    case "EADDRINUSE":
      return [stops(
        "udp.taken",
        taken(udp),
        udp.group ? `${why} Of a group it is shared only if all who have it say so.` : why,
        `ss -ulpn 'sport = :${port}'`,
        "# end what has it, or choose another port",
      )];
  }
  if (refusal === "ENODEV" && facts.interface === undefined && name !== "") return []; // link.missing
  if (refusal === "EACCES" && lacksLowPort(facts)) return []; // capabilities
  return [stops(
    "udp.refused",
    `the kernel refuses to bind a socket to ${text.slice("udp:".length)}: ${refusal}`,
    `${why} A security module or a control group's program may be behind it.`,
    "dmesg | tail; bpftool cgroup tree",
  )];
}

function taken({ port, holders }: UdpFacts): string {
  const list = holders.map(({ process, name }) => `${process} (${name})`).join(", ");
  if (holders.length === 0) return `UDP port ${port} is taken, by another program`;
  if (holders.length === 1) return `UDP port ${port} is taken, by process ${list}`;
  return `UDP port ${port} is taken; processes ${list} have sockets there`;
}

function checkRoute({ port, interfaces }: Facts, { group, route }: UdpFacts): Finding[] {
  if (!group || port!.text.includes("@")) return [];
  if (route !== undefined) {
    return [note(
      "udp.route",
      `the group is joined on "${route}", where the route to it leads`,
      "Its packets may come by another interface.",
      `# name that: -i ${port!.text}@${route}`,
    )];
  }
  const first = interfaces.find(({ name, up }) => up && name !== "lo")?.name ?? "eth0";
  return [stops(
    "udp.route",
    "the group has no interface: none is named, and no route leads to it",
    "The port does not open.",
    `ip route add 224.0.0.0/4 dev ${first}`,
    `# or name it: -i ${port!.text}@${first}`,
  )];
}

/** Strict: a packet is dropped unless the way back to its sender is the interface that it came by. */
function checkReversePath({ traffic }: Facts, device: InterfaceFacts): Finding[] {
  const { link, reversePath, defaultRoute } = device;
  const dropped = traffic.grown["ip IPReversePathFilter"] ?? 0;
  if (reversePath !== STRICT || (defaultRoute && dropped === 0)) return [];
  return [harms(
    "udp.reverse-path",
    dropped > 0
      ? `the kernel dropped ${dropped} packets for their way back (rp_filter 1)`
      : `"${link.name}" drops what it has no way back to by itself (rp_filter 1)`,
    "So it is with a feed whose sender is in another network: no packet comes, and no error is seen.",
    `sysctl -w net.ipv4.conf.${link.name.replaceAll(".", "/")}.rp_filter=2`,
    "# lasting: in /etc/sysctl.d/",
  )];
}

function checkBuffer({ process }: Facts, { largestBuffer }: UdpFacts): Finding[] {
  const bytes = largestBuffer ?? 0;
  if (administersNetworks(process) || bytes >= WANTED_BYTES) {
    return [ok("udp.buffer", "a receive buffer of 64 MiB")];
  }
  // Older kernels show the limit in the first network namespace only.
  return [(largestBuffer === undefined ? note : harms)(
    "udp.buffer",
    largestBuffer === undefined
      ? "how large a socket's buffer may be is not shown here; the port asks for 64 MiB"
      : `a socket's buffer has ${Math.floor(bytes / 1024)} KiB at most; the port asks for 64 MiB`,
    "What comes while the capture thread is away, and finds no room there, is lost.",
    `sysctl -w net.core.rmem_max=${WANTED_BYTES}`,
    "# in the first network namespace, not in a container; or CAP_NET_ADMIN, which has no such limit",
  )];
}

/** A socket may ask for it only with CAP_NET_ADMIN. */
function checkPolling({ process }: Facts, { busyRead }: UdpFacts): Finding[] {
  if (busyRead !== 0 || administersNetworks(process)) return [];
  return [note(
    "udp.busy-poll",
    "a read waits for the NIC's interrupt instead of asking its driver",
    "The port asks for busy polling, which takes CAP_NET_ADMIN: packets come some microseconds later.",
    "sysctl -w net.core.busy_read=50",
    "# or CAP_NET_ADMIN",
  )];
}

/** For ports that read the interface: a NIC passes on groups that somebody has joined. */
export function checkGroups({ port, interface: device }: Facts): Finding[] {
  if (port === undefined || device === undefined || port.udp !== undefined) return [];
  const { link, groups } = device, { name } = link;
  if (link.promiscuity > 0) {
    return [note(
      "promiscuous",
      `"${name}" is promiscuous, for ${link.promiscuity}`,
      "Packets to other machines come as well, and take time.",
      `ip link set dev ${name} promisc off`,
      "# or end what wants it: tcpdump, a bridge, a capture with --promiscuous",
    )];
  }
  if (link.allMulticast || link.kind !== undefined || link.loopback) return [];
  return [note(
    "multicast",
    `"${name}" passes on packets to itself and to groups that were joined: ${
      groups.join(", ") || "none"
    }`,
    "A feed of another group does not come, nor does a switch with IGMP snooping send it.",
    `ip link set dev ${name} allmulticast on`,
    `# and to have it joined: ip address add 239.1.1.1/32 dev ${name} autojoin`,
    ...(port.kind === "netmap" ? [] : ["# or --promiscuous"]),
  )];
}
