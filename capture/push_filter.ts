/**
 * Purpose: decides how early a filter runs: as early as its port allows. User space judges again whatever
 * comes, so what runs before it may let through too much, never too little.
 *
 * | port               | its expression runs                          | what it turns away                  |
 * | ------------------ | -------------------------------------------- | ----------------------------------- |
 * | packet:, udp:      | in the kernel, classic BPF on the socket     | the socket does not get             |
 * | xdp:               | in the driver, eBPF in the interface's program | goes on to the kernel's network stack |
 * | netmap, soft, pcap | in user space                                |                                     |
 */
import type { PortOptions, Wanted } from "../ffi/port.ts";
import { parsePortName, type PortName } from "../ffi/port_name.ts";
import { CannotPush } from "../filter/expression/compilers/cannot_push.ts";
import type { Expression } from "../filter/expression/expression.ts";
import { ACCEPT } from "../filter/expression/plan/plan.ts";
import { forPacketSocket } from "../filter/expression/compilers/for_packet_socket.ts";
import { forUdpSocket } from "../filter/expression/compilers/for_udp_socket.ts";
import { optimise } from "../filter/expression/plan/optimise.ts";
import type { Plan } from "../filter/expression/plan/plan.ts";
import { toClassicBpf } from "../filter/expression/compilers/to_classic_bpf.ts";
import { toEbpf } from "../filter/expression/compilers/to_ebpf.ts";
import type { PacketFilter } from "../filter/packet_filter.ts";

/** Whether a filter runs as early as its port allows, or in user space only. */
export const PUSHES = ["auto", "off"] as const;
/** How early a filter runs. */
export type Push = typeof PUSHES[number];

/** What is to be pushed, and where to. */
export interface PushRequest {
  /** The port's name. */
  port: string;
  /** What is wanted. */
  filter: PacketFilter;
  /** `auto` by default. */
  push?: Push;
  /** Whether all packets are wanted, the filter's rejects for a file: then nothing is pushed. */
  all?: boolean;
}

/** How early a filter runs, and the port's options for it. */
export interface PushedFilter {
  /** To be added to what the port is opened with. */
  portOptions: Pick<PortOptions, "wanted" | "kernelFilter" | "driverFilter">;
  /** Where packets are turned away first. */
  where: "user space" | "kernel" | "driver";
  /** As what, or why no earlier. */
  how: string;
  /** Whether the port takes every packet, and the kernel's network stack gets none. */
  takesAll: boolean;
  /** The program that runs there, for people. */
  text?: string;
}

const CLASSIC = "classic BPF on the socket", EBPF = "eBPF in the interface's XDP program";
const WHY_NOT = {
  netmap: "netmap takes packets before the kernel sees them",
  switch: "soft ports have no kernel in front",
  pipe: "soft ports have no kernel in front",
  pcap: "files have no kernel in front",
};
const TICKS = "address, port and size of a tick";

/**
 * Decides it; nothing is opened.
 *
 * @throws {TypeError} for a name that is no port's.
 *
 * @example The program for a socket
 * ```ts
 * import { PacketFilter, pushFilter } from "@uspf/uspf";
 *
 * const filter = PacketFilter.compile("udp dst port 5001", { decode: false });
 * const { where, portOptions } = pushFilter({ port: "packet:eth0", filter });
 * console.assert(where === "kernel" && portOptions.kernelFilter !== undefined);
 * ```
 */
export function pushFilter({ port, filter, push = "auto", all }: PushRequest): PushedFilter {
  const name = parsePortName(port), { expression } = filter;
  if (expression === undefined) return unpushed(name, filter, "there is no expression");
  if (push === "off") return unpushed(name, filter, "as --push off says");
  if (all) {
    return unpushed(name, filter, "--write-all wants the packets, too, that it rejects");
  }
  try {
    return pushed(name, filter, expression);
  } catch (error) {
    if (error instanceof CannotPush) return unpushed(name, filter, error.reason);
    throw error;
  }
}

/**
 * What to do where the kernel has refused to open the port: the same in user space, if it was for the
 * program; but not where the port would then take all of the interface's packets, for nobody asked for that.
 */
export function afterRefusal(
  { portOptions }: PushedFilter,
  port: string,
  filter: PacketFilter,
  code = "",
): PushedFilter | undefined {
  const { kernelFilter, driverFilter } = portOptions;
  const codes = kernelFilter ? ["EINVAL", "E2BIG"] : driverFilter ? ["EPROTO"] : [];
  if (!codes.includes(code)) return undefined;
  const reason = code === "E2BIG"
    ? "its program is too large for the kernel, see sysctl net.core.optmem_max"
    : `the kernel refused its program (${code})`;
  const instead = unpushed(parsePortName(port), filter, reason);
  return instead.takesAll ? undefined : instead;
}

/** The same filter in user space, for a reason. */
function unpushed(
  { kind }: Pick<PortName, "kind">,
  filter: PacketFilter,
  reason: string,
): PushedFilter {
  if (kind !== "xdp") return { portOptions: {}, where: "user space", how: reason, takesAll: false };
  const wanted = wantedOf(filter), portOptions = { wanted };
  if (wanted === undefined) {
    return { portOptions, where: "user space", how: reason, takesAll: true };
  }
  return filter.expression === undefined
    ? { portOptions, where: "driver", how: `${EBPF}: ${TICKS}`, takesAll: false }
    : {
      portOptions,
      where: "user space",
      how: `${reason}; ${TICKS} in the driver`,
      takesAll: false,
    };
}

function pushed(name: PortName, filter: PacketFilter, expression: Expression): PushedFilter {
  switch (name.kind) {
    case "packet":
    case "udp": {
      const { bytes, text } = socketProgram(name, expression);
      const how = `${CLASSIC}, ${instructions(bytes)}`;
      return { portOptions: { kernelFilter: bytes }, where: "kernel", how, text, takesAll: false };
    }
    case "xdp": {
      const { bytes, text } = toEbpf(expression.plan);
      const how = `${EBPF}, ${instructions(bytes)}`;
      const wanted = wantedOf(filter),
        takesAll = wanted === undefined && expression.plan.entry === ACCEPT;
      return { portOptions: { wanted, driverFilter: bytes }, where: "driver", how, text, takesAll };
    }
    default:
      return unpushed(name, filter, WHY_NOT[name.kind]);
  }
}

/** Of the packets that such a socket's filter is shown, which are not quite ours. */
function socketProgram(name: PortName & { kind: "packet" | "udp" }, expression: Expression) {
  const shown = (plan: Plan) =>
    name.kind === "udp" ? forUdpSocket(plan, name.port) : forPacketSocket(plan);
  try {
    return toClassicBpf(optimise(shown(expression.plan)));
  } catch (error) {
    if (!(error instanceof CannotPush)) throw error;
    // Too large, it may be: a list in a row takes more time, but less room.
    return toClassicBpf(optimise(shown(expression.meaning), "in a row"));
  }
}

/** What a filter that looks for ticks can want; nothing: anything. */
function wantedOf(filter: PacketFilter): Wanted | undefined {
  if (!filter.decodes) return undefined;
  const { destinationPort, destinationAddress, payloadBytes } = filter;
  return { destinationPort, destinationAddress, payloadBytes };
}

function instructions({ length }: Uint8Array): string {
  return length === 8 ? "1 instruction" : `${length / 8} instructions`;
}
