import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { CaptureError } from "../capture/background_capture.ts";
import { CaptureState } from "../capture/capture_state.ts";
import { parseListenAddress } from "../capture/monitor/listen_address.ts";
import type { Statistics } from "../capture/monitor/statistics.ts";
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
  await client.write(new TextEncoder().encode(`GET /metrics HTTP/1.1\r\nHost: ${at}\r\n\r\n`));
  const began = performance.now();
  await web.stop();
  assertLess(performance.now() - began, 900);
});

Deno.test("WebServer that dies is complained of once, and can still be posted to and stopped", async () => {
  const heard: string[] = [];
  const all = await complaintsOf(async () => {
    const web = await WebServer.start(orders());
    speakAs({ ...FOR_PEOPLE, complain: (message) => void heard.push(message) });
    web.post(null as unknown as Statistics); // no such thing is ever sent
    await until(() => heard.length > 0);
    web.post({} as Statistics);
    const began = performance.now();
    await web.stop();
    assertLess(performance.now() - began, 400);
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
