/**
 * Purpose: does the NIC or the kernel merge packets, or take something out of them, before the port has
 * them? And may it stop the sender?
 *
 * ```text
 *  NIC ── LRO, rx-gro-hw ──▶ driver ──▶ xdp ──▶ GRO ──▶ packet, netmap (emulated) ──▶ UDP sockets
 *         merge TCP                     before that     after it       sockets get datagrams apart again
 * ```
 */
import type { Facts } from "../facts/facts.ts";
import type { InterfaceFacts } from "../facts/interface.ts";
import { type Finding, harms, note, ok } from "../finding.ts";

const HARDWARE = {
  "large-receive-offload": "lro",
  "rx-gro-hw": "rx-gro-hw",
};
const UDP_MERGING = ["rx-udp-gro-forwarding", "rx-gro-list"];

/** Merged packets, tags, checksums, flow control. */
export function checkOffloads(facts: Facts): Finding[] {
  const { port, interface: device } = facts;
  if (port === undefined || device === undefined) return [];
  if (!["xdp", "packet", "netmap"].includes(port.kind)) return checkPause(device);
  const found = [
    ...checkHardware(facts, device),
    ...checkSoftware(facts, device),
    ...checkTags(port.kind, device),
  ];
  if (found.length === 0) found.push(ok("offloads", "no offload merges packets before the port"));
  return [...found, ...checkPause(device)];
}

/** The NIC merges before anybody sees them; some drivers refuse XDP meanwhile. */
function checkHardware({ port }: Facts, { device, link }: InterfaceFacts): Finding[] {
  const on = Object.keys(HARDWARE).filter((name) => device.features[name]?.on);
  if (on.length === 0) return [];
  const changeable = on.filter((name) => !device.features[name].fixed);
  const names = changeable.map((name) => HARDWARE[name as keyof typeof HARDWARE]);
  return [harms(
    "offloads.hardware",
    `the NIC merges TCP packets (${on.join(", ")})`,
    port!.kind === "xdp"
      ? "Drivers refuse native mode meanwhile: the port falls back to generic mode, which is slower."
      : "What arrives is larger than a buffer and unlike what was on the wire.",
    names.length > 0
      ? `ethtool -K ${link.name} ${names.map((name) => `${name} off`).join(" ")}`
      : "# the driver does not let it be changed: in a virtual machine, the host may",
  )];
}

/** Of no concern to xdp: native mode comes before it, and where a generic program is, the kernel leaves it. */
function checkSoftware({ port, netmap }: Facts, { device, link }: InterfaceFacts): Finding[] {
  const emulated = port!.kind === "netmap" && !netmap.drivers.includes(device.driver ?? "");
  if (port!.kind !== "packet" && !emulated) return [];
  const { features } = device, found: Finding[] = [];
  const udp = UDP_MERGING.filter((name) => features[name]?.on);
  if (udp.length > 0) {
    found.push(harms(
      "offloads.udp",
      `the kernel merges UDP datagrams (${udp.join(", ")})`,
      "Several arrive as one, which is no tick: they are counted as rejected or malformed.",
      `ethtool -K ${link.name} ${udp.map((name) => `${name} off`).join(" ")}`,
    ));
  }
  if (features["generic-receive-offload"]?.on) {
    found.push(note(
      "offloads.gro",
      "the kernel merges packets of a TCP stream (GRO)",
      "They are larger and fewer than on the wire; UDP is left alone. It takes some time for each packet.",
      `ethtool -K ${link.name} gro off`,
    ));
  }
  return found;
}

/** A packet port has the tag told beside the packet, and puts it back. */
function checkTags(kind: string, { device, link }: InterfaceFacts): Finding[] {
  const feature = device.features["rx-vlan-offload"];
  if (kind === "packet" || !feature?.on) return [];
  return [note(
    "offloads.vlan",
    "the NIC takes VLAN tags out of packets",
    "The port has the packets of every VLAN, without a tag to tell them apart.",
    feature.fixed
      ? "# the driver does not let it be changed"
      : `ethtool -K ${link.name} rxvlan off`,
  )];
}

function checkPause({ device, link }: InterfaceFacts): Finding[] {
  const { pause } = device;
  if (pause === undefined || (!pause.tx && !pause.rx)) return [];
  const off = `ethtool -A ${link.name}${pause.negotiated ? " autoneg off" : ""} rx off tx off`;
  if (!pause.tx) {
    return [note(
      "flow-control",
      "the other side may stop this one from sending (flow control, rx)",
      "Orders then wait in the NIC.",
      off,
    )];
  }
  return [harms(
    "flow-control",
    "the NIC stops the other side when its rings are full (flow control, tx)",
    "What comes too fast is then late or lost in the switch, where nobody here can count it.",
    off,
  )];
}
