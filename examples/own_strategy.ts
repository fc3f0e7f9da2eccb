/**
 * Purpose: a strategy of one's own, from packets to profit: it trades where two moving averages cross.
 *
 * ```text
 *  port ──▶ BackgroundCapture ──▶ TickRing ──▶ TradingEngine ──▶ CrossingAverages.onTick
 *           (its own thread)                        │  ▲                 │
 *                         orders() ◀── fills ───────┘  └──── order ──────┘
 * ```
 * Run: `deno task example examples/own_strategy.ts [PORT]`, or by itself, once `deno task build` has made the
 * native library:
 *
 * ```sh
 * deno run --allow-ffi=./ffi/build/libuspf.so --allow-read=. examples/own_strategy.ts udp:127.0.0.1:5001
 * ```
 * Without a port it trades on 20,000 ticks a second that it sends itself. A file (`pcap:x.pcapng`) ends it, and
 * so does Ctrl-C. It prints the orders that were filled, and what came of them:
 *
 * ```text
 * sold 20 of instrument 6 at 192.33: position -10
 * bought 20 of instrument 5 at 4159.50: position 10
 * 30702 ticks, 336 orders, 334 filled: profit 8721.65
 * ```
 * The profit is that of a simulation: what it leaves out is in engine/simulated_market.ts.
 */
import {
  asUsage,
  BackgroundCapture,
  checkWords,
  drainEngine,
  Market,
  openPort,
  type Order,
  PacketSender,
  PacketTemplate,
  print,
  runCommand,
  runEngine,
  Side,
  stopSignal,
  type Strategy,
  type StrategyMarket,
  TickRing,
  TradingEngine,
  TX,
} from "@uspf/uspf";

const OWN = `soft:strategy_${Deno.pid}:`; // a switch that nobody else has
const [name = `${OWN}trader`] = Deno.args;

const QUANTITY = 10;
const FAST = 1 / 4, SLOW = 1 / 64; // weights of the newest mid in the averages
const BAND = 8; // spreads that the averages must be apart

/** Bets that a price which has left its long average comes back: short above it, long below. */
class CrossingAverages implements Strategy {
  readonly #market: StrategyMarket;
  readonly #fast: Float64Array;
  readonly #slow: Float64Array;

  /** An average is NaN until its instrument has a mid. */
  constructor(market: StrategyMarket) {
    this.#market = market;
    this.#fast = new Float64Array(market.instrumentLimit).fill(NaN);
    this.#slow = new Float64Array(market.instrumentLimit).fill(NaN);
  }

  /** On the hot path: it allocates nothing and does not wait. */
  onTick(index: number): void {
    const market = this.#market, mid = market.midAt(index);
    if (Number.isNaN(mid)) return;
    const fast = follow(this.#fast, index, mid, FAST);
    const slow = follow(this.#slow, index, mid, SLOW);
    const bid = market.priceAt(index, Side.bid), ask = market.priceAt(index, Side.ask);
    if (bid >= ask) return; // one of the two is stale
    const apart = BAND * (ask - bid), position = market.positionAt(index);
    if (fast > slow + apart && position >= 0) {
      const quantity = position + QUANTITY;
      market.order(Side.ask, market.instrumentAt(index), bid, quantity);
    } else if (fast < slow - apart && position <= 0) {
      const quantity = QUANTITY - position;
      market.order(Side.bid, market.instrumentAt(index), ask, quantity);
    }
  }
}

/** Moves an exponential average towards a value; returns it. */
function follow(averages: Float64Array, index: number, value: number, weight: number): number {
  const before = averages[index];
  return averages[index] = Number.isNaN(before) ? value : before + weight * (value - before);
}

async function main(): Promise<number> {
  checkWords(Deno.args, 1, "[PORT]");
  const signal = stopSignal(), ticks = TickRing.create(16384);
  await using capture = await asUsage(() => BackgroundCapture.start({ port: name, ticks }));
  const engine = new TradingEngine(ticks, (market) => new CrossingAverages(market));
  using _sender = name.startsWith(OWN) ? sendTicks(`${OWN}sender`, 20_000) : undefined;
  const fills = engine.orders(); // opened before the first tick is taken
  await Promise.all([trade(engine, ticks, capture, signal), printOrders(fills)]);
  const { consumed, orders, filled, profit } = engine.stats();
  print(`${consumed} ticks, ${orders} orders, ${filled} filled: profit ${profit.toFixed(2)}`);
  return 0;
}

/** Runs until Ctrl-C or the end of a file; then takes what is still in the ring. */
async function trade(
  engine: TradingEngine,
  ticks: TickRing,
  capture: BackgroundCapture,
  signal: AbortSignal,
): Promise<void> {
  await runEngine(engine, [ticks], "hybrid", () => !signal.aborted && !capture.state.finished);
  const stopped = capture.stop();
  await drainEngine(engine, stopped);
  engine.close(); // and with it the stream of orders
  await stopped;
}

async function printOrders(fills: ReadableStream<Order>): Promise<void> {
  for await (const { side, filledQuantity, instrument, price, position } of fills) {
    const done = side === Side.bid ? "bought" : "sold";
    print(
      `${done} ${filledQuantity} of instrument ${instrument} at ${
        price.toFixed(2)
      }: position ${position}`,
    );
  }
}

/** Ticks of a made-up market, until it is disposed of. */
function sendTicks(name: string, rateHz: number): Disposable {
  const port = openPort(name, TX), template = new PacketTemplate(), market = new Market();
  const sender = new PacketSender({ port, template, market, rateHz });
  const timer = setInterval(() => sender.run(1), 10);
  const stop = () => {
    clearInterval(timer);
    port.close();
  };
  return { [Symbol.dispose]: stop };
}

await runCommand(main);
