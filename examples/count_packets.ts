/**
 * Purpose: counts the packets that arrive on a port, once a second; of an expression those that it holds for.
 *
 * ```text
 *  port ──▶ BypassIO: bursts in the port's own memory ──▶ PacketFilter ──▶ counts
 * ```
 * Run: `deno task example examples/count_packets.ts [PORT [EXPRESSION]]`, or by itself, once
 * `deno task build` has made the native library:
 *
 * ```sh
 * deno run --allow-ffi=./ffi/build/libuspf.so --allow-read=. \
 *   examples/count_packets.ts udp:127.0.0.1:5001 'greater 100'
 * ```
 * Without a port it counts 1000 ticks a second that it sends itself. A file (`pcap:x.pcapng`)
 * ends it, and so does Ctrl-C. It prints
 *
 * ```text
 *    1 s  1001 packets, 60060 bytes, of 1001 received
 *    2 s  2001 packets, 120060 bytes, of 2001 received
 * in all  2450 packets, 147000 bytes, of 2450 received
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
  stopSignal,
  TX,
} from "@uspf/uspf";

const OWN = `soft:count_${Deno.pid}:`; // a switch that nobody else has
const [name = `${OWN}counter`, expression = ""] = Deno.args;

async function main(): Promise<number> {
  checkWords(Deno.args, 2, "[PORT [EXPRESSION]]");
  const signal = stopSignal();
  const filter = asUsage(() => PacketFilter.compile(expression, { decode: false }));
  using io = asUsage(() => BypassIO.open(name, { tx: false }));
  using _sender = name.startsWith(OWN) ? sendTicks(`${OWN}sender`, 1000) : undefined;
  let packets = 0, bytes = 0, received = 0;
  const show = (when: string) =>
    print(`${when}  ${packets} packets, ${bytes} bytes, of ${received} received`);
  const began = performance.now();
  let seconds = 0;
  for await (const count of io.bursts({ signal })) {
    for (let i = 0; i < count; i++) {
      if (!filter.matches(io.bytes, io.offsets[i], io.lengths[i])) continue;
      packets++;
      bytes += io.lengths[i];
    }
    received += count;
    if (performance.now() - began < (seconds + 1) * 1000) continue;
    show(`${String(++seconds).padStart(4)} s`);
  }
  show("in all");
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
