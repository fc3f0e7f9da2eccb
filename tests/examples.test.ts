/**
 * The examples, run as their readers run them: on ports with traffic, by themselves, with wrong arguments, until
 * Ctrl-C.
 */
import {
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { createSocket } from "node:dgram";
import { BypassIO, Market } from "@uspf/uspf";
import { type Finished, type Running, startProgram } from "./command.ts";
import { delay, readPackets, TemporaryFile } from "./foreign.ts";
import { tickPacket } from "./packets.ts";

const root = new URL("..", import.meta.url).pathname;
const LIMIT_MS = 60_000; // a loaded machine warms a loop up in seconds

let networks = 0;

/** A network that no other test has: of pipes, for what waits in one is there for who comes later. */
function network(): string {
  return `soft:examples_${Deno.pid}_${networks++}`;
}

function startExample(name: string, ...args: string[]): Running {
  return startProgram(["-P=example", `examples/${name}.ts`, ...args], {}, LIMIT_MS);
}

/** Ends it as Ctrl-C does. */
function interrupt({ process, finished }: Running): Promise<Finished> {
  process.kill("SIGINT");
  return finished;
}

/** Looks every 20 ms. */
async function until(holds: () => boolean, limitMs = LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    assertLess(performance.now(), end, "in time");
    await delay(20);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Sends packets; a full pipe holds them up. */
async function sendAll(io: BypassIO, packets: Uint8Array[]): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  for (const packet of packets) {
    while (!io.tx(packet)) {
      assertLess(performance.now(), end, "in time");
      io.flush();
      await delay(5);
    }
  }
  io.flush();
}

/** Takes what is there now. */
function takeAll(io: BypassIO): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let count = io.rx(); count > 0; count = io.rx()) {
    for (let i = 0; i < count; i++) {
      packets.push(io.bytes.slice(io.offsets[i], io.offsets[i] + io.lengths[i]));
    }
  }
  return packets;
}

/** Of two UDP ports, and two sizes. */
function mixed(count: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, i) => tickPacket({ port: 5001 + i % 2, instrument: i, payloadBytes: 14 + i % 3 * 10 }),
  );
}

const bytesOf = (packets: Uint8Array[]) => packets.reduce((sum, { length }) => sum + length, 0);
const lastLine = (text: string) => text.trimEnd().split("\n").at(-1)!;
const fileOf = (packets: Uint8Array[]) =>
  TemporaryFile.of(packets.map((bytes, i) => ({ bytes, atNs: i * 1000 })));
const toPort = (packets: Uint8Array[], port: number) =>
  packets.filter((packet) => packet[36] * 256 + packet[37] === port);

/** A UDP port that nobody has. */
async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

/** Sends datagrams of 14 bytes, one after the other. */
async function sendDatagrams(port: number, count: number): Promise<void> {
  const socket = createSocket("udp4");
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => socket.send(new Uint8Array(14), port, "127.0.0.1", resolve));
  }
  await new Promise<void>((resolve) => socket.close(resolve));
}

/** Shared memory of the networks that a program named after itself. */
function leftBy(pid: number): string[] {
  return [...Deno.readDirSync("/dev/shm")].map(({ name }) => name)
    .filter((name) => name.endsWith(`_${pid}`));
}

Deno.test("count_packets counts what was sent, and of an expression what it holds for", async () => {
  const name = network(), packets = mixed(500), wanted = toPort(packets, 5002);
  using io = BypassIO.open(`${name}}1`);
  const counting = startExample("count_packets", `${name}{1`, "udp dst port 5002");
  await sendAll(io, packets);
  await counting.shown(`of ${packets.length} received`);
  const { code, stdout, stderr } = await interrupt(counting);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    lastLine(stdout),
    `in all  ${wanted.length} packets, ${bytesOf(wanted)} bytes, of ${packets.length} received`,
  );
});

Deno.test("count_packets ends at the end of a file", async () => {
  const packets = mixed(3000);
  using file = fileOf(packets);
  const { code, stdout } = await startExample("count_packets", `pcap:${file.path}`).finished;
  assertEquals(code, 0);
  assertEquals(stdout, `in all  3000 packets, ${bytesOf(packets)} bytes, of 3000 received\n`);
});

Deno.test("count_packets counts datagrams with the permissions that it names", async () => {
  const port = await freePort(), example = ["examples/count_packets.ts", `udp:127.0.0.1:${port}`];
  const named = ["--allow-ffi=./ffi/build/libuspf.so", "--allow-read=."];
  const counting = startProgram([...named, ...example], {}, LIMIT_MS);
  await counting.shown("1 s");
  await sendDatagrams(port, 100);
  await counting.shown("of 100 received");
  const { stdout } = await interrupt(counting);
  assertEquals(lastLine(stdout), "in all  100 packets, 5600 bytes, of 100 received");
});

Deno.test("print_ticks prints every tick of a file, in order", async () => {
  const ticks = Array.from({ length: 2000 }, (_, i) => ({
    instrument: i,
    type: i % 3,
    side: i % 2,
    price: 100 + i / 4,
    quantity: i,
  }));
  using file = fileOf([...ticks.map(tickPacket), tickPacket({ payloadBytes: 20 })]);
  const { code, stdout } = await startExample("print_ticks", `pcap:${file.path}`).finished;
  assertEquals(code, 0);
  const types = ["underlying", "option", "future"], sides = ["bid", "ask"];
  const lines = ticks.map(({ instrument, type, side, price, quantity }) =>
    `instrument ${instrument}  ${types[type]}  ${sides[side]}  ${price.toFixed(2)}  x ${quantity}`
  );
  const last = "2000 ticks of 2001 packets; 1 rejected, 0 malformed, 0 dropped";
  assertEquals(stdout.trimEnd().split("\n"), [...lines, last]);
});

Deno.test("print_ticks shows on Ctrl-C all that was sent", async () => {
  const name = network(),
    packets = Array.from({ length: 300 }, (_, i) => tickPacket({ instrument: i }));
  using io = BypassIO.open(`${name}}1`);
  const printing = startExample("print_ticks", `${name}{1`, "tick.instrument < 200");
  await sendAll(io, packets);
  await printing.shown("instrument 199 ");
  const { code, stdout, stderr } = await interrupt(printing);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.match(/^instrument /gm)?.length, 200);
  assertEquals(lastLine(stdout), "200 ticks of 300 packets; 100 rejected, 0 malformed, 0 dropped");
});

Deno.test("print_ticks ends well when nobody reads its output any longer", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=example", "examples/print_ticks.ts"],
    cwd: root,
    stdout: "piped",
    stderr: "piped",
  });
  const process = command.spawn(), timer = setTimeout(() => process.kill("SIGKILL"), LIMIT_MS);
  const reader = process.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const [{ code }, stderr] = await Promise.all([
    process.status,
    new Response(process.stderr).text(),
  ]);
  clearTimeout(timer);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(leftBy(process.pid), []);
});

Deno.test("own_strategy trades on a file, and its profit is that of its orders", async () => {
  const market = new Market({ seed: 3 }), ticks = market.ticks;
  const prices = new Float32Array(ticks.buffer), quotes = new Map<number, number[]>();
  const packets: Uint8Array[] = [];
  for (let burst = 0; burst < 20; burst++) {
    for (let i = 0, count = market.fill(1000); i < count; i++) {
      const instrument = ticks[4 * i], type = ticks[4 * i + 1] & 0xff, side = ticks[4 * i + 1] >> 8;
      const price = prices[4 * i + 2], quantity = prices[4 * i + 3];
      packets.push(tickPacket({ instrument, type, side, price, quantity }));
      if (!quotes.has(instrument)) quotes.set(instrument, [NaN, NaN]);
      quotes.get(instrument)![side] = price;
    }
  }
  using file = fileOf(packets);
  const { code, stdout, stderr } = await startExample("own_strategy", `pcap:${file.path}`).finished;
  assertEquals([code, stderr], [0, ""]);
  const positions = new Map<number, number>();
  let cash = 0, fills = 0;
  for (
    const [, done, quantity, instrument, price, position] of stdout.matchAll(
      /^(bought|sold) (\d+) of instrument (\d+) at ([\d.]+): position (-?\d+)$/gm,
    )
  ) {
    const signed = done === "bought" ? Number(quantity) : -Number(quantity);
    cash -= signed * Number(price);
    const held = (positions.get(Number(instrument)) ?? 0) + signed;
    assertEquals(held, Number(position));
    positions.set(Number(instrument), held);
    fills++;
  }
  const worth = [...positions].reduce((sum, [instrument, held]) => {
    const [bid, ask] = quotes.get(instrument)!;
    return sum + held * (bid + ask) / 2;
  }, 0);
  assertGreater(fills, 20);
  const [, all, filled, profit] = /^(\d+) ticks, \d+ orders, (\d+) filled: profit (-?[\d.]+)$/
    .exec(lastLine(stdout))!;
  assertEquals([Number(all), Number(filled)], [20_000, fills]);
  assertAlmostEquals(Number(profit), cash + worth, 0.01 * fills * 32); // prices are shown to a cent
});

Deno.test("bridge_ports forwards both ways what the expression holds for, in order, byte for byte", async () => {
  const name = network(), there = mixed(700), back = mixed(400).reverse();
  using left = BypassIO.open(`${name}}1`);
  using right = BypassIO.open(`${name}}2`);
  const bridging = startExample("bridge_ports", `${name}{1`, `${name}{2`, "udp dst port 5001");
  const arrived: Record<"left" | "right", Uint8Array[]> = { left: [], right: [] };
  const wanted = { left: toPort(back, 5001), right: toPort(there, 5001) };
  const sent = Promise.all([sendAll(left, there), sendAll(right, back)]);
  await until(() => {
    left.flush();
    right.flush();
    arrived.left.push(...takeAll(left));
    arrived.right.push(...takeAll(right));
    return arrived.left.length >= wanted.left.length && arrived.right.length >= wanted.right.length;
  });
  await sent;
  await bridging.shown("700 received");
  await bridging.shown("400 received");
  const { code, stdout, stderr } = await interrupt(bridging);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(arrived, wanted);
  assertEquals(
    lastLine(stdout),
    "left to right  700 received = 350 forwarded + 350 filtered + 0 dropped; " +
      "right to left  400 received = 200 forwarded + 200 filtered + 0 dropped",
  );
});

Deno.test("record_and_replay replays what it recorded: every byte, and roughly every gap", async () => {
  const name = network(), packets = mixed(300), file = `${root}recording_${Deno.pid}.pcapng`;
  using from = BypassIO.open(`${name}}1`);
  using to = BypassIO.open(`${name}}2`);
  try {
    const args = [`${name}{1`, `${name}{2`, file, "3"];
    const running = startExample("record_and_replay", ...args);
    await until(() => exists(file));
    for (let group = 0; group < 3; group++) {
      await sendAll(from, packets.slice(100 * group, 100 * group + 100));
      await delay(400);
    }
    const arrived: Uint8Array[] = [], times: number[] = [];
    await until(() => {
      for (const packet of takeAll(to)) times.push(performance.now()) && arrived.push(packet);
      return arrived.length >= packets.length;
    });
    const { code, stdout, stderr } = await running.finished, recorded = readPackets(file);
    assertEquals([code, stderr], [0, ""]);
    const all = `300 packets, ${bytesOf(packets)} bytes`;
    assertMatch(stdout, new RegExp(`^recorded ${all} of .*; 0 missed\nreplayed ${all} on `));
    assertEquals(recorded.map(({ bytes }) => bytes), packets);
    assertEquals(arrived, packets);
    for (const i of [100, 200]) {
      const gap = recorded[i].atNs / 1e6, replayed = times[i] - times[0];
      assertGreater(gap, 300);
      assertLess(Math.abs(replayed - gap), 200, `packet ${i}: ${replayed} ms, recorded ${gap}`);
    }
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("record_and_replay leaves a complete file on Ctrl-C, and does not replay", async () => {
  const name = network(), packets = mixed(50), file = `${root}recording_${Deno.pid}.pcapng`;
  using from = BypassIO.open(`${name}}1`);
  try {
    const args = [`${name}{1`, `${name}{2`, file, "50"];
    const running = startExample("record_and_replay", ...args);
    await sendAll(from, packets);
    await until(() => exists(file) && Deno.statSync(file).size > bytesOf(packets));
    const { code, stdout, stderr } = await interrupt(running);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^recorded 50 packets, [^\n]*; 0 missed\n$/);
    assertEquals(readPackets(file).map(({ bytes }) => bytes), packets);
  } finally {
    Deno.removeSync(file);
  }
});

/** What shows that it works, without arguments. */
const SIGNS: Record<string, string> = {
  count_packets: "2 s",
  print_ticks: "instrument ",
  own_strategy: "bought ",
  bridge_ports: "right to left",
};

for (const [name, sign] of Object.entries(SIGNS)) {
  Deno.test(`${name} works without arguments, until Ctrl-C, and leaves nothing behind`, async () => {
    const running = startExample(name);
    await running.shown(sign);
    const { code, stdout, stderr } = await interrupt(running);
    assertEquals([code, stderr], [0, ""]);
    assertNotEquals(Number(/\d+(?= (packets|ticks|received))/.exec(lastLine(stdout))?.[0] ?? 0), 0);
    assertEquals(leftBy(running.process.pid), []);
  });
}

const WRONG: [name: string, args: string[], code: number, message: RegExp][] = [
  ...["count_packets", "print_ticks", "own_strategy", "record_and_replay"].map((
    name,
  ): [string, string[], number, RegExp] => [
    name,
    ["nonsense"],
    2,
    /^Cannot parse port name "nonsense": [^\n]*\n$/,
  ]),
  ["count_packets", ["--help"], 2, /^Cannot use "--help": .* give \[PORT \[EXPRESSION\]\]\n$/],
  ["own_strategy", ["soft:x:1", "more"], 2, /^Cannot use "more": .* give \[PORT\]\n$/],
  ["bridge_ports", ["soft:x:1"], 2, /^Cannot bridge "soft:x:1": [^\n]*\n$/],
  ["bridge_ports", ["soft:x:1", "nonsense"], 2, /^Cannot parse port name "nonsense": [^\n]*\n$/],
  ["count_packets", ["pcap:none"], 1, /^Cannot open "pcap:none": no such file[^\n]*\n$/],
  ["print_ticks", ["pcap:none"], 1, /^Cannot open "pcap:none": no such file[^\n]*\n$/],
  ["record_and_replay", ["soft:x:1", "soft:x:2", "x", "y"], 2, /^Cannot record for "y" [^\n]*\n$/],
  // An expression's message shows the place on two more lines.
  [
    "count_packets",
    ["soft:x:1", "udp prot"],
    2,
    /^Cannot compile the filter: [^\n]*\n {2}udp prot\n/,
  ],
  [
    "print_ticks",
    ["soft:x:1", "udp prot"],
    2,
    /^Cannot compile the filter: [^\n]*\n {2}udp prot\n/,
  ],
];

for (const [name, args, code, message] of WRONG) {
  Deno.test(`${name} ${args.join(" ")} is refused in one line with code ${code}`, async () => {
    const finished = await startExample(name, ...args).finished;
    assertEquals([finished.code, finished.stdout], [code, ""]);
    assertMatch(finished.stderr, message);
  });
}
