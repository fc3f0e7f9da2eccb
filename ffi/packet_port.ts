/**
 * Purpose: AF_PACKET, with rings that the kernel and we both map: any Linux, any Ethernet interface.
 *
 * ```text
 *  interface ──▶ kernel copies into blocks ──▶ packet_blocks.ts ──▶ rx ring
 *  interface ◀── kernel sends from frames  ◀── packet_frames.ts ◀── tx ring
 * ```
 * The kernel hands over a block when it is full, or 1 ms after it was begun: so late may a packet be
 * seen that no others follow. Up to Linux 6.17 that is counted in the kernel's ticks: 4 ms, even 8, where
 * CONFIG_HZ is 250. So a slow stream uses up a block each ms, however little is in it, and many small
 * blocks last longer than few large ones: of 50,000 packets in 0.1 s that nobody took, 256 blocks of
 * 64 KiB kept all, 128 of 128 KiB lost up to a third. A block holds 454 packets of 60 bytes.
 */
import { type Ring, ringAt } from "./layout.ts";
import { PacketBlocks } from "./packet_blocks.ts";
import { PacketFrames } from "./packet_frames.ts";
import { HEAD, PACKET } from "./packet_layout.ts";
import {
  FILTER_TOO_LARGE,
  NativePort,
  notEthernet,
  openNative,
  packetsReady,
  type Port,
  type PortInfo,
  type PortOptions,
  RX,
  TX,
} from "./port.ts";

const KIND = 5; // USPF_PACKET
const BLOCK_BYTES = 64 * 1024;
const BLOCKS = 256;
const RETIRE_MS = 1;
const FANOUT = { none: 0, join: 1, unique: 2 };
const LOOK_EVERY = 1 << 16; // syncs: some ten milliseconds of spinning
const RETRY_US = 200;

/** What a packet port's name says. */
export interface PacketName {
  interface: string;
  /** The fanout group to join; -1 makes one that nobody has. */
  fanout?: number;
}

/** A port of the kernel's AF_PACKET sockets: `packet:eth0`. */
export class PacketPort extends NativePort implements Port {
  readonly mode: string;
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[];
  readonly scratch: Ring;
  /** The fanout group whose members share the interface's packets. */
  readonly fanout: number | undefined;
  readonly #interface: string;
  readonly #blocks: PacketBlocks | undefined;
  readonly #frames: PacketFrames | undefined;
  #syncs = 0;

  private constructor(text: string, name: PacketName, options: PortOptions, info: PortInfo) {
    super(text, info);
    this.#interface = name.interface;
    this.fanout = info.extra < 0 ? undefined : info.extra;
    this.mode = "AF_PACKET, TPACKET_V3" + (options.promiscuous ? ", promiscuous" : "") +
      (this.fanout === undefined ? "" : `, fanout group ${this.fanout}`);
    const words = new Int32Array(info.region), strideBytes = 4;
    if (words[HEAD.blockCount] > 0) {
      this.rx = [ringAt(words, PACKET.rxRing, { strideBytes, hasTimes: true })];
      this.#blocks = new PacketBlocks(this.rx[0]);
      this.#blocks.warmUp(PACKET.scratchBuffers);
    } else {
      this.rx = [];
    }
    if (words[HEAD.frameCount] > 0) {
      this.tx = [ringAt(words, PACKET.txRing, { strideBytes: words[HEAD.frameBytes] })];
      this.#frames = new PacketFrames(this.tx[0]);
    } else {
      this.tx = [];
    }
    this.scratch = ringAt(words, PACKET.scratchRing, { strideBytes });
  }

  /**
   * Opens it; an interface that is down is waited for.
   *
   * @throws {PortError} where there is no such interface, it is not Ethernet, or the kernel refuses.
   */
  static open(
    text: string,
    name: PacketName,
    directions: number,
    options: PortOptions = {},
  ): PacketPort {
    const { fanout } = name;
    const how = fanout === undefined ? FANOUT.none : fanout < 0 ? FANOUT.unique : FANOUT.join;
    const spec = {
      kind: KIND,
      directions,
      numbers: [options.promiscuous ? 1 : 0, BLOCK_BYTES, BLOCKS, RETIRE_MS, how, fanout ?? 0],
      texts: [name.interface],
      program: options.kernelFilter,
    };
    const info = openNative(text, spec, (code) => explain(code, name, options));
    return new PacketPort(text, name, options, info);
  }

  override get source(): string {
    return this.#interface;
  }

  override rxSync(): number {
    const blocks = this.#blocks;
    if (blocks !== undefined) {
      blocks.giveBack();
      blocks.show();
      // Nothing comes from an interface that is gone; only a call can tell.
      this.#syncs = this.#syncs + 1 & LOOK_EVERY - 1;
      if (this.#syncs === 0) return super.rxSync();
    }
    return this.library.uspf_clock();
  }

  override txSync(): number {
    const frames = this.#frames;
    if (frames === undefined) return this.library.uspf_clock();
    const now = frames.request() ? super.txSync() : this.library.uspf_clock();
    frames.reclaim();
    return now;
  }

  override wait(directions: number, timeoutUs: number): void {
    const blocks = this.#blocks, frames = this.#frames;
    if ((directions & RX) !== 0 && blocks !== undefined) {
      if (packetsReady(this) > 0) return;
      blocks.giveBack(); // the kernel wakes for the next block only when this one is its own
      if (blocks.hasMore) return;
    }
    // What the kernel would not take it takes when asked again: it does not say when.
    const retry = (directions & TX) !== 0 && frames?.isWaiting();
    super.wait(retry ? directions & RX : directions, retry ? RETRY_US : timeoutUs);
  }
}

function explain(code: string, name: PacketName, { kernelFilter }: PortOptions) {
  switch (code) {
    case "EPERM":
      return `no permission: AF_PACKET needs CAP_NET_RAW: run as root, or grant it with ` +
        `"setcap cap_net_raw+ep $(command -v deno)"`;
    case "ENODEV":
      return `no such interface "${name.interface}": list them with "ip link"`;
    case "EPROTOTYPE":
      return notEthernet(name.interface);
    case "EBUSY":
      return `fanout group ${name.fanout} is there already, on another interface or of another ` +
        `kind: choose another number`;
    case "ENETDOWN":
      return `"${name.interface}" is down, and fanout group ${name.fanout} cannot be joined until it ` +
        `is up: set it up with "ip link set ${name.interface} up"`;
    case "ENOSPC":
      return `fanout group ${name.fanout} has 256 members, which is all it can have: choose another number`;
    case "E2BIG":
      return FILTER_TOO_LARGE;
    case "EINVAL":
      return kernelFilter
        ? "the kernel refuses the filter program or the rings: see bpf(4) for valid programs of " +
          "4096 instructions at most"
        : "the kernel refuses the rings: it needs Linux 4.11 or later";
    case "ENOMEM":
      return "no memory for its rings: free some, they take 2 to 20 MiB";
    case "EAFNOSUPPORT":
      return `this kernel has no AF_PACKET: load it with "modprobe af_packet"`;
  }
}
