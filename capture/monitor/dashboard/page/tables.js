/**
 * Purpose: the page's tables. Rows are made when their number changes; then only what is in them does.
 */
import { bucketsOf, duration, usedBuckets } from "./figures.js";

const CAUSES = {
  notIpv4: "not IPv4",
  notUdp: "not UDP",
  address: "other address",
  port: "other port",
  length: "other length",
  expression: "not what -f asks for",
  truncated: "truncated",
  badHeader: "bad IPv4 header",
  fragment: "fragment",
  badUdpLength: "bad UDP length",
  badTick: "no tick",
  split: "over several buffers",
};

/** Makes the rows that these statistics need; `boundsNs` are those of the service times. */
export function layTables(statistics, boundsNs) {
  const { instruments, queues } = statistics;
  lay("losses", Object.keys({ ...statistics.rejectedBy, ...statistics.malformedBy }).join(), () => {
    for (const body of document.querySelectorAll("#losses tbody")) body.remove();
    document.querySelector("#losses").append(...lossGroups(statistics));
  });
  lay("instruments", instruments.length, (body) => {
    body.replaceChildren(...instruments.map((_, i) =>
      row(`instruments.${i}`, [
        ["instrument", { format: "name" }],
        ["ticks", {}],
        ["ticks", { rate: true, className: "wide" }],
        ["bid", { format: "price", unknown: "none" }],
        ["ask", { format: "price", unknown: "none" }],
        ["position", {}],
      ])
    ));
  });
  lay("queues", queues.map(({ port, core }) => `${port} ${core}`).join(), (body) => {
    body.replaceChildren(...queues.map((_, i) =>
      row(`queues.${i}`, [
        ["port", { format: "name" }],
        ["core", { format: "name", className: "wide" }],
        ["received", {}],
        ["received", { rate: true, className: "wide" }],
        ["accepted", { className: "wide" }],
        ["dropped", { className: "decoded", alarm: true }],
        ["lost", { alarm: true }],
      ])
    ));
  });
  layDistribution(statistics, boundsNs);
}

/** Packets of each bucket, from the first to the last that hold any. */
function layDistribution({ serviceNs: { atMost } }, boundsNs) {
  const [first, last] = usedBuckets(bucketsOf(atMost)) ?? [0, -1];
  lay("distribution", `${first} ${last}`, (body) => {
    const rows = boundsNs.slice(first, last + 1).map((bound, i) => {
      const tr = document.createElement("tr");
      const cells = ["all", "second"].map((which) => {
        const td = document.createElement("td");
        td.dataset[which] = first + i;
        return td;
      });
      tr.append(heading(duration(bound)), ...cells);
      return tr;
    });
    body.replaceChildren(...rows);
  });
}

const laid = new Map();

function lay(id, shape, make) {
  if (laid.get(id) === shape) return;
  laid.set(id, shape);
  make(document.querySelector(`#${id} tbody`));
}

function lossGroups({ rejectedBy, malformedBy }) {
  const of = (group, causes) => Object.keys(causes).map((name) => [`${group}.${name}`, name]);
  return [
    group("Lost", [
      ["lost", "by the port, before us", { alarm: true }],
      ["dropped", "tick ring full", { alarm: true, className: "decoded" }],
      ["starved", "times without a free buffer", { alarm: true }],
      ["engine.untracked", "ticks of too many instruments", {
        alarm: true,
        className: "decoded",
      }],
    ]),
    group("Malformed", [["malformed", "malformed in all"], ...of("malformedBy", malformedBy)]),
    group("Not wanted", [
      ["rejectedEarly", "turned away before us"],
      ["rejected", "rejected in all"],
      ...of("rejectedBy", rejectedBy),
    ]),
  ];
}

function group(title, rows) {
  const body = document.createElement("tbody"), head = document.createElement("tr");
  const th = heading(title);
  th.scope = "rowgroup";
  th.colSpan = 3;
  head.append(th);
  head.className = "group";
  body.append(
    head,
    ...rows.map(([path, name, { className = "", ...options } = {}]) => {
      const tr = document.createElement("tr");
      tr.className = className;
      tr.append(heading(CAUSES[name] ?? name), cell(path, options), cell(path, { rate: true }));
      return tr;
    }),
  );
  return body;
}

function row(path, cells) {
  const tr = document.createElement("tr");
  tr.append(...cells.map(([name, options], i) => cell(`${path}.${name}`, options, i === 0)));
  return tr;
}

function heading(text) {
  const th = document.createElement("th");
  th.scope = "row";
  th.textContent = text;
  return th;
}

function cell(path, { rate, format, unknown, alarm, className = "" }, first = false) {
  const td = document.createElement(first ? "th" : "td");
  if (first) td.scope = "row";
  td.className = className;
  td.dataset[rate ? "rate" : "field"] = path;
  if (format !== undefined || rate) td.dataset.format = format ?? "rate";
  if (unknown !== undefined) td.dataset.unknown = unknown;
  if (alarm) td.dataset.alarm = "";
  return td;
}
