/**
 * Question: what do --watch, --dashboard and --metrics cost the capture thread?
 *
 * Nothing is added to its loop for them. What they may cost is the memory that is shared with it, which
 * others read while it writes, and the caches that their work takes from it. That is little, and this
 * measures it ten times as large: forty frames a second are drawn on a terminal, ten events a second sent
 * to a page, ten scrapes a second answered. So 1.1 times is 1 % with the commands: the target.
 *
 * ```text
 *  core A    capture thread: PacketCapture.pump on a port that is always full
 *  others    engine, live view, web thread; terminal, page and Prometheus, which are this program
 * ```
 * Set-up: one program, one capture thread, so that the same code in the same memory is measured with and
 * without; one packet of 128 is a tick. Measured is the CPU time of the capture thread.
 * Baseline: nobody watches. The second way is the same again: how far it is from 1 is the noise.
 * Work checked: every packet was received, the engine has taken the ticks, all but a few; frames came to the terminal,
 * events to the page, and scrapes saw the packets become more.
 * It cannot show: what is lost where their threads run on the capture thread's core. They have to be kept
 * off it, as by isolcpus, or where there are more cores than busy threads.
 */
import { allowedCores, pinToCore } from "../ffi/host.ts";
import { compare, mayBench, NOT_ALLOWED, skip, type Way } from "./harness/compare.ts";
import { EventReader, scrape, Watched } from "./harness/watched.ts";
import { ONE_OF, TIMES, type WatchedRun, type Watcher } from "./harness/watched_run.ts";

const GROUP = `the capture thread, watched ${TIMES} times as closely`;
const PACKETS = 25_600_000, MOST = 1 + 0.01 * TIMES;
const SCRAPE_MS = 1000 / TIMES;
const MOST_TICKS = 0.9; // the engine has to share its core
const SEEN = 0.5; // of what was shown: the rest may be on its way, or joined

const missing = !mayBench() ? NOT_ALLOWED : whatIsMissing();
if (missing !== undefined) skip(GROUP, missing);
else await declare();

function whatIsMissing(): string | undefined {
  if (allowedCores().length < 2) return "it takes two cores";
  const absent = ["taskset", "script", "stty"].find((program) => {
    const args = ["-c", 'command -v "$0"', program];
    return !new Deno.Command("sh", { args, stdout: "null" }).outputSync().success;
  });
  return absent && `no ${absent} here`;
}

async function declare(): Promise<void> {
  const cores = allowedCores(), core = cores.at(-1)!, others = cores.slice(0, -1);
  pinToCore(others[0]);
  const watched = await Watched.start(core, others, PACKETS);
  const { metrics = "", dashboard = "" } = watched.ready;
  const ways: Way[] = [
    way(watched, "nobody", "nobody watches"),
    way(watched, "nobody", "nobody, again"),
    { ...onTerminal(watched), name: "--watch", atMost: MOST },
    { ...inBrowser(watched, dashboard), name: "--dashboard", atMost: MOST },
    { ...byPrometheus(watched, metrics), name: "--metrics", atMost: MOST },
  ];
  const dispose = () => watched.stop();
  compare({ group: GROUP, unit: "packet", count: PACKETS, ways, dispose });
}

function way(watched: Watched, watcher: Watcher, name: string): Way & { last(): WatchedRun } {
  let last: WatchedRun;
  return {
    name,
    last: () => last,
    run: async () => void (last = await watched.run(watcher)),
    tookNs: () => last.cpuNs * PACKETS / last.received,
    verify() {
      const { received, consumed, dropped } = last, ticks = received / ONE_OF;
      check(received === PACKETS, "packets");
      check(consumed + dropped === ticks && consumed > MOST_TICKS * ticks, "ticks");
    },
  };
}

function onTerminal(watched: Watched): Way {
  const plain = way(watched, "watch", "");
  let before = 0;
  return {
    ...plain,
    prepare: () => void (before = watched.frames),
    verify() {
      plain.verify();
      check(watched.frames - before >= SEEN * plain.last().shown, "frames");
    },
  };
}

function inBrowser(watched: Watched, address: string): Way {
  const plain = way(watched, "dashboard", "");
  let page: EventReader, before = 0;
  return {
    ...plain,
    async prepare() {
      page = await EventReader.open(address);
      before = page.events;
    },
    verify() {
      page.close();
      plain.verify();
      check(page.events - before >= SEEN * plain.last().shown, "events");
    },
  };
}

function byPrometheus(watched: Watched, address: string): Way {
  const plain = way(watched, "metrics", "");
  let seen: (number | undefined)[] = [];
  return {
    ...plain,
    async run() {
      seen = [];
      let running = true;
      const scraping = (async () => {
        while (running) {
          const [count] = await Promise.all([scrape(address), delay(SCRAPE_MS)]);
          seen.push(count);
        }
      })();
      await plain.run();
      running = false;
      await scraping;
    },
    verify() {
      plain.verify();
      const rises = seen.every((count, i) => count !== undefined && count >= (seen[i - 1] ?? 0));
      check(rises && seen.length >= SEEN * plain.last().shown, "scrapes");
      check(seen.length < 2 || seen.at(-1)! > seen[0]!, "packets in what was scraped");
    },
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function check(right: boolean, what: string): void {
  if (!right) throw new Error(`Cannot compare: ${what} are missing: fix it first`);
}
