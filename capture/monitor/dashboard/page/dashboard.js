/**
 * Purpose: shows what the capture says. Every number carries its value as it was sent, and the document
 * the time of its statistics, so that others can read the page, too:
 * `<html data-elapsed-ns="12000123456">`, `<dd data-field="received" data-value="394220">394 220</dd>`.
 */
import { Charts } from "./charts.js";
import { Connection } from "./connection.js";
import { bucketsOf, lookup, rateOf, standsStill, written } from "./figures.js";
import { layTables } from "./tables.js";

const ROWS = 600;
const WORDS = {
  connecting: "connecting",
  live: "live",
  stalled: "stalled",
  silent: "stalled",
  reconnecting: "reconnecting",
  ended: "capture ended",
  full: "not connected",
};
const NOTICES = {
  stalled: "The capture threads stand still: they ask their port for nothing.",
  silent: "The capture has said nothing for some seconds.",
  reconnecting: "The capture cannot be reached. What is shown is old; asking again.",
  ended: "The capture has ended. These are its final sums.",
};

const root = document.documentElement, $ = (id) => document.getElementById(id);
const charts = new Charts();
let about = { captures: [], boundsNs: [], startedMs: 0 };
let columns = {}, statistics = null, previous = null, state = "connecting", words = "";

function takeHistory(history) {
  const { captures, boundsNs, startedMs, rows } = history, more = captures.length - 1;
  about = { captures, boundsNs, startedMs };
  $("port").textContent = captures[0].port + (more > 0 ? ` and ${more} more` : "");
  if (history.reset) columns = Object.fromEntries(history.columns.map((name) => [name, []]));
  rows.forEach(takeRow);
  ({ statistics, previous } = history);
  render();
}

function takeSecond({ row, statistics: now }) {
  if (row !== null) takeRow(row);
  previous = statistics;
  statistics = now;
  render();
}

function takeRow(row) {
  Object.values(columns).forEach((column, i) => {
    column.push(row[i]);
    if (column.length > ROWS) column.shift();
  });
}

function render() {
  if (statistics === null) return blank();
  layTables(statistics, about.boundsNs);
  showHead();
  for (const element of document.querySelectorAll("[data-field]")) {
    set(element, lookup(statistics, element.dataset.field));
  }
  for (const element of document.querySelectorAll("[data-rate]")) {
    set(element, rateOf(element.dataset.rate, statistics, previous));
  }
  for (const element of document.querySelectorAll(".tiles dd")) {
    element.style.setProperty("--letters", element.textContent.length);
  }
  showDistribution();
  charts.show(columns, about, statistics, previous);
  root.dataset.elapsedNs = String(statistics.elapsedNs);
  showState();
}

/** Another capture has begun: nothing of the one before is left. */
function blank() {
  for (const element of document.querySelectorAll("[data-value]")) {
    delete element.dataset.value;
    element.textContent = "–";
  }
  delete root.dataset.elapsedNs;
  root.dataset.final = "false";
  charts.clear();
  showState();
}

function set(element, value) {
  const { format, unknown } = element.dataset;
  const text = format === "name" ? String(value) : written(value, format, unknown);
  element.dataset.value = JSON.stringify(value ?? null);
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle("zero", value === 0);
  element.classList.toggle("unknown", value === null || value === undefined);
  element.classList.toggle("alarm", "alarm" in element.dataset && value > 0);
}

/** Packets of each bucket, which data-all and data-second number. */
function showDistribution() {
  const { serviceNs: { atMost }, final } = statistics;
  const all = bucketsOf(atMost);
  const second = final ? all : bucketsOf(atMost, previous?.serviceNs.atMost);
  for (const element of document.querySelectorAll("[data-all]")) {
    set(element, all[element.dataset.all]);
  }
  for (const element of document.querySelectorAll("[data-second]")) {
    set(element, second[element.dataset.second]);
  }
}

function showHead() {
  const { filter, queues, write, final } = statistics;
  const by = filter.expression === null
    ? "no filter expression"
    : `${filter.expression.trim() || "every packet"} (in the ${filter.where})`.replace(
      "the user",
      "user",
    );
  $("about").textContent = [about.captures[0].mode, by, ...(filter.decoded ? [] : ["not decoded"])]
    .join(" · ");
  root.dataset.final = String(final);
  root.dataset.decoded = String(filter.decoded);
  $("queues-card").hidden = queues.length < 2;
  $("write-card").hidden = write === null;
  $("write-failed").hidden = write?.failed === undefined;
  $("write-failed").textContent = write?.failed ?? "";
}

function showState() {
  const still = state === "live" && statistics !== null && standsStill(statistics, previous);
  const shown = still ? "stalled" : statistics?.final && state === "live" ? "ended" : state;
  root.dataset.state = shown === "silent" ? "stalled" : shown;
  const word = WORDS[shown];
  if ($("state-word").textContent !== word) $("state-word").textContent = word;
  const notice = words || NOTICES[shown] || "";
  $("notice").hidden = notice === "";
  if ($("notice").textContent !== notice) $("notice").textContent = notice;
  document.title = `${shown === "live" ? "" : `${word}: `}${$("port").textContent}`;
}

new Connection({
  history: takeHistory,
  second: takeSecond,
  state: (now, why) => {
    [state, words] = [now, why];
    showState();
  },
});
