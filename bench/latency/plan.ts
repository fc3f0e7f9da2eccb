/**
 * Purpose: what is measured, and how: which role runs on which thread, and which ports they use.
 *
 * ```text
 *              one way                              tick to trade
 *  generator ───────────▶ capture ──▶ engine ──────────────────────▶ generator
 *            ports.send   ports.capture        ports.orders          ports.receive
 * ```
 */
import type { Wait } from "../../capture/pump_loop.ts";
import { UsageError } from "../../ffi/usage.ts";
import { UDP_PORT } from "../harness/market_data.ts";
import { noNetmap } from "../harness/netmap.ts";
import { ORDERS, TICKS } from "./stamped_sender.ts";

/** What can be measured. */
export const MEASURES = ["one-way", "tick-to-trade"] as const;
/** What is measured. */
export type Measure = typeof MEASURES[number];

/** The kinds of port; "ring" is none: the generator is the tick ring's producer, the floor. */
export const KINDS = ["ring", "soft", "pipe", "udp", "packet", "xdp", "netmap"] as const;
/** A kind of port. */
export type Kind = typeof KINDS[number];
/** Those that shared memory is enough for. */
export const WITHOUT_KERNEL: readonly Kind[] = ["ring", "soft", "pipe"];

/** The roles. */
const ROLES = ["generator", "capture", "engine"] as const;
/** A role. */
export type RoleName = typeof ROLES[number];
/** The roles of each thread. */
export type Layout = RoleName[][];

/** Names of the ports that the roles open; the same name on one thread is one port for both directions. */
export interface Ports {
  send: string;
  capture: string;
  orders: string;
  receive: string;
  /** UDP destination ports of ticks and of orders. */
  ticksTo: number;
  ordersTo: number;
}

/** The interfaces between which kernel kinds are measured, and how the generator uses its own. */
export interface Interfaces {
  receive: string;
  send: string;
  via: "xdp" | "packet";
}

/** One measurement. */
export interface Plan {
  measure: Measure;
  kind: Kind;
  wait: Wait;
  layout: Layout;
  cores: number[];
  /** Nothing: the tick ring alone. */
  ports?: Ports;
  rateHz: number;
  seconds: number;
}

const TO = { ticksTo: UDP_PORT, ordersTo: UDP_PORT + 1 };

/** Packets a second, unless told: well below what the kind can do on one core. */
export function defaultRateHz(kind: Kind): number {
  return WITHOUT_KERNEL.includes(kind) ? 100_000 : 20_000;
}

/** A layout as text: "generator,capture+engine". */
export function layoutText(layout: Layout): string {
  return layout.map((roles) => roles.join("+")).join(",");
}

/**
 * A layout from text.
 *
 * @throws {UsageError} where a role is missing, unknown, or there twice.
 */
export function parseLayout(text: string): Layout {
  const layout = text.split(",").map((thread) => thread.split("+")), named = layout.flat();
  const complete = named.length === ROLES.length && ROLES.every((role) => named.includes(role));
  if (complete) return layout as Layout;
  throw new UsageError(
    `Cannot use --threads "${text}": each of ${ROLES.join(", ")} must be there once: ` +
      `write "+" between those of a thread and "," between threads`,
  );
}

/**
 * Who runs with whom, where nobody says: one core each, or on two cores what leaves the crossing that is
 * measured between them.
 */
export function defaultLayout(measure: Measure, kind: Kind, cores: number): Layout {
  if (cores === 1) return [[...ROLES]];
  if (cores > 2 || kind === "ring") return ROLES.map((role) => [role]);
  if (measure === "one-way") return [["generator", "engine"], ["capture"]];
  return [["generator"], ["capture", "engine"]];
}

/** The layout without roles that a kind does not have. */
export function fitLayout(kind: Kind, layout: Layout): Layout {
  if (kind !== "ring") return layout;
  return layout.map((roles) => roles.filter((role) => role !== "capture"))
    .filter((roles) => roles.length > 0);
}

/** Why a kind cannot be measured here; `undefined`: it can. `noInterfaces` says why there are none. */
export function whyNot(
  measure: Measure,
  kind: Kind,
  interfaces: Interfaces | undefined,
  noInterfaces: string,
): string | undefined {
  if (kind === "ring" && measure === "tick-to-trade") return "the tick ring alone has no wire";
  const why = kind === "netmap" ? noNetmap() : undefined;
  if (why !== undefined) return why;
  const needsInterfaces = kind === "packet" || kind === "xdp" || kind === "netmap";
  return needsInterfaces && interfaces === undefined ? noInterfaces : undefined;
}

/** The ports of a kind. `id` keeps the names of soft ports and loopback sockets apart from other programs'. */
export function portsOf(
  kind: Kind,
  interfaces: Interfaces | undefined,
  layout: Layout,
  id: number,
): Ports | undefined {
  if (kind === "ring") return undefined;
  if (kind === "soft") return softPorts(`latency-${id}`);
  if (kind === "pipe") return pipePorts(`latency-${id}`);
  if (interfaces === undefined) return loopbackPorts(id);
  const { receive: at, send, via } = interfaces;
  const together = layout.some((roles) => roles.includes("capture") && roles.includes("engine"));
  const ours = kind === "netmap" ? `netmap:${send}` : `${via}:${send}`;
  const names: Record<typeof kind, [capture: string, orders: string]> = {
    // A queue has one AF_XDP socket: an engine on a thread of its own sends another way.
    xdp: [`xdp:${at}`, together ? `xdp:${at}` : `packet:${at}`],
    packet: [`packet:${at}`, `packet:${at}`],
    netmap: [`netmap:${at}`, `netmap:${at}`],
    udp: [`udp:${TICKS}:${TO.ticksTo}@${at}`, `udp:${ORDERS}:${TO.ordersTo}@${at}`],
  };
  const [capture, orders] = names[kind];
  return { send: ours, capture, orders, receive: ours, ...TO };
}

/** A switch for each direction: one that knew nobody's address would flood orders and ticks to all. */
function softPorts(network: string): Ports {
  const ticks = `soft:${network}-ticks`, orders = `soft:${network}-orders`;
  return {
    send: `${ticks}:generator`,
    capture: `${ticks}:capture`,
    orders: `${orders}:engine`,
    receive: `${orders}:generator`,
    ...TO,
  };
}

function pipePorts(network: string): Ports {
  return {
    send: `soft:${network}{ticks`,
    capture: `soft:${network}}ticks`,
    orders: `soft:${network}{orders`,
    receive: `soft:${network}}orders`,
    ...TO,
  };
}

function loopbackPorts(id: number): Ports {
  const ticksTo = 20_000 + id % 5_000 * 2, ordersTo = ticksTo + 1; // below those that the kernel gives away
  const ticks = `udp:127.0.0.1:${ticksTo}`, orders = `udp:127.0.0.1:${ordersTo}`;
  return { send: ticks, capture: ticks, orders, receive: orders, ticksTo, ordersTo };
}
