/**
 * Purpose: which packets are wanted: those that an expression holds for, if there is one, and of these, IPv4
 * and UDP, to an address and a port or any, with a payload of an exact size.
 *
 * ```text
 *  0          12   14                    l4        l4+8
 *  │ Ethernet │type│ IPv4, IHL × 4 bytes │ UDP 8   │ payload │ padding
 *              (802.1Q and 802.1ad tags, two at most, are stepped over)
 * ```
 * The order of the questions decides the verdict where several would fit: expression; Ethernet type; IPv4
 * header (RFC 791); protocol; fragment; total length; UDP length (RFC 768); address; port; payload size.
 * Checksums are not verified: the NIC does that, and other programs' offloads leave them unset.
 */
import { Expression } from "./expression/expression.ts";
import { type FastPath, fastPath } from "./fast_path.ts";
import { VERDICT } from "./verdict.ts";

const ETHERNET_BYTES = 14, IPV4_BYTES = 20, UDP_BYTES = 8;
const TYPE_IPV4 = 0x0800, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8, MAX_TAGS = 2;
const PROTOCOL_UDP = 17;

/** What a PacketFilter wants. */
export interface PacketFilterOptions {
  /** UDP destination port, 1 to 65535; 0 or nothing: any. */
  destinationPort?: number;
  /** IPv4 destination address as an unsigned number, 10.0.0.1 is 0x0a000001; nothing: any. */
  destinationAddress?: number;
  /** Exact size of the UDP payload in bytes, 0 to 1472; 14, a tick, by default. */
  payloadBytes?: number;
  /** An expression in tcpdump's language, pcap-filter(7); an empty one accepts every packet; see the README for what is more and what is not. */
  expression?: string;
  /**
   * Whether packets are to carry ticks, as by default. Without, what the expression holds for is accepted,
   * whatever it is, and the other options must not be given.
   */
  decode?: boolean;
}

/**
 * Decides which packets are kept.
 *
 * @example What becomes of packets
 * ```ts
 * import { PacketFilter, VERDICT } from "@uspf/uspf";
 *
 * const filter = new PacketFilter({ destinationPort: 5001, expression: "tick.price > 100" });
 * console.assert(filter.judge(new Uint8Array(20), 0, 20) === -VERDICT.expression);
 * ```
 */
export class PacketFilter {
  /** The expression, compiled. */
  readonly expression?: Expression;
  /** Whether what is accepted carries a tick. */
  readonly decodes: boolean;
  /** UDP destination port; 0: any. */
  readonly destinationPort: number;
  /** IPv4 destination address as an unsigned number; nothing: any. */
  readonly destinationAddress?: number;
  /** Of the address, the bytes as they lie in memory, as one int32; used where `hasAddress`. */
  readonly addressWord: number;
  /** Whether the destination address matters. */
  readonly hasAddress: boolean;
  /** Exact size of the UDP payload. */
  readonly payloadBytes: number;

  /**
   * Makes a filter.
   *
   * @throws {RangeError} for a port, an address or a size out of range.
   * @throws {TypeError} for one that is given where nothing is decoded, and for an expression that is no string.
   * @throws {ExpressionError} for an expression that is none.
   */
  constructor(options: PacketFilterOptions = {}) {
    const { destinationPort = 0, destinationAddress, payloadBytes = 14, decode = true } = options;
    if (!decode) checkNoTick(options);
    checkRange("destination port", destinationPort, 0, 65535);
    checkRange("payload size", payloadBytes, 0, 1472);
    checkRange("destination address", destinationAddress ?? 0, 0, 0xffffffff);
    this.destinationPort = destinationPort;
    this.payloadBytes = payloadBytes;
    this.destinationAddress = destinationAddress;
    this.hasAddress = destinationAddress !== undefined;
    this.addressWord = this.hasAddress ? swap32(destinationAddress!) : 0;
    this.decodes = decode;
    if (options.expression === undefined) return;
    checkExpression(options.expression);
    this.expression = new Expression(options.expression);
  }

  /**
   * A filter of an expression in tcpdump's language; the other options as in the constructor.
   *
   * @throws {TypeError} for one that is no string.
   * @throws {ExpressionError} for an expression that is none; its message shows the place.
   *
   * @example
   * ```ts
   * import { PacketFilter } from "@uspf/uspf";
   *
   * const filter = PacketFilter.compile("tcp[tcpflags] & tcp-syn != 0", { decode: false });
   * console.log(filter.matches(new Uint8Array(60)));
   * ```
   */
  static compile(expression: string, options: PacketFilterOptions = {}): PacketFilter {
    checkExpression(expression);
    return new PacketFilter({ ...options, expression });
  }

  /**
   * Whether the expression holds for the packet at `bytes[at .. at + length)`, as tcpdump would say: without
   * one, for any. `wireLength` is what it had before it was cut. Reads nothing beyond the packet.
   */
  matches(
    bytes: Uint8Array,
    at = 0,
    length: number = bytes.length - at,
    wireLength: number = length,
  ): boolean {
    return this.expression === undefined || this.expression.matches(bytes, at, length, wireLength);
  }

  /**
   * Judges the packet at `bytes[at .. at + length)` and reads nothing beyond; `wireLength` is what it had
   * before it was cut. Returns where its payload begins, counted from `at`, or minus the verdict: 0 for one
   * that is accepted without a look at its payload.
   */
  judge(bytes: Uint8Array, at: number, length: number, wireLength: number = length): number {
    if (
      this.expression !== undefined && !this.expression.matches(bytes, at, length, wireLength)
    ) return -VERDICT.expression;
    return this.decodes ? this.#judgeEthernet(bytes, at, length) : 0;
  }

  #judgeEthernet(bytes: Uint8Array, at: number, length: number): number {
    if (length < ETHERNET_BYTES) return -VERDICT.truncated;
    let ip = ETHERNET_BYTES, type = be16(bytes, at + 12);
    for (let tags = 0; tags < MAX_TAGS && (type === TYPE_VLAN || type === TYPE_QINQ); tags++) {
      if (length < ip + 4) return -VERDICT.truncated;
      type = be16(bytes, at + ip + 2);
      ip += 4;
    }
    if (type !== TYPE_IPV4) return -VERDICT.notIpv4;
    return this.#judgeIpv4(bytes, at, ip, length);
  }

  #judgeIpv4(bytes: Uint8Array, at: number, ip: number, length: number): number {
    if (length < ip + IPV4_BYTES) return -VERDICT.truncated;
    const headerBytes = (bytes[at + ip] & 15) * 4;
    const totalBytes = be16(bytes, at + ip + 2);
    if (bytes[at + ip] >> 4 !== 4 || headerBytes < IPV4_BYTES || totalBytes < headerBytes) {
      return -VERDICT.badHeader;
    }
    if (length < ip + headerBytes) return -VERDICT.truncated;
    if (bytes[at + ip + 9] !== PROTOCOL_UDP) return -VERDICT.notUdp;
    // More fragments to come, or not the first one.
    if ((be16(bytes, at + ip + 6) & 0x3fff) !== 0) return -VERDICT.fragment;
    if (length < ip + totalBytes) return -VERDICT.truncated;
    const room = totalBytes - headerBytes;
    return this.#judgeUdp(bytes, at, ip, ip + headerBytes, room);
  }

  #judgeUdp(bytes: Uint8Array, at: number, ip: number, udp: number, room: number): number {
    if (room < UDP_BYTES) return -VERDICT.badUdpLength;
    const udpBytes = be16(bytes, at + udp + 4);
    if (udpBytes < UDP_BYTES || udpBytes > room) return -VERDICT.badUdpLength;
    if (this.hasAddress && le32(bytes, at + ip + 16) !== this.addressWord) return -VERDICT.address;
    if (this.destinationPort !== 0 && be16(bytes, at + udp + 2) !== this.destinationPort) {
      return -VERDICT.port;
    }
    if (udpBytes - UDP_BYTES !== this.payloadBytes) return -VERDICT.length;
    return udp + UDP_BYTES;
  }

  /** The same decision for plain packets, as source for the hot loop. */
  fastPath(): FastPath {
    return fastPath(this);
  }
}

function be16(bytes: Uint8Array, at: number): number {
  return bytes[at] << 8 | bytes[at + 1];
}

function le32(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

function swap32(value: number): number {
  return value << 24 | (value & 0xff00) << 8 | value >>> 8 & 0xff00 | value >>> 24;
}

function checkNoTick(options: PacketFilterOptions): void {
  const names = ["destinationPort", "destinationAddress", "payloadBytes"] as const;
  const name = names.find((option) => options[option] !== undefined);
  if (name === undefined) return;
  throw new TypeError(
    `Cannot make a packet filter: ${name} is for ticks, and nothing is decoded: say it in the expression`,
  );
}

/** Also in JavaScript, where nobody else asks. */
function checkExpression(expression: unknown): void {
  if (typeof expression === "string") return;
  const what = expression === null ? "null" : typeof expression;
  throw new TypeError(
    `Cannot compile the filter: the expression is of type ${what}: give a string`,
  );
}

function checkRange(what: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(
      `Cannot make a packet filter: ${what} is ${value}: give a whole number from ${low} to ${high}`,
    );
  }
}
