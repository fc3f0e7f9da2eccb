/**
 * Purpose: the thread that serves `--metrics` and `--dashboard`, as seen from the main isolate. It may
 * listen on the addresses that were named, and nothing else; see `web_orders.ts`.
 */
import { CaptureError } from "../background_capture.ts";
import { complain } from "../../ffi/voice.ts";
import type { ListenAddress } from "./listen_address.ts";
import type { Statistics } from "./statistics.ts";
import type { WebMessage, WebNews, WebOrders } from "./web_orders.ts";

/** It cuts its connections off itself before that, see web_worker.ts. */
const END_MS = 1000;

/** A web server on a thread of its own. */
export class WebServer {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  /** The addresses, with the port numbers that it got. */
  readonly listening: { metrics?: string; dashboard?: string };

  private constructor(worker: Worker, ended: Promise<void>, listening: WebServer["listening"]) {
    this.#worker = worker;
    this.#ended = ended;
    this.listening = listening;
  }

  /**
   * Starts it; resolves once it listens. Until then this isolate must have permission for the addresses.
   *
   * @throws {CaptureError} where it cannot listen, or is not permitted to.
   */
  static async start(orders: WebOrders): Promise<WebServer> {
    const worker = newWorker([orders.metrics, orders.dashboard].filter((one) => one !== undefined));
    const ready = Promise.withResolvers<WebServer["listening"]>();
    const ended = Promise.withResolvers<void>();
    let listens = false;
    const fail = (error: CaptureError) => {
      if (listens) complain(`Cannot go on serving: ${error.message}; the capture goes on`);
      ready.reject(error);
      ended.resolve();
    };
    const told = new Set<string>();
    const broken = (message: string, stack: string) => {
      if (!told.has(message)) complain(message, { stack });
      told.add(message);
    };
    worker.onmessage = ({ data }: MessageEvent<WebNews>) => {
      if (data.type === "listening") {
        listens = true;
        ready.resolve({ metrics: data.metrics, dashboard: data.dashboard });
      } else if (data.type === "ended") ended.resolve();
      else if (data.type === "broken") broken(data.message, data.stack);
      else fail(new CaptureError(data.message, data.expected, undefined, { cause: data.stack }));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(new CaptureError(`the web thread died: ${event.message}`, false));
    };
    worker.postMessage(orders);
    return new WebServer(worker, ended.promise, await ready.promise);
  }

  /** Shows the statistics of a second. */
  post(statistics: Statistics): void {
    this.#worker.postMessage({ type: "statistics", statistics } satisfies WebMessage);
  }

  /**
   * Ends it: who is connected has then got the last statistics. Resolves with whether it has ended; if not in
   * time, it is left alone.
   */
  async stop(): Promise<boolean> {
    this.#worker.postMessage({ type: "end" } satisfies WebMessage);
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), END_MS);
    const ended = await Promise.race([this.#ended.then(() => true), late.promise]);
    clearTimeout(timer);
    return ended;
  }
}

/** All that the web thread may do: use these addresses. */
export function webPermissions(
  addresses: readonly Pick<ListenAddress, "text">[],
): Deno.PermissionOptionsObject & { net: string[] } {
  return { net: addresses.map(({ text }) => text) };
}

function newWorker(addresses: readonly ListenAddress[]): Worker {
  const permissions = webPermissions(addresses), { net } = permissions;
  try {
    return new Worker(import.meta.resolve("./web_worker.ts"), {
      type: "module",
      name: "web",
      deno: { permissions },
    });
  } catch (error) {
    if (error instanceof URIError) {
      throw new CaptureError(
        `Cannot serve: ${error.message}: give an address of this machine`,
        true,
      );
    }
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const option = `--allow-net=${net.join(",")}`;
    throw new CaptureError(
      `Cannot serve on "${
        net.join('" and "')
      }": not permitted: add ${option} to deno's own options: ` +
        `deno run -P=capture ${option} capture/main.ts`,
      true,
    );
  }
}
