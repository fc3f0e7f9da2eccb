/**
 * Purpose: a headless Chromium for tests, over its DevTools protocol: pages are opened and asked.
 */

/** Where Chromium is; `undefined`: not here. */
export const chromium: string | undefined = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => `/usr/bin/${name}`).find(exists);

const START_MS = 20_000, ANSWER_MS = 10_000;
const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
  "--remote-debugging-port=0",
];

// deno-lint-ignore no-explicit-any -- answers are looked at field by field
type Any = any;

/** An event of the protocol. */
export interface DevToolsEvent {
  method: string;
  params: Any;
}

/** A browser of its own profile; `await using` it ends it. */
export class Browser {
  private constructor(
    readonly process: Deno.ChildProcess,
    readonly profile: string,
    readonly url: string,
  ) {}

  /** Starts one. */
  static async start(): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "uspf-chromium-" });
    const process = new Deno.Command(chromium!, {
      args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const timer = setTimeout(() => process.kill("SIGKILL"), START_MS);
    const [mine, rest] = process.stderr.tee();
    rest.pipeTo(new WritableStream()).catch(() => {}); // it must not fill
    let text = "";
    for await (const chunk of mine.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const url = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (url === undefined) continue;
      clearTimeout(timer);
      return new Browser(process, profile, url);
    }
    clearTimeout(timer);
    throw new Error(`Chromium did not start: ${text}`);
  }

  /** Opens a tab with nothing in it. */
  async open(): Promise<Tab> {
    const host = new URL(this.url).host;
    const response = await fetch(`http://${host}/json/new?about:blank`, { method: "PUT" });
    return Tab.connect((await response.json()).webSocketDebuggerUrl);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGTERM");
    await this.process.status;
    await Deno.remove(this.profile, { recursive: true }).catch(() => {});
  }
}

/** A tab, and what has happened in it. */
export class Tab {
  readonly events: DevToolsEvent[] = [];
  readonly #waiting = new Map<number, PromiseWithResolvers<Any>>();
  #id = 0;

  private constructor(readonly socket: WebSocket) {
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.id === undefined) return void this.events.push(message);
      const { resolve, reject } = this.#waiting.get(message.id)!;
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    };
  }

  /** Takes a tab over. */
  static async connect(url: string): Promise<Tab> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const tab = new Tab(socket);
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await tab.send(`${domain}.enable`);
    return tab;
  }

  /** A command of the protocol. */
  async send(method: string, params: Record<string, unknown> = {}): Promise<Any> {
    const id = ++this.#id, answer = Promise.withResolvers<Any>();
    this.#waiting.set(id, answer);
    this.socket.send(JSON.stringify({ id, method, params }));
    const timer = setTimeout(() => answer.reject(new Error(`no answer to ${method}`)), ANSWER_MS);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** The value of an expression in the page. */
  async ask(expression: string): Promise<Any> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  /** Asks until it is true; a page that is still loading has nothing to say. */
  async until(condition: string, limitMs = 15_000): Promise<void> {
    const expression = `(() => { try { return ${condition}; } catch { return false; } })()`;
    for (const end = performance.now() + limitMs; performance.now() < end;) {
      if (await this.ask(expression)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never true: ${condition}`);
  }

  /** Looks at a page, as a screen of this size and scheme does. */
  async show(url: string, width: number, height: number, scheme: "light" | "dark"): Promise<void> {
    const mobile = width < 600;
    const screen = { width, height, deviceScaleFactor: 1, mobile };
    await this.send("Emulation.setDeviceMetricsOverride", screen);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.send("Emulation.setEmulatedMedia", { features });
    await this.send("Page.navigate", { url });
  }

  /** A picture of the whole page, as PNG. */
  async picture(): Promise<Uint8Array> {
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true });
    return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  }

  /** Parameters of the events of this name so far. */
  of(method: string): Any[] {
    return this.events.filter((event) => event.method === method).map(({ params }) => params);
  }

  /** Leaves it. */
  close(): void {
    this.socket.close();
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
