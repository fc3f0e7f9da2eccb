/**
 * Purpose: `deno task capture`: parse, start the capture threads, run the engine, report.
 */
import { MeanReversion } from "../engine/mean_reversion.ts";
import { TradingEngine } from "../engine/trading_engine.ts";
import { allowedCores, pinToCore, tscHz } from "../ffi/host.ts";
import { loadLibrary } from "../ffi/library.ts";
import { print, runCommand } from "../ffi/usage.ts";
import { describeVersion } from "../ffi/version.ts";
import type { CaptureGroup } from "./capture_group.ts";
import { CAPTURE_HELP, type CaptureOptions, parseCaptureOptions } from "./capture_options.ts";
import { CaptureWriter } from "./capture_writer.ts";
import { DebugLog } from "./monitor/debug_log.ts";
import { type DemoSender, startDemoSender } from "./demo_sender.ts";
import { drainEngine, runEngine, waitWhile } from "./engine_loop.ts";
import { filterCode } from "./filter_code.ts";
import { announceFilter, describeFilter } from "./filter_report.ts";
import { giveUpNetwork, giveUpPermissions, giveUpWriting } from "../ffi/give_up_permissions.ts";
import { checkOutput, inputOf } from "./input_file.ts";
import type { PushedFilter } from "./push_filter.ts";
import { WebServer } from "./monitor/web_server.ts";
import { queuesLeftOut } from "./receive_ports.ts";
import { Reporter } from "./monitor/reporter.ts";
import { startPushed } from "./start_captures.ts";
import { StopRequest } from "./stop_request.ts";

const INTERVAL_MS = 1000;

async function main(): Promise<number> {
  const options = parseCaptureOptions(Deno.args);
  if (options.help || options.version) {
    print(options.help ? CAPTURE_HELP : describeVersion());
    return 0;
  }
  loadLibrary(); // which may have to write it first
  const { metrics, dashboard } = options;
  if (metrics === undefined && dashboard === undefined) await giveUpNetwork();
  if (options.write === undefined) await giveUpWriting();
  else checkOutput(options.write.file);
  const stop = new StopRequest(options.seconds);
  const debug = Deno.env.get("USPF_DEBUG") === "1";
  const nsPerTick = 1e9 / tscHz();
  const starting = () => startPushed(options);
  const { group, pushed } = options.port.startsWith("pcap:")
    ? await stop.whileBlocked(starting)
    : await starting();
  const writer = await startWriter(options, group);
  const sender = options.port === "" ? await startSender(group) : undefined;
  const { engineCore } = options;
  if (engineCore !== undefined) pinToCore(engineCore); // the threads would have inherited it
  const leftOut = options.rings === undefined
    ? 0
    : queuesLeftOut(options.port, group.captures.length);
  const web = await startWeb(options, group, nsPerTick);
  await giveUpPermissions();
  const engine = new TradingEngine(group.rings, (market) => new MeanReversion(market));
  await group.go();
  const filter = describeFilter(options.compiled, pushed);
  const reporter = new Reporter({
    ...options,
    filter,
    group,
    engine,
    writer,
    web,
    nsPerTick,
    debug: debug ? new DebugLog(group.rings) : undefined,
  });
  let failure: unknown;
  const orStop = (report: () => void) => {
    try {
      report();
    } catch (error) {
      failure ??= error;
      stop.request();
    }
  };
  orStop(() => announce(options, group, sender, leftOut, pushed, web));
  group.ended.catch((error) => failure = error);
  stop.startClock();
  const timer = setInterval(() => orStop(() => reporter.live()), INTERVAL_MS);
  const running = () => !stop.due && !group.finished;
  if (filter.decoded) await runEngine(engine, group.rings, options.wait, running);
  else await waitWhile(running);
  clearInterval(timer);
  // The engine goes on while the rings are drained, so that nothing is dropped for want of room.
  await drainEngine(engine, stopThreads(group, sender));
  await writer?.stop();
  orStop(() => reporter.final());
  engine.close();
  await web?.stop();
  if (failure !== undefined) throw failure;
  return writer?.stats().failed === undefined ? 0 : 1;
}

async function startWriter(
  { write, port }: CaptureOptions,
  group: CaptureGroup,
): Promise<CaptureWriter | undefined> {
  if (write === undefined) return undefined;
  try {
    return await CaptureWriter.start({
      ...write,
      logs: group.captures.map(({ log, source, port, mode }) => ({
        buffer: log!,
        name: source,
        description: `${port} (${mode})`,
      })),
      states: group.captures.map(({ state }) => state.buffer),
      input: inputOf(port),
      onFailed: (message) => console.error(message),
    });
  } catch (error) {
    await group.stop();
    throw error;
  }
}

/** Where `--metrics` or `--dashboard` ask for it. */
async function startWeb(
  { metrics, dashboard }: CaptureOptions,
  group: CaptureGroup,
  nsPerTick: number,
): Promise<WebServer | undefined> {
  if (metrics === undefined && dashboard === undefined) return undefined;
  const captures = group.captures.map(({ port, core, mode, state }, i) => ({
    port,
    core,
    mode,
    state: state.buffer,
    ticks: group.rings[i].buffer,
  }));
  try {
    return await WebServer.start({ metrics, dashboard, captures, nsPerTick });
  } catch (error) {
    await group.stop();
    throw error;
  }
}

/** On another core than the capture's, where there is one. */
function startSender({ captures: [capture] }: CaptureGroup): Promise<DemoSender> {
  const core = allowedCores().find((other) => other !== capture.core) ?? capture.core;
  return startDemoSender(capture.port.replace(/capture$/, "sender"), core);
}

function announce(
  options: CaptureOptions,
  { captures }: CaptureGroup,
  sender: DemoSender | undefined,
  leftOut: number,
  pushed: PushedFilter,
  web: WebServer | undefined,
): void {
  const [{ code, mode, port }] = captures, { compiled } = options;
  if (options.printCode) print(filterCode(compiled.expression, code, pushed));
  if (options.quiet || options.json) return;
  const until = options.seconds > 0
    ? ` for ${options.seconds} s`
    : port.startsWith("pcap:")
    ? " to its end"
    : " until stopped";
  const from = sender
    ? `the built-in soft switch, with a built-in sender of ${sender.rateHz} packets a second`
    : `${options.port} (${mode})`;
  const cores = captures.map(({ core }) => core).join(", ");
  const threads = captures.length === 1
    ? `capture thread on core ${cores}`
    : `${captures.length} capture threads on cores ${cores}`;
  print(`capturing from ${from}${until}; ${threads}`);
  if (leftOut > 0) print(`${leftOut} receive queues are left out: --rings all takes them`);
  announceFilter(describeFilter(compiled, pushed), pushed).forEach(print);
  const { metrics, dashboard } = web?.listening ?? {};
  if (metrics !== undefined) print(`metrics at http://${metrics}/metrics, health at /health`);
  if (dashboard !== undefined) print(`dashboard at http://${dashboard}/`);
}

/** The sender first: what it sent is then captured. */
async function stopThreads(group: CaptureGroup, sender?: DemoSender): Promise<void> {
  await sender?.stop();
  await group.stop();
}

await runCommand(main);
