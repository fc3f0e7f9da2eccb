/**
 * Purpose: which pages there are at which address. All sites have `/health`.
 */
import { dashboardSite } from "./dashboard/dashboard_site.ts";
import { Health, LOOK_MS } from "./health.ts";
import { metricsSite } from "./metrics_site.ts";
import type { Statistics } from "./statistics.ts";
import { WatchedCapture } from "./watched_capture.ts";
import type { WebOrders } from "./web_orders.ts";

/** Answers GET and HEAD. */
export type Page = (request: Request) => Response | Promise<Response>;

/** What is served at one address. */
export interface Site {
  /** Pages by their paths. */
  pages: Readonly<Record<string, Page>>;
  /** Takes the statistics of a second. */
  update(statistics: Statistics): void;
  /** Ends what is still being sent. */
  end(): Promise<void> | void;
}

/** The sites that were asked for. */
export function sitesOf(orders: WebOrders): { metrics?: Site; dashboard?: Site } {
  const captures = orders.captures.map((capture, ring) => new WatchedCapture(capture, ring));
  const health = new Health(captures);
  setInterval(() => health.faults(), LOOK_MS);
  const { metrics, dashboard } = orders;
  return {
    metrics: metrics && withHealth(metricsSite(captures, orders, health), health),
    dashboard: dashboard && withHealth(dashboardSite(orders), health),
  };
}

function withHealth(site: Site, health: Health): Site {
  return {
    pages: { ...site.pages, "/health": health.page },
    update(statistics) {
      health.update(statistics);
      site.update(statistics);
    },
    end: () => site.end(),
  };
}
