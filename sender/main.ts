/**
 * Purpose: `deno task send`: parse, open, send, report.
 */
import { giveUpPermissions } from "../ffi/give_up_permissions.ts";
import { pinToCore } from "../ffi/host.ts";
import { onStopSignals, print, runCommand, turn } from "../ffi/usage.ts";
import { describeVersion } from "../ffi/version.ts";
import { LinkWatch } from "./link_watch.ts";
import { newSender } from "./new_sender.ts";
import type { SendStats } from "./packet_sender.ts";
import { parseSendOptions, SEND_HELP } from "./send_options.ts";

const SLICE_MS = 20; // how late a signal may be seen

async function main(): Promise<number> {
  const options = parseSendOptions(Deno.args);
  if (options.help || options.version) {
    print(options.help ? SEND_HELP : describeVersion());
    return 0;
  }
  if (options.core !== undefined) pinToCore(options.core);
  const { port, sender } = newSender(options);
  await giveUpPermissions();
  let stopped = false;
  onStopSignals(() => stopped = true);
  const end = options.seconds > 0 ? performance.now() + options.seconds * 1000 : Infinity;
  const link = new LinkWatch(port);
  let failure: unknown;
  try {
    if (!options.json) print(`sending on ${options.port} (${port.mode})`);
    while (!stopped && !sender.done && performance.now() < end) {
      link.run(() => sender.run(Math.min(SLICE_MS, end - performance.now())));
      await turn();
    }
  } catch (error) {
    failure = error;
  }
  try {
    link.finish(() => sender.flush());
  } catch (error) {
    failure ??= error;
  }
  try {
    report(sender.stats(), options.json, options.rateHz);
  } catch (error) {
    failure ??= error;
  }
  port.close();
  if (failure !== undefined) throw failure;
  return 0;
}

function report(stats: SendStats, json: boolean, rateHz: number): void {
  if (json) return print(JSON.stringify({ ...stats, final: true }));
  const seconds = stats.elapsedNs / 1e9;
  const asked = rateHz > 0
    ? `, ${(stats.pps / rateHz * 100).toFixed(2)} % of the rate asked for`
    : "";
  print(
    `sent ${stats.sent} packets, ${stats.bytes} bytes in ${seconds.toFixed(3)} s: ` +
      `${Math.round(stats.pps)} packets a second${asked}`,
  );
  print(
    `syncs ${stats.syncs}, ring full ${stats.ringFull} times` +
      (rateHz > 0 ? `, ${stats.slipped} packets behind schedule given up` : "") +
      (stats.unsendable > 0
        ? `, ${stats.unsendable} packets not sent: too large or too small`
        : ""),
  );
}

await runCommand(main);
