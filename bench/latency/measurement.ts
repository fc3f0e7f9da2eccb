/**
 * Purpose: one measurement, in a process of its own: makes the threads and the memory between them, lets them
 * run for the time asked for, checks that all packets are accounted for, and prints the result as JSON.
 *
 * Run by main.ts: measurement.ts PLAN (as JSON)
 */
import { TickRing } from "../../engine/tick_ring.ts";
import { tscHz } from "../../ffi/host.ts";
import { onStopSignals } from "../../ffi/usage.ts";
import { coreDistanceNs } from "../harness/core_distance.ts";
import { stolenFrom, waitedBy } from "../harness/taken.ts";
import { type Account, account } from "./account.ts";
import { Control } from "./control.ts";
import { ANSWERED } from "./generator.ts";
import { LOOK_S } from "./hold_ups.ts";
import { type Distribution, distributionsOf } from "./latency_histogram.ts";
import type { Plan } from "./plan.ts";
import { Records } from "./stamp.ts";
import type { ThreadCounts } from "./thread.ts";
import { ThreadHandle } from "./thread_handle.ts";

/** Traffic before what is measured: as much as V8 takes to compile the strategy, which no dry run warms. */
const WARM_UP_S = 2;

const LOOK_MS = 20;
/** When nothing has come for so long, what is missing is lost. */
const SETTLE_MS = 500;
const TICKS_CAPACITY = 65536;
/** A generator that is so much slower than its schedule has failed. */
const LATEST_S = 10;

/** What was taken of the threads' time while it was measured, all together. */
export interface Taken {
  /** Milliseconds that the hypervisor took the cores. */
  stolenMs: number;
  /** Milliseconds that the threads wanted to run and others of this machine did. */
  waitedMs: number;
}

/** What came of a measurement. */
export interface Measured extends Account, Taken {
  plan: Plan;
  /** The ports, and what moves their packets. */
  modes: Record<string, string>;
  asSent: Distribution;
  asScheduled: Distribution;
  /** How late the generator was, of the packets measured. */
  late: Distribution;
  /** Share of the time in which a loop that does nothing was held up, before or after; the mean over the threads. */
  heldUpShare: number;
  /** ns from a thread's core to the next one's, the largest of before and after; `null` with one thread or no C compiler. */
  distanceNs: number | null;
}

async function measure(plan: Plan, control: Control): Promise<Measured> {
  const hz = tscHz(), warmUp = Math.round(plan.rateHz * WARM_UP_S);
  const packets = Math.round(plan.rateHz * (WARM_UP_S + plan.seconds));
  const schedule = { intervalTicks: hz / plan.rateHz, packets, warmUp };
  const share = plan.measure === "one-way" ? 1 : ANSWERED;
  const ticks = TickRing.create(TICKS_CAPACITY);
  const records = Records.create(Math.ceil(packets / share));
  const { layout, cores, wait, measure, ports } = plan;
  const threads = layout.map((roles, i) =>
    new ThreadHandle({
      roles,
      core: cores[i],
      wait,
      measure,
      ports,
      schedule,
      tscHz: hz,
      ticks: ticks.buffer,
      records: records.buffer,
      control: control.buffer,
    })
  );
  const opened = await Promise.all(threads.map((t) => t.opened.promise));
  const modes = Object.assign({}, ...opened.map(({ modes }) => modes)),
    ids = opened.map(({ id }) => id);
  for (const thread of threads) await thread.warmUp();
  const before = distance(cores), taken = await run(plan, control, records, ids);
  const counts = await Promise.all(threads.map((t) => t.finished.promise));
  const sums = account(plan, schedule, counts),
    most = (of: (c: ThreadCounts) => number) => Math.max(...counts.map(of));
  const pairs = records.pairs(most((c) => c.warmRecords), most((c) => c.recorded));
  if (pairs.length === 0) {
    throw new Error(
      `Cannot measure "${plan.kind}": all packets after warming up were lost: lower --rate`,
    );
  }
  return {
    plan,
    ...sums,
    modes,
    ...distributionsOf(pairs, hz),
    ...taken,
    heldUpShare: counts.reduce((sum, c) => sum + c.heldUpShare, 0) / counts.length,
    distanceNs: finiteOrNull(Math.max(before, distance(cores))),
  };
}

/** From `go` to `stop`; what was taken meanwhile, after warming up. */
async function run(
  plan: Plan,
  control: Control,
  records: Records,
  ids: number[],
): Promise<Taken> {
  const { seconds, cores } = plan;
  control.go();
  await sleep((LOOK_S + WARM_UP_S) * 1000);
  const before = taken(cores, ids);
  const latest = performance.now() + (seconds + LATEST_S) * 1000;
  await sleep(seconds * 1000);
  while (!control.sent && !control.stopping && performance.now() < latest) await sleep(LOOK_MS);
  const after = taken(cores, ids);
  await settle(control, records);
  control.stop();
  return {
    stolenMs: after.stolenMs - before.stolenMs,
    waitedMs: Math.round((after.waitedMs - before.waitedMs) * 10) / 10,
  };
}

/** Until all has come, or nothing more comes. */
async function settle(control: Control, records: Records): Promise<void> {
  let seen = -1;
  for (let quietMs = 0; quietMs < SETTLE_MS && !records.full && !control.stopping;) {
    quietMs = records.seen > seen ? 0 : quietMs + LOOK_MS;
    seen = records.seen;
    await sleep(LOOK_MS);
  }
}

function taken(cores: number[], ids: number[]): Taken {
  return {
    stolenMs: stolenFrom(cores),
    waitedMs: ids.reduce((sum, id) => sum + waitedBy(id), 0),
  };
}

/** Of those neighbours that are furthest apart; not finite with one thread. */
function distance(cores: number[]): number {
  return Math.max(...cores.slice(1).map((core, i) => coreDistanceNs(cores[i], core)));
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value) : null;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) {
  const control = new Control();
  let code = 0;
  onStopSignals(() => {
    code = 130;
    control.stop();
  });
  try {
    const measured = await measure(JSON.parse(Deno.args[0]), control);
    if (code === 0) console.log(JSON.stringify(measured));
  } catch (error) {
    if (code === 0) {
      console.error((error as Error).message);
      code = 1;
    }
  }
  Deno.exit(code);
}
