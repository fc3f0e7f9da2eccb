/**
 * Purpose: what a capture says of its filter: at the start where it runs, at the end what it turned away.
 */
import type { PacketFilter } from "../filter/packet_filter.ts";
import type { CaptureCounts } from "./capture_state.ts";
import type { PushedFilter } from "./push_filter.ts";

const SHOWN = 60; // characters of an expression, in a line for people

/** A filter, as statistics name it. */
export interface FilterDescription {
  /** The expression; `null` where there is none. */
  expression: string | null;
  /** Whether what is accepted carries a tick. */
  decoded: boolean;
  /** Where packets are turned away first. */
  where: PushedFilter["where"];
  /** As what, or why no earlier. */
  how: string;
}

/** What a filter has done. */
export interface FilterStatistics extends FilterDescription {
  /** What it turned away before us; `null` where the port cannot know. */
  rejectedEarly: number | null;
}

/** How statistics name a filter. */
export function describeFilter(filter: PacketFilter, pushed: PushedFilter): FilterDescription {
  const { where, how } = pushed;
  return { expression: filter.expression?.text ?? null, decoded: filter.decodes, where, how };
}

/** Lines for the start; none where there is nothing to know. */
export function announceFilter(
  { expression, where, how }: FilterDescription,
  { takesAll }: PushedFilter,
): string[] {
  const lines: string[] = [];
  if (expression !== null) {
    const begin = `filter ${shorten(expression)} runs in`;
    lines.push(
      {
        "user space": `${begin} user space: ${how}`,
        kernel: `${begin} the kernel (${how}); user space judges again what comes through`,
        driver: `${begin} the driver (${how}); user space judges again what comes through, ` +
          `all else goes on to the kernel's network stack`,
      }[where],
    );
  }
  if (takesAll) {
    lines.push("every packet is taken off the interface, also those of ssh to this machine");
  }
  return lines;
}

/** A line for the summary; none where no expression ran, and nothing before user space. */
export function summarizeFilter(
  { expression, where, how, rejectedEarly }: FilterStatistics,
  { rejected, rejectedBy }: Pick<CaptureCounts, "rejected" | "rejectedBy">,
): string[] {
  if (expression === null && where === "user space") return [];
  const name = expression === null ? "-p, -d and the size of a tick" : shorten(expression);
  const here = expression === null ? rejected : rejectedBy.expression;
  const early = rejectedEarly === null
    ? "a number of packets that the port cannot tell"
    : `${rejectedEarly} packets`;
  const begin = `filter     ${name} ran in`, end = `; user space rejected ${here}`;
  switch (where) {
    case "kernel":
      return [`${begin} the kernel (${how}), which turned away ${early}${end}`];
    case "driver":
      return [
        `${begin} the driver (${how}), which left ${early} to the kernel's network stack${end}`,
      ];
    case "user space":
      return [
        `${begin} user space (${how}), and rejected ${here}` +
        (rejectedEarly === 0
          ? ""
          : `; before it, ${early} were left to the kernel's network stack`),
      ];
  }
}

/** In one line, and in quotes; an empty one with what it means. */
function shorten(expression: string): string {
  const line = expression.trim().replace(/\s+/g, " ");
  if (line === "") return '"" (every packet)';
  return `"${line.length > SHOWN ? `${line.slice(0, SHOWN - 1)}…` : line}"`;
}
