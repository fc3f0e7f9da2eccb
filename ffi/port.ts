/**
 * Purpose: what every kind of port offers, and what they share: rings in a region, syncs, waiting.
 *
 * ```text
 *          rxSync                                  txSync
 *  wire ──────────▶ rx rings ──▶ TypeScript ──▶ tx rings ──────────▶ wire
 *                   [head, tail) to read          [head, tail) free
 * ```
 */
import { type Library, loadLibrary } from "./library.ts";
import { type Ring, slotsReady } from "./layout.ts";
import { errnoName, PortError } from "./port_error.ts";

/** Directions of a port, as bits: USPF_RX, USPF_TX. */
export const RX = 1, TX = 2;

/** What is written in `number[]` and `text[]` of a `uspf_spec`; each kind's C file says what they mean. */
export interface PortSpec {
  kind: number;
  directions: number;
  numbers: number[];
  texts: string[];
  /** A program for the kernel: classic BPF for packet and udp ports, eBPF for xdp ports. */
  program?: Uint8Array;
}

/** How to open a port; what its kind has no use for is ignored. */
export interface PortOptions {
  /** xdp: the packets to take; all others go on to the kernel's network stack. Nothing: take all. */
  wanted?: Wanted;
  /**
   * xdp: a piece of eBPF, as `xdpProgram` describes it, that judges packets before `wanted` is asked;
   * what it rejects goes on to the kernel's network stack, too.
   */
  driverFilter?: Uint8Array;
  /** xdp: the mode to insist on; `"auto"` takes the best that there is. */
  xdpMode?: XdpMode;
  /** packet, xdp: have the interface pass on packets to other machines' addresses, too. */
  promiscuous?: boolean;
  /**
   * packet, udp: a classic BPF program (`struct sock_filter`, 8 bytes each) that the kernel runs on every
   * packet; of a udp port it sees the packet from the UDP header on. Only packets of which it returns 0 are
   * turned away; see `rejectedEarly`.
   */
  kernelFilter?: Uint8Array;
  /** packet: found a fanout group that nobody else has, for other sockets to join by its number. */
  ownFanout?: boolean;
  /** pcap: 1 replays at the recorded times, 2 twice as fast; 0, the default: as fast as it goes. */
  speed?: number;
  /** pcap: how often to replay the file; 0: without end. Once by default. */
  loop?: number;
}

/** Packets over IPv4 and UDP, as a PacketFilter wants them. */
export interface Wanted {
  /** UDP destination port; 0 or nothing: any. */
  destinationPort?: number;
  /** IPv4 destination address as an unsigned number; nothing: any. */
  destinationAddress?: number;
  /** Exact size of the UDP payload in bytes; nothing: any. */
  payloadBytes?: number;
}

/**
 * Modes of an xdp port, from the best. `zerocopy`: the NIC writes into our frames; `native`: the driver copies;
 * `generic`: behind the driver, with any; `auto`: the best that there is.
 */
export const XDP_MODES = ["auto", "zerocopy", "native", "generic"] as const;
/** A mode of an xdp port. */
export type XdpMode = typeof XDP_MODES[number];

/** What the native library says of a port that it opened: `enum uspf_info`. */
export interface PortInfo {
  handle: number;
  region: ArrayBuffer;
  interfaceOffset: number;
  mode: number;
  extra: number;
  /** xdp: the errno with which zero-copy was refused, and native mode; 0: not refused. */
  notZerocopy: number;
  notNative: number;
}

/** What a port counts itself, all at one moment, since it was opened; `null` where it cannot know. */
export interface PortCounts {
  /** Packets that it lost on receiving. */
  lost: number | null;
  /** How often the kernel found no free buffer for a packet. */
  starved: number | null;
  /** Packets that a filter in the kernel turned away; 0 where there is none. */
  rejectedEarly: number | null;
}

/** An open port. It belongs to the thread that opened it. */
export interface Port {
  /** The name it was opened by. */
  readonly name: string;
  /** What moves its packets, for people: `"netmap, native"`, `"soft switch"`. */
  readonly mode: string;
  /** What its packets come from, as capture files name it: an interface, a file, or the port's own name. */
  readonly source: string;
  /** No packet will ever come again: a file has been read to its end. */
  readonly ended: boolean;
  /** Its packets wait to be taken, and none is lost for it: those of a file. */
  readonly patient: boolean;
  /** Receive rings. A soft switch adds one for each sender that joins. */
  readonly rx: readonly Ring[];
  /** Transmit rings. */
  readonly tx: readonly Ring[];
  /** A ring of the same region whose free slots are ours alone: to warm a loop up on. */
  readonly scratch: Ring | undefined;
  /**
   * Gives the slots before each receive ring's head back and shows new packets; returns the clock after
   * it.
   *
   * @throws {PortError} where the system call fails, for instance because the interface went away.
   */
  rxSync(): number;
  /** Sends the slots before each transmit ring's head and shows the free ones; returns the counter. */
  txSync(): number;
  /** The low 31 bits of the time stamp counter: for `ticksBetween`. */
  clock(): number;
  /** Sleeps until there may be packets (RX) or room (TX), `timeoutUs` at most; it may return early. */
  wait(directions: number, timeoutUs: number): void;
  /** Asks the kernel once for all that the port counts: some ten times a second, not for every burst. */
  counts(): PortCounts;
  /** `counts().lost` */
  lost(): number | null;
  /** `counts().starved` */
  starved(): number | null;
  /** `counts().rejectedEarly` */
  rejectedEarly(): number | null;
  /** Detaches the region, so that a stale view throws, and closes. */
  close(): void;
}

const NUMBERS = 30, TEXTS = 3, TEXT_BYTES = 128;
const INFO_COUNT = 6;
const STAT = { lost: 0, starved: 1, rejected: 2 }, STAT_COUNT = 3; // enum uspf_stat

/** What the kinds share: the handle, the region, and turning `-errno` into a PortError. */
export abstract class NativePort {
  abstract readonly rx: readonly Ring[];
  abstract readonly tx: readonly Ring[];
  readonly ended: boolean = false;
  readonly patient: boolean = false;
  protected readonly library: Library = loadLibrary();
  protected readonly handle: number;
  readonly #region: ArrayBuffer;
  readonly #stat = new Float64Array(STAT_COUNT);
  #open = true;

  constructor(readonly name: string, info: PortInfo) {
    this.handle = info.handle;
    this.#region = info.region;
  }

  get source(): string {
    return this.name;
  }

  rxSync(): number {
    const now = this.library.uspf_rxsync(this.handle);
    if (now < 0) this.fail("receive from", now);
    return now;
  }

  txSync(): number {
    const now = this.library.uspf_txsync(this.handle);
    if (now < 0) this.fail("send to", now);
    return now;
  }

  clock(): number {
    return this.library.uspf_clock();
  }

  wait(directions: number, timeoutUs: number): void {
    const ready = this.library.uspf_wait(this.handle, directions, timeoutUs);
    if (ready < 0) this.fail("wait for", ready);
  }

  counts(): PortCounts {
    const stat = this.#stat;
    this.library.uspf_stat(this.handle, stat as Float64Array<ArrayBuffer>);
    return {
      lost: known(stat[STAT.lost]),
      starved: known(stat[STAT.starved]),
      rejectedEarly: known(stat[STAT.rejected]),
    };
  }

  lost(): number | null {
    return this.counts().lost;
  }

  starved(): number | null {
    return this.counts().starved;
  }

  rejectedEarly(): number | null {
    return this.counts().rejectedEarly;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#region.transfer(0);
    this.library.uspf_close(this.handle);
  }

  protected fail(action: string, errno: number): never {
    const code = errnoName(errno);
    const why = {
      ENODEV: `its interface is gone: start again when it is back (see "ip link")`,
      ENETDOWN: `its interface is down: set it up (see "ip link")`,
      ENETUNREACH: `no way there, its interface may be down: see "ip link" and "ip route"`,
    }[code] ?? `${code}: check that its interface is there and up`;
    throw new PortError(`Cannot ${action} "${this.name}": ${why}`, code);
  }
}

function known(count: number): number | null {
  return count < 0 ? null : count;
}

/**
 * Opens a port in the native library and gives its region.
 *
 * @throws {PortError} with the errno's name; `explain` turns it into the state and the remedy.
 */
export function openNative(
  name: string,
  spec: PortSpec,
  explain: (code: string) => string | undefined,
): PortInfo {
  const library = loadLibrary();
  const info = new Float64Array(INFO_COUNT);
  const handle = library.uspf_open(encodeSpec(spec), info);
  if (handle < 0) {
    const code = errnoName(handle);
    const why = explain(code) ?? `${code}: see errno(3)`;
    throw new PortError(`Cannot open "${name}": ${why}`, code);
  }
  return {
    handle,
    region: library.region(handle)!,
    interfaceOffset: info[1],
    mode: info[2],
    extra: info[3],
    notZerocopy: info[4],
    notNative: info[5],
  };
}

/** What is wrong where a socket's filter is refused with E2BIG, for `explain`. */
export const FILTER_TOO_LARGE =
  'the filter program is too large for the kernel: raise the limit with "sysctl net.core.optmem_max", ' +
  "or filter in user space";

/** What is wrong with an interface whose packets have no Ethernet header, for `explain`. */
export function notEthernet(device: string): string {
  return `"${device}" is no Ethernet interface: use one whose "ip link" says "link/ether" or ` +
    `"link/loopback"`;
}

function encodeSpec(spec: PortSpec): Uint8Array<ArrayBuffer> {
  const fixed = (2 + NUMBERS) * 4 + TEXTS * TEXT_BYTES, program = spec.program ?? new Uint8Array(0);
  const bytes = new Uint8Array(fixed + 8 + program.length);
  new DataView(bytes.buffer).setInt32(fixed, program.length, true);
  bytes.set(program, fixed + 8);
  const words = new Int32Array(bytes.buffer, 0, 2 + NUMBERS);
  words.set([spec.kind, spec.directions, ...spec.numbers]);
  spec.texts.forEach((text, i) => {
    const at = words.byteLength + i * TEXT_BYTES;
    const { read } = new TextEncoder().encodeInto(text, bytes.subarray(at, at + TEXT_BYTES - 1));
    if (read < text.length) {
      throw new RangeError(
        `Cannot open a port: "${text}" is longer than ${TEXT_BYTES - 1} bytes: shorten it`,
      );
    }
  });
  return bytes;
}

/** Ticks of the time stamp counter from one clock reading to a later one, which is less than 2^31 ticks later. */
export function ticksBetween(from: number, to: number): number {
  return (to - from) & 0x7fffffff;
}

/** Packets waiting in all receive rings, as of the last sync. */
export function packetsReady(port: Port): number {
  let ready = 0;
  for (const ring of port.rx) ready += slotsReady(ring);
  return ready;
}

/** Packets in all transmit rings that are not sent yet, as of the last sync. */
export function packetsUnsent(port: Port): number {
  let unsent = 0;
  for (const ring of port.tx) unsent += ring.slotCount - 1 - slotsReady(ring);
  return unsent;
}
