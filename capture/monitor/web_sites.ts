/**
 * Purpose: which pages there are at which address.
 */
import { dashboardSite } from "./dashboard/dashboard_site.ts";
import type { Statistics } from "./statistics.ts";
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
  return {
    dashboard: orders.dashboard && dashboardSite(orders),
  };
}
