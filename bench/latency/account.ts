/**
 * Purpose: whether all packets of a measurement are accounted for: received + lost = sent, at each stage.
 * Figures of a measurement that does not add up are worth nothing: it fails.
 */
import { ANSWERED, type Schedule } from "./generator.ts";
import { type Plan, WITHOUT_KERNEL } from "./plan.ts";
import { INSTRUMENTS } from "./stamp.ts";
import type { ThreadCounts } from "./thread.ts";

/** What became of the packets after warming up. */
export interface Account {
  sent: number;
  /** Ticks that the engine consumed. */
  consumed: number;
  /** Ticks that did not reach it: `sent = consumed + lost`. */
  lost: number;
  /** Ticks that did not reach it while warming up. */
  lostBefore: number;
  /** Orders placed, and those that did not come back: tick to trade only. */
  orders: number;
  ordersLost: number;
}

/**
 * Adds up.
 *
 * @throws {Error} where it does not add up.
 */
export function account(plan: Plan, schedule: Schedule, threads: ThreadCounts[]): Account {
  const { packets, warmUp } = schedule;
  const sent = threads.find((t) => t.generator)!.generator!.sent;
  const engine = threads.find((t) => t.engine)!.engine!;
  const capture = threads.find((t) => t.capture)?.capture;
  const recorded = Math.max(...threads.map((t) => t.recorded)), trades = plan.measure !== "one-way";
  const { consumed } = engine, lost = sent - consumed;
  const orders = engine.orders + engine.ordersUnsent;
  const ordersLost = trades ? orders - recorded : 0;
  const check = (fine: boolean, what: string) => {
    if (!fine) throw new Error(`Cannot trust ${plan.measure} of "${plan.kind}": ${what}`);
  };
  check(sent === packets, `${sent} of ${packets} packets sent: lower --rate`);
  check(lost >= 0, `${sent} packets sent, ${consumed} ticks consumed`);
  check(engine.untracked === 0, `${engine.untracked} ticks of strange instruments`);
  // The last packets leave no gap behind them.
  const gaps = engine.gaps + (sent - engine.expected & INSTRUMENTS - 1);
  check(
    (gaps - lost) % INSTRUMENTS === 0 && (lost > 0 || gaps === 0),
    `${lost} packets lost, but ${gaps} are missing in their order`,
  );
  if (capture !== undefined) {
    const { malformed, delivered, dropped, accepted } = capture;
    check(malformed === 0, `${malformed} packets malformed`);
    check(delivered === consumed, `${delivered} ticks delivered, ${consumed} consumed`);
    check(
      lost === sent - accepted + dropped,
      `${accepted} accepted, ${dropped} dropped of ${sent}`,
    );
    const said = capture.lost ?? 0, isExact = WITHOUT_KERNEL.includes(plan.kind);
    const missed = sent - accepted;
    check(isExact ? said === missed : said <= missed, `${missed} lost, the port says ${said}`);
  }
  check(trades || recorded === consumed, `${recorded} recorded of ${consumed}`);
  check(!trades || ordersLost >= 0, `${orders} orders sent, ${recorded} received`);
  const marked = Math.ceil(sent / ANSWERED);
  check(!trades || lost > 0 || orders === marked, `${orders} orders for ${marked} marked ticks`);
  const warmRecords = Math.max(...threads.map((t) => t.warmRecords));
  const lostBefore = warmUp - engine.warm;
  return {
    sent: sent - warmUp,
    consumed: consumed - engine.warm,
    lost: lost - lostBefore,
    lostBefore,
    orders: orders - engine.warmOrders,
    ordersLost: trades ? ordersLost - (engine.warmOrders - warmRecords) : 0,
  };
}
