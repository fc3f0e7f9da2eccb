/**
 * Purpose: the web thread: serves what `--metrics` and `--dashboard` ask for, over HTTP.
 */
import type { ListenAddress } from "./listen_address.ts";
import type { WebMessage, WebNews, WebOrders } from "./web_orders.ts";
import { type Page, type Site, sitesOf } from "./web_sites.ts";

const FLUSH_MS = 300; // less than the main isolate waits for the end

const servers: Deno.HttpServer[] = [];

function serve({ hostname, port }: ListenAddress, { pages }: Site): string {
  const server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
    const page: Page | undefined = pages[new URL(request.url).pathname];
    if (page === undefined) {
      return new Response(`Nothing here. There is: ${Object.keys(pages).join(" ")}\n`, {
        status: 404,
      });
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Only GET and HEAD\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    return page(request);
  });
  servers.push(server);
  const addr = server.addr as Deno.NetAddr;
  const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  return `${host}:${addr.port}`;
}

function start(orders: WebOrders): (message: WebMessage) => Promise<void> {
  const sites = sitesOf(orders), listening: Partial<Record<string, string>> = {};
  for (const name of ["metrics", "dashboard"] as const) {
    const address = orders[name];
    if (address !== undefined) listening[name] = listen(name, address, sites[name]!);
  }
  tell({ type: "listening", ...listening });
  const all = Object.values(sites);
  return async (message) => {
    if (message.type === "statistics") all.forEach((site) => site.update(message.statistics));
    else {
      await Promise.all(all.map((site) => site.end()));
      await flush();
      tell({ type: "ended" });
      close();
    }
  };
}

function listen(name: string, address: ListenAddress, site: Site): string {
  try {
    return serve(address, site);
  } catch (error) {
    if (
      !(error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.AddrNotAvailable)
    ) {
      throw error;
    }
    const state = error instanceof Deno.errors.AddrInUse
      ? "the address is in use: choose another port"
      : 'no such address here: choose one that "ip address" lists';
    throw new Error(`Cannot serve --${name} on "${address.text}": ${state}`, { cause: "expected" });
  }
}

/** Waits until what was answered has been sent; not for long, where somebody does not read. */
async function flush(): Promise<void> {
  const sent = Promise.all(servers.map((server) => server.shutdown()));
  await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
}

function tell(news: WebNews): void {
  postMessage(news);
}

let running: ((message: WebMessage) => Promise<void>) | undefined;
addEventListener("message", ({ data }: MessageEvent<WebOrders | WebMessage>) => {
  if (running !== undefined) return void running(data as WebMessage);
  try {
    running = start(data as WebOrders);
  } catch (error) {
    const { message, cause } = error as Error;
    tell({ type: "failed", message, expected: cause === "expected" });
    close();
  }
});
