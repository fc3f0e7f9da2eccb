/**
 * `--metrics` as Prometheus meets it: what it says is well formed, current, adds up, and equals `--json`.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { SERVICE_BOUNDS_NS } from "../capture/monitor/statistics.ts";
import { VERSION } from "../ffi/version.ts";
import { type AnyStatistics, finalOf, run, type Running, start } from "./command.ts";
import { noPromtool, promtool, Scrape } from "./exposition.ts";
import { noTestbed, Testbed } from "./testbed.ts";

const REJECTED = "uspf_rejected_packets_total", MALFORMED = "uspf_malformed_packets_total";
/** Any free port of this machine: which, the command says. */
const ANY = "127.0.0.1:0";
const NO_IPV6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return undefined;
  } catch {
    return "no IPv6 here";
  }
})();

async function scrape(address: string): Promise<Scrape> {
  const response = await fetch(`http://${address}/metrics`);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return new Scrape(await response.text());
}

/** Within a ring: every packet has its verdict, every tick its place; a histogram's buckets rise to its count. */
function assertAddsUp(s: Scrape, decoded = true): void {
  const rings = s.all("uspf_received_packets_total");
  assertGreater(rings.length, 0);
  for (const { labels: { port, ring }, value } of rings) {
    const own = { port, ring }, sum = (name: string) => s.sum(name, own);
    const accepted = sum("uspf_accepted_packets_total");
    assertEquals(value, accepted + sum(REJECTED) + sum(MALFORMED));
    if (decoded) {
      assertEquals(accepted, sum("uspf_delivered_ticks_total") + sum("uspf_dropped_ticks_total"));
    }
    const buckets = s.all("uspf_service_seconds_bucket", own);
    assertEquals(buckets.length, SERVICE_BOUNDS_NS.length + 1);
    buckets.reduce((before, bucket) => {
      assert(Number(bucket.labels.le.replace("+Inf", "Infinity")) > before.bound);
      assert(bucket.value >= before.value, s.text);
      return { bound: Number(bucket.labels.le.replace("+Inf", "Infinity")), value: bucket.value };
    }, { bound: 0, value: 0 });
    assertEquals(buckets.at(-1)!.labels.le, "+Inf");
    assertEquals(buckets.at(-1)!.value, s.value("uspf_service_seconds_count", own));
  }
}

/** Counters, and a histogram's parts, grow. */
function assertNeverBack(before: Scrape, after: Scrape): void {
  const grows = (name: string) => /_(total|bucket|sum|count)$/.test(name);
  const key = (name: string, labels: object) => name + JSON.stringify(labels);
  const later = new Map(after.lines.map(({ name, labels, value }) => [key(name, labels), value]));
  for (const { name, labels, value } of before.lines) {
    if (grows(name)) {
      assert(later.get(key(name, labels))! >= value, `${key(name, labels)} ${value}`);
    }
  }
}

async function stop(capture: Running): Promise<AnyStatistics> {
  capture.process.kill("SIGTERM");
  return finalOf(await capture.finished);
}

Deno.test({
  name: `capture --metrics pleases promtool${noPromtool === undefined ? "" : ` (${noPromtool})`}`,
  ignore: noPromtool !== undefined,
  fn: async () => {
    const file = Deno.makeTempFileSync({ suffix: ".pcapng" });
    const args = ["-r", "30", "--metrics", ANY, "--json", "--write", file];
    const capture = start("capture", [...args, "-f", "udp and tick.price > 1"]);
    try {
      await capture.counted(({ elapsedNs }) => elapsedNs > 1.5e9);
      const text = await (await fetch(`http://${await capture.served()}/metrics`)).text();
      assertEquals(await promtool(text), "");
      assertMatch(text, /uspf_written_packets_total \d/);
      assertMatch(text, /uspf_filter_info\{expression="udp and tick.price > 1",where="user space"/);
      assertEquals(new Scrape(text).all("uspf_build_info")[0].labels.version, VERSION);
    } finally {
      capture.process.kill("SIGTERM");
      await capture.finished;
      Deno.removeSync(file);
    }
  },
});

Deno.test("capture --metrics says what --json says at the end, once the traffic has stopped", async () => {
  const port = "soft:t_metrics{1";
  const file = Deno.makeTempFileSync({ suffix: ".pcapng" });
  const args = ["-i", port, "--json", "-r", "40", "--metrics", ANY, "--write", file];
  const capture = start("capture", [...args, "-f", "tick.price > 100"], {}, 60_000);
  await capture.shown("{");
  const count = 200_000;
  await run("send", ["-i", "soft:t_metrics}1", "-c", `${count}`, "-r", "400000", "--json"]);
  await capture.counted(({ received }) => received === count);
  await new Promise((resolve) => setTimeout(resolve, 2200)); // the statistics of a second without traffic
  const s = await scrape(await capture.served()), final = await stop(capture);
  Deno.removeSync(file);
  assertEquals(final.received, count);
  assertGreater(final.rejectedBy.expression, 0);
  const own = { port, ring: "0" };
  const expected: Record<string, number | null> = {
    uspf_received_packets_total: final.received,
    uspf_received_bytes_total: final.bytes,
    uspf_accepted_packets_total: final.accepted,
    uspf_delivered_ticks_total: final.delivered,
    uspf_dropped_ticks_total: final.dropped,
    uspf_lost_packets_total: final.lost,
    uspf_starved_total: final.starved,
    uspf_early_rejected_packets_total: final.rejectedEarly,
    uspf_burst_packets_max: final.burst.max,
    uspf_ready_packets_max: final.ring.occupancyMax,
    uspf_tick_ring_ticks: 0,
    uspf_tick_ring_capacity_ticks: final.tickRing.capacity,
    uspf_service_seconds_count: final.received,
  };
  for (const [name, value] of Object.entries(expected)) {
    assertEquals(s.value(name, own), value ?? undefined, name);
  }
  const { engine } = final;
  const global: Record<string, number> = {
    uspf_consumed_ticks_total: final.consumed,
    uspf_untracked_ticks_total: engine.untracked,
    uspf_instruments: engine.instruments,
    uspf_orders_total: engine.orders,
    uspf_filled_orders_total: engine.filled,
    uspf_unread_orders_total: engine.ordersUnread,
    uspf_cash: engine.cash,
    uspf_position_value: engine.positionValue,
    uspf_profit: engine.profit,
    uspf_written_packets_total: final.write.packets,
    uspf_written_bytes_total: final.write.bytes,
    uspf_missed_packets_total: final.write.missed,
    uspf_missed_bytes_total: final.write.missedBytes,
    uspf_written_files_total: final.write.files,
    uspf_writer_failed: 0,
    uspf_healthy: 1,
  };
  for (const [name, value] of Object.entries(global)) assertEquals(s.value(name), value, name);
  for (
    const [name, by] of [
      [REJECTED, final.rejectedBy],
      [MALFORMED, final.malformedBy],
      ["uspf_rejected_orders_total", engine.rejectedBy],
    ]
  ) {
    const lines = s.all(name).map(({ labels: { cause }, value }) => [cause, value]);
    assertEquals(Object.fromEntries(lines), by, name);
  }
  const buckets = s.all("uspf_service_seconds_bucket", own).map(({ value }) => value);
  assertEquals(buckets.slice(0, -1), final.serviceNs.atMost);
  const mean = s.value("uspf_service_seconds_sum")! / count * 1e9;
  assertLess(Math.abs(mean - final.serviceNs.mean), final.serviceNs.mean * 1e-9);
  assertAddsUp(s);
});

Deno.test("capture --metrics --no-decode has nothing of an engine", async () => {
  const args = ["-r", "20", "--json", "--no-decode", "--metrics", ANY];
  const capture = start("capture", args);
  const address = await capture.served();
  await capture.counted(({ received }) => received > 0);
  let s = await scrape(address);
  // The statistics of the first second are on their way to the web thread.
  while (s.all("uspf_filter_info").length === 0) s = await scrape(address);
  assertAddsUp(s, false);
  assertEquals(s.lines.filter(({ name }) => /consumed|orders|profit|cash|written/.test(name)), []);
  assertEquals(s.all("uspf_filter_info")[0].labels.decoded, "false");
  await stop(capture);
});

Deno.test("capture --metrics adds up and never goes back while many scrape it and packets flow", async () => {
  const args = ["-i", "soft:t_scrape{1", "--json", "-r", "40", "--metrics", ANY];
  const capture = start("capture", args, {}, 60_000), address = await capture.served();
  await capture.shown("{");
  const sending = run("send", [
    "-i",
    "soft:t_scrape}1",
    "-r",
    "1000000",
    "--seconds",
    "4",
    "--json",
  ]);
  let sent = false;
  sending.finally(() => sent = true);
  const scraper = async () => {
    const seen: Scrape[] = [];
    while (!sent) {
      seen.push(await scrape(address));
      assertAddsUp(seen.at(-1)!);
      if (seen.length > 1) assertNeverBack(seen.at(-2)!, seen.at(-1)!);
    }
    return seen.length;
  };
  const scrapes = await Promise.all(Array.from({ length: 6 }, scraper));
  for (const one of scrapes) assertGreater(one, 10);
  const total = finalOf(await sending).sent, final = await stop(capture);
  assertGreater(total, 500_000);
  assertEquals(final.received + final.lost, total);
});

for (const kind of ["packet", "xdp"]) {
  Deno.test({
    name: `capture --metrics of ${kind}: with several rings labels each` +
      (noTestbed === undefined ? "" : ` (${noTestbed})`),
    ignore: noTestbed !== undefined,
    fn: async () => {
      using testbed = Testbed.create({ queues: 2 });
      const rings = kind === "packet" ? "3" : "2", address = "127.0.0.1:9464";
      const args = [
        "-i",
        `${kind}:r0`,
        "--rings",
        rings,
        "-r",
        "40",
        "--json",
        "--metrics",
        address,
      ];
      const inside = (command: string[]) => testbed.inside("right", command);
      const capture = start("capture", args, {}, 60_000, inside);
      await capture.shown("{");
      const send = ["run", "-q", "-P=send", "sender/main.ts", "-i", "packet:l0", "-c", "3000"];
      await testbed.must("left", Deno.execPath(), ...send, "-r", "20000");
      await capture.counted(({ received, lost }) => received + lost >= 3000);
      const program = `console.log(await (await fetch("http://${address}/metrics")).text())`;
      const text = await testbed.must("right", Deno.execPath(), "eval", program);
      const s = new Scrape(text.slice(0, -1)), final = await stop(capture);
      assertAddsUp(s);
      const received = s.all("uspf_received_packets_total");
      assertEquals(
        received.map(({ labels: { port, ring }, value }) => [ring, port, value]),
        final.queues.map((
          { port, received }: AnyStatistics,
          i: number,
        ) => [`${i}`, port, received]),
      );
      assertEquals(received.length, Number(rings));
    },
  });
}

for (
  const [given, expected] of [
    ["127.0.0.1:0", /^metrics at http:\/\/127\.0\.0\.1:[1-9]\d*\/metrics, health at \/health$/m],
    ["localhost:0", /^metrics at http:\/\/(127\.0\.0\.1|\[::1\]):[1-9]\d*\/metrics/m],
    ["0.0.0.0:0", /^metrics at http:\/\/0\.0\.0\.0:[1-9]\d*\/metrics/m],
    ["[::1]:0", /^metrics at http:\/\/\[::1\]:[1-9]\d*\/metrics/m],
  ] as const
) {
  const absent = given.startsWith("[") ? NO_IPV6 : undefined;
  Deno.test({
    name: `capture --metrics ${given} says which port it got${absent ? ` (${absent})` : ""}`,
    ignore: absent !== undefined,
    fn: async () => {
      const { code, stdout, stderr } = await run("capture", ["-r", "1", "--metrics", given]);
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, expected);
    },
  });
}

Deno.test("capture --metrics and --dashboard with the same address share a server", async () => {
  const capture = start("capture", ["-r", "20", "--metrics", ANY, "--dashboard", ANY]);
  const at = await capture.served();
  await capture.shown(`dashboard at http://${at}/`);
  assertEquals(await (await fetch(`http://${at}/health`)).text(), "ok\n");
  await scrape(at);
  capture.process.kill("SIGTERM");
  assertEquals((await capture.finished).code, 0);
});

Deno.test("capture --metrics answers HEAD without a body, and says what it does not know", async () => {
  const capture = start("capture", ["-r", "20", "--metrics", ANY]), at = await capture.served();
  const ask = async (path: string, method: string) => {
    const response = await fetch(`http://${at}${path}`, { method });
    return [response.status, await response.text()];
  };
  assertEquals(await ask("/metrics", "HEAD"), [200, ""]);
  assertEquals(await ask("/metrics?a=b", "HEAD"), [200, ""]);
  assertEquals(await ask("/metrics", "POST"), [405, "Only GET and HEAD\n"]);
  assertEquals(await ask("/constructor", "GET"), [
    404,
    "Nothing here. There is: /metrics /health\n",
  ]);
  assertMatch(await raw(at, "GET http:// HTTP/1.1\r\nHost: \r\n\r\n"), /^HTTP\/1\.1 4\d\d /);
  assertMatch(await raw(at, "GET /x HTTP/1.1\r\nHost: a b:c\r\n\r\n"), /^HTTP\/1\.1 4\d\d /);
  capture.process.kill("SIGTERM");
  const { code, stderr } = await capture.finished;
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("capture --metrics keeps its memory, and others' answers, where clients never read", async () => {
  const capture = start("capture", ["-r", "25", "--metrics", ANY]), at = await capture.served();
  await scrape(at);
  const before = residentBytes(capture.process.pid);
  const requests = new TextEncoder().encode(
    `GET /metrics HTTP/1.1\r\nHost: ${at}\r\n\r\n`.repeat(500),
  );
  const clients = await Promise.all(Array.from({ length: 40 }, async () => {
    const client = await Deno.connect({ hostname: "127.0.0.1", port: Number(at.split(":")[1]) });
    client.write(requests).catch(() => {}); // it may never be taken
    return client;
  }));
  await new Promise((resolve) => setTimeout(resolve, 4000));
  await scrape(at);
  // 40 × 500 answers of 10 kB would be 200 MB.
  assertLess(residentBytes(capture.process.pid) - before, 60e6);
  for (const client of clients) client.close();
  capture.process.kill("SIGTERM");
  const { code, stderr } = await capture.finished;
  assertEquals([code, stderr], [0, ""]);
});

for (
  const [args, message] of [
    [["--metrics", "127.0.0.1"], /^Cannot listen on "127.0.0.1": not an address and a port: .*\n$/],
    [["--metrics", "127.0.0.1:99999"], /^Cannot listen on "127.0.0.1:99999": .*\n$/],
    [["--metrics", "999.0.0.1:80"], /^Cannot listen on "999.0.0.1:80": .*\n$/],
    [["--metrics", "a..b:80"], /^Cannot listen on "a..b:80": .*\n$/],
    [["--metrics", "[fe80::1%lo]:80"], /^Cannot listen on "\[fe80::1%lo\]:80": .*\n$/],
    [["--metrics", ":9464"], /^Cannot listen on ":9464": .*\n$/],
  ] as const
) {
  Deno.test(`capture ${args.join(" ")} is refused as a usage error`, async () => {
    const { code, stdout, stderr } = await run("capture", [...args]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, message);
  });
}

Deno.test("capture --metrics on an address in use, or not permitted, says so in one line and exits 1", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const inUse = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
  const file = Deno.makeTempFileSync({ suffix: ".pcapng" });
  for (
    const [address, state] of [
      [inUse, "the address is in use: choose another port"],
      ["192.0.2.1:9464", "not permitted: add --allow-net=192.0.2.1:9464 to deno's own options"],
      ["[:::]:80", "give an address of this machine"],
    ]
  ) {
    const { code, stdout, stderr } = await run("capture", ["--metrics", address, "--write", file]);
    assertEquals([code, stdout, stderr.split("\n").length], [1, "", 2], stderr);
    assert(stderr.startsWith("Cannot ") && stderr.includes(state), stderr);
  }
  Deno.removeSync(file);
});

async function raw(at: string, request: string): Promise<string> {
  const [hostname, port] = at.split(":");
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(request));
  const answer = new Uint8Array(1000), read = await connection.read(answer);
  return new TextDecoder().decode(answer.subarray(0, read ?? 0));
}

function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}
