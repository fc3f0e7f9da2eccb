/**
 * Purpose: the page's files. They are imported as texts, so that they travel with the modules, also into a
 * compiled program, and the web thread needs no permission to read.
 */
import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import chartParts from "./page/chart_parts.js" with { type: "text" };
import charts from "./page/charts.js" with { type: "text" };
import connection from "./page/connection.js" with { type: "text" };
import style from "./page/dashboard.css" with { type: "text" };
import dashboard from "./page/dashboard.js" with { type: "text" };
import distributionChart from "./page/distribution_chart.js" with { type: "text" };
import figures from "./page/figures.js" with { type: "text" };
import icon from "./page/icon.svg" with { type: "text" };
import page from "./page/index.html" with { type: "text" };
import tables from "./page/tables.js" with { type: "text" };
import timeChart from "./page/time_chart.js" with { type: "text" };

/** A file that is served. */
export interface PageFile {
  text: string;
  type: string;
}

/** Files by their paths. */
export const FILES: Readonly<Record<string, PageFile>> = {
  "/": { text: page, type: "text/html; charset=utf-8" },
  "/icon.svg": { text: icon, type: "image/svg+xml" },
  ...styles({ uplot: uplotStyle, dashboard: style }),
  ...scripts({
    uplot: uplotScript,
    dashboard,
    chart_parts: chartParts,
    charts,
    connection,
    distribution_chart: distributionChart,
    figures,
    tables,
    time_chart: timeChart,
  }),
};

function scripts(texts: Record<string, string>): Record<string, PageFile> {
  return named(texts, "js", "text/javascript; charset=utf-8");
}

function styles(texts: Record<string, string>): Record<string, PageFile> {
  return named(texts, "css", "text/css; charset=utf-8");
}

function named(texts: Record<string, string>, ending: string, type: string) {
  const files = Object.entries(texts).map(([name, text]) => [`/${name}.${ending}`, { text, type }]);
  return Object.fromEntries(files);
}
