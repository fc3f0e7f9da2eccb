/**
 * Purpose: the filter's and the decoder's questions once more, written another way and from the RFCs, as
 * the oracle of tests: DataView and names, no regard for speed.
 */
import { VERDICT } from "../filter/verdict.ts";

/** What is wanted. */
export interface Wanted {
  port: number;
  address?: number;
  payloadBytes: number;
}

/** A tick as four words, as in the tick ring. */
export type Record4 = [number, number, number, number];

/** The verdict of a packet, and its tick where it is accepted. */
export function referenceVerdict(
  packet: Uint8Array,
  wanted: Wanted,
): { verdict: number; tick?: Record4 } {
  try {
    return walk(new DataView(packet.buffer, packet.byteOffset, packet.byteLength), wanted);
  } catch (error) {
    // Any read beyond the packet: it ended too early.
    if (error instanceof RangeError) return { verdict: VERDICT.truncated };
    throw error;
  }
}

function walk(view: DataView, wanted: Wanted): { verdict: number; tick?: Record4 } {
  let type = view.getUint16(12), ip = 14;
  for (let i = 0; i < 2 && [0x8100, 0x88a8].includes(type); i++, ip += 4) {
    type = view.getUint16(ip + 2);
  }
  if (type !== 0x0800) return { verdict: VERDICT.notIpv4 };
  view.getUint8(ip + 19);
  const version = view.getUint8(ip) >> 4, headerBytes = (view.getUint8(ip) % 16) * 4;
  const totalBytes = view.getUint16(ip + 2);
  if (version !== 4 || headerBytes < 20 || totalBytes < headerBytes) {
    return { verdict: VERDICT.badHeader };
  }
  view.getUint8(ip + headerBytes - 1);
  if (view.getUint8(ip + 9) !== 17) return { verdict: VERDICT.notUdp };
  const flagsAndOffset = view.getUint16(ip + 6);
  if ((flagsAndOffset & 0x2000) !== 0 || flagsAndOffset % 0x2000 !== 0) {
    return { verdict: VERDICT.fragment };
  }
  view.getUint8(ip + totalBytes - 1);
  const udp = ip + headerBytes, room = totalBytes - headerBytes;
  if (room < 8) return { verdict: VERDICT.badUdpLength };
  const udpBytes = view.getUint16(udp + 4);
  if (udpBytes < 8 || udpBytes > room) return { verdict: VERDICT.badUdpLength };
  if (wanted.address !== undefined && view.getUint32(ip + 16) !== wanted.address) {
    return { verdict: VERDICT.address };
  }
  if (wanted.port !== 0 && view.getUint16(udp + 2) !== wanted.port) {
    return { verdict: VERDICT.port };
  }
  if (udpBytes - 8 !== wanted.payloadBytes) return { verdict: VERDICT.length };
  return tickAt(view, udp + 8);
}

function tickAt(view: DataView, at: number): { verdict: number; tick?: Record4 } {
  const type = view.getUint8(at + 4), side = view.getUint8(at + 5);
  const amounts = [view.getFloat32(at + 6, true), view.getFloat32(at + 10, true)];
  if (type > 2 || side > 1 || amounts.some((amount) => !Number.isFinite(amount) || amount < 0)) {
    return { verdict: VERDICT.badTick };
  }
  const tick: Record4 = [
    view.getInt32(at, true),
    type | side << 8,
    view.getInt32(at + 6, true),
    view.getInt32(at + 10, true),
  ];
  return { verdict: VERDICT.accepted, tick };
}
