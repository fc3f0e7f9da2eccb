/**
 * Purpose: where kernel ports are measured: between two interfaces of the machine, or on a veth pair in a
 * namespace of the bench's own, which is removed whatever happens.
 */
import { openPort } from "../../ffi/open_port.ts";
import { TX } from "../../ffi/port.ts";
import type { LatencyOptions } from "./options.ts";
import { type Interfaces, WITHOUT_KERNEL } from "./plan.ts";

/** Where kernel ports are measured. */
export interface Site extends Disposable {
  /** Nothing: there are none, and `noInterfaces` says why. */
  interfaces?: Interfaces;
  noInterfaces: string;
  /** What goes before a command that shall see them. */
  inside: string[];
}

/** Makes or finds it. */
export async function siteOf(options: LatencyOptions): Promise<Site> {
  const { receive, send, testbed, kinds } = options;
  if (receive !== undefined && send !== undefined) {
    return nowhere("", { receive, send, via: bestWay(send) });
  }
  if (!testbed && Deno.uid() !== 0) {
    return nowhere("no interfaces: run as root for a testbed, or name two with -i and -o");
  }
  if (kinds.every((kind) => WITHOUT_KERNEL.includes(kind))) return nowhere("not asked for");
  // What tries whether namespaces can be made is not loaded where none is needed.
  const { ADDRESS, INTERFACE, noTestbed, Testbed } = await import("../../tests/testbed.ts");
  if (noTestbed !== undefined) return nowhere(noTestbed);
  const bed = Testbed.create({ together: true });
  try {
    // A socket joins groups only on an interface with an address.
    await bed.must("left", "ip", "addr", "add", `${ADDRESS.right}/24`, "dev", INTERFACE.right);
  } catch (error) {
    bed[Symbol.dispose]();
    throw error;
  }
  return {
    interfaces: { receive: INTERFACE.right, send: INTERFACE.left, via: bestWay("lo") },
    noInterfaces: "",
    inside: bed.inside("left", []),
    [Symbol.dispose]: () => bed[Symbol.dispose](),
  };
}

function nowhere(noInterfaces: string, interfaces?: Interfaces): Site {
  return { interfaces, noInterfaces, inside: [], [Symbol.dispose]: () => {} };
}

/**
 * How the generator sends, whatever kind receives: by xdp, where the kernel has it. Into a veth pair that
 * took 1.1 µs less than by packet (median of one way: 5.2 against 6.4 to xdp, 8.6 against 9.9 to udp).
 */
function bestWay(name: string): "xdp" | "packet" {
  try {
    openPort(`xdp:${name}`, TX).close();
    return "xdp";
  } catch {
    return "packet";
  }
}
