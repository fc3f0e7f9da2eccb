/**
 * Purpose: what a driver says of its interface: the questions of ethtool(8), by the same call, without that
 * program. Offsets are those of linux/ethtool.h; inquiry.c asserts them.
 *
 * Whatever a driver does not answer is `undefined`.
 */
import { loadLibrary } from "./library.ts";
import { zeroEnded } from "./system_files.ts";

const GET = {
  driver: 0x03,
  coalescing: 0x0e,
  rings: 0x10,
  pause: 0x12,
  strings: 0x1b,
  statistics: 0x1d,
  ruleCount: 0x2e,
  setInfo: 0x37,
  indirection: 0x38,
  features: 0x3a,
  channels: 0x3c,
  link: 0x4c,
} as const;
/** enum ethtool_stringset */
const SETS = { statistics: 1, features: 4 } as const;
const NAME_BYTES = 32, BLOCK_BYTES = 16;
const UNKNOWN_SPEED = 0xffffffff;
const LINK_BYTES = 48 + 3 * 4 * 127; // three masks of as many words as a signed byte can count

/** `ethtool -k` calls some by names older than the kernel's. */
const NAMES: Record<string, string> = {
  "rx-gro": "generic-receive-offload",
  "rx-lro": "large-receive-offload",
  "rx-vlan-hw-parse": "rx-vlan-offload",
  "rx-hashing": "receive-hashing",
  "rx-ntuple-filter": "ntuple-filters",
  "rx-checksum": "rx-checksumming",
};

/** An offload, as `ethtool -k` shows it. */
export interface Feature {
  on: boolean;
  /** It cannot be changed. */
  fixed: boolean;
}

/** A setting that has a largest value. */
export interface Setting {
  now: number;
  max: number;
}

/** All that a driver answers. */
export interface DeviceFacts {
  driver?: string;
  version?: string;
  firmware?: string;
  /** On which bus, such as a PCI address. */
  bus?: string;
  /** In Mbit/s. */
  speed?: number;
  duplex?: "half" | "full";
  /** Queues that only receive, and those that do both. */
  rxChannels?: Setting;
  combinedChannels?: Setting;
  /** Slots of each receive ring of the NIC. */
  rxRing?: Setting;
  pause?: { negotiated: boolean; rx: boolean; tx: boolean };
  /** Microseconds that an interrupt may wait for more packets; adaptive: the driver decides. */
  coalescing?: { rxUs: number; adaptive: boolean };
  /** Which queue each entry of the RSS table names. */
  indirection?: number[];
  /** ntuple rules, which come before the table. */
  rules?: number;
  features: Record<string, Feature>;
}

/** Asks all questions but that of the counters. */
export function deviceFacts(name: string): DeviceFacts {
  const ask = (command: number, bytes: number, fill?: (view: DataView) => void) =>
    question(name, command, bytes, fill);
  const driver = ask(GET.driver, 196);
  const text = (at: number) => (driver && cText(driver, at, 32)) || undefined;
  return {
    driver: text(4),
    version: text(36),
    firmware: text(68),
    bus: text(100),
    ...linkOf(name),
    ...channelsOf(ask(GET.channels, 36)),
    rxRing: settingOf(ask(GET.rings, 36), 20, 4),
    pause: pauseOf(ask(GET.pause, 16)),
    coalescing: coalescingOf(ask(GET.coalescing, 92)),
    indirection: indirectionOf(name),
    rules: ask(GET.ruleCount, 192)?.getUint32(184, true),
    features: featuresOf(name),
  };
}

/** The driver's own counters by name; none where it has none. */
export function driverCounters(name: string): Record<string, number> {
  const names = namesOf(name, SETS.statistics);
  const counters = question(name, GET.statistics, 8 + names.length * 8, (view) => {
    view.setUint32(4, names.length, true);
  });
  if (counters === undefined) return {};
  const count = Math.min(names.length, counters.getUint32(4, true));
  return Object.fromEntries(
    names.slice(0, count).map((name, i) => [name, Number(counters.getBigUint64(8 + i * 8, true))]),
  );
}

function question(
  name: string,
  command: number,
  bytes: number,
  fill: (view: DataView) => void = () => {},
): DataView | undefined {
  const view = new DataView(new ArrayBuffer(bytes));
  view.setUint32(0, command, true);
  fill(view);
  const answer = new Uint8Array(view.buffer);
  return loadLibrary().uspf_ethtool(zeroEnded(name), answer, bytes) < 0 ? undefined : view;
}

/** The kernel first tells how long its masks are, as a negative number of words. */
function linkOf(name: string): Pick<DeviceFacts, "speed" | "duplex"> {
  const words = -(question(name, GET.link, LINK_BYTES)?.getInt8(15) ?? 0);
  if (words <= 0) return {};
  const link = question(name, GET.link, LINK_BYTES, (view) => view.setInt8(15, words));
  if (link === undefined) return {};
  const speed = link.getUint32(4, true), duplex = link.getUint8(8);
  return {
    speed: speed === UNKNOWN_SPEED || speed === 0 ? undefined : speed,
    duplex: duplex === 0 ? "half" : duplex === 1 ? "full" : undefined,
  };
}

function channelsOf(
  view: DataView | undefined,
): Pick<DeviceFacts, "rxChannels" | "combinedChannels"> {
  return { rxChannels: settingOf(view, 20, 4), combinedChannels: settingOf(view, 32, 16) };
}

function settingOf(view: DataView | undefined, now: number, max: number): Setting | undefined {
  if (view === undefined || view.getUint32(max, true) === 0) return undefined;
  return { now: view.getUint32(now, true), max: view.getUint32(max, true) };
}

function pauseOf(view: DataView | undefined): DeviceFacts["pause"] {
  const is = (at: number) => view?.getUint32(at, true) !== 0;
  return view && { negotiated: is(4), rx: is(8), tx: is(12) };
}

function coalescingOf(view: DataView | undefined): DeviceFacts["coalescing"] {
  return view && { rxUs: view.getUint32(4, true), adaptive: view.getUint32(40, true) !== 0 };
}

function indirectionOf(name: string): number[] | undefined {
  const size = question(name, GET.indirection, 8)?.getUint32(4, true) ?? 0;
  if (size === 0) return undefined;
  const view = question(
    name,
    GET.indirection,
    8 + size * 4,
    (view) => view.setUint32(4, size, true),
  );
  return view && Array.from({ length: size }, (_, i) => view.getUint32(8 + i * 4, true));
}

function featuresOf(name: string): Record<string, Feature> {
  const names = namesOf(name, SETS.features), blocks = Math.ceil(names.length / 32);
  const view = question(name, GET.features, 8 + blocks * BLOCK_BYTES, (view) => {
    view.setUint32(4, blocks, true);
  });
  if (view === undefined) return {};
  const bit = (i: number, word: number) =>
    (view.getUint32(8 + (i >> 5) * BLOCK_BYTES + word * 4, true) >>> (i & 31) & 1) === 1;
  const known = names.map((name, i) => ({ name: NAMES[name] ?? name, i })).filter(({ name }) =>
    name !== ""
  );
  return Object.fromEntries(known.map(({ name, i }) => {
    const [available, , on, never] = [0, 1, 2, 3].map((word) => bit(i, word));
    return [name, { on, fixed: !available || never }];
  }));
}

function namesOf(name: string, set: number): string[] {
  const info = question(
    name,
    GET.setInfo,
    20,
    (view) => view.setBigUint64(8, 1n << BigInt(set), true),
  );
  if (info === undefined || info.getBigUint64(8, true) === 0n) return [];
  const count = info.getUint32(16, true);
  const view = question(name, GET.strings, 12 + count * NAME_BYTES, (view) => {
    view.setUint32(4, set, true);
    view.setUint32(8, count, true);
  });
  if (view === undefined) return [];
  return Array.from({ length: count }, (_, i) => cText(view, 12 + i * NAME_BYTES, NAME_BYTES));
}

function cText(view: DataView, at: number, room: number): string {
  const bytes = new Uint8Array(view.buffer, at, room), end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? room : end)).trim();
}
