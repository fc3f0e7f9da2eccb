/**
 * Purpose: who else has a program on the interface, and what the driver can do for an xdp port.
 */
import type { Facts } from "../facts/facts.ts";
import type { InterfaceFacts, ProgramFacts } from "../facts/interface.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";
import { holds } from "./capabilities.ts";

const WHOLE_BYTES = 1792; // FRAME_BYTES - FRAME_HEADROOM in xdp.h
const ETHERNET_BYTES = 14;
const OFF = { native: "xdpdrv", generic: "xdpgeneric", offloaded: "xdpoffload" };

/** Programs, modes, buffers. */
export function checkXdp(facts: Facts): Finding[] {
  const { port, interface: device } = facts;
  if (port === undefined || device === undefined) return [];
  if (port.kind !== "xdp") return device.program === undefined ? [] : [inFront(device)];
  return [...checkProgram(facts, device), ...checkDriver(device), ...checkMtu(device)];
}

function checkProgram(facts: Facts, { program, link, queues = 1 }: InterfaceFacts): Finding[] {
  if (program === undefined) return [];
  const what = describe(program, link.name), end = endOf(program, link.name);
  if (isOurs(program)) return [checkSharing(facts, queues, `${what}, another capture's`, end)];
  return [stops(
    "xdp.program",
    what,
    program.name === undefined
      ? "An interface has one program. Whether it is another capture's, only root can see."
      : "An interface has one program, and that is not ours: the port does not open.",
    ...endOf(program, link.name),
  )];
}

/** It has at least one queue, so that there is none left where there is but one, or all are wanted. */
function checkSharing(facts: Facts, queues: number, what: string, end: string[]): Finding {
  const { port, process } = facts, id = "xdp.shared", all = port!.queue === undefined;
  if (all || queues === 1) {
    const one = (queue: number) => `-i xdp:${port!.interface}-${queue}`;
    const others = `# or give each capture a queue of its own: that one ${one(0)}, this one ${
      one(1)
    }`;
    const why = "It has a queue that this port wants: the port does not open.";
    return stops(id, what, why, ...end, ...(queues === 1 ? [] : [others]));
  }
  if (!holds(process, "CAP_SYS_ADMIN")) {
    const why =
      "Only who has CAP_SYS_ADMIN may share another process's program: the port does not open.";
    return stops(
      id,
      what,
      why,
      ...end,
      "# or as root, with CAP_SYS_ADMIN; or both in one: --rings",
    );
  }
  const why = "This port shares it, if both want the same packets (-p, -d, -f), and other queues.";
  return note(id, what, why, ...end);
}

/** Other ports come behind it. */
function inFront({ program, link }: InterfaceFacts): Finding {
  return harms(
    "xdp.front",
    describe(program!, link.name),
    isOurs(program!)
      ? "The capture whose it is takes its packets off the interface before this port sees them."
      : "It sees packets first: what it drops or redirects does not come to this port.",
    ...endOf(program!, link.name),
  );
}

function describe({ name, mode, id, holder }: ProgramFacts, device: string): string {
  const who = holder === undefined ? "" : `, of process ${holder.process} (${holder.name})`;
  const program = name === undefined || name === "" ? `number ${id}` : `"${name}"`;
  return `"${device}" has an XDP program, ${program}, ${mode}${who}`;
}

function isOurs({ name }: ProgramFacts): boolean {
  return /^uspf_[0-9a-f]{8}$/.test(name ?? "");
}

/** A program that a process holds by a link leaves with it; others are taken off. */
function endOf({ mode, holder }: ProgramFacts, device: string): string[] {
  if (holder !== undefined) return [`kill ${holder.process} # ${holder.name}`];
  return [`ip link set dev ${device} ${OFF[mode as keyof typeof OFF] ?? "xdp"} off`];
}

function checkDriver({ xdpFeatures, device, link }: InterfaceFacts): Finding[] {
  if (xdpFeatures === undefined) return []; // the kernel does not tell, before 6.3
  const driver = device.driver ?? link.name;
  if (!xdpFeatures.includes("redirect")) {
    const own = link.kind === undefined && !link.loopback;
    return [(own ? harms : note)(
      "xdp.mode",
      `${driver} offers no XDP as it is set now: the port is in generic mode`,
      "Packets come by way of the kernel's own structures, and are copied: slower than native mode.",
      ...offerXdp(link, device.rxChannels),
    )];
  }
  const how = xdpFeatures.includes("zerocopy") ? "native and zero-copy" : "native, frames copied";
  return [ok("xdp.mode", `${driver} runs XDP: ${how}`)];
}

/** A driver may have it, but not with these queues or this MTU; veth wants a queue for each that the other end sends into. */
function offerXdp(
  { name, kind, loopback }: InterfaceFacts["link"],
  rxChannels: InterfaceFacts["device"]["rxChannels"],
): string[] {
  if (kind === "veth" && rxChannels !== undefined && rxChannels.now < rxChannels.max) {
    return [`ethtool -L ${name} rx ${rxChannels.max}`];
  }
  return kind === undefined && !loopback
    ? [
      "# fewer queues or a smaller MTU may do; else a driver that has it: i40e, ice, ixgbe, mlx5_core",
    ]
    : ["# take the NIC below it, if there is one"];
}

function checkMtu({ link, xdpFeatures }: InterfaceFacts): Finding[] {
  if (link.mtu + ETHERNET_BYTES <= WHOLE_BYTES || link.loopback) return [];
  const whole = !(xdpFeatures ?? ["pieces"]).includes("pieces");
  return [harms(
    "xdp.mtu",
    `packets of MTU ${link.mtu} do not fit into a frame (${WHOLE_BYTES} bytes)`,
    "Larger ones are counted as split and not read" +
      (whole ? "; this driver refuses native mode meanwhile." : "."),
    `ip link set dev ${link.name} mtu 1500`,
  )];
}
