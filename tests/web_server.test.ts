import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { CaptureError } from "../capture/background_capture.ts";
import { CaptureState } from "../capture/capture_state.ts";
import { type ListenAddress, parseListenAddress } from "../capture/monitor/listen_address.ts";
import type { Statistics } from "../capture/monitor/statistics.ts";
import { refusal } from "../capture/monitor/visitors.ts";
import type { WebOrders } from "../capture/monitor/web_orders.ts";
import { WebServer } from "../capture/monitor/web_server.ts";
import { TickRing } from "../engine/tick_ring.ts";
import { FOR_PEOPLE, speakAs } from "../ffi/voice.ts";
import { Scrape } from "./exposition.ts";

/** A capture that has not begun, and what is served of it. */
function orders(metrics = "127.0.0.1:0"): WebOrders {
  const state = new CaptureState().buffer, ticks = TickRing.create(256).buffer;
  const captures = [{ port: "soft:x{1", core: 0, mode: "none", state, ticks }];
  return { metrics: parseListenAddress(metrics), captures, nsPerTick: 1 };
}

/** What is complained of meanwhile. */
async function complaintsOf(action: () => Promise<void>): Promise<string[]> {
  const heard: string[] = [];
  speakAs({ ...FOR_PEOPLE, complain: (message) => void heard.push(message) });
  try {
    await action();
  } finally {
    speakAs(FOR_PEOPLE);
  }
  return heard;
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition() && performance.now() < end) await new Promise((r) => setTimeout(r, 10));
}

Deno.test("WebServer listens once it has started, and no longer once it has stopped", async () => {
  const web = await WebServer.start(orders()), url = `http://${web.listening.metrics}/health`;
  assertEquals(await (await fetch(url)).text(), "ok\n");
  await web.stop();
  await assertRejects(() => fetch(url), TypeError);
});

const HERE = parseListenAddress("127.0.0.1:8080");

Deno.test("refusal lets nobody but names of this machine in on loopback, against DNS rebinding", () => {
  const status = (address: ListenAddress, url: string) =>
    refusal(new Request(url), address)?.status;
  const six = parseListenAddress("[::1]:8080"), any = parseListenAddress("0.0.0.0:8080");
  for (const host of ["127.0.0.1:8080", "localhost:9999", "[::1]:8080", "127.1.2.3", "LOCALHOST"]) {
    assertEquals(status(HERE, `http://${host}/`), undefined, host);
    assertEquals(status(six, `http://${host}/`), undefined, host);
  }
  for (
    const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"]
  ) {
    assertEquals(status(HERE, `http://${host}/`), 421, host);
    assertEquals(status(parseListenAddress("localhost:8080"), `http://${host}/`), 421, host);
    assertEquals(status(any, `http://${host}/`), undefined, host);
  }
});

Deno.test("refusal lets links from other sites in, but nothing that would become a part of them", () => {
  const status = (from: string, mode: string) => {
    const headers = { "sec-fetch-site": from, "sec-fetch-mode": mode };
    return refusal(new Request("http://127.0.0.1:8080/", { headers }), HERE)?.status;
  };
  assertEquals(status("cross-site", "navigate"), undefined);
  assertEquals(status("same-origin", "cors"), undefined);
  assertEquals(status("cross-site", "cors"), 403);
  assertEquals(status("same-site", "cors"), 403);
  assertEquals(status("cross-site", "no-cors"), 403);
});

/** The head of an answer to a request with these headers: fetch() would choose some itself. */
async function headOf(at: string, path: string, ...headers: string[]): Promise<string> {
  using client = await Deno.connect({ hostname: at.split(":")[0], port: Number(at.split(":")[1]) });
  const request = [`GET ${path} HTTP/1.1`, ...headers, "", ""].join("\r\n");
  await client.write(new TextEncoder().encode(request));
  let text = "";
  const decoder = new TextDecoder(), bytes = new Uint8Array(4096);
  while (!text.includes("\r\n\r\n")) {
    const length = await client.read(bytes);
    if (length === null) break;
    text += decoder.decode(bytes.subarray(0, length), { stream: true });
  }
  return text.split("\r\n\r\n")[0].toLowerCase();
}

Deno.test("WebServer refuses web pages from elsewhere on every path of both its sites", async () => {
  const dashboard = parseListenAddress("127.0.0.1:0");
  const metrics = parseListenAddress("127.1.1.1:0"); // of another text, so that there are two servers
  const web = await WebServer.start({ ...orders(), metrics, dashboard });
  const paths = [
    ...["/metrics", "/health", "/nothing"].map((path) => [web.listening.metrics!, path]),
    ...["/", "/events", "/health"].map((path) => [web.listening.dashboard!, path]),
  ];
  for (const [at, path] of paths) {
    for (
      const [status, ...headers] of [
        [path === "/nothing" ? 404 : 200, `Host: ${at}`],
        [421, "Host: evil.example"],
        [403, `Host: ${at}`, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"],
      ] as const
    ) {
      const head = await headOf(at, path, ...headers);
      assertEquals(Number(head.split(" ")[1]), status, `${path} ${headers}`);
      assert(head.includes("x-content-type-options: nosniff"), head);
    }
  }
  await web.stop();
});

Deno.test("WebServer tells the commit where it is known", async () => {
  for (const commit of [undefined, "abc123"]) {
    const web = await WebServer.start({ ...orders(), commit });
    const text = await (await fetch(`http://${web.listening.metrics}/metrics`)).text();
    assertEquals(new Scrape(text).all("uspf_build_info")[0].labels.commit, commit);
    await web.stop();
  }
});

Deno.test("WebServer stops in time although a client keeps its connection and reads nothing", async () => {
  const web = await WebServer.start(orders()), at = web.listening.metrics!;
  using client = await Deno.connect({ hostname: "127.0.0.1", port: Number(at.split(":")[1]) });
  const requests = `GET /metrics HTTP/1.1\r\nHost: ${at}\r\n\r\n`.repeat(5000); // tens of MB to answer
  client.write(new TextEncoder().encode(requests)).catch(() => {}); // it may never be taken
  await new Promise((resolve) => setTimeout(resolve, 500));
  const said = await complaintsOf(async () => assertEquals(await web.stop(), true));
  assertEquals(said, []);
});

Deno.test("WebServer that dies is complained of once, and can still be posted to and stopped", async () => {
  const heard: string[] = [];
  const all = await complaintsOf(async () => {
    const web = await WebServer.start(orders());
    speakAs({ ...FOR_PEOPLE, complain: (message) => void heard.push(message) });
    web.post(null as unknown as Statistics); // no such thing is ever sent
    await until(() => heard.length > 0);
    web.post({} as Statistics);
    assertEquals(await web.stop(), true);
  });
  assertEquals([all, heard.length], [[], 1]);
  assertMatch(heard[0], /^Cannot go on serving: .*; the capture goes on$/);
});

Deno.test("WebServer complains once of a page that is broken, and serves the others", async () => {
  const heard = await complaintsOf(async () => {
    const web = await WebServer.start(orders());
    web.post({ filter: undefined } as unknown as Statistics);
    for (let i = 0; i < 3; i++) {
      const response = await fetch(`http://${web.listening.metrics}/metrics`);
      assertEquals([response.status, await response.text()], [500, "This page is broken\n"]);
    }
    assertEquals((await fetch(`http://${web.listening.metrics}/health`)).status, 200);
    await web.stop();
  });
  assertEquals(heard.length, 1);
  assertMatch(heard[0], /^Cannot show a page: .*: report this$/);
});

Deno.test("WebServer.start refuses an address that is taken, is none, or is not this machine's", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const inUse = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
  for (
    const [address, state] of [
      [inUse, "the address is in use"],
      ["192.0.2.1:0", "no such address here"],
      ["no-such-host.invalid:80", "no such host"],
    ]
  ) {
    const error = await assertRejects(() => WebServer.start(orders(address)), CaptureError);
    assertEquals(error.expected, true);
    assert(
      error.message.startsWith(`Cannot serve --metrics on "${address}": ${state}`),
      error.message,
    );
  }
});
