/**
 * Purpose: the web thread: serves what `--metrics` and `--dashboard` ask for, over HTTP.
 */
import type { ListenAddress } from "./listen_address.ts";
import { refusal } from "./visitors.ts";
import type { WebMessage, WebNews, WebOrders } from "./web_orders.ts";
import { type Page, type Site, sitesOf } from "./web_sites.ts";

const NAMES = ["metrics", "dashboard"] as const;
/** Who has not got his answer by then does not get it. */
const END_MS = 300;
const TEXT = { "content-type": "text/plain; charset=utf-8" };

/** A server, and the address that it got. */
interface Listening {
  server: Deno.HttpServer<Deno.NetAddr>;
  /** Ends it, whoever is connected. */
  abort: AbortController;
  at: string;
}

function start(orders: WebOrders): (message: WebMessage) => Promise<void> {
  const sites = sitesOf(orders), all = Object.values(sites).filter((site) => site !== undefined);
  const byAddress = new Map<string, Listening>(), listening: Partial<Record<string, string>> = {};
  for (const name of NAMES) {
    const address = orders[name];
    if (address === undefined) continue;
    const here = NAMES.filter((other) => orders[other]?.text === address.text);
    const pages = here.map((other) => sites[other]!.pages);
    const one = byAddress.get(address.text) ?? listen(name, address, Object.assign({}, ...pages));
    byAddress.set(address.text, one);
    listening[name] = one.at;
  }
  tell({ type: "listening", ...listening });
  return async (message) => {
    if (message.type === "statistics") all.forEach((site) => site.update(message.statistics));
    else await end(all, [...byAddress.values()]);
  };
}

async function end(sites: readonly Site[], servers: readonly Listening[]): Promise<void> {
  ending = true;
  await Promise.all(sites.map((site) => site.end()));
  await Promise.all(servers.map(async ({ server, abort }) => {
    const late = Promise.withResolvers<void>(), timer = setTimeout(late.resolve, END_MS);
    await Promise.race([server.shutdown().catch(() => {}), late.promise]);
    clearTimeout(timer);
    abort.abort();
  }));
  tell({ type: "ended" });
  close();
}

/** @throws {Error} with the cause "expected" where that address cannot be had. */
function listen(name: string, address: ListenAddress, pages: Site["pages"]): Listening {
  const { hostname, port, text } = address;
  try {
    const abort = new AbortController(), { signal } = abort;
    const options = { hostname, port, signal, onListen: () => {}, onError: failed };
    const server = Deno.serve(options, (request) => answer(request, address, pages));
    const { addr } = server;
    const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
    return { server, abort, at: `${host}:${addr.port}` };
  } catch (error) {
    const state = stateOf(error as Error);
    if (state === undefined) throw error;
    throw new Error(`Cannot serve --${name} on "${text}": ${state}`, { cause: "expected" });
  }
}

/** What is the matter with an address, and what to do. */
function stateOf(error: Error): string | undefined {
  if (error instanceof Deno.errors.AddrInUse) {
    return "the address is in use: choose another port";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return 'no such address here: choose one that "ip address" lists';
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "not permitted to this user: choose a port from 1024 on";
  }
  // Of getaddrinfo(3), which has no class of its own.
  return /lookup address/.test(error.message)
    ? "no such host: choose an address of this machine, such as 127.0.0.1"
    : undefined;
}

async function answer(
  request: Request,
  address: ListenAddress,
  pages: Site["pages"],
): Promise<Response> {
  return asIs(refusal(request, address) ?? await pageFor(request, pages));
}

/** Whatever it is, a browser shall not guess that it is something else. */
function asIs(response: Response): Response {
  response.headers.set("x-content-type-options", "nosniff");
  return response;
}

function pageFor(request: Request, pages: Site["pages"]): Response | Promise<Response> {
  const path = URL.parse(request.url)?.pathname ?? "";
  const page: Page | undefined = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (page === undefined) {
    const there = Object.keys(pages).join(" ");
    return new Response(`Nothing here. There is: ${there}\n`, { status: 404, headers: TEXT });
  }
  if (request.method === "GET" || request.method === "HEAD") return page(request);
  const headers = { ...TEXT, allow: "GET, HEAD" };
  return new Response("Only GET and HEAD\n", { status: 405, headers });
}

/** A page is broken, which is a bug of ours: it is said, and the others go on. */
function failed(error: unknown): Response {
  const { message, stack = message } = error as Error;
  tell({ type: "broken", message: `Cannot show a page: ${message}: report this`, stack });
  return asIs(new Response("This page is broken\n", { status: 500, headers: TEXT }));
}

function tell(news: WebNews): void {
  postMessage(news);
}

/** Before it listens, it cannot be served; afterwards it is a bug of ours, or an answer that was cut off at the end. */
function die(error: unknown): void {
  if (ending) return;
  const { message, cause, stack } = error as Error;
  tell({ type: "failed", message, expected: cause === "expected", stack });
  close();
}

let ending = false;
let running: ((message: WebMessage) => Promise<void>) | undefined;
addEventListener("message", async ({ data }: MessageEvent<WebOrders | WebMessage>) => {
  try {
    if (running === undefined) running = start(data as WebOrders);
    else await running(data as WebMessage);
  } catch (error) {
    die(error);
  }
});
// Whatever else is thrown would be printed as it is, whatever --log says.
addEventListener("error", (event) => {
  event.preventDefault();
  die(event.error);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  die(event.reason);
});
