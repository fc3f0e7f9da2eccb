/**
 * Purpose: records what arrives on a port in a capture file, then sends it again, at the recorded times.
 *
 * ```text
 *  1  from ──▶ BackgroundCapture ──▶ PacketLog ──▶ CaptureWriter ──▶ file (pcapng)
 *              (its own thread)      (memory)      (its own thread)
 *  2  file ──▶ pcap port, speed 1 ──▶ FileSender ──▶ to
 * ```
 * Run: `deno task example examples/record_and_replay.ts [FROM TO [FILE [SECONDS]]]`, or by itself, once
 * `deno task build` has made the native library:
 *
 * ```sh
 * deno run --allow-ffi=./ffi/build/libuspf.so --allow-read=. --allow-write=. \
 *   examples/record_and_replay.ts udp:127.0.0.1:5001 udp:127.0.0.1:5002 recording.pcapng 10
 * ```
 * Without ports it records 1000 ticks a second that it sends itself. It records for 2 seconds into
 * recording.pcapng, which is replaced. Ctrl-C ends it, with a complete file. It prints
 *
 * ```text
 * recorded 1998 packets, 119880 bytes of soft:record_4711:in in recording.pcapng; 0 missed
 * replayed 1998 packets, 119880 bytes on soft:record_4711:out in 1.998 s
 * ```
 */
import {
  asUsage,
  BackgroundCapture,
  CaptureWriter,
  checkWords,
  FileSender,
  Market,
  openPort,
  PacketLog,
  PacketSender,
  PacketTemplate,
  type Port,
  print,
  runCommand,
  RX,
  stopSignal,
  TickRing,
  turn,
  TX,
  UsageError,
} from "@uspf/uspf";

const OWN = `soft:record_${Deno.pid}:`; // a switch that nobody else has
const [from = `${OWN}in`, to = `${OWN}out`, file = "recording.pcapng", seconds = "2"] = Deno.args;

async function main(): Promise<number> {
  checkWords(Deno.args, 4, "[FROM TO [FILE [SECONDS]]]");
  const signal = stopSignal();
  if (!(Number(seconds) > 0)) {
    throw new UsageError(
      `Cannot record for "${seconds}" seconds: no such time: give a number above 0`,
    );
  }
  const port = asUsage(() => openPort(to, TX)); // now, so that it is no surprise afterwards
  try {
    await record(signal);
    if (!signal.aborted) await replay(port, signal);
  } finally {
    port.close();
  }
  return 0;
}

/** All packets, whatever they are, until the time is over, the signal, or the end of a file. */
async function record(signal: AbortSignal): Promise<void> {
  await using capture = await asUsage(() =>
    BackgroundCapture.start({
      port: from,
      ticks: TickRing.create(256), // not used: nothing is decoded
      filter: { decode: false },
      log: PacketLog.create().buffer,
      hold: true, // until the file is open
    })
  );
  const writer = await CaptureWriter.record([capture], { file, onFailed: print });
  await capture.go();
  using _sender = from.startsWith(OWN) ? sendTicks(`${OWN}sender`, 1000) : undefined;
  const end = AbortSignal.any([signal, AbortSignal.timeout(Number(seconds) * 1000)]);
  const stopped = new Promise((resolve) => end.addEventListener("abort", resolve));
  if (!end.aborted) await Promise.race([capture.ended, stopped]);
  await capture.stop();
  await writer.stop();
  const { packets, bytes, missed } = writer.stats();
  print(`recorded ${packets} packets, ${bytes} bytes of ${from} in ${file}; ${missed} missed`);
}

/** At the recorded times, until all is sent. */
async function replay(port: Port, signal: AbortSignal): Promise<void> {
  const source = openPort(`pcap:${file}`, RX, { speed: 1 });
  const sender = new FileSender({ source, port });
  while (!sender.done && !signal.aborted) {
    sender.run(10);
    await turn();
  }
  sender.flush();
  const { sent, bytes, elapsedNs } = sender.stats();
  print(`replayed ${sent} packets, ${bytes} bytes on ${to} in ${(elapsedNs / 1e9).toFixed(3)} s`);
  source.close();
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
