/**
 * Purpose: the events of a capture, again and again: after a failure, after its end (another one may
 * begin), and when a hidden page is looked at again, with what it has missed.
 *
 * ```text
 *  connecting ─▶ live ◀─▶ stalled          a page that nobody sees is not connected
 *                 │  ▲
 *                 ▼  │
 *    ended, reconnecting, full: asks again
 * ```
 */

const STALLED_MS = 3500, SILENT_MS = 16_000, AGAIN_MS = 4000, LOOK_MS = 500;

/** Tells `page` of history, seconds and states, as long as the page can be seen. */
export class Connection {
  #page;
  #source = null;
  #after = null;
  #secondMs = 0;
  #heardMs = 0;
  #again = 0;
  #ended = false;

  constructor(page) {
    this.#page = page;
    setInterval(() => this.#look(), LOOK_MS);
    document.addEventListener("visibilitychange", () => this.#follow());
    globalThis.addEventListener("pageshow", () => this.#follow());
    this.#follow();
  }

  #follow() {
    if (document.hidden) this.#close();
    else if (this.#source === null) this.#open();
  }

  #open() {
    clearTimeout(this.#again);
    this.#again = 0;
    const source = new EventSource(`/events${this.#after === null ? "" : `?after=${this.#after}`}`);
    this.#source = source;
    this.#heardMs = this.#secondMs = performance.now();
    const on = (name, handle) =>
      source.addEventListener(name, ({ data, lastEventId }) => {
        this.#heardMs = performance.now();
        if (lastEventId !== "") this.#after = lastEventId;
        handle(JSON.parse(data));
      });
    on("history", (history) => {
      this.#ended = history.statistics?.final === true;
      this.#secondMs = this.#heardMs;
      this.#page.history(history);
    });
    on("second", (second) => {
      this.#secondMs = this.#heardMs;
      this.#page.second(second);
    });
    on("beat", () => {});
    on("end", () => {
      this.#ended = true;
      this.#tell("ended");
      this.#later();
    });
    source.addEventListener("error", () => this.#failed(source));
  }

  /** The browser asks again by itself, unless it was told something else than events. */
  #failed(source) {
    if (source !== this.#source) return;
    this.#tell(this.#ended ? "ended" : "reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    this.#later();
    this.#askWhy();
  }

  async #askWhy() {
    const request = new AbortController();
    try {
      const response = await fetch("/events", { signal: request.signal });
      if (response.status === 503 && !this.#ended) this.#tell("full", await response.text());
    } catch { /* nobody is there: it is asked again anyway */ }
    request.abort();
  }

  #later() {
    this.#close();
    this.#again = setTimeout(() => this.#follow(), AGAIN_MS);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  /** Whether what should come does. */
  #look() {
    if (this.#source?.readyState !== EventSource.OPEN) return;
    const now = performance.now();
    if (now - this.#heardMs > SILENT_MS) {
      this.#tell("reconnecting");
      this.#later();
    } else if (!this.#ended) this.#tell(now - this.#secondMs > STALLED_MS ? "silent" : "live");
  }

  #tell(state, words = "") {
    this.#page.state(state, words);
  }
}
