/**
 * Purpose: `deno task capture`: parse, start the capture threads, run the engine, report.
 */
import { MeanReversion } from "../engine/mean_reversion.ts";
import { MIN_CAPACITY } from "../engine/tick_ring.ts";
import { TradingEngine } from "../engine/trading_engine.ts";
import { allowedCores, checkCore, pinToCore, tscHz } from "../ffi/host.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { print, runCommand } from "../ffi/usage.ts";
import { VERSION } from "../ffi/version.ts";
import { CaptureError } from "./background_capture.ts";
import { CaptureGroup, type GroupMember } from "./capture_group.ts";
import { CAPTURE_HELP, type CaptureOptions, parseCaptureOptions } from "./capture_options.ts";
import { CaptureWriter } from "./capture_writer.ts";
import { DebugLog } from "./debug_log.ts";
import { type DemoSender, startDemoSender } from "./demo_sender.ts";
import { drainEngine, runEngine, waitWhile } from "./engine_loop.ts";
import { filterCode } from "./filter_code.ts";
import { announceFilter, describeFilter } from "./filter_report.ts";
import { giveUpPermissions, giveUpWriting } from "../ffi/give_up_permissions.ts";
import { checkOutput, inputOf } from "./input_file.ts";
import { PacketLog } from "./packet_log.ts";
import { type PushedFilter, pushFilter, unpushed } from "./push_filter.ts";
import { queuesLeftOut, receivePorts } from "./receive_ports.ts";
import { Reporter } from "./reporter.ts";
import { StopRequest } from "./stop_request.ts";

const INTERVAL_MS = 1000;
const DEMO_PORT = "soft:demo_0:capture";
const MOST_DEMOS = 50; // at the same time
const CHUNKS = 64, LEAST_CHUNKS = 8; // of the packet logs, 1 MiB each, divided among the threads

async function main(): Promise<number> {
  const options = parseCaptureOptions(Deno.args);
  if (options.help || options.version) {
    print(options.help ? CAPTURE_HELP : `uspf ${VERSION}`);
    return 0;
  }
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
  orStop(() => announce(options, group, sender, leftOut, pushed));
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
  if (failure !== undefined) throw failure;
  return writer?.stats().failed === undefined ? 0 : 1;
}

/** Starts with the filter as early as its port allows; where the kernel refuses its program, in user space. */
async function startPushed(
  options: CaptureOptions,
): Promise<{ group: CaptureGroup; pushed: PushedFilter }> {
  const { compiled: filter, push, write } = options, port = options.port || DEMO_PORT;
  const pushed = pushFilter({ port, filter, push, all: write?.all });
  try {
    return { group: await startCaptures(options, pushed), pushed };
  } catch (error) {
    const code = error instanceof CaptureError ? error.code : undefined;
    if (code === undefined || !refusals(pushed).includes(code)) throw error;
    const instead = unpushed(
      parsePortName(port),
      filter,
      `the kernel refused its program (${code})`,
    );
    if (instead.takesAll) throw error; // which nobody has asked for
    return { group: await startCaptures(options, instead), pushed: instead };
  }
}

/** What the kernel may say of a program. */
function refusals({ portOptions }: PushedFilter): string[] {
  if (portOptions.kernelFilter !== undefined) return ["EINVAL", "ENOMEM"];
  return portOptions.driverFilter === undefined ? [] : ["EPROTO"];
}

/** Starts on the port named, or without one on the first demonstration switch that nobody has. */
async function startCaptures(options: CaptureOptions, pushed: PushedFilter): Promise<CaptureGroup> {
  const { engineCore, write, filter, burst, wait } = options;
  const ringSize = options.compiled.decodes ? options.ringSize : MIN_CAPACITY;
  if (engineCore !== undefined) checkCore(engineCore);
  for (let i = 0;; i++) {
    const port = options.port || DEMO_PORT.replace("0", String(i));
    const members = membersOf(options, port);
    const portOptions = { ...options.portOptions, ...pushed.portOptions };
    const common = { filter, burst, wait, portOptions, logAll: write?.all };
    try {
      return await CaptureGroup.start(members, ringSize, common);
    } catch (error) {
      const taken = error instanceof CaptureError && error.code === "EBUSY";
      if (options.port !== "" || !taken || i === MOST_DEMOS) throw error;
    }
  }
}

/** A thread for each port, on the cores that the engine leaves, from the last one or the one named on. */
function membersOf(options: CaptureOptions, port: string): GroupMember[] {
  const { rings, core, engineCore, write } = options, cores = allowedCores();
  const others = cores.filter((other) => other !== engineCore);
  const free = others.length > 0 ? others : cores;
  if (core !== undefined) checkCore(core);
  const first = core === undefined ? free.length - 1 : Math.max(0, free.indexOf(core));
  const ports = rings === undefined ? [port] : receivePorts(port, rings);
  const chunks = Math.max(LEAST_CHUNKS, Math.floor(CHUNKS / ports.length));
  return ports.map((name, i) => ({
    port: name,
    core: i === 0 && core !== undefined ? core : free[(first + i) % free.length],
    log: write && PacketLog.create({ interfaceId: i, chunks }),
  }));
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
}

/** The sender first: what it sent is then captured. */
async function stopThreads(group: CaptureGroup, sender?: DemoSender): Promise<void> {
  await sender?.stop();
  await group.stop();
}

await runCommand(main);
