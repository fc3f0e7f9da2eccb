/**
 * Purpose: `deno task send`: parse, open, send, report.
 */
import { giveUpPermissions } from "../ffi/give_up_permissions.ts";
import { pinToCore } from "../ffi/host.ts";
import { runCommand, turn } from "../ffi/usage.ts";
import { VERSION } from "../ffi/version.ts";
import { newSender } from "./new_sender.ts";
import type { SendStats } from "./packet_sender.ts";
import { parseSendOptions, SEND_HELP } from "./send_options.ts";

const SLICE_MS = 20; // how late a signal may be seen

async function main(): Promise<number> {
  const options = parseSendOptions(Deno.args);
  if (options.help || options.version) {
    console.log(options.help ? SEND_HELP : `uspf ${VERSION}`);
    return 0;
  }
  if (options.core !== undefined) pinToCore(options.core);
  const { port, sender } = newSender(options);
  await giveUpPermissions();
  let stopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stopped = true);
  }
  const end = options.seconds > 0 ? performance.now() + options.seconds * 1000 : Infinity;
  if (!options.json) console.log(`sending on ${options.port} (${port.mode})`);
  let failure: unknown;
  try {
    while (!stopped && !sender.done && performance.now() < end) {
      sender.run(Math.min(SLICE_MS, end - performance.now()));
      await turn();
    }
  } catch (error) {
    failure = error;
  }
  try {
    sender.flush();
  } catch (error) {
    failure ??= error;
  }
  report(sender.stats(), options.json, options.rateHz);
  port.close();
  if (failure !== undefined) throw failure;
  return 0;
}

function report(stats: SendStats, json: boolean, rateHz: number): void {
  if (json) return console.log(JSON.stringify({ ...stats, final: true }));
  const seconds = stats.elapsedNs / 1e9;
  const asked = rateHz > 0
    ? `, ${(stats.pps / rateHz * 100).toFixed(2)} % of the rate asked for`
    : "";
  console.log(
    `sent ${stats.sent} packets, ${stats.bytes} bytes in ${seconds.toFixed(3)} s: ` +
      `${Math.round(stats.pps)} packets a second${asked}`,
  );
  console.log(
    `syncs ${stats.syncs}, ring full ${stats.ringFull} times` +
      (rateHz > 0 ? `, ${stats.slipped} packets behind schedule given up` : "") +
      (stats.unsendable > 0
        ? `, ${stats.unsendable} packets not sent: too large or too small`
        : ""),
  );
}

await runCommand(main);
