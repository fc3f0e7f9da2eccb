/**
 * Purpose: sockets as a port. A socket delivers payloads only; the headers are written here, in front
 * of each payload and in place, so that one pipeline serves all ports.
 *
 * ```text
 *  buffer  │ Ethernet 14 │ IPv4 20 │ UDP 8 │ payload, put there by recvmmsg │
 *          └───────── written here ────────┘
 * ```
 * Addresses and ports are the true ones. The Ethernet addresses are not known to a socket: they are made
 * from the IPv4 addresses (02:00:a:b:c:d), or of the group (RFC 1112, section 6.4). The UDP checksum is 0,
 * "not computed": the kernel has checked and removed the real one.
 */
import { formatIPv4 } from "./ipv4_address.ts";
import { bufferByte, RING, type Ring, ringsOfInterface } from "./layout.ts";
import { loadLibrary } from "./library.ts";
import {
  FILTER_TOO_LARGE,
  NativePort,
  openNative,
  packetsReady,
  type Port,
  type PortInfo,
  RX,
} from "./port.ts";
import { errnoName } from "./port_error.ts";
import { zeroEnded } from "./system_files.ts";

const KIND = 3; // USPF_UDP
const SOCKET_BUFFER_BYTES = 64 * 1024 * 1024;
const BUSY_POLL_US = 50;
const ARRIVALS = 4096 + 2 * 20480; // UDP_ARRIVALS in udp.h
const MASK = 1023;

/** Options of a udp port. */
export interface UdpOptions {
  /** As an unsigned number. */
  address: number;
  port: number;
  interface: string;
  directions: number;
  /** A classic BPF program, which sees a packet from its UDP header on: see PortOptions. */
  kernelFilter?: Uint8Array;
}

/** A UDP socket behind rings: `udp:0.0.0.0:5001`. */
export class UdpPort extends NativePort implements Port {
  readonly mode = "udp socket, recvmmsg and sendmmsg";
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[];
  readonly scratch: Ring;
  readonly #words: Int32Array;
  readonly #port: number;
  #written = 0;
  #prepared = 0;

  private constructor(name: string, port: number, info: PortInfo) {
    super(name, info);
    this.#words = new Int32Array(info.region);
    this.#port = port;
    const rings = ringsOfInterface(this.#words, 0);
    this.rx = rings.rx;
    this.tx = rings.tx;
    this.scratch = this.tx[0];
  }

  /** Binds to receive; connects to transmit; opened for both, it sends where each packet's header says. */
  static open(text: string, options: UdpOptions): UdpPort {
    const { address, port, directions } = options;
    const numbers = [port, asOnWire(address), SOCKET_BUFFER_BYTES, BUSY_POLL_US, 0];
    const texts = [options.interface], program = options.kernelFilter;
    const spec = { kind: KIND, directions, numbers, texts, program };
    return new UdpPort(text, port, openNative(text, spec, (code) => explain(code, options)));
  }

  override rxSync(): number {
    const now = super.rxSync();
    const tail = this.#words[this.rx[0].at + RING.tail];
    while (this.#written !== tail) {
      this.#writeHeaders(this.#written);
      this.#written = (this.#written + 1) & MASK;
    }
    return now;
  }

  override txSync(): number {
    const head = this.#words[this.tx[0].at + RING.head];
    while (this.#prepared !== head) {
      this.#prepare(this.#prepared);
      this.#prepared = (this.#prepared + 1) & MASK;
    }
    return super.txSync();
  }

  override wait(directions: number, timeoutUs: number): void {
    if ((directions & RX) !== 0 && packetsReady(this) > 0) return;
    super.wait(directions, timeoutUs);
  }

  /** Everything before the payload, from what the kernel told of the datagram. */
  #writeHeaders(slot: number): void {
    const w = this.#words, ring = this.rx[0];
    const arrival = ARRIVALS / 4 + slot * 4;
    const source = w[arrival], destination = w[arrival + 2];
    const sourcePort = w[arrival + 1] & 0xffff, destinationPort = swap16(this.#port);
    const size = w[arrival + 3] > 65507 ? 65507 : w[arrival + 3];
    const total = swap16(28 + size), udp = swap16(8 + size);
    const at = ring.buffersAt + (w[ring.slotsAt + slot * 4] << 9);
    const group = (destination & 0xf0) === 0xe0;
    w[at] = group ? 0x5e0001 | (destination & 0x7f00) << 16 : 0x0002 | destination << 16;
    w[at + 1] = destination >>> 16 | 0x0002_0000;
    w[at + 2] = source;
    w[at + 3] = 0x00450008;
    w[at + 4] = total;
    w[at + 5] = 0x11400040; // don't fragment, TTL 64, UDP
    const sum = 0x0045 + total + 0x0040 + 0x1140 + (source & 0xffff) + (source >>> 16) +
      (destination & 0xffff) + (destination >>> 16);
    const folded = (sum & 0xffff) + (sum >>> 16);
    w[at + 6] = (~(folded + (folded >>> 16)) & 0xffff) | (source << 16);
    w[at + 7] = (source >>> 16) | (destination << 16);
    w[at + 8] = (destination >>> 16) | (sourcePort << 16);
    w[at + 9] = destinationPort | (udp << 16);
    w[at + 10] &= 0xffff0000; // the payload begins in the upper half
  }

  /** Where a packet's payload starts and where it goes, in the slot's ptr; nothing for what is not IPv4 and UDP. */
  #prepare(slot: number): void {
    const w = this.#words, ring = this.tx[0], s = ring.slotsAt + slot * 4;
    const at = ring.buffersAt + (w[s] << 9), bytes = ring.bytes, length = w[s + 1] & 0xffff;
    const packet = bufferByte(ring, s), ipBytes = (bytes[packet + 14] & 15) * 4, udp = 14 + ipBytes;
    w[s + 2] = w[s + 3] = 0;
    if ((w[at + 3] & 0xf0ffff) !== 0x400008) return;
    if ((w[at + 5] & 0xff00ff3f) !== 0x11000000) return; // not UDP, or a fragment
    if (ipBytes < 20 || length < udp + 8) return;
    const b = packet + udp;
    const udpBytes = bytes[b + 4] << 8 | bytes[b + 5];
    if (udpBytes < 8 || udp + udpBytes > length) return;
    w[s + 1] = udp + udpBytes;
    w[s + 2] = (w[at + 7] >>> 16) | (w[at + 8] << 16);
    w[s + 3] = bytes[b + 2] | bytes[b + 3] << 8 | (udp + 8) << 16;
  }
}

/**
 * Binds a socket for a moment, as a port that receives is; returns the errno's name where that cannot be.
 * Nothing is sent, no group joined, and no packet of another's taken.
 */
export function bindRefusal(
  { address, port, interface: name }: Pick<UdpOptions, "address" | "port" | "interface">,
): string | undefined {
  const result = loadLibrary().uspf_try_bind(port, asOnWire(address), zeroEnded(name));
  return result < 0 ? errnoName(result) : undefined;
}

function asOnWire(address: number): number {
  return address << 24 | (address & 0xff00) << 8 | address >>> 8 & 0xff00 | address >>> 24;
}

function swap16(value: number): number {
  return (value & 0xff) << 8 | (value >>> 8) & 0xff;
}

function explain(code: string, { address, port, directions, interface: name }: UdpOptions) {
  const where = `${formatIPv4(address)}:${port}`;
  switch (code) {
    case "EADDRINUSE":
      return `the port is taken: end the program that has ${where} ("ss -lunp"), or choose another port`;
    case "EADDRNOTAVAIL":
      return `${where} is not an address of this machine: list them with "ip address", or use 0.0.0.0`;
    case "ENODEV":
      return name
        ? `no such interface "${name}", or it takes no multicast: list them with "ip link"`
        : `no interface for the group ${formatIPv4(address)}: name one, as in "udp:${where}@eth0"`;
    case "E2BIG":
      return FILTER_TOO_LARGE;
    case "EINVAL":
      return "the kernel refuses the filter program: see bpf(4) for valid ones";
    case "EACCES":
    case "EPERM":
      return directions & RX
        ? "no permission: ports below 1024 need CAP_NET_BIND_SERVICE, or choose a higher one"
        : "no permission to send there: see the firewall's rules";
    case "ENETUNREACH":
      return `no route to ${where}, its interface may be down: see "ip link" and "ip route"`;
  }
}
