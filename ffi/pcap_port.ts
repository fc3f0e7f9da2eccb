/**
 * Purpose: a capture file as a port. Not there yet: opening one is refused.
 */
import type { Port, PortOptions } from "./port.ts";
import { PortError } from "./port_error.ts";

/** A capture file: `pcap:FILE`. */
export class PcapPort {
  /** Opens it. */
  static open(text: string, _file: string, _directions: number, _options: PortOptions): Port {
    throw new PortError(`Cannot open "${text}": not supported yet: use another port`, "ENOSYS");
  }
}
