/**
 * Purpose: `deno task soak`: hours at full rate, if need be, and what they show of memory, counters and speed.
 *
 * Question: does a capture with its engine stay as it is after two minutes, however long it runs?
 *
 * ```text
 *  this process: starts, prints, checks
 *    ├── sender, last core:    the sender's own command, as fast as it goes
 *    └── receiver, first core: PacketCapture ─▶ tick ring ─▶ TradingEngine with MeanReversion
 *                              V8 traces its collections and deoptimisations
 * ```
 * With fewer than three cores capture and engine take turns on one thread, so that the whole code runs
 * without a third busy thread on two cores.
 * Work checked: the sums of checks.ts, to the last packet.
 * It cannot show: a NIC, unless two ports of one are named; what only days show.
 *
 * Run: deno task soak --minutes 10
 */
import { allowedCores } from "../../ffi/host.ts";
import { onStopSignals, runCommand } from "../../ffi/usage.ts";
import { Child, killChildren } from "../harness/child.ts";
import { describeMachine, machineLine } from "../harness/machine.ts";
import { checkResultFile, resultOf, writeResult } from "../harness/result.ts";
import {
  type Check,
  checkCounters,
  checkMemory,
  checkService,
  checkStalls,
  checkV8,
  listDeoptimisations,
} from "./checks.ts";
import { type Interval, INTERVAL_HEAD, intervalLine, type Totals } from "./intervals.ts";
import { parseSoakOptions, SOAK_HELP, type SoakOptions } from "./options.ts";
import type { ReceiverOptions } from "./receiver.ts";
import { type Seen, V8_FLAGS, V8Trace } from "./v8_trace.ts";

const GRACE_S = 60, TWICE_MS = 500;
const CORES_FOR_A_THREAD = 3;

/** What a soak found, as it stands in its JSON under `results`. */
export interface SoakResults {
  /** The ports, and what moves the receiver's packets. */
  receive: string;
  send: string;
  /** "thread" or "inline". */
  engine: string;
  intervalS: number;
  /** Packets that the sender's port took. */
  sent: number;
  totals: Totals;
  intervals: Interval[];
  /** What V8 said before the receiver was ready, and after the last interval. */
  starting: Seen;
  ending: Seen;
  checks: Check[];
}

async function main(): Promise<number> {
  const options = parseSoakOptions(Deno.args);
  if (options.help) {
    console.log(SOAK_HELP);
    return 0;
  }
  checkResultFile(options.json);
  const print = options.json === "-" ? console.error : console.log;
  const receiver = receiverOptions(options);
  const machine = machineLine(describeMachine());
  print(`${machine}\nfrom ${options.send} to ${options.receive}; ${engineWords(receiver)}`);
  const results = await soak(options, receiver, print);
  for (const { name, verdict, figures } of results.checks) {
    print(`${verdict.padEnd(10)}  ${name}: ${figures}`);
  }
  printDeoptimisations(results, print);
  if (options.json !== undefined) {
    writeResult(options.json, resultOf("soak", `soak ${Deno.args.join(" ")}`.trim(), results));
  }
  return results.checks.some(({ verdict }) => verdict === "FAILED") ? 1 : 0;
}

function receiverOptions({ receive, intervalS, engine }: SoakOptions): ReceiverOptions {
  const cores = allowedCores(), [capture] = cores, sender = cores.at(-1)!;
  const thread = engine === "thread" || engine === "auto" && cores.length >= CORES_FOR_A_THREAD;
  return {
    port: receive,
    intervalS,
    thread,
    cores: { capture, engine: cores[1] ?? capture, sender },
  };
}

function engineWords({ thread, cores: { capture, engine, sender } }: ReceiverOptions): string {
  return thread
    ? `capture on core ${capture}, engine on core ${engine}, sender on core ${sender}`
    : `capture and engine in turn on one thread, core ${capture}, sender on core ${sender}`;
}

/** Starts both, ends the sender after the last interval and then the receiver; none is left behind. */
async function soak(
  options: SoakOptions,
  receiverOptions: ReceiverOptions,
  print: (line: string) => void,
): Promise<SoakResults> {
  const { minutes, intervalS, send } = options, wanted = Math.floor(minutes * 60 / intervalS);
  const intervals: Interval[] = [], trace = new V8Trace();
  let totals: Totals | undefined, sender: Child | undefined, starting = trace.seen();
  endOnSignal(() => sender === undefined ? killChildren() : sender.stop());
  const take = (line: string) => {
    if (line === "" || trace.take(line)) return;
    if (line === "ready") {
      starting = trace.seen();
      return;
    }
    const news: { interval?: Interval; totals?: Totals } = parse(line);
    totals = news.totals ?? totals;
    if (news.interval === undefined || intervals.length === wanted) return;
    intervals.push({ ...news.interval, ...trace.seen() });
    print(intervalLine(intervals.at(-1)!));
    if (intervals.length === wanted) sender?.stop();
  };
  const receiver = startReceiver(receiverOptions, minutes);
  try {
    await receiver.ready();
    sender = startSender(send, receiverOptions.cores.sender, minutes);
    print(INTERVAL_HEAD);
    const sending = sender.result<{ sent: number }>().finally(() => receiver.stop());
    const receiving = receiver.lastLine(take).then(take).finally(() => sender?.stop());
    const [{ sent }] = await Promise.all([sending, receiving]);
    const { thread, port: receive } = receiverOptions;
    return {
      receive,
      send,
      engine: thread ? "thread" : "inline",
      intervalS,
      sent,
      totals: totals!,
      starting,
      intervals,
      ending: trace.seen(),
      checks: allChecks(receive, intervals, totals!, sent),
    };
  } finally {
    killChildren();
  }
}

function allChecks(
  receive: string,
  intervals: Interval[],
  totals: Totals,
  sent: number,
): Check[] {
  return [
    checkMemory(intervals),
    checkCounters(totals, sent, receive),
    checkService(intervals),
    checkStalls(totals.stalls),
    checkV8(intervals),
  ];
}

function startReceiver(options: ReceiverOptions, minutes: number): Child {
  return new Child("bench/soak/receiver.ts", [JSON.stringify(options)], {
    v8Flags: V8_FLAGS,
    timeoutMs: (minutes * 60 + 3 * GRACE_S) * 1e3,
  });
}

/** It is stopped after the last interval; of itself it ends a minute later. */
function startSender(port: string, core: number, minutes: number): Child {
  const seconds = Math.ceil(minutes * 60 + GRACE_S);
  const args = ["-i", port, "--core", `${core}`, "--seconds", `${seconds}`, "--json"];
  const timeoutMs = (seconds + GRACE_S) * 1e3;
  return new Child("sender/main.ts", args, { permissions: "send", timeoutMs });
}

/**
 * The first signal ends the soak, a later one the children at once; Ctrl-C may come twice at a time, from the
 * terminal and from `deno task`.
 */
function endOnSignal(stop: () => void): void {
  let first = Infinity;
  onStopSignals(() => {
    const now = performance.now();
    if (first === Infinity) stop();
    else if (now - first > TWICE_MS) killChildren();
    first = Math.min(first, now);
  });
}

/** What is no line of ours is passed on: V8 may say something else. */
function parse(line: string): { interval?: Interval; totals?: Totals } {
  if (line.startsWith("{")) return JSON.parse(line);
  console.error(line);
  return {};
}

function printDeoptimisations(
  { starting, intervals, ending }: SoakResults,
  print: (line: string) => void,
): void {
  const list = (when: string, seen: Seen[]) => {
    const lines = listDeoptimisations(seen.flatMap(({ deoptimisations }) => deoptimisations));
    if (lines.length > 0) print(`deoptimised ${when}:\n  ${lines.join("\n  ")}`);
  };
  list("before the receiver was ready", [starting]);
  list("from then to the end of the second interval", intervals.slice(0, 2));
  list("after it", intervals.slice(2));
  list("while ending", [ending]);
}

await runCommand(main);
