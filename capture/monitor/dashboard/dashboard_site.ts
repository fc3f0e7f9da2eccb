/**
 * Purpose: `--dashboard`: a web page that shows what `--json` prints, and the last ten minutes as charts.
 *
 * ```text
 *  browser                          web thread
 *  GET /, scripts, styles ────────▶ texts of the module graph: no file is read
 *  GET /events ───────────────────▶ "history": what is behind Last-Event-ID
 *      ◀──────────────────────────  "second", once a second; "beat"; "end"
 * ```
 */
import type { WebOrders } from "../web_orders.ts";
import type { Page, Site } from "../web_sites.ts";
import { EventStreams, MOST_READERS } from "./event_streams.ts";
import { History } from "./history.ts";
import { FILES } from "./page_files.ts";
import { SecondService } from "./second_service.ts";

/** Nothing from elsewhere, nothing written into the page itself, no frame around it. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** The dashboard of a capture. */
export function dashboardSite({ captures, nsPerTick }: WebOrders): Site {
  const history = new History(), streams = new EventStreams();
  const service = new SecondService(captures, nsPerTick);
  const threads = captures.map(({ port, core, mode }) => ({ port, core, mode }));
  let ended = false;
  const events: Page = ({ method, url, headers }) => {
    if (ended || streams.readers >= MOST_READERS) {
      const words = ended
        ? "The capture has ended"
        : `${MOST_READERS} pages are open already: close one`;
      return new Response(`${words}\n`, { status: 503, headers: { "retry-after": "5" } });
    }
    const type = { "content-type": "text/event-stream; charset=utf-8" };
    if (method === "HEAD") return new Response(null, { headers: type });
    const seen = headers.get("last-event-id") ?? new URL(url).searchParams.get("after");
    const data = { ...history.behind(seen), captures: threads };
    return new Response(streams.open({ name: "history", id: history.id, data }), { headers: type });
  };
  const pages: Record<string, Page> = { "/events": events };
  for (const [path, { text, type }] of Object.entries(FILES)) {
    pages[path] = () => new Response(text, { headers: { "content-type": type } });
  }
  const strict = (page: Page): Page => async (request) => withHeaders(await page(request));
  return {
    pages: Object.fromEntries(Object.entries(pages).map(([path, page]) => [path, strict(page)])),
    update: (statistics) => {
      const row = history.push(statistics, service.take());
      streams.send({ name: "second", id: history.id, data: { row, statistics } });
    },
    end: () => {
      ended = true;
      streams.end({ name: "end", data: null });
    },
  };
}

function withHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  return response;
}
