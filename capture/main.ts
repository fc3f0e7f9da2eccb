/**
 * Purpose: `deno task capture`: parse, start the capture threads, run the engine, report.
 */
import { MeanReversion } from "../engine/mean_reversion.ts";
import { TradingEngine } from "../engine/trading_engine.ts";
import { giveUpNetwork, giveUpPermissions, giveUpWriting } from "../ffi/give_up_permissions.ts";
import { pinToCore, tscHz } from "../ffi/host.ts";
import { voiceOf } from "../ffi/json_voice.ts";
import { loadLibrary } from "../ffi/library.ts";
import { standardError, standardOutput } from "../ffi/outlet.ts";
import { print, runCommand } from "../ffi/usage.ts";
import { describeVersion } from "../ffi/version.ts";
import { announcement } from "./announce.ts";
import { CAPTURE_HELP, type CaptureOptions, parseCaptureOptions } from "./capture_options.ts";
import { drainEngine, runEngine, waitWhile } from "./engine_loop.ts";
import { describeFilter } from "./filter_report.ts";
import { checkOutput } from "./input_file.ts";
import { DebugLog } from "./monitor/debug_log.ts";
import { Pace } from "./monitor/pace.ts";
import { Reporter } from "./monitor/reporter.ts";
import { startView, watchedTerminal } from "./monitor/watch/start_view.ts";
import { OpenCapture } from "./open_capture.ts";
import { StopRequest } from "./stop_request.ts";

async function main(): Promise<number> {
  const options = parseCaptureOptions(Deno.args);
  if (options.help || options.version) {
    print(options.help ? CAPTURE_HELP : describeVersion());
    return 0;
  }
  loadLibrary(); // which may have to write it first
  await giveUpUnneeded(options);
  const stop = new StopRequest(options.seconds);
  const terminal = options.watch ? watchedTerminal(options.log) : undefined;
  const debug = Deno.env.get("USPF_DEBUG") === "1";
  const nsPerTick = 1e9 / tscHz();
  const opening = () => OpenCapture.open(options, nsPerTick);
  const open = options.port.startsWith("pcap:")
    ? await stop.whileBlocked(opening)
    : await opening();
  const { group, writer, web } = open, { engineCore } = options;
  if (engineCore !== undefined) pinToCore(engineCore); // the threads would have inherited it
  const announce = announcement(options, open);
  await giveUpPermissions();
  const engine = new TradingEngine(group.rings, (market) => new MeanReversion(market));
  const filter = describeFilter(options.compiled, open.pushed);
  const view = terminal && startView(terminal, {
    group,
    engine,
    filter,
    nsPerTick,
    from: open.sender && "the built-in soft switch and sender",
    onQuit: () => stop.request(),
  });
  await group.go();
  const debugLog = debug ? new DebugLog(group.rings) : undefined;
  const sources = { group, engine, filter, writer, nsPerTick };
  const reporter = new Reporter({ ...options, ...sources, web, view, debug: debugLog });
  let failure: unknown;
  const failed = (error: unknown) => {
    failure ??= error;
    stop.request();
  };
  const orStop = (report: () => void) => {
    try {
      report();
    } catch (error) {
      failed(error);
    }
  };
  standardOutput.onFailed = failed;
  orStop(announce);
  group.ended.catch((error) => failure = error);
  stop.startClock();
  view?.enter();
  const pace = new Pace(reporter.intervalMs, (number) => orStop(() => reporter.live(number)));
  const running = () => !stop.due && !group.finished;
  if (filter.decoded) await runEngine(engine, group.rings, options.wait, running);
  else await waitWhile(running);
  pace.stop();
  // The engine goes on while the rings are drained, so that nothing is dropped for want of room.
  await drainEngine(engine, open.stopCapturing());
  await writer?.stop();
  standardError.room = Infinity; // what is said at the end is complete
  await view?.leave();
  orStop(() => reporter.final());
  engine.close();
  await web?.stop();
  if (failure !== undefined) throw failure;
  return writer?.stats().failed === undefined ? 0 : 1;
}

/** What these options have no use for, before anything is opened. */
async function giveUpUnneeded({ metrics, dashboard, write }: CaptureOptions): Promise<void> {
  if (metrics === undefined && dashboard === undefined) await giveUpNetwork();
  if (write === undefined) await giveUpWriting();
  else checkOutput(write.file);
}

await runCommand(main, voiceOf(Deno.args, "capture"));
