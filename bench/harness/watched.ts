/**
 * Purpose: the bench's side of partners/watched.ts: starts it on a terminal of its own, on all cores but the
 * capture thread's, and is itself the person in front of the terminal, the browser, and Prometheus.
 */
import type { WatchedReady, WatchedRun, Watcher } from "./watched_run.ts";

const SIZE = "stty cols 120 rows 40";
const READY_MS = 30_000;

/** The program that is watched. */
export class Watched {
  #frames = 0;

  private constructor(
    readonly ready: WatchedReady,
    readonly process: Deno.ChildProcess,
    readonly control: Deno.Conn,
    readonly lines: ReadableStreamDefaultReader<string>,
  ) {
    this.#readTerminal();
  }

  /** Starts it; its capture thread will be on `core`, all else on the cores `others`. */
  static async start(core: number, others: readonly number[], packets: number): Promise<Watched> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const partner = new URL("../partners/watched.ts", import.meta.url).pathname;
    const command = [Deno.execPath(), "run", "-q", "-P=bench", partner]
      .concat([listener.addr.port, core, packets].map(String));
    const process = new Deno.Command("taskset", {
      args: [
        "-c",
        others.join(","),
        "script",
        "-qefc",
        `${SIZE}; exec ${command.join(" ")}`,
        "/dev/null",
      ],
      cwd: new URL("../..", import.meta.url).pathname,
      env: { TERM: "xterm-256color", LC_ALL: "C.UTF-8", SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const late = setTimeout(() => process.kill("SIGKILL"), READY_MS);
    const ended = process.status.then(() => {
      throw new Error(
        "Cannot compare: the program that is watched has ended: see what it said above",
      );
    });
    const control = await Promise.race([listener.accept(), ended]);
    ended.catch(() => {});
    const lines = control.readable.pipeThrough(new TextDecoderStream()).getReader();
    const ready = JSON.parse((await lines.read()).value!);
    clearTimeout(late);
    return new Watched(ready, process, control, lines);
  }

  /** Frames, or parts of one, that have come to the terminal. */
  get frames(): number {
    return this.#frames;
  }

  /** A run while `watcher` watches. */
  async run(watcher: Watcher): Promise<WatchedRun> {
    await this.control.write(new TextEncoder().encode(watcher));
    return JSON.parse((await this.lines.read()).value!);
  }

  /** Ends it. */
  stop(): void {
    this.control.close();
  }

  async #readTerminal(): Promise<void> {
    for await (const _ of this.process.stdout) this.#frames++;
  }
}

/** A browser's event stream. */
export class EventReader {
  #events = 0;

  private constructor(readonly address: string, readonly abort: AbortController) {}

  /** Connects; there has been a first event when it resolves. */
  static async open(address: string): Promise<EventReader> {
    const abort = new AbortController(), { signal } = abort;
    const response = await fetch(`http://${address}/events`, { signal });
    const reader = new EventReader(address, abort);
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      throw new Error(`Cannot compare: /events answers ${response.status}: fix it first`);
    }
    const first = Promise.withResolvers<void>();
    reader.#read(response, first.resolve);
    await first.promise;
    return reader;
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** As a page that is closed. */
  close(): void {
    this.abort.abort();
  }

  async #read(response: Response, onFirst: () => void): Promise<void> {
    try {
      for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
        this.#events += text.match(/^data:/gm)?.length ?? 0;
        if (this.#events > 0) onFirst();
      }
    } catch { /* it was closed */ }
  }
}

/** Packets received, as `/metrics` says; nothing where it does not. */
export async function scrape(address: string): Promise<number | undefined> {
  const response = await fetch(`http://${address}/metrics`), text = await response.text();
  const count = /^uspf_\w*received\w*(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1];
  return response.ok && count !== undefined ? Number(count) : undefined;
}
