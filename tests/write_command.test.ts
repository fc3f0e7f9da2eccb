/**
 * `capture --write` as a user runs it, without an interface: what is in the files, what is refused, and what
 * a full disk, Ctrl-C and SIGKILL leave behind. With interfaces: write_interfaces.test.ts.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { Files, type Packet, pcapFile } from "./capture_files.ts";
import { type AnyStatistics, finalOf, type Finished, objects, run, start } from "./command.ts";
import { freeUdpPort } from "./free_port.ts";
import { delay, stopCapture, truePacket } from "./foreign.ts";
import { parsePcapng } from "./pcapng_parser.ts";
import { tickPacket } from "./packets.ts";
import {
  capinfos,
  checkWritten,
  execute,
  interfacesOf,
  noMount,
  noTshark,
  Place,
  same,
} from "./written_files.ts";

const BROADCAST = "ff:ff:ff:ff:ff:ff", SECOND = 1_700_000_000, STEP_NS = 7_654_321;

function testWrite(name: string, fn: () => Promise<void>, why = noTshark): void {
  Deno.test({ name: `capture --write ${name}${why ?? ""}`, ignore: why !== undefined, fn });
}

/** Ticks, of which every fifth is for another port, malformed or cut off. */
function mixed(count: number): Packet[] {
  return Array.from({ length: count }, (_, i) => {
    const choice = { instrument: i, padding: i * 7 % 90 };
    const odd = [{ port: 5002 }, { type: 3 }, { payloadBytes: 30 }][i / 5 % 3 | 0];
    const packet = truePacket(BROADCAST, i % 5 === 4 ? { ...choice, ...odd } : choice);
    const ns = i * STEP_NS;
    return {
      bytes: i % 60 === 59 ? packet.slice(0, 20) : packet,
      original: packet.length,
      second: SECOND + Math.floor(ns / 1e9),
      nanosecond: ns % 1e9,
    };
  });
}

function isAccepted(_: unknown, i: number): boolean {
  return i % 5 !== 4;
}

function bytesOf(packets: { bytes: Uint8Array }[]): Uint8Array[] {
  return packets.map(({ bytes }) => bytes);
}

/** The counts that a capture of a recorded file must give again. */
function countsOf(s: AnyStatistics): Record<string, unknown> {
  const { received, bytes, accepted, consumed, rejectedBy, malformedBy } = s;
  return { received, bytes, accepted, consumed, ...rejectedBy, ...malformedBy };
}

function replayed(file: string): Promise<AnyStatistics> {
  return run("capture", ["-i", `pcap:${file}`, "-p", "5001", "--json"]).then(finalOf);
}

/** Starts a capture that is over when it is told; resolves once it is ready. */
async function startCapture(args: string[]) {
  const running = start("capture", [...args, "--json", "--print-code"]);
  await running.shown("\n"); // the code, which is empty for a switch without other ports
  return running;
}

function assertQuiet({ code, stderr }: Finished): void {
  assertEquals([code, stderr], [0, ""]);
}

testWrite("has the packets accepted, --write-all all of them, from a soft port", async () => {
  using files = new Files();
  // No more than a ring holds: a switch drops while a receiver prepares for a new port.
  const packets = mixed(1000), from = BigInt(Date.now()) * 1_000_000n;
  const source = files.write(pcapFile({ nano: true }, packets)), s: AnyStatistics[] = [];
  const names = ["a", "b"].map((name) => `${files.directory}/${name}.pcapng`);
  const captures = await Promise.all(names.map((name, i) => {
    const args = ["-i", `soft:t_write:${i}`, "-p", "5001", "--wait", "poll", "--write", name];
    return startCapture(i === 0 ? args : [...args, "--write-all"]);
  }));
  const rate = ["--speed", "0", "-r", "20000", "-b", "16"];
  assertQuiet(await run("send", ["-i", "soft:t_write:s", "--file", source, ...rate]));
  for (const capture of captures) {
    const finished = await stopCapture(capture);
    assertQuiet(finished);
    s.push(finalOf(finished));
  }
  const to = BigInt(Date.now() + 1) * 1_000_000n;
  const expected = [packets.filter(isAccepted), packets];
  for (const [i, name] of names.entries()) {
    const { write, queues } = s[i], parsed = checkWritten(name, s[i]);
    assertEquals([s[i].received, s[i].accepted, write.missed, write.files], [1000, 800, 0, 1]);
    assertEquals(bytesOf(parsed.packets), bytesOf(expected[i]));
    const [[interfaceName, description]] = interfacesOf(parsed);
    assertEquals(interfaceName, queues[0].port);
    assertMatch(description, new RegExp(`^soft:t_write:${i} \\(.+\\)$`));
    parsed.packets.reduce((last, { ns }) => (assert(ns >= last && ns < to), ns), from);
  }
  const again = await Promise.all(names.map(replayed));
  assertEquals(countsOf(again[1]), countsOf(s[1]));
  assertEquals([again[0].received, again[0].accepted], [800, 800]);
});

testWrite("keeps a file's packets and times to the nanosecond", async () => {
  using files = new Files();
  const packets = mixed(2000), source = files.write(pcapFile({ nano: true }, packets));
  const capture = async (more: string[], expected: Packet[]) => {
    const file = `${files.directory}/${more.length}.pcapng`;
    const args = ["-i", `pcap:${source}`, "-p", "5001", "--write", file, "--json", ...more];
    const finished = await run("capture", args), s = finalOf(finished);
    assertQuiet(finished);
    const parsed = checkWritten(file, s);
    assertEquals([s.received, s.accepted, s.write.missed], [2000, 1600, 0]);
    assertEquals(
      parsed.packets.map(({ ns, bytes, original }) => ({ ns, bytes, original })),
      expected.map(({ bytes, second, nanosecond, original }) => ({
        ns: BigInt(second) * 1_000_000_000n + BigInt(nanosecond),
        bytes,
        original,
      })),
    );
    const [[name, description]] = interfacesOf(parsed);
    assertEquals([name, description.startsWith(`pcap:${source} (`)], [source, true]);
    return { s, again: await replayed(file) };
  };
  const [, all] = await Promise.all([
    capture([], packets.filter(isAccepted)),
    capture(["--write-all"], packets),
  ]);
  assertEquals(countsOf(all.again), countsOf(all.s));
});

testWrite("keeps what is left of a packet above 64 KiB, and its length", async () => {
  using files = new Files();
  const large = { bytes: new Uint8Array(70_000).fill(7), second: SECOND, nanosecond: 0 };
  const source = files.write(pcapFile({}, [large, { ...large, original: 90_000 }]));
  const file = `${files.directory}/x.pcapng`;
  const args = ["-i", `pcap:${source}`, "--write", file, "--write-all", "--json"];
  const finished = await run("capture", args);
  assertQuiet(finished);
  const { packets } = checkWritten(file, finalOf(finished));
  const lengths = packets.map(({ bytes, original }) => [bytes.length, original]);
  assertEquals(lengths, [[65_535, 70_000], [65_535, 90_000]]);
  const seen = execute(
    "tshark",
    "-r",
    file,
    "-T",
    "fields",
    "-e",
    "frame.cap_len",
    "-e",
    "frame.len",
  );
  assertEquals(seen, "65535\t70000\n65535\t90000\n");
});

/** The packets of some files, one after the other; each of them is whole. */
function packetsIn(directory: string, names: string[]): Uint8Array[] {
  return names.flatMap((name) => {
    const { packets } = parsePcapng(Deno.readFileSync(`${directory}/${name}`));
    assertEquals(capinfos(`${directory}/${name}`), packets.length);
    return bytesOf(packets);
  });
}

function numbered(first: number, last: number): string[] {
  const name = (i: number) => `x_${String(first + i).padStart(5, "0")}.pcapng`;
  return Array.from({ length: last - first + 1 }, (_, i) => name(i));
}

testWrite("--rotate-size begins new files, --rotate-files keeps the newest", async () => {
  using files = new Files();
  const packets = mixed(12_000), source = files.write(pcapFile({ nano: true }, packets));
  const capture = async (kept: number) => {
    using place = new Place();
    const args = ["-i", `pcap:${source}`, "--write-all", "--write", `${place.path}/x.pcapng`];
    const limits = ["--rotate-size", "0.15", "--rotate-files", String(kept)];
    const finished = await run("capture", [...args, ...limits, "--json"]);
    assertQuiet(finished);
    const { write } = finalOf(finished), names = place.files();
    assertEquals([write.packets, write.missed], [12_000, 0]);
    assertGreater(write.files, 8);
    assertEquals(names, numbered(kept === 0 ? 1 : write.files - kept + 1, write.files));
    const sizes = names.map((name) => Deno.statSync(`${place.path}/${name}`).size);
    for (const size of sizes) assertLess(size, 150_001);
    for (const size of sizes.slice(0, -1)) assertGreater(size, 149_000);
    const got = packetsIn(place.path, names);
    if (kept === 0) assertEquals(got.length, 12_000);
    assertGreater(got.length, kept * 800);
    assertEquals(got, bytesOf(packets.slice(-got.length)));
  };
  await Promise.all([capture(0), capture(3)]);
});

testWrite("--rotate-seconds begins new files, --rotate-files keeps the newest", async () => {
  using files = new Files(), place = new Place();
  const packets = mixed(300), source = files.write(pcapFile({ nano: true }, packets)); // 2.3 s
  const args = ["-i", `pcap:${source}`, "--speed", "1", "--write", `${place.path}/x.pcapng`];
  const limits = ["--rotate-seconds", "0.5", "--rotate-files", "2", "--write-all"];
  const capture = start("capture", [...args, ...limits, "--json"]);
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, place.files().length), 5);
  const finished = await capture.finished;
  clearInterval(timer);
  assertQuiet(finished);
  const { write } = finalOf(finished), names = place.files();
  assertEquals([write.packets, write.missed], [300, 0]);
  assert(write.files >= 3 && write.files <= 5, `${write.files} files`);
  assertEquals(names, numbered(write.files - 1, write.files));
  assertLess(most, 4, "the oldest goes when the next one has begun");
  const got = packetsIn(place.path, names);
  assert(got.length > 70 && got.length < 250, `${got.length} packets in the last two`);
  assertEquals(got, bytesOf(packets.slice(-got.length)));
});

testWrite("stops at a full disk with one line, the capture goes on", async () => {
  using place = new Place();
  place.mount(4096);
  const file = `${place.path}/x.pcapng`;
  const args = ["-i", "soft:t_full{1", "-p", "5001", "--write", file, "--write-all"];
  const capture = await startCapture(args);
  const sent = run("send", ["-i", "soft:t_full}1", "-c", "200000", "-r", "400000", "--json"]);
  assertQuiet(await sent);
  const finished = await stopCapture(capture), s = finalOf(finished);
  assertEquals(
    [finished.code, finished.stderr],
    [
      1,
      `Cannot write "${file}": no space left on device: make room, or choose another disk; ` +
      "the capture goes on\n",
    ],
  );
  assertEquals([s.received, s.accepted], [200_000, 200_000]);
  assertEquals(s.write.packets + s.write.missed, 200_000);
  assertEquals(s.write.bytes + s.write.missedBytes, s.bytes);
  assertEquals(`${s.write.failed}\n`, finished.stderr);
  assertGreater(s.write.packets, 40_000);
  assertEquals(capinfos(file), s.write.packets);
  const again = await replayed(file);
  assertEquals([again.received, again.accepted], [s.write.packets, s.write.packets]);
}, noMount);

testWrite("of a file stops at a full disk, the capture reads to the end", async () => {
  using place = new Place(), files = new Files();
  place.mount(256);
  const packets = mixed(12_000), source = files.write(pcapFile({ nano: true }, packets));
  const file = `${place.path}/x.pcapng`;
  const args = ["-i", `pcap:${source}`, "--write", file, "--write-all", "--json"];
  const finished = await run("capture", args), s = finalOf(finished);
  assertEquals([finished.code, finished.stderr], [1, `${s.write.failed}\n`]);
  assertEquals([s.received, s.write.packets + s.write.missed], [12_000, 12_000]);
  assertGreater(s.write.packets, 1000);
  const got = bytesOf(parsePcapng(Deno.readFileSync(file)).packets);
  assertEquals(got, bytesOf(packets.slice(0, s.write.packets)));
}, noMount);

const USAGE: [args: string[], message: string][] = [
  [["--write", "-"], 'Cannot use --write "-": not a file: name one'],
  [["--write=-"], 'Cannot use --write "-": not a file: name one'],
  [["--write", "--json"], "Cannot use --write: it needs a value: see --help"],
  [["--write-all"], "Cannot use --write-all: nothing is written: give --write FILE"],
  ...["size", "seconds", "files"].map((what): [string[], string] => [
    [`--rotate-${what}`, "3"],
    `Cannot use --rotate-${what}: nothing is written: give --write FILE`,
  ]),
  [
    ["--write", "x", "--rotate-files", "3"],
    "Cannot use --rotate-files: nothing begins a second file: " +
    "give --rotate-size or --rotate-seconds",
  ],
  [
    ["--write", "x", "--rotate-size=-1"],
    'Cannot use --rotate-size "-1": out of range: give a number from 0 to 1000000000',
  ],
];

Deno.test("capture --write refuses options that make no sense, with exit code 2", async () => {
  for (const [args, message] of USAGE) {
    const { code, stdout, stderr } = await run("capture", ["-i", "soft:t_usage:1", ...args]);
    assertEquals([code, stdout, stderr], [2, "", `${message}\n`]);
  }
});

Deno.test("capture --write says in one line why a file cannot be opened, and leaves nothing", async () => {
  using place = new Place();
  Deno.mkdirSync(`${place.path}/closed`, { mode: 0o555 });
  const cases = [
    [`${place.path}/none/x`, `no such directory: create "${place.path}/none" first`],
    [place.path, "it is a directory: give the name of a file"],
    [`${place.path}/closed/x`, "permission denied: choose a place that you may write to"],
    [
      "/dev/uspf-test",
      "Deno permits no writing there: choose an ordinary file outside /dev, /proc and /sys",
    ],
  ];
  // Root writes everywhere, unless it has no capabilities.
  const powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"];
  for (const [file, why] of cases) {
    const inside = (command: string[]) =>
      Deno.uid() === 0 && file.includes("closed") ? [...powerless, ...command] : command;
    const args = ["-i", "soft:t_refused:1", "--write", file];
    const finished = await start("capture", args, {}, 10_000, inside).finished;
    const { code, stdout, stderr } = finished;
    assertEquals([code, stdout, stderr], [1, "", `Cannot write "${file}": ${why}\n`]);
    const left = [...Deno.readDirSync("/dev/shm")].filter(({ name }) => name.includes("t_refused"));
    assertEquals(left, []);
  }
  assertEquals(place.files(), ["closed"]);
});

Deno.test("capture --write never writes over the file that it reads", async () => {
  using files = new Files();
  const bytes = pcapFile({ nano: true }, mixed(100)), source = files.write(bytes);
  const link = `${files.directory}/link`, why = "it is the file that is being read";
  Deno.linkSync(source, link);
  const fromInput = (command: string[]) => ["sh", "-c", 'exec "$@" < "$0"', source, ...command];
  const runs = await Promise.all([
    run("capture", ["-i", `pcap:${source}`, "--write", link]),
    start("capture", ["-i", "pcap:-", "--write", link], {}, 10_000, fromInput).finished,
  ]);
  for (const { code, stdout, stderr } of runs) {
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr, `Cannot write "${link}": ${why}: choose another name\n`);
  }
  assertEquals(Deno.readFileSync(source), bytes);
});

Deno.test("capture --write of standard input has its packets and times", async () => {
  using files = new Files();
  const packets = mixed(100), source = files.write(pcapFile({ nano: true }, packets));
  const file = `${files.directory}/x.pcapng`;
  const fromInput = (command: string[]) => ["sh", "-c", 'cat "$0" | "$@"', source, ...command];
  const args = ["-i", "pcap:-", "--write-all", "--write", file];
  const { code, stdout, stderr } = await start("capture", args, {}, 10_000, fromInput).finished;
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /\nwritten +100 packets, \d+ bytes to 1 file; 0 missed\n/);
  assertEquals(bytesOf(parsePcapng(Deno.readFileSync(file)).packets), bytesOf(packets));
});

Deno.test("capture --write of a named pipe that falls silent has all that came, and hears Ctrl-C", async () => {
  using files = new Files();
  const packets = mixed(100),
    pipe = `${files.directory}/pipe`,
    file = `${files.directory}/x.pcapng`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const capture = start("capture", [
    "-i",
    `pcap:${pipe}`,
    "--write-all",
    "--write",
    file,
    "--json",
  ]);
  using writer = await Deno.open(pipe, { write: true }); // waits until the capture has opened it
  const bytes = pcapFile({ nano: true }, packets);
  await writer.write(bytes.subarray(0, 30));
  await capture.shown('"final":false');
  for (let at = 30; at < bytes.length; at += 2000) {
    await writer.write(bytes.subarray(at, at + 2000));
    await delay(5);
  }
  await capture.shown('"received":100,');
  capture.process.kill("SIGINT");
  const finished = await capture.finished, s = finalOf(finished);
  assertQuiet(finished);
  assertEquals([s.received, s.write.packets, s.write.missed], [100, 100, 0]);
  assertEquals(bytesOf(parsePcapng(Deno.readFileSync(file)).packets), bytesOf(packets));
});

/** A sender through a pipe, which loses nothing; it repeats itself after so many packets. */
const PERIOD = 16_384;
const flood = (name: string, rate: number, seconds: number) =>
  run("send", ["-i", `soft:${name}}1`, "-r", String(rate), "--seconds", String(seconds)]);

testWrite("has a complete file after Ctrl-C in the middle of a flood", async () => {
  using files = new Files();
  const file = `${files.directory}/x.pcapng`;
  const capture = await startCapture(["-i", "soft:t_int{1", "--write", file]);
  const sending = flood("t_int", 300_000, 1.2);
  await capture.shown('"final":false');
  await delay(100);
  capture.process.kill("SIGINT");
  const finished = await capture.finished, s = finalOf(finished), { write } = s;
  await sending;
  assertQuiet(finished);
  assertGreater(s.received, 100_000);
  assertEquals([write.packets + write.missed, write.files], [s.accepted, 1]);
  assertEquals(write.bytes + write.missedBytes, s.bytes);
  assertEquals(capinfos(file), write.packets);
  const { packets } = parsePcapng(Deno.readFileSync(file));
  const differs = packets.findIndex(({ bytes }, i) =>
    i >= PERIOD && !same(bytes, packets[i - PERIOD].bytes)
  );
  if (write.missed === 0) assertEquals(differs, -1, "not what was sent, one after the other");
});

testWrite("leaves what was written in the file when it is killed", async () => {
  using files = new Files();
  const file = `${files.directory}/x.pcapng`;
  const capture = await startCapture(["-i", "soft:t_kill{1", "--write", file]);
  const sending = flood("t_kill", 300_000, 1.2);
  await capture.shown('"final":false');
  await delay(100);
  capture.process.kill("SIGKILL");
  const [finished] = await Promise.all([capture.finished, sending]);
  const { write } = objects(finished.stdout).at(-1) as AnyStatistics;
  assertGreater(write.packets, 50_000);
  const plain = `${files.directory}/plain`;
  const tshark = new Deno.Command("tshark", { args: ["-r", file, "-F", "pcap", "-w", plain] });
  const stderr = new TextDecoder().decode(tshark.outputSync().stderr);
  // It may have been killed in the middle of a block.
  for (const line of stderr.split("\n")) assertMatch(line, /^$|^Running as user|cut short/);
  const count = capinfos(plain);
  assertGreater(count, write.packets - 1);
  const again = await replayed(file);
  assertEquals([again.received, again.accepted], [count, count]);
});

testWrite("and what it missed are all that came, from a flooded socket", async () => {
  using files = new Files();
  const file = `${files.directory}/x.pcapng`, port = `udp:127.0.0.1:${await freeUdpPort()}`;
  const capture = await startCapture(["-i", port, "--write", file, "--write-all"]);
  const sent = finalOf(await run("send", ["-i", port, "-c", "60000", "--json"]));
  const finished = await stopCapture(capture), s = finalOf(finished);
  assertQuiet(finished);
  assertEquals(s.received + s.lost, sent.sent);
  assertGreater(s.received, 10_000);
  assertEquals(s.write.packets + s.write.missed, s.received);
  const { packets } = checkWritten(file, s);
  const tick = tickPacket();
  for (const { bytes } of packets) assertEquals(bytes.length, tick.length);
});

Deno.test("capture --write of a port without packets is a valid empty file", async () => {
  using files = new Files();
  const file = `${files.directory}/x.pcapng`;
  const args = ["-i", "soft:t_empty:1", "-r", "0.1", "--write", file, "--json"];
  const finished = await run("capture", args);
  assertQuiet(finished);
  assertEquals(parsePcapng(Deno.readFileSync(file)).types, [0x0a0d0d0a, 1, 5]);
  if (noTshark === undefined) execute("tshark", "-r", file);
});

Deno.test("capture --write refuses a named pipe, which it would wait for without hearing a signal", async () => {
  const directory = await Deno.makeTempDir(), pipe = `${directory}/pipe`;
  try {
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const { code, stdout, stderr } = await run("capture", ["-r", "1", "--write", pipe]);
    assertEquals([code, stdout, stderr], [
      1,
      "",
      `Cannot write "${pipe}": it is no regular file: name one\n`,
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
