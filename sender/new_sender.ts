/**
 * Purpose: makes a sender from the options of the command, for the command and for the built-in sender.
 */
import { openPort } from "../ffi/open_port.ts";
import { type Port, RX, TX } from "../ffi/port.ts";
import { FileSender } from "./file_sender.ts";
import { Market } from "./market.ts";
import { PacketSender } from "./packet_sender.ts";
import { PacketTemplate } from "./packet_template.ts";
import type { SendOptions } from "./send_options.ts";

/** Something that sends until it is done. */
export type Sender = Pick<PacketSender, "done" | "run" | "flush" | "stats">;

/** Opens the port and makes its sender; the caller closes the port. */
export function newSender(
  options: SendOptions & { maxBacklogNs?: number },
): { port: Port; sender: Sender } {
  return options.file === undefined ? newPacketSender(options) : newFileSender(options);
}

function newFileSender(options: SendOptions): { port: Port; sender: Sender } {
  const { file, speed, loop, rateHz } = options;
  // At a rate of one's own the recorded times do not matter.
  const source = openPort(`pcap:${file}`, RX, { speed: rateHz > 0 ? 0 : speed, loop });
  try {
    const port = openPort(options.port, TX, options.portOptions);
    return { port, sender: new FileSender({ ...options, source, port }) };
  } catch (error) {
    source.close();
    throw error;
  }
}

function newPacketSender(
  options: SendOptions & { maxBacklogNs?: number },
): { port: Port; sender: Sender } {
  const template = new PacketTemplate(options);
  const market = new Market({ ...options, maxBurst: options.burst });
  const port = openPort(options.port, TX, options.portOptions);
  return { port, sender: new PacketSender({ ...options, port, template, market }) };
}
