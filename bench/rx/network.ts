/**
 * Purpose: the interfaces that bench:rx floods: two of this machine, or a veth pair between namespaces of its
 * own.
 */
import { receiveQueues } from "../../ffi/host.ts";
import { PortError } from "../../ffi/port_error.ts";
import { UsageError } from "../../ffi/usage.ts";
import { LOCAL } from "./kinds.ts";
import type { RxOptions } from "./rx_options.ts";

/** Where the packets of kernel ports go. */
export interface Network {
  receive: string;
  send: string;
  /** What goes before a command that shall see them. */
  receiveInside: string[];
  sendInside: string[];
}

/** A network; disposing of it removes what was made for it. */
export interface Site extends Disposable {
  /** Nothing: there is none, and `why` says why. */
  network?: Network;
  why: string;
}

/**
 * Makes or finds it.
 *
 * @throws {UsageError} where an interface is not there, or a test network is asked for and cannot be had.
 */
export async function siteOf({ testbed, receive, send, kinds }: RxOptions): Promise<Site> {
  if (receive !== undefined && send !== undefined) {
    checkInterface("-i", receive);
    checkInterface("-o", send);
    return nowhere("", { receive, send, receiveInside: [], sendInside: [] });
  }
  if (!testbed && kinds?.every((kind) => LOCAL.includes(kind))) return nowhere("none named");
  // What tries whether namespaces can be made is not loaded where none is needed.
  const { INTERFACE, noTestbed, Testbed } = await import("../../tests/testbed.ts");
  if (noTestbed !== undefined && testbed) {
    throw new UsageError(
      `Cannot make a test network: ${noTestbed}: run as root, or name -i and -o`,
    );
  }
  if (noTestbed !== undefined) return nowhere(noTestbed);
  const bed = Testbed.create();
  const network = {
    receive: INTERFACE.right,
    send: INTERFACE.left,
    receiveInside: bed.inside("right", []),
    sendInside: bed.inside("left", []),
  };
  return { network, why: "", [Symbol.dispose]: () => bed[Symbol.dispose]() };
}

function checkInterface(flag: string, name: string): void {
  try {
    receiveQueues(name);
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    throw new UsageError(
      `Cannot use ${flag} "${name}": no such interface: list them with "ip link"`,
    );
  }
}

function nowhere(why: string, network?: Network): Site {
  return { network, why, [Symbol.dispose]: () => {} };
}
