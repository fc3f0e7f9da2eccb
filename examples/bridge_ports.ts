/**
 * Purpose: joins two ports: what arrives at one leaves by the other, both ways; of an expression only what it
 * holds for.
 *
 * ```text
 *           rx ──▶ PacketFilter ──▶ tx                   a packet is copied once, from one port's
 *  left ◀───────────────────────────────────▶ right      memory into the other's; where that has no
 *           tx ◀── PacketFilter ◀── rx                   room it is dropped, and counted
 * ```
 * Run: `deno task example examples/bridge_ports.ts [LEFT RIGHT [EXPRESSION]]`, or by itself, once
 * `deno task build` has made the native library:
 *
 * ```sh
 * sudo deno run --allow-ffi=./ffi/build/libuspf.so --allow-read=. \
 *   examples/bridge_ports.ts packet:eth0 packet:eth1 'not arp'
 * ```
 * Without ports it joins two switches and sends 1000 packets a second on each. Ctrl-C ends it. It prints, once a
 * second and at the end,
 *
 * ```text
 * left to right  1001 received = 1001 forwarded + 0 filtered + 0 dropped; right to left  …
 * ```
 */
import {
  asUsage,
  BypassIO,
  checkWords,
  Market,
  openPort,
  PacketFilter,
  PacketSender,
  PacketTemplate,
  print,
  runCommand,
  RX,
  stopSignal,
  turn,
  TX,
  UsageError,
} from "@uspf/uspf";

const OWN = [`soft:left_${Deno.pid}:`, `soft:right_${Deno.pid}:`]; // switches that nobody else has
const [leftName = `${OWN[0]}bridge`, rightName = `${OWN[1]}bridge`, expression = ""] = Deno.args;
const SLEEP_US = 500; // where nothing is there to forward: how late a packet of the other side may be

/** One direction. */
class Way {
  received = 0;
  forwarded = 0;
  filtered = 0;
  dropped = 0;

  constructor(readonly from: BypassIO, readonly to: BypassIO, readonly filter: PacketFilter) {}

  /** Forwards a burst; returns its packets. */
  forward(): number {
    const { from, to, filter } = this, count = from.rx();
    for (let i = 0; i < count; i++) {
      const at = from.offsets[i], length = from.lengths[i];
      if (!filter.matches(from.bytes, at, length)) this.filtered++;
      else if (to.tx(from.bytes, at, length)) this.forwarded++;
      else this.dropped++;
    }
    this.received += count;
    to.flush(); // also what its port did not take the last time
    return count;
  }

  toString(): string {
    const { received, forwarded, filtered, dropped } = this;
    return `${received} received = ${forwarded} forwarded + ${filtered} filtered + ${dropped} dropped`;
  }
}

async function main(): Promise<number> {
  checkWords(Deno.args, 3, "[LEFT RIGHT [EXPRESSION]]");
  const signal = stopSignal();
  if (Deno.args.length === 1) {
    throw new UsageError(
      `Cannot bridge "${leftName}": a bridge has two ends: name the other port, too`,
    );
  }
  const filter = asUsage(() => PacketFilter.compile(expression, { decode: false }));
  using left = asUsage(() => BypassIO.open(leftName));
  using right = asUsage(() => BypassIO.open(rightName));
  const there = new Way(left, right, filter), back = new Way(right, left, filter);
  const show = () => print(`left to right  ${there}; right to left  ${back}`);
  using senders = new DisposableStack();
  if (Deno.args.length === 0) {
    for (const network of OWN) senders.use(sendTicks(`${network}sender`, 1000));
  }
  let turnedAt = performance.now(), shownAt = turnedAt;
  while (!signal.aborted) {
    const moved = there.forward() + back.forward(), now = performance.now();
    if (moved === 0) left.port.wait(RX, SLEEP_US);
    if (now - turnedAt >= 10) {
      await turn(); // for Ctrl-C
      turnedAt = now;
    }
    if (now - shownAt >= 1000) {
      show();
      shownAt = now;
    }
  }
  show();
  return 0;
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
