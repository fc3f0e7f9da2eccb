/**
 * What a user sees of the filter language: `-f`, `--no-decode`, `--push` and `--print-code`, in real
 * processes, on files and on the interfaces of a test network.
 */
import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertMatch } from "@std/assert";
import { pushFilter } from "../capture/push_filter.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { type AnyStatistics, finalOf, objects, run, start } from "./command.ts";
import { freeUdpPort } from "./free_port.ts";
import { type FilterPacket, filterPackets } from "./filter_packets.ts";
import {
  addressed,
  macOf,
  replay,
  startCapture,
  stopCapture,
  TemporaryFile,
  testNetwork,
  truePacket,
} from "./foreign.ts";
import { parsePcapng } from "./pcapng_parser.ts";
import { noTcpdump, pcapOf, Tcpdump } from "./tcpdump_oracle.ts";
import { ADDRESS, INTERFACE, type Testbed } from "./testbed.ts";

/** Files of a test, removed with the block. */
class Directory {
  readonly path = Deno.makeTempDirSync({ prefix: "uspf-command-" });

  /** A capture file of these packets; returns its path. */
  put(packets: FilterPacket[]): string {
    const path = `${this.path}/in.pcap`;
    Deno.writeFileSync(path, pcapOf(packets));
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const SPUN_TICKS = 80; // hundredths of a second
const packets = filterPackets(7);

function assertAddsUp(s: AnyStatistics): void {
  const sum = (by: Record<string, number>) => Object.values(by).reduce((a, b) => a + b, 0);
  assertEquals(s.received, s.accepted + s.rejected + s.malformed);
  assertEquals([s.rejected, s.malformed], [sum(s.rejectedBy), sum(s.malformedBy)]);
  assertEquals(s.filter.rejectedEarly, s.rejectedEarly);
  if (s.filter.decoded) {
    assertEquals(s.accepted, s.delivered + s.dropped);
    assertEquals(s.delivered, s.consumed);
  } else {
    assertEquals([s.delivered, s.dropped, s.consumed, s.engine.consumed, s.engine.orders], [
      0,
      0,
      0,
      0,
      0,
    ]);
  }
}

// Of a file.

for (
  const expression of [
    "tcp port 443 or udp",
    "ip6 and not tcp",
    "vlan and ip",
    "-1 + 70 = ip[0]",
    "arp or\n\t(icmp and less 100)",
    "tcp[tcpflags] & (tcp-syn | tcp-fin) != 0",
    "len > 200",
  ]
) {
  Deno.test({
    name: `capture --no-decode -f ${
      JSON.stringify(expression)
    } writes of a file what tcpdump accepts`,
    ignore: noTcpdump !== undefined,
    fn: async () => {
      using directory = new Directory();
      const out = `${directory.path}/out.pcapng`, input = directory.put(packets);
      using tcpdump = new Tcpdump(packets);
      const { of: verdicts, error } = await tcpdump.verdicts(expression);
      assertEquals(error, undefined);
      const args = ["-i", `pcap:${input}`, "--no-decode", "-f", expression, "--write", out];
      const finished = await run("capture", [...args, "--json"]);
      assertEquals([finished.code, finished.stderr], [0, ""]);
      const s = finalOf(finished), wanted = packets.filter((_, i) => verdicts[i] === 1);
      assertAddsUp(s);
      assert(wanted.length > 10 && wanted.length < packets.length - 10);
      assertEquals([s.received, s.accepted, s.rejectedBy.expression, s.write.packets], [
        packets.length,
        wanted.length,
        packets.length - wanted.length,
        wanted.length,
      ]);
      const written = parsePcapng(Deno.readFileSync(out)).packets;
      assertEquals(
        written.map(({ bytes, original }) => [bytes.toString(), original]),
        wanted.map(({ bytes, wireLength }) => [bytes.toString(), wireLength]),
      );
      assertEquals(s.filter, {
        expression,
        decoded: false,
        where: "user space",
        how: "files have no kernel in front",
        rejectedEarly: 0,
      });
    },
  });
}

Deno.test("capture --no-decode without -f accepts every packet of a file, and its summary speaks of no ticks", async () => {
  using directory = new Directory();
  const input = directory.put(packets);
  const { code, stdout, stderr } = await run("capture", ["-i", `pcap:${input}`, "--no-decode"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, new RegExp(`accepted +${packets.length}\n +rejected +0\n`));
  assert(!/tick|engine|profit|orders|delivered|dropped|malformed|filter/.test(stdout), stdout);
});

for (const args of [["-f", ""], ["--filter="], ["-f", " \t"]]) {
  Deno.test(`capture --no-decode ${JSON.stringify(args)} accepts every packet, and says so`, async () => {
    using directory = new Directory();
    const input = directory.put(packets);
    const { code, stdout, stderr } = await run("capture", [
      ...["-i", `pcap:${input}`, "--no-decode", ...args],
    ]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^filter "" \(every packet\) runs in user space: files /m);
    assertMatch(stdout, /^filter +"" \(every packet\) ran in user space .* rejected 0$/m);
    assertMatch(stdout, new RegExp(`accepted +${packets.length}\n`));
  });
}

Deno.test("pushFilter tells that an xdp port takes all, also of an expression that accepts all", () => {
  const request = (expression: string) => ({
    port: "xdp:eth0",
    filter: PacketFilter.compile(expression, { decode: false }),
    all: false,
  });
  for (const expression of ["", " ", "1 = 1"]) {
    assertEquals(pushFilter(request(expression)).takesAll, true, expression);
  }
  assertEquals(pushFilter(request("udp")).takesAll, false);
});

Deno.test("capture -f says at the start and at the end where the filter ran, in one line each", async () => {
  using directory = new Directory();
  const input = directory.put(packets), expression = "udp and\n  port 53";
  const accepted =
    packets.filter(({ bytes, wireLength }) =>
      PacketFilter.compile(expression).matches(bytes, 0, bytes.length, wireLength)
    ).length;
  const args = ["-i", `pcap:${input}`, "-f", expression];
  const { stdout } = await run("capture", [...args, "--no-decode"]);
  assertMatch(
    stdout,
    /^filter "udp and port 53" runs in user space: files have no kernel in front$/m,
  );
  const rejected = packets.length - accepted;
  assertMatch(
    stdout,
    new RegExp(
      `^filter +"udp and port 53" ran in user space \\(files .*\\), and rejected ${rejected}$`,
      "m",
    ),
  );
});

Deno.test("capture -f counts ticks that the expression rejects, and others by their own causes", async () => {
  using directory = new Directory();
  const tick = (instrument: number) => truePacket("02:00:00:00:00:02", { instrument });
  const many = [1, 2, 3, 2, 2, 7].map(tick);
  many.push(truePacket("02:00:00:00:00:02", { instrument: 2, port: 5002 }));
  const input = directory.put(many.map((bytes) => ({ bytes, wireLength: bytes.length })));
  const args = ["-i", `pcap:${input}`, "-f", "instrument in {2, 7}", "-p", "5001", "--json"];
  const s = finalOf(await run("capture", args));
  assertAddsUp(s);
  assertEquals([s.received, s.accepted, s.rejectedBy.expression, s.rejectedBy.port, s.consumed], [
    7,
    4,
    2,
    1,
    4,
  ]);
});

// On ports that need nothing.

Deno.test("capture --no-decode -f on a soft port counts what another process sent", async () => {
  const args = ["-i", "soft:t_filter{1", "--json", "-r", "20", "--no-decode"];
  const capture = start("capture", [...args, "-f", "udp dst port 5001 and len = 60"]);
  await capture.shown("{");
  for (const [port, count] of [["5001", "3000"], ["5002", "2000"]]) {
    const send = ["-i", "soft:t_filter}1", "-c", count, "-r", "40000", "-p", port, "--json"];
    assertEquals(finalOf(await run("send", send)).sent, Number(count));
  }
  await capture.counted(({ received }) => received >= 5000);
  capture.process.kill("SIGINT");
  const s = finalOf(await capture.finished);
  assertAddsUp(s);
  assertEquals([s.received, s.accepted, s.lost, s.rejectedEarly], [5000, 3000, 0, 0]);
});

Deno.test("capture -f on a socket loses nothing between kernel and user space", async () => {
  const port = `udp:127.0.0.1:${await freeUdpPort()}`;
  const capture = start("capture", ["-i", port, "--json", "-r", "20", "-f", "tick.side == bid"]);
  await capture.shown("{");
  const send = ["-i", port, "-c", "5000", "-r", "20000", "--json"];
  assertEquals(finalOf(await run("send", send)).sent, 5000);
  await capture.counted((s) => s.received + s.rejectedEarly + s.lost >= 5000);
  capture.process.kill("SIGINT");
  const s = finalOf(await capture.finished);
  assertAddsUp(s);
  assertEquals([s.filter.where, s.rejected], ["kernel", 0]);
  assertEquals(s.received + s.rejectedEarly + s.lost, 5000);
  assert(s.accepted > 1000 && s.rejectedEarly > 1000);
});

Deno.test("capture --no-decode ends when its time is over, and by a signal with its summary", async () => {
  const port = `udp:127.0.0.1:${await freeUdpPort()}`;
  const timed = await run("capture", ["-i", port, "--no-decode", "-r", "1"]);
  assertEquals(timed.code, 0);
  assertMatch(timed.stdout, /for 1 s;[^]*received +0 packets/);
  const started = performance.now();
  const told = start("capture", ["-i", port, "--no-decode"]);
  await told.shown("capturing");
  const before = performance.now(), startMs = before - started;
  told.process.kill("SIGINT");
  const { code, stdout } = await told.finished;
  assertEquals(code, 0);
  assertMatch(stdout, /received +0 packets/);
  // 200 ms on an idle machine; how busy this one is, its start has shown.
  assertLess(performance.now() - before, 2000 + 3 * startMs);
});

Deno.test("capture --no-decode --wait spin keeps one thread busy, not the one of an engine", async () => {
  const port = `udp:127.0.0.1:${await freeUdpPort()}`;
  const args = ["-i", port, "--no-decode", "--wait", "spin", "--json"];
  const capture = start("capture", args);
  await capture.shown("{");
  const { pid } = capture.process, before = threadTicks(pid);
  let main = 0, busiest = 0;
  for (let looks = 0; busiest < SPUN_TICKS && looks < 100; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const used = [...threadTicks(pid)].map(([id, ticks]) => [id, ticks - (before.get(id) ?? 0)]);
    main = used.find(([id]) => id === pid)![1];
    busiest = Math.max(...used.filter(([id]) => id !== pid).map(([, ticks]) => ticks));
  }
  capture.process.kill("SIGINT");
  await capture.finished;
  assertGreaterOrEqual(busiest, SPUN_TICKS, "no thread spins");
  assertLess(main, busiest / 3, "an engine that spins uses as much as the capture thread");
});

/** CPU time of each thread of a process by its id, in hundredths of a second (proc(5)); the first one's is the process's. */
function threadTicks(pid: number): Map<number, number> {
  const ticks = new Map<number, number>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`);
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    ticks.set(Number(name), Number(fields[11]) + Number(fields[12]));
  }
  return ticks;
}

// What is refused.

const BAD: [string[], RegExp][] = [
  [
    ["-f", "udp prot 5001"],
    /^Cannot compile the filter: column 5: "prot" .*\n {2}udp prot 5001\n {6}\^\^\^\^\n$/,
  ],
  [["-f", "tcp and"], /^Cannot compile the filter: column 8: .*\n {2}tcp and\n {9}\^\n$/],
  [["--filter", "(udp"], /^Cannot compile the filter: column 5: /],
  [["--filter=ip[0:3] = 1"], /^Cannot compile the filter: column /],
  [["-f", "1 = 99999999999"], /^Cannot compile the filter: column 5: /],
  [["-f", "(".repeat(10_000)], /^Cannot compile the filter: column \d+: /],
  [["-f", "udp", "port", "5001"], /in quotes, as in -f 'udp port 5001'\n$/],
  [["-f"], /^Cannot use -f: it needs a value: /],
  [["-f", "udp", "--filter", "tcp"], /^Cannot use -f twice: /],
  [["-f", "", "-f", "tcp"], /^Cannot use -f twice: /],
  [["-d", ""], /^Cannot use -d: it needs a value: /],
  [["--filter", "--no-decode"], /^Cannot use -f: it needs a value: /],
  [["-f", "--filter=udp"], /^Cannot use -f: it needs a value: /],
  [["--push", "off"], /^Cannot use --push: there is no expression to push: /],
  [["-f", "udp", "--push", "on"], /^Cannot use --push "on": no such way: choose auto, off\n$/],
  [["--no-decode", "-p", "5001"], /^Cannot use -p: .* as in -f "udp dst port 5001"\n$/],
  [["--no-decode", "-d", "10.0.0.1"], /^Cannot use -d: .* as in -f "dst host 10.0.0.2"\n$/],
  [["--no-decode", "--ring-size", "1024"], /^Cannot use --ring-size: --no-decode looks for no /],
  [["--no-decode", "--engine-core", "0"], /^Cannot use --engine-core: --no-decode looks for no /],
];

for (const [args, message] of BAD) {
  Deno.test(`capture ${args.join(" ").slice(0, 60)} is refused with code 2`, async () => {
    // The port could not be opened: the arguments are looked at before.
    const port = ["-i", "udp:203.0.113.1:5001"];
    const { code, stdout, stderr } = await run("capture", [...port, ...args]);
    assertMatch(stderr, message);
    assertEquals([code, stdout], [2, ""]);
  });
}

// What is printed.

Deno.test("capture --print-code shows tree, loop, classic BPF and eBPF, and goes on capturing", async () => {
  using directory = new Directory();
  const input = directory.put(packets), args = ["-i", `pcap:${input}`, "--no-decode"];
  const { stdout, code } = await run("capture", [...args, "-f", "ip and len > 99", "--print-code"]);
  assertEquals(code, 0);
  const sections = stdout.split(/^--- /m), titles = sections.map((text) => text.split("\n")[0]);
  assertEquals(titles.slice(1), [
    "tree of the expression",
    "JavaScript, the packet loop (2 tests a packet at most)",
    "classic BPF, for Ethernet packets (not in use)",
    "eBPF, for an XDP program (not in use)",
  ]);
  assertEquals(sections[1].split("\n").slice(1, 4), [
    "and",
    "  load 2 at 12 == 0x800",
    "  length > 99",
  ]);
  assertMatch(sections[2], /return function expressionLoop\(/);
  assertMatch(sections[3], /\n\(000\) ldh {6}\[12\]\n\(001\) jeq {6}#0x800 .*\n/);
  assertMatch(sections[4], /\n0: r7 = /);
  assertMatch(stdout, /\nreceived +\d{3,} packets/);
});

Deno.test("capture --print-code says why there is no program for the kernel", async () => {
  using directory = new Directory();
  const input = directory.put(packets.slice(0, 10));
  const long = Array.from({ length: 2500 }, (_, i) => `ether[${i}] = 1`);
  const args = ["-i", `pcap:${input}`, "--no-decode", "-f", long.join(" or "), "--print-code"];
  const { stdout, code } = await run("capture", args);
  assertEquals(code, 0);
  assertMatch(stdout, /--- classic BPF, .*\nnone: .* 4096 instructions.*\n/);
});

// On interfaces.

const UDP_NAME = `udp:${ADDRESS.right}:5001`, DEVICE = INTERFACE.right;

/** Ways to receive; which of 300 packets to port 5001, 200 to 5002 and 100 of TCP each is shown. */
const KINDS = [
  { title: "packet", args: ["-i", `packet:${DEVICE}`], where: "kernel" },
  { title: "xdp, native", args: ["-i", `xdp:${DEVICE}`, "--xdp-mode", "native"], where: "driver" },
  {
    title: "xdp, generic",
    args: ["-i", `xdp:${DEVICE}`, "--xdp-mode", "generic"],
    where: "driver",
  },
] as const;

/** Why a network of its own cannot have its own limit (before Linux 6.9); nothing: it can. */
const noMemoryLimit = hasMemoryLimit() ? undefined : "no limit of a network's own here";

function hasMemoryLimit(): boolean {
  const [program, ...args] = [
    ...["unshare", "-n", "sh", "-c", "test -w /proc/sys/net/core/optmem_max"],
  ];
  try {
    return new Deno.Command(program, { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** 600 packets, mixed. */
function mixed(mac: string): Uint8Array[] {
  const good = truePacket(mac), other = truePacket(mac, { port: 5002, padding: 100 });
  const tcp = good.slice();
  tcp[23] = 6;
  addressed(tcp, mac);
  return Array.from({ length: 600 }, (_, i) => [good, other, good, tcp, other, good][i % 6]);
}

function fileOf(wire: Uint8Array[]): TemporaryFile {
  return TemporaryFile.of(wire.map((bytes, i) => ({ bytes, atNs: i * 1000 })));
}

for (const { title, args, where } of KINDS) {
  testNetwork(
    `capture --push counts the same on ${title} wherever the filter runs`,
    {},
    async (testbed, t) => {
      using file = fileOf(mixed(await macOf(testbed, "right")));
      const common = [...args, "-f", "udp dst port 5001", "--no-decode"];
      for (const push of ["auto", "off"] as const) {
        await t.step(push, async () => {
          const capture = await startCapture(testbed, [...common, "--push", push]);
          assertEquals(await replay(testbed, file.path, "--pps=5000"), 600);
          const finished = await stopCapture(capture), s = finalOf(finished);
          assertAddsUp(s);
          const early = push === "auto" ? 300 : 0;
          assertEquals([s.accepted, s.received, s.rejectedEarly, s.lost], [
            300,
            600 - early,
            early,
            0,
          ]);
          assertEquals(s.filter.where, push === "auto" ? where : "user space");
          const [active] = finished.stdout.match(/^--- .*, as the .* runs it$/m) ?? [];
          assertEquals(active !== undefined, push === "auto");
        });
      }
    },
  );
}

testNetwork(
  "capture --push counts the same on udp wherever the filter runs",
  {},
  async (testbed, t) => {
    const mac = await macOf(testbed, "right");
    const wire = Array.from({ length: 600 }, (_, i) => truePacket(mac, { instrument: i % 3 }));
    using file = fileOf(wire);
    for (const push of ["auto", "off"] as const) {
      await t.step(push, async () => {
        const args = ["-i", UDP_NAME, "-f", "tick.instrument == 2", "--push", push];
        const capture = await startCapture(testbed, args);
        assertEquals(await replay(testbed, file.path, "--pps=5000"), 600);
        const s = finalOf(await stopCapture(capture));
        assertAddsUp(s);
        const early = push === "auto" ? 400 : 0;
        assertEquals([s.accepted, s.consumed, s.received, s.rejectedEarly, s.lost], [
          200,
          200,
          600 - early,
          early,
          0,
        ]);
        assertEquals(s.filter.where, push === "auto" ? "kernel" : "user space");
      });
    }
  },
);

for (const [title, port] of [["packet", `packet:${DEVICE}`], ["xdp", `xdp:${DEVICE}`]]) {
  testNetwork(
    `capture --rings adds up what was turned away on ${title}`,
    { queues: 2 },
    async (testbed) => {
      using file = fileOf(mixed(await macOf(testbed, "right")));
      const args = ["-i", port, "--rings", "2", "-f", "udp dst port 5001", "--no-decode"];
      const capture = await startCapture(testbed, args);
      await replay(testbed, file.path, "--pps=5000");
      const s = finalOf(await stopCapture(capture));
      assertAddsUp(s);
      assertEquals([s.queues.length, s.accepted, s.received, s.rejectedEarly], [2, 300, 300, 300]);
    },
  );
}

testNetwork("capture --write-all pushes nothing, and says so", {}, async (testbed) => {
  using file = fileOf(mixed(await macOf(testbed, "right")));
  using directory = new Directory();
  const out = `${directory.path}/out.pcapng`;
  const args = ["-i", `packet:${DEVICE}`, "-f", "udp dst port 5001", "--no-decode"];
  const capture = await startCapture(testbed, [...args, "--write", out, "--write-all"]);
  await replay(testbed, file.path, "--pps=5000");
  const s = finalOf(await stopCapture(capture));
  assertEquals([s.received, s.accepted, s.write.packets, s.rejectedEarly], [600, 300, 600, 0]);
  assertEquals([s.filter.where, s.filter.how.startsWith("--write-all")], ["user space", true]);
});

for (
  const [accepted, args] of [[0, ["-f", "ip6"]], [300, ["-f", "udp port 5001"]], [600, []]] as const
) {
  const title = args[1] ?? "every packet";
  testNetwork(
    `capture --no-decode on xdp takes ${title} off the kernel's stack, no other`,
    {},
    async (testbed) => {
      using file = fileOf(mixed(await macOf(testbed, "right")));
      const all = ["-i", `xdp:${DEVICE}`, "--no-decode", ...args];
      const inside = (command: string[]) => testbed.inside("right", command);
      const capture = start("capture", all, {}, 30_000, inside);
      await capture.shown(accepted === 600 ? "every packet is taken off the interface" : "filter ");
      const before = await stackReceived(testbed);
      await replay(testbed, file.path, "--pps=5000");
      const { stdout } = await stopCapture(capture);
      assertEquals(await stackReceived(testbed) - before, 600 - accepted);
      assertMatch(stdout, new RegExp(`^received +${accepted} packets`, "m"));
      const left = new RegExp(
        `, which left ${600 - accepted} packets to the kernel's network stack`,
      );
      if (accepted < 600) assertMatch(stdout, left);
    },
  );
}

/** IPv4 packets that the right end's network stack got (proc_net(5)). */
async function stackReceived(testbed: Testbed): Promise<number> {
  const lines = (await testbed.must("right", "cat", "/proc/net/snmp")).split("\n");
  const [names, values] = lines.filter((line) => line.startsWith("Ip: ")).map((line) =>
    line.split(" ")
  );
  return Number(values[names.indexOf("InReceives")]);
}

testNetwork(
  "capture -f keeps to -p and -d in the driver where the expression stays in user space",
  {},
  async (testbed) => {
    using file = fileOf(mixed(await macOf(testbed, "right")));
    const args = [
      "-i",
      `xdp:${DEVICE}`,
      "-p",
      "5001",
      "-f",
      "tick.instrument != 0",
      "--push",
      "off",
    ];
    const capture = await startCapture(testbed, args);
    await replay(testbed, file.path, "--pps=5000");
    const finished = await stopCapture(capture), s = finalOf(finished);
    assertEquals([s.received, s.rejectedEarly, s.filter.where], [300, 300, "user space"]);
    assertEquals(objects(finished.stdout).length > 0, true);
    assertAddsUp(s);
  },
);

testNetwork(
  "capture -f goes on in user space where the kernel refuses its program",
  {},
  async (testbed) => {
    using file = fileOf(mixed(await macOf(testbed, "right")));
    await testbed.must("right", "sh", "-c", "echo 2000 > /proc/sys/net/core/optmem_max");
    const ports = Array.from({ length: 60 }, (_, i) => 5001 + 7 * i).join(" or ");
    const args = ["-i", `packet:${DEVICE}`, "--no-decode", "-f", `udp dst port ${ports}`];
    const capture = await startCapture(testbed, args);
    await replay(testbed, file.path, "--pps=5000");
    const s = finalOf(await stopCapture(capture));
    assertEquals([s.received, s.accepted, s.rejectedEarly], [600, 300, 0]);
    assertEquals([s.filter.where, s.filter.how], [
      "user space",
      "its program is too large for the kernel, see sysctl net.core.optmem_max",
    ]);
  },
  noMemoryLimit,
);
