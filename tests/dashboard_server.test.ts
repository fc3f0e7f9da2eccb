import { assert, assertEquals, assertMatch } from "@std/assert";
import { dashboardSite } from "../capture/monitor/dashboard/dashboard_site.ts";
import {
  EventStreams,
  MOST_READERS,
  QUEUE_BYTES,
} from "../capture/monitor/dashboard/event_streams.ts";
import { COLUMNS, History, ROWS } from "../capture/monitor/dashboard/history.ts";
import { SecondService } from "../capture/monitor/dashboard/second_service.ts";
import { parseListenAddress } from "../capture/monitor/listen_address.ts";
import { WebServer } from "../capture/monitor/web_server.ts";
import type { Site } from "../capture/monitor/web_sites.ts";
import { COUNTER } from "../capture/capture_state.ts";
import { EventReader } from "./event_reader.ts";
import { FakeCapture } from "./fake_capture.ts";

const column = (name: typeof COLUMNS[number]) => COLUMNS.indexOf(name);
const PAGE = "http://127.0.0.1:8080/";

function siteOf(capture: FakeCapture): Site {
  return dashboardSite({ captures: [capture.watched], nsPerTick: 1 });
}

async function ask(site: Site, path: string, init: RequestInit = {}): Promise<Response> {
  const url = new URL(path, PAGE);
  return await site.pages[url.pathname](new Request(url, init));
}

async function eventsOf(site: Site, init: RequestInit = {}, query = ""): Promise<EventReader> {
  return new EventReader((await ask(site, `/events${query}`, init)).body!);
}

Deno.test("History has a row of figures for each second, and what is unknown in it is null", () => {
  const capture = new FakeCapture(), history = new History();
  capture.receive(1000);
  history.push(capture.at(1), null);
  capture.receive(3000);
  capture.state.counters[COUNTER.lost] = -1;
  const row = history.push(capture.at(3), { p50: 10, p99: 1234567.8, p999: 30 })!;
  assertEquals(row.length, COLUMNS.length);
  assertEquals(row[column("seconds")], 3);
  assertEquals(row[column("received")], 1500);
  assertEquals(row[column("portMean")], 1500, "of this second alone: 3000 packets at 2 syncs");
  assertEquals(row[column("lost")], null);
  assertEquals(row[column("p99")], 1234570);
  assertEquals(history.push(capture.at(4), null)![column("p50")], null);
});

Deno.test("History has no row for what is left of the last second", () => {
  const capture = new FakeCapture(), history = new History();
  history.push(capture.at(1), null);
  assertEquals(history.push(capture.at(1.3, true), null), null);
  const { rows, statistics } = history.behind(null);
  assertEquals([rows.length, statistics?.final], [1, true]);
});

Deno.test("History keeps ten minutes, in less than 300 kB", () => {
  const capture = new FakeCapture(), history = new History();
  for (const statistics of capture.seconds(1, ROWS + 50, 14_880_952)) {
    history.push(statistics, { p50: 61.2345678, p99: 12345.678, p999: 123456.789 });
  }
  const all = history.behind(null), bytes = JSON.stringify(all).length;
  assertEquals([all.rows.length, all.rows[0][0], all.rows.at(-1)![0]], [ROWS, 51, ROWS + 50]);
  assert(bytes < 300_000, `${bytes} bytes`);
});

Deno.test("History.behind gives what a page has missed, or everything to one that it doesn't know", () => {
  const capture = new FakeCapture(), history = new History();
  for (const statistics of capture.seconds(1, 3)) history.push(statistics, null);
  const id = history.id;
  assertEquals(history.behind(id).rows, []);
  assertEquals(history.behind(id).reset, false);
  for (const statistics of capture.seconds(4, 5)) history.push(statistics, null);
  const behind = history.behind(id);
  assertEquals([behind.reset, behind.rows.map(([seconds]) => seconds)], [false, [4, 5]]);
  for (const stranger of [null, "", "x", "other-3", `${history.run}-`, `${history.run}-99`]) {
    const { reset, rows } = history.behind(stranger === `${history.run}-` ? "-" : stranger);
    assertEquals([reset, rows.length], [true, 5], String(stranger));
  }
  for (const statistics of capture.seconds(6, ROWS + 10)) history.push(statistics, null);
  assertEquals(history.behind(id).reset, true, "it was away for too long");
});

Deno.test("SecondService has the quantiles of the last second, not of the whole run", () => {
  const capture = new FakeCapture(), service = new SecondService([capture.watched], 2);
  capture.receive(1000, 100);
  const near = (value: number, expected: number) =>
    assert(Math.abs(value - expected) < expected * 0.02, `${value}, not ${expected}`);
  near(service.take()!.p50, 200);
  capture.receive(10, 5000);
  near(service.take()!.p50, 10_000);
  assertEquals(service.take(), null, "no packet, no time");
});

Deno.test("the dashboard's files are there with their types and strict headers", async () => {
  const site = siteOf(new FakeCapture());
  const page = await (await ask(site, "/")).text();
  const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
  assert(named.length >= 4);
  for (const path of ["/", ...named, ...Object.keys(site.pages)]) {
    const response = await ask(site, path), { headers } = response;
    assertEquals(response.status, 200, path);
    assertMatch(headers.get("content-security-policy")!, /^default-src 'none'; script-src 'self'/);
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("access-control-allow-origin"), null);
    const type = path.endsWith(".js") ? /javascript/ : path.endsWith(".css") ? /css/ : /./;
    assertMatch(headers.get("content-type")!, type);
    if (path === "/events") await response.body!.cancel();
    else assert((await response.text()).length > 100, path);
  }
});

Deno.test("the dashboard's own files name no other host, and hold no script or style in the page", async () => {
  const site = siteOf(new FakeCapture());
  for (const path of Object.keys(site.pages).filter((path) => !/events|uplot/.test(path))) {
    const text = await (await ask(site, path)).text();
    const elsewhere = text.match(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"]*/gi) ?? [];
    assertEquals(elsewhere.filter((url) => !url.startsWith("http://www.w3.org/")), [], path);
    if (path === "/") assertEquals(/ style=|<style|<script>| on\w+=/.test(text), false);
  }
});

Deno.test("/events begins with the history and goes on with each second", async () => {
  const capture = new FakeCapture(), site = siteOf(capture);
  for (const statistics of capture.seconds(1, 3)) site.update(statistics);
  const events = await eventsOf(site), history = (await events.next())!;
  assertEquals([history.name, history.data.reset, history.data.rows.length], ["history", true, 3]);
  assertEquals(history.data.captures, [{ port: "soft:a:1", core: 1, mode: "soft switch" }]);
  assertEquals(history.data.previous.elapsedNs, 2e9);
  capture.receive(500);
  const statistics = capture.at(4);
  site.update(statistics);
  const second = (await events.next())!;
  assertEquals(second.name, "second");
  assertEquals(second.data.statistics, JSON.parse(JSON.stringify(statistics)));
  assertEquals(second.data.row[column("received")], 500);
  assert(second.data.row[column("p50")] > 90, "from the capture thread's own memory");
  await events.cancel();
});

Deno.test("/events gives a page that comes back what it has missed, and no more", async () => {
  const capture = new FakeCapture(), site = siteOf(capture);
  for (const statistics of capture.seconds(1, 3)) site.update(statistics);
  const before = await eventsOf(site), { id } = (await before.next())!;
  await before.cancel();
  for (const statistics of capture.seconds(4, 6)) site.update(statistics);
  for (
    const events of [
      await eventsOf(site, { headers: { "last-event-id": id! } }),
      await eventsOf(site, {}, `?after=${id}`),
    ]
  ) {
    const { data } = (await events.next())!;
    assertEquals(data.reset, false);
    assertEquals(data.rows.map(([seconds]: number[]) => seconds), [4, 5, 6]);
    await events.cancel();
  }
});

Deno.test("/events answers HEAD without a stream", async () => {
  const response = await ask(siteOf(new FakeCapture()), "/events", { method: "HEAD" });
  assertEquals([response.status, response.body], [200, null]);
});

Deno.test("/events has room for 32 readers; the next one is told so, until one leaves", async () => {
  const site = siteOf(new FakeCapture()), readers: EventReader[] = [];
  for (let i = 0; i < MOST_READERS; i++) readers.push(await eventsOf(site));
  const refused = await ask(site, "/events");
  assertEquals([refused.status, await refused.text()], [
    503,
    "32 pages are open already: close one\n",
  ]);
  await readers.pop()!.cancel();
  readers.push(await eventsOf(site));
  for (const reader of readers) await reader.cancel();
});

Deno.test("EventStreams cuts off a reader that does not read, and no other", async () => {
  const streams = new EventStreams(), data = "x".repeat(10_000);
  const lazy = streams.open({ name: "history", data: null }).getReader();
  const busy = new EventReader(streams.open({ name: "history", data: null }));
  await busy.next();
  for (let bytes = 0; bytes < QUEUE_BYTES; bytes += data.length) {
    streams.send({ name: "second", data });
    assertEquals((await busy.next())!.data, data);
  }
  assertEquals(streams.readers, 1);
  assertEquals((await lazy.read()).done, true, "what waited for it is thrown away");
  await busy.cancel();
  assertEquals(streams.readers, 0);
});

Deno.test("EventStreams says something every few seconds, so that a page sees that it is there", async () => {
  const streams = new EventStreams();
  const events = new EventReader(streams.open({ name: "history", data: null }));
  await events.next();
  assertEquals((await events.next(true))!.name, "beat");
  await events.cancel();
});

Deno.test("the dashboard's end is told to all readers, and their streams end", async () => {
  const capture = new FakeCapture(), site = siteOf(capture), events = await eventsOf(site);
  capture.receive(10);
  site.update(capture.at(1, true));
  await site.end();
  assertEquals((await events.next())!.name, "history");
  assertEquals((await events.next())!.data.statistics.final, true);
  assertEquals((await events.next())!.name, "end");
  assertEquals(await events.next(), undefined);
  assertEquals((await ask(site, "/events")).status, 503);
});

Deno.test("WebServer serves the dashboard from a thread that may do nothing else, and ends at once", async () => {
  const capture = new FakeCapture(), dashboard = parseListenAddress("127.0.0.1:0");
  const server = await WebServer.start({ dashboard, captures: [capture.watched], nsPerTick: 1 });
  const url = `http://${server.listening.dashboard}/`;
  const response = await fetch(url);
  assertMatch(await response.text(), /<!DOCTYPE html>/i);
  const posted = await fetch(url, { method: "POST" });
  assertEquals([posted.status, await posted.text()], [405, "Only GET and HEAD\n"]);
  const events = new EventReader((await fetch(`${url}events`)).body!);
  assertEquals((await events.next())!.name, "history");
  const lazy = await Deno.connect({ port: dashboardPort(server) });
  await lazy.write(
    new TextEncoder().encode(
      "GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ),
  );
  for (const statistics of capture.seconds(1, 5)) server.post(statistics);
  server.post(capture.at(6, true));
  const stopped = server.stop();
  let last;
  for (let event; (event = await events.next()) !== undefined;) last = event.name;
  assertEquals(last, "end");
  assertEquals(await stopped, true, "although somebody does not read");
  lazy.close();
});

Deno.test("WebServer goes on for others while somebody does not read", async () => {
  const capture = new FakeCapture(), dashboard = parseListenAddress("127.0.0.1:0");
  const server = await WebServer.start({ dashboard, captures: [capture.watched], nsPerTick: 1 });
  const lazy = await Deno.connect({ port: dashboardPort(server) });
  await lazy.write(
    new TextEncoder().encode(
      "GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ),
  );
  const events = new EventReader(
    (await fetch(`http://${server.listening.dashboard}/events`)).body!,
  );
  await events.next();
  const seconds = 6000; // some 12 MB: more than the queue and what the kernel keeps for a connection
  for (const statistics of capture.seconds(1, seconds)) {
    server.post(statistics);
    assertEquals((await events.next())!.data.statistics.elapsedNs, statistics.elapsedNs);
  }
  let read = 0;
  const bytes = new Uint8Array(1 << 20);
  for (let n; (n = await lazy.read(bytes).catch(() => null)) !== null;) read += n;
  assert(read > 0, "it had what it could have, and then the connection ended");
  await events.cancel();
  await server.stop();
  lazy.close();
});

function dashboardPort(server: WebServer): number {
  return Number(new URL(`http://${server.listening.dashboard}`).port);
}
