/**
 * Purpose: which ports a capture of several queues opens: one for each receive queue of the interface that
 * the port's name means.
 *
 * ```text
 *  xdp:eth0     ─▶ xdp:eth0-0, xdp:eth0-1, …         a queue each
 *  netmap:eth0  ─▶ netmap:eth0-0, netmap:eth0-1, …   a ring each
 *  packet:eth0  ─▶ packet:eth0, so many times        a fanout group: a flow always goes to the same one
 * ```
 */
import { receiveQueues } from "../ffi/host.ts";
import { openPort } from "../ffi/open_port.ts";
import { RX } from "../ffi/port.ts";
import { parsePortName, type PortName } from "../ffi/port_name.ts";
import { UsageError } from "../ffi/usage.ts";

/** Capture threads at most. */
export const MAX_CAPTURES = 64;

/**
 * The names of the ports to open for `rings` receive queues, or all of them.
 *
 * @throws {UsageError} where the port has not so many.
 * @throws {PortError} where the interface cannot be asked.
 */
export function receivePorts(text: string, rings: "all" | number): string[] {
  const name = parsePortName(text), queues = queuesOf(name);
  const most = name.kind === "packet" ? MAX_CAPTURES : queues.length;
  const count = rings === "all" ? Math.min(queues.length, MAX_CAPTURES) : rings;
  if (count > most) {
    throw new UsageError(
      `Cannot use --rings "${rings}": "${text}" has ${most} receive ${
        most === 1 ? "queue" : "queues"
      }: give ${most} at most, or "all"`,
    );
  }
  return name.kind === "packet" ? Array(count).fill(text) : queues.slice(0, count);
}

/** How many receive queues of its interface a capture leaves out that opens `ports` ports. */
export function queuesLeftOut(text: string, ports: number): number {
  const name = parsePortName(text);
  return name.kind === "packet" ? 0 : queuesOf(name).length - ports;
}

/** A port's name for each receive queue. */
function queuesOf(name: PortName): string[] {
  const numbered = (prefix: string, count: number, rest = "") =>
    Array.from({ length: count }, (_, i) => `${prefix}-${i}${rest}`);
  switch (name.kind) {
    case "xdp":
      if (name.queue !== undefined) return [name.text];
      return numbered(`xdp:${name.interface}`, receiveQueues(name.interface));
    case "packet":
      return Array(receiveQueues(name.interface)).fill(name.text);
    case "netmap": {
      const device = `netmap:${name.netmap.device}`;
      const flags = name.text.slice(device.length);
      // Only a whole interface has rings to divide; flags and options may follow its name.
      if (!name.text.startsWith(device) || /^[-*^{}]/.test(flags)) return [name.text];
      return numbered(device, ringCount(name.text), flags);
    }
    default:
      return [name.text];
  }
}

function ringCount(text: string): number {
  const port = openPort(text, RX);
  try {
    return port.rx.length;
  } finally {
    port.close();
  }
}
