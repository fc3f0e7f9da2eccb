/**
 * Purpose: AF_PACKET. Not there yet: opening one is refused.
 */
import { openNative, type Port, type PortOptions } from "./port.ts";

const KIND = 5; // USPF_PACKET

/** A port of the kernel's AF_PACKET sockets: `packet:eth0`. */
export class PacketPort {
  /** Opens it. */
  static open(
    text: string,
    _name: { interface: string; fanout?: number },
    directions: number,
    _options: PortOptions,
  ): Port {
    openNative(text, { kind: KIND, directions, numbers: [], texts: [] }, () => undefined);
    throw new Error("unreachable");
  }
}
