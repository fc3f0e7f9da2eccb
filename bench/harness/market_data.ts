/**
 * Purpose: the traffic of the benches that send through ports: what the sender's command sends by default, and
 * where to.
 */
import { PAYLOAD_LENGTH } from "../../engine/tick.ts";
import type { Wanted } from "../../ffi/port.ts";

/** UDP destination port: the sender's default. */
export const UDP_PORT = 5001;

/** What a receiver wants of it. */
export const WANTED: Readonly<Required<Pick<Wanted, "destinationPort" | "payloadBytes">>> = {
  destinationPort: UDP_PORT,
  payloadBytes: PAYLOAD_LENGTH,
};

/** Market data is multicast, and a kernel answers to none. */
export const GROUP = "239.1.1.1";

/** The Ethernet address of a multicast group (RFC 1112, section 6.4); to any other address, all take it. */
export function groupMac(address: string): string {
  const bytes = address.split(".").map(Number);
  if (bytes[0] < 224 || bytes[0] > 239) return "ff:ff:ff:ff:ff:ff";
  const last = [bytes[1] & 0x7f, bytes[2], bytes[3]];
  return ["01", "00", "5e", ...last.map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}
