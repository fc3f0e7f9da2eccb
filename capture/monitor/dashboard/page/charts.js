/**
 * Purpose: all charts of the page: made anew for other colours, and as wide as there is room.
 */
import { HEIGHT } from "./chart_parts.js";
import { DistributionChart } from "./distribution_chart.js";
import { timeCharts } from "./time_chart.js";

/** The charts of one capture at a time. */
export class Charts {
  #times = [];
  #distribution = null;
  #shown = null;
  #decoded = true;

  constructor() {
    new ResizeObserver(() => this.#resize()).observe(document.querySelector("main"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#make());
  }

  /** Shows rows, given as one array a column, and the statistics' distribution. */
  show(columns, { startedMs, boundsNs }, statistics, previous) {
    const { decoded } = statistics.filter, anew = this.#shown === null || decoded !== this.#decoded;
    this.#decoded = decoded;
    this.#shown = { columns, startedMs, boundsNs, statistics, previous };
    if (anew) this.#make();
    else this.#draw();
  }

  /** Shows nothing. */
  clear() {
    this.#shown = null;
    this.#make();
  }

  #make() {
    for (const one of this.#all()) one.destroy();
    [this.#times, this.#distribution] = [[], null];
    if (this.#shown === null) return;
    this.#times = timeCharts(this.#decoded);
    this.#distribution = new DistributionChart(this.#shown.boundsNs);
    this.#draw();
  }

  #draw() {
    const { columns, startedMs, statistics, previous } = this.#shown;
    const x = columns.seconds.map((seconds) => startedMs / 1e3 + seconds);
    for (const one of this.#times) one.show(x, columns);
    this.#distribution.show(statistics, previous);
  }

  #resize() {
    for (const { chart } of this.#all()) {
      const width = chart.root.parentElement.clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
    }
  }

  #all() {
    return this.#distribution === null ? [] : [...this.#times, this.#distribution];
  }
}
