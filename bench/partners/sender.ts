/**
 * Purpose: the sending thread of soft_port.bench.ts: as many packets as it is told, as fast as it goes.
 */
import type { Port } from "../../ffi/port.ts";
import { newSender } from "../../sender/new_sender.ts";
import { parseSendOptions } from "../../sender/send_options.ts";
import { serve } from "../harness/partner.ts";

const LONGEST_MS = 60_000; // only so that nothing hangs for ever

/** What it is told. */
export interface SendOrders {
  port: string;
  count: number;
}

/** What it has done. */
export interface SendReport {
  sent: number;
}

let last: Port | undefined;

serve<SendOrders, SendReport>(({ port: name, count }) => {
  last?.close();
  const { port, sender } = newSender(parseSendOptions(["-i", name, "-c", String(count)]));
  last = port;
  return {
    run() {
      sender.run(LONGEST_MS);
      sender.flush();
    },
    finish() {
      const { sent } = sender.stats();
      port.close();
      last = undefined;
      return { sent };
    },
  };
});
