/**
 * Purpose: a PacketFilter's decision for plain packets, on whole 32-bit words, as source for the hot loop.
 *
 * ```text
 *  word  bytes as they come from the wire          test
 *  3     08 00 45 xx   Ethernet type, IHL 5, TOS   (w3 & 0xffffff) === 0x450008
 *  4     tl tl id id   total length                (w4 & 0xffff) === its bytes
 *  5     ff ff tt 11   fragment, TTL, UDP          (w5 & 0xff00ff3f) === 0x11000000
 *  7, 8  .. .. da da  da da sp sp                  destination address
 *  9     dp dp ul ul   port, UDP length            (w9 ^ both) >>> 0 <= 0xffff: the length is right
 * ```
 * "Plain" means: no tag, no option, no fragment, lengths that agree and are the wanted ones. Packets that
 * are plain differ only in address and port, which are decided without a branch. All others are for
 * `PacketFilter.judge`, which asks the same questions of any packet.
 */
import type { PacketFilter } from "./packet_filter.ts";
import { VERDICT } from "./verdict.ts";

/** A filter's decision as JavaScript; `w0`, `w1`, … stand for the packet's words, as int32. */
export interface FastPath {
  /** Smallest packet, in bytes, that `plain` may look at. */
  minimumBytes: number;
  /** All hold: the packet is plain. Each is an expression of type boolean. */
  plain: string[];
  /** Of packets that are not plain: those for which this holds surely have this verdict. */
  early: { verdict: number; holds: string };
  /** In order: a plain packet gets the verdict of the first whose expression, 0 to 65535, is not 0. */
  rejects: { verdict: number; differs: string }[];
}

/** Ethernet types, as the lower half of word 3: of IPv4, and of the tags that may stand before it. */
const TYPES = [0x0800, 0x8100, 0x88a8];

/** Byte where the payload of a plain packet begins. */
export const PLAIN_PAYLOAD_AT = 42;

/** The fast path of a filter. */
export function fastPath(filter: PacketFilter): FastPath {
  const total = 28 + filter.payloadBytes, udp = 8 + filter.payloadBytes;
  const rejects: FastPath["rejects"] = [];
  if (filter.hasAddress) {
    const low = hex(filter.addressWord & 0xffff), high = hex(filter.addressWord >>> 16);
    rejects.push({
      verdict: VERDICT.address,
      differs: `(w7 >>> 16 ^ ${low}) | (w8 & 0xffff ^ ${high})`,
    });
  }
  // Of w9 the upper half is the UDP length: where that is right, what is left of the XOR is the port's.
  const length = `w9 ^ ${hex(swap16(udp) * 0x10000 + swap16(filter.destinationPort))}`;
  if (filter.destinationPort !== 0) rejects.push({ verdict: VERDICT.port, differs: length });
  return {
    minimumBytes: 14 + total,
    plain: [
      `(w3 & 0xffffff) === 0x450008`,
      `(w4 & 0xffff) === ${hex(swap16(total))}`,
      `(w5 & 0xff00ff3f) === 0x11000000`,
      `(${length}) >>> 0 <= 0xffff`,
    ],
    early: {
      verdict: VERDICT.notIpv4,
      holds: TYPES.map((type) => `(w3 & 0xffff) !== ${hex(swap16(type))}`).join(" && "),
    },
    rejects,
  };
}

function swap16(value: number): number {
  return (value & 0xff) << 8 | value >>> 8;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
