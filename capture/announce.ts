/**
 * Purpose: the first lines of a capture: where packets come from, where the filter runs, what is served.
 */
import { standardOutput } from "../ffi/outlet.ts";
import { say, warn } from "../ffi/voice.ts";
import type { CaptureOptions } from "./capture_options.ts";
import { filterCode } from "./filter_code.ts";
import { announceFilter, describeFilter } from "./filter_report.ts";
import type { OpenCapture } from "./open_capture.ts";
import { queuesLeftOut } from "./receive_ports.ts";

/** What a capture says when it begins. */
export type Announcement = () => void;

/** Looks up what is to be announced, while that is permitted. */
export function announcement(options: CaptureOptions, open: OpenCapture): Announcement {
  const { captures } = open.group;
  const leftOut = options.rings === undefined ? 0 : queuesLeftOut(options.port, captures.length);
  return () => announce(options, open, leftOut);
}

function announce(options: CaptureOptions, open: OpenCapture, leftOut: number): void {
  const { group: { captures }, pushed } = open, { compiled, quiet, json, log } = options;
  if (options.printCode) {
    standardOutput.send(`${filterCode(compiled.expression, captures[0].code, pushed)}\n`);
  }
  if (quiet || json && log === "text") return announceChosenPorts(options, open);
  const [{ mode, port }] = captures;
  say(`capturing from ${whence(options, open)}`, { port, mode });
  if (leftOut > 0) say(`${leftOut} receive queues are left out: --rings all takes them`);
  announceFilter(describeFilter(compiled, pushed), pushed).forEach((line) => say(line));
  served(open).forEach((line) => say(line));
}

/** Of an address with port 0 nobody else knows the number. */
function announceChosenPorts({ metrics, dashboard }: CaptureOptions, open: OpenCapture): void {
  if (metrics?.port === 0 || dashboard?.port === 0) served(open).forEach((line) => warn(line));
}

function whence({ port, seconds }: CaptureOptions, open: OpenCapture): string {
  const { group: { captures }, sender } = open;
  const until = seconds > 0
    ? ` for ${seconds} s`
    : port.startsWith("pcap:")
    ? " to its end"
    : " until stopped";
  const from = sender
    ? `the built-in soft switch, with a built-in sender of ${sender.rateHz} packets a second`
    : `${port} (${captures[0].mode})`;
  const cores = captures.map(({ core }) => core).join(", ");
  const threads = captures.length === 1
    ? `capture thread on core ${cores}`
    : `${captures.length} capture threads on cores ${cores}`;
  return `${from}${until}; ${threads}`;
}

function served({ web }: OpenCapture): string[] {
  const { metrics, dashboard } = web?.listening ?? {};
  return [
    ...(metrics === undefined ? [] : [`metrics at http://${metrics}/metrics, health at /health`]),
    ...(dashboard === undefined ? [] : [`dashboard at http://${dashboard}/, health at /health`]),
  ];
}
