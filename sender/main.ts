/**
 * Purpose: `deno task send`: parse, open, send, report.
 */
import { giveUpPermissions } from "../ffi/give_up_permissions.ts";
import { pinToCore } from "../ffi/host.ts";
import { onStopSignals, print, runCommand, turn } from "../ffi/usage.ts";
import { voiceOf } from "../ffi/json_voice.ts";
import { standardOutput } from "../ffi/outlet.ts";
import { describeVersion } from "../ffi/version.ts";
import { say } from "../ffi/voice.ts";
import { LinkWatch } from "./link_watch.ts";
import { newSender } from "./new_sender.ts";
import type { SendStats } from "./packet_sender.ts";
import { parseSendOptions, SEND_HELP, type SendOptions } from "./send_options.ts";

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
    if (!options.json || options.log === "json") {
      say(`sending on ${options.port} (${port.mode})`, { port: options.port, mode: port.mode });
    }
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
    report(sender.stats(), options);
  } catch (error) {
    failure ??= error;
  }
  port.close();
  if (failure !== undefined) throw failure;
  return 0;
}

function report(stats: SendStats, { json, log, rateHz }: SendOptions): void {
  const [first, ...more] = linesOf(stats, rateHz);
  if (log === "json") say(first, { statistics: stats });
  const lines = json ? [JSON.stringify({ ...stats, final: true })] : [first, ...more];
  if (json || log === "text") lines.forEach((line) => standardOutput.send(`${line}\n`));
}

function linesOf(stats: SendStats, rateHz: number): string[] {
  const seconds = stats.elapsedNs / 1e9;
  const asked = rateHz > 0
    ? `, ${(stats.pps / rateHz * 100).toFixed(2)} % of the rate asked for`
    : "";
  return [
    `sent ${stats.sent} packets, ${stats.bytes} bytes in ${seconds.toFixed(3)} s: ` +
    `${Math.round(stats.pps)} packets a second${asked}`,
    `syncs ${stats.syncs}, ring full ${stats.ringFull} times` +
    (rateHz > 0 ? `, ${stats.slipped} packets behind schedule given up` : "") +
    (stats.unsendable > 0 ? `, ${stats.unsendable} packets not sent: too large or too small` : ""),
  ];
}

await runCommand(main, voiceOf(Deno.args, "send"));
