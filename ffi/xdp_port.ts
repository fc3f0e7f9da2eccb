/**
 * Purpose: AF_XDP. Not there yet: opening one is refused.
 */
import { openNative, type Port, type PortOptions } from "./port.ts";

const KIND = 4; // USPF_XDP

/** A port of the kernel's AF_XDP sockets: `xdp:eth0`. */
export class XdpPort {
  /** Opens it. */
  static open(
    text: string,
    _name: { interface: string; queue?: number },
    directions: number,
    _options: PortOptions,
  ): Port {
    openNative(text, { kind: KIND, directions, numbers: [], texts: [] }, () => undefined);
    throw new Error("unreachable");
  }
}
