/**
 * Purpose: prints the ticks that arrive on a port, one a line.
 *
 * ```text
 *  port ──▶ BackgroundCapture: a thread that filters and decodes ──▶ TickRing ──▶ lines
 * ```
 * Run: `deno task example examples/print_ticks.ts [PORT [EXPRESSION]]`, or by itself, once
 * `deno task build` has made the native library:
 *
 * ```sh
 * deno run --allow-ffi=./ffi/build/libuspf.so --allow-read=. examples/print_ticks.ts \
 *   udp:127.0.0.1:5001 'tick.price > 100 and tick.side == bid'
 * ```
 * Without a port it prints 100 ticks a second that it sends itself. A file (`pcap:x.pcapng`) ends it, and so
 * do Ctrl-C and `| head`. It prints
 *
 * ```text
 * instrument 3  underlying  bid  103.20  x 1200
 * instrument 14  future  ask  2381.50  x 7
 * 2 ticks of 2 packets; 0 rejected, 0 malformed, 0 dropped
 * ```
 */
import {
  asUsage,
  BackgroundCapture,
  checkWords,
  InstrumentType,
  Market,
  openPort,
  PacketFilter,
  PacketSender,
  PacketTemplate,
  print,
  runCommand,
  Side,
  stopSignal,
  type Tick,
  TickRing,
  turn,
  TX,
} from "@uspf/uspf";

const OWN = `soft:print_${Deno.pid}:`; // a switch that nobody else has
const [name = `${OWN}printer`, expression] = Deno.args;
const TYPES = Object.keys(InstrumentType), SIDES = Object.keys(Side); // by their numbers, from 0

async function main(): Promise<number> {
  checkWords(Deno.args, 2, "[PORT [EXPRESSION]]");
  const signal = stopSignal(), ticks = TickRing.create(16384), filter = { expression };
  asUsage(() => new PacketFilter(filter)); // or the thread would say what is wrong with it
  await using capture = await asUsage(() => BackgroundCapture.start({ port: name, ticks, filter }));
  signal.addEventListener("abort", () => capture.stop());
  using _sender = name.startsWith(OWN) ? sendTicks(`${OWN}sender`, 100) : undefined;
  let shown = 0;
  while (true) {
    const finished = capture.state.finished, count = ticks.take(256);
    for (let i = 0; i < count; i++) print(lineOf(ticks.tickAt(i)));
    ticks.release(count);
    shown += count;
    if (count > 0) await turn();
    else if (finished) break;
    else await ticks.parkAsync(100);
  }
  await capture.ended;
  const { received, rejected, malformed, dropped } = capture.state.read();
  print(
    `${shown} ticks of ${received} packets; ` +
      `${rejected} rejected, ${malformed} malformed, ${dropped} dropped`,
  );
  return 0;
}

function lineOf({ instrument, type, side, price, quantity }: Tick): string {
  return `instrument ${instrument}  ${TYPES[type]}  ${SIDES[side]}  ${
    price.toFixed(2)
  }  x ${quantity}`;
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
