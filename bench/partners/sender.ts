/**
 * Purpose: the sending thread of soft_port.bench.ts: as many packets as it is told, as fast as it goes, as
 * `deno task send` does it.
 *
 * The port stays open over all runs: opened anew for each, a packet through a pipe took 35 ns at best, and
 * 14 so. Closing detaches the port's memory; presumably V8 drops what it had compiled for it.
 */
import { openPort } from "../../ffi/open_port.ts";
import { type Port, TX } from "../../ffi/port.ts";
import { Market } from "../../sender/market.ts";
import { PacketSender } from "../../sender/packet_sender.ts";
import { PacketTemplate } from "../../sender/packet_template.ts";
import { parseSendOptions } from "../../sender/send_options.ts";
import { serve } from "../harness/partner.ts";

const LONGEST_MS = 60_000; // only so that nothing hangs for ever
const SOURCE_PORT = 5000, TTL = 64, PAYLOAD_BYTES = 14;

/** What it is told. */
export interface SendOrders {
  port: string;
  count: number;
}

/** What it has done. */
export interface SendReport {
  sent: number;
}

let port: Port | undefined;

serve<SendOrders, SendReport>(({ port: name, count }) => {
  port ??= openPort(name, TX);
  const options = parseSendOptions(["-i", name, "-c", String(count)]);
  const sender = new PacketSender({
    ...options,
    port,
    template: new PacketTemplate({
      ...options,
      sourcePort: SOURCE_PORT,
      ttl: TTL,
      payloadBytes: PAYLOAD_BYTES,
    }),
    market: new Market({ ...options, maxBurst: options.burst }),
  });
  return {
    run() {
      sender.run(LONGEST_MS);
      sender.flush();
    },
    finish: () => ({ sent: sender.stats().sent }),
  };
}, () => port?.close());
