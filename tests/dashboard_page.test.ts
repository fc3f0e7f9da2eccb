import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AnyStatistics, objects, type Running, start } from "./command.ts";
import { Browser, chromium, type Tab } from "./devtools.ts";

const noBrowser = chromium === undefined ? "no chromium here" : undefined;

/** What stands on a page, taken at one moment. */
interface Shown {
  elapsedNs: number;
  fields: [path: string, value: string, text: string][];
  rates: [path: string, value: string][];
  all: [bucket: string, value: string][];
  second: [bucket: string, value: string][];
}

const TAKE = `(() => {
  const of = (name) => [...document.querySelectorAll("[data-" + name + "]")]
    .map((e) => [e.dataset[name], e.dataset.value, e.textContent]);
  const elapsedNs = Number(document.documentElement.dataset.elapsedNs);
  return { elapsedNs, fields: of("field"), rates: of("rate"), all: of("all"), second: of("second") };
})()`;
const inState = (state: string) => `document.documentElement.dataset.state === "${state}"`;
const NOTICE = "document.querySelector('#notice').textContent";
const LIVE = inState("live");
const SECONDS = "Number(document.documentElement.dataset.elapsedNs ?? 0) / 1e9";
const OVERFLOW = "document.documentElement.scrollWidth - innerWidth";
const ROWS = "(document.querySelector('#chart-packets').chart?.data?.[0].length ?? 0)";
/** Colours on each chart: a blank one has one. */
const COLOURS = `[...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
})`;

function browserTest(name: string, body: () => Promise<void>): void {
  const ignore = noBrowser !== undefined;
  Deno.test({ name: ignore ? `${name} (${noBrowser})` : name, ignore, fn: body });
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

/** A capture with a dashboard; `await using` it ends it. */
class Capture implements AsyncDisposable {
  private constructor(readonly running: Running) {}

  /** Resolves once it has said something. */
  static async start(port: number, ...args: string[]): Promise<Capture> {
    const all = ["--json", "--dashboard", `127.0.0.1:${port}`, ...args];
    const running = start("capture", all, {}, 60_000);
    await running.counted(() => true);
    return new Capture(running);
  }

  /** What it has said, at its end. */
  async said(): Promise<AnyStatistics[]> {
    return objects((await this.running.finished).stdout);
  }

  async end(signal: Deno.Signal): Promise<void> {
    try {
      this.running.process.kill(signal);
    } catch { /* it has ended */ }
    await this.running.finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end("SIGTERM");
  }
}

/** Fails unless everything on the page is what the JSON of the same second says. */
function compare(shown: Shown, said: AnyStatistics[]): void {
  const index = said.findIndex(({ elapsedNs }) => elapsedNs === shown.elapsedNs);
  assert(index >= 0, `no JSON of ${shown.elapsedNs}`);
  const now = said[index], before = now.final ? undefined : said[index - 1];
  const at = (s: AnyStatistics, path: string) =>
    path.split(".").reduce((o, name) => o?.[name], s) as unknown as number | null | undefined;
  assert(shown.fields.length > 60, `${shown.fields.length} fields`);
  for (const [path, value, text] of shown.fields) {
    const expected = at(now, path) ?? null;
    assertEquals(JSON.parse(value), expected, path);
    const digits = text.replaceAll("\u202f", "").replace("\u2212", "-");
    if (expected === null) assertMatch(text, /^(unknown|none)$/, path);
    else if (Number.isInteger(expected) && /^-?\d+$/.test(digits)) {
      assertEquals(Number(digits), expected, path);
    }
  }
  const seconds = (now.elapsedNs - (before?.elapsedNs ?? 0)) / 1e9;
  assert(shown.rates.length > 15);
  for (const [path, value] of shown.rates) {
    if (path.startsWith("instruments.") && before !== undefined) continue;
    const count = at(now, path) ?? null, then = before ? at(before, path) ?? null : 0;
    const expected = count === null || then === null ? null : (count - then) / seconds;
    const rate = JSON.parse(value);
    if (expected === null) assertEquals(rate, null, path);
    else assert(Math.abs(rate - expected) <= 1e-9 * Math.abs(expected), `${path}: ${rate}`);
  }
  const { atMost } = now.serviceNs, sinceAtMost = before?.serviceNs.atMost;
  assert(shown.all.length > 0);
  for (const [bucket, value] of shown.all) {
    assertEquals(Number(value), atMost[bucket] - (atMost[Number(bucket) - 1] ?? 0), bucket);
  }
  for (const [bucket, value] of shown.second) {
    const since = (i: number) => (atMost[i] ?? 0) - (sinceAtMost?.[i] ?? 0);
    assertEquals(Number(value), since(Number(bucket)) - since(Number(bucket) - 1), bucket);
  }
}

/** Fails if the page complained, or asked anybody else. */
function assertQuiet(tab: Tab, port: number): void {
  assertEquals(tab.of("Runtime.exceptionThrown"), []);
  assertEquals(tab.of("Runtime.consoleAPICalled"), []);
  assertEquals(tab.of("Log.entryAdded").map(({ entry }) => entry.text), []);
  const urls: string[] = tab.of("Network.requestWillBeSent").map(({ request }) => request.url);
  const strangers = urls.filter((url) => !url.startsWith(`http://127.0.0.1:${port}/`));
  assertEquals(strangers, []);
  assert(urls.length >= 8, "page, styles, scripts and events");
}

browserTest("the dashboard's numbers equal the JSON of the same second, to the end", async () => {
  await using browser = await Browser.start();
  const port = freePort();
  await using running = await Capture.start(port, "-r", "9");
  const tab = await browser.open(), shown: Shown[] = [];
  await tab.show(`http://127.0.0.1:${port}/`, 1280, 800, "light");
  for (let i = 0; i < 4; i++) {
    const last = shown.at(-1)?.elapsedNs ?? 0;
    await tab.until(`${LIVE} && ${SECONDS} * 1e9 > ${last + 1}`);
    shown.push(await tab.ask(TAKE));
  }
  assertEquals(new Set(shown.map(({ elapsedNs }) => elapsedNs)).size, 4);
  assertQuiet(tab, port);
  await tab.until(inState("ended"), 20_000);
  shown.push(await tab.ask(TAKE));
  assertEquals(await tab.ask("document.querySelector('#state').textContent"), "capture ended");
  const said = await running.said();
  for (const one of shown) compare(one, said);
  assertEquals(shown.at(-1)!.elapsedNs, said.at(-1)!.elapsedNs);
  assertEquals(said.at(-1)!.final, true);
  tab.close();
});

browserTest(
  "the dashboard fits, is drawn, and complains of nothing: light and dark, wide and phone",
  async () => {
    await using browser = await Browser.start();
    const port = freePort();
    await using running = await Capture.start(port, "-r", "30");
    await running.running.counted(({ elapsedNs }) => elapsedNs > 4.5e9);
    const pages: Record<string, string> = {};
    for (const [width, height] of [[1280, 800], [360, 740]]) {
      for (const scheme of ["light", "dark"] as const) {
        const tab = await browser.open(), name = `${width} ${scheme}`;
        await tab.show(`http://127.0.0.1:${port}/`, width, height, scheme);
        await tab.until(`${LIVE} && ${ROWS} > 0`);
        // What was before the page is there at once: a row for each second so far.
        assert(await tab.ask(`Math.abs(${ROWS} - ${SECONDS})`) < 1.5, name);
        assert(await tab.ask(ROWS) >= 4, name);
        await tab.ask("document.querySelector('details').open = true");
        assert(await tab.ask(OVERFLOW) <= 0, `${name}: wider than its window`);
        const colours = await tab.ask(COLOURS);
        assertEquals(colours.length, 5, name);
        assert(colours.every((count: number) => count > 4), `${name}: ${colours}`);
        pages[name] = await tab.ask("getComputedStyle(document.body).backgroundColor");
        assertQuiet(tab, port);
        tab.close();
      }
    }
    assert(pages["1280 light"] !== pages["1280 dark"]);
    assertEquals(pages["360 dark"], pages["1280 dark"]);
  },
);

browserTest(
  "the dashboard's policy stops a request to elsewhere, and the test would see it",
  async () => {
    await using browser = await Browser.start();
    const port = freePort();
    await using _running = await Capture.start(port, "-r", "20");
    const tab = await browser.open();
    await tab.show(`http://127.0.0.1:${port}/`, 800, 600, "light");
    await tab.until(LIVE);
    const outside = `fetch("http://127.0.0.1:1/").then(() => "sent", (error) => error.message)`;
    assertEquals(await tab.ask(outside), "Failed to fetch");
    const inline =
      `(() => { const s = document.createElement("script"); s.textContent = "window.x = 1";
    document.body.append(s); return window.x === undefined; })()`;
    assertEquals(await tab.ask(inline), true);
    const words: string[] = tab.of("Log.entryAdded").map(({ entry }) => entry.text);
    assert(words.some((text) => /Content Security Policy/.test(text)), words.join());
    tab.close();
  },
);

browserTest(
  "the dashboard says that a capture is gone, and shows the next one from its start",
  async () => {
    await using browser = await Browser.start();
    const port = freePort(), tab = await browser.open();
    await using first = await Capture.start(port, "-r", "60");
    await tab.show(`http://127.0.0.1:${port}/`, 800, 600, "light");
    await tab.until(`${LIVE} && ${ROWS} > 2`);
    await first.end("SIGKILL");
    await tab.until(inState("reconnecting"));
    assertMatch(
      await tab.ask(NOTICE),
      /cannot be reached/,
    );
    await using second = await Capture.start(port, "-r", "60");
    await tab.until(LIVE);
    await tab.until(`${ROWS} > 0 && ${ROWS} <= ${SECONDS} + 1`);
    const shown: Shown = await tab.ask(TAKE);
    await second.end("SIGTERM");
    await tab.until(inState("ended"));
    compare(shown, await second.said());
    compare(await tab.ask(TAKE), await second.said());
    await using _third = await Capture.start(port, "-r", "60");
    await tab.until(`${LIVE} && ${ROWS} > 0 && ${ROWS} <= ${SECONDS} + 1`);
    tab.close();
  },
);

browserTest(
  "the dashboard is not connected while nobody sees it, and then catches up",
  async () => {
    await using browser = await Browser.start();
    const port = freePort();
    await using _running = await Capture.start(port, "-r", "60");
    const tab = await browser.open();
    await tab.show(`http://127.0.0.1:${port}/`, 800, 600, "light");
    await tab.until(`${LIVE} && ${ROWS} > 1`);
    const see = (seen: boolean) =>
      tab.ask(`(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: ${!seen} });
      document.dispatchEvent(new Event("visibilitychange"));
    })()`);
    await see(false);
    const rows = await tab.ask(ROWS);
    await new Promise((resolve) => setTimeout(resolve, 3500));
    assertEquals(await tab.ask(ROWS), rows);
    await see(true);
    await tab.until(`${ROWS} >= ${rows + 3}`, 1500);
    const gaps =
      "document.querySelector('#chart-packets').chart.data[0].map((t, i, all) => t - all[i - 1])";
    const widest = Math.max(...(await tab.ask(gaps)).slice(1));
    assert(widest < 2, `a hole of ${widest} s`);
    tab.close();
  },
);

browserTest(
  "the dashboard without an engine shows nothing of it, and unknown as unknown",
  async () => {
    await using browser = await Browser.start();
    const port = freePort();
    await using running = await Capture.start(port, "-r", "8", "--no-decode");
    const tab = await browser.open();
    await tab.show(`http://127.0.0.1:${port}/`, 360, 740, "dark");
    await tab.until(`${LIVE} && ${ROWS} > 1`);
    const seen =
      "[...document.querySelectorAll('.decoded')].filter((e) => e.checkVisibility()).length";
    assertEquals(await tab.ask(seen), 0);
    assertEquals(await tab.ask("document.querySelectorAll('canvas').length"), 4);
    assertEquals(
      await tab.ask("document.querySelector('[data-field=starved]').textContent"),
      "unknown",
    );
    const shown: Shown = await tab.ask(TAKE);
    assertQuiet(tab, port);
    tab.close();
    compare(shown, await running.said());
  },
);

browserTest("the dashboard says that a capture stalls, and why no more pages open", async () => {
  await using browser = await Browser.start();
  const port = freePort(), tab = await browser.open(), url = `http://127.0.0.1:${port}/`;
  await using capture = await Capture.start(port, "-r", "60");
  const others = await Promise.all([...Array(32)].map(() => fetch(`${url}events`)));
  await tab.show(url, 800, 600, "light");
  await tab.until(inState("full"));
  assertEquals(await tab.ask(NOTICE), "32 pages are open already: close one\n");
  for (const { body } of others) await body!.cancel();
  await tab.until(LIVE);
  capture.running.process.kill("SIGSTOP");
  await tab.until(inState("stalled"));
  assertMatch(await tab.ask(NOTICE), /has said nothing/);
  capture.running.process.kill("SIGCONT");
  await tab.until(LIVE);
  assertEquals(await tab.ask("document.querySelector('#notice').hidden"), true);
  tab.close();
});
