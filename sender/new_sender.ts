/**
 * Purpose: makes a sender from the options of the command, for the command and for the built-in sender.
 */
import { openPort } from "../ffi/open_port.ts";
import { type Port, TX } from "../ffi/port.ts";
import { Market } from "./market.ts";
import { PacketSender } from "./packet_sender.ts";
import { PacketTemplate } from "./packet_template.ts";
import type { SendOptions } from "./send_options.ts";

const SOURCE_PORT = 5000, TTL = 64, PAYLOAD_BYTES = 14;

/** Opens the port and makes its sender; the caller closes the port. */
export function newSender(
  options: SendOptions & { maxBacklogNs?: number },
): { port: Port; sender: PacketSender } {
  const template = new PacketTemplate({
    ...options,
    sourcePort: SOURCE_PORT,
    ttl: TTL,
    payloadBytes: PAYLOAD_BYTES,
  });
  const market = new Market({ ...options, maxBurst: options.burst });
  const port = openPort(options.port, TX);
  return { port, sender: new PacketSender({ ...options, port, template, market }) };
}
