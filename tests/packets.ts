/**
 * Purpose: packets for tests: good ones, and seeded random and mutated ones.
 */
import type { Random } from "../sender/random.ts";

/** What of a packet a test chooses; the rest is ordinary. */
export interface PacketChoice {
  port?: number;
  address?: number;
  instrument?: number;
  type?: number;
  side?: number;
  price?: number;
  quantity?: number;
  /** Bytes of IPv4 options, a multiple of 4. */
  options?: number;
  /** 802.1Q tags in front. */
  tags?: number;
  payloadBytes?: number;
  /** Bytes of padding behind. */
  padding?: number;
}

/** A packet with a tick. */
export function tickPacket(choice: PacketChoice = {}): Uint8Array {
  const { options = 0, tags = 0, payloadBytes = 14, padding = 0 } = choice;
  const ip = 14 + 4 * tags, udp = ip + 20 + options;
  const packet = new Uint8Array(udp + 8 + payloadBytes + padding),
    view = new DataView(packet.buffer);
  for (let i = 0; i < tags; i++) view.setUint16(12 + 4 * i, i === 0 && tags > 1 ? 0x88a8 : 0x8100);
  view.setUint16(ip - 2, 0x0800);
  view.setUint8(ip, 0x40 | (20 + options) / 4);
  view.setUint16(ip + 2, 28 + options + payloadBytes);
  view.setUint16(ip + 6, 0x4000);
  view.setUint8(ip + 8, 64);
  view.setUint8(ip + 9, 17);
  view.setUint32(ip + 16, choice.address ?? 0x0a000002);
  view.setUint16(udp + 2, choice.port ?? 5001);
  view.setUint16(udp + 4, 8 + payloadBytes);
  if (payloadBytes >= 14) {
    view.setUint32(udp + 8, choice.instrument ?? 7, true);
    view.setUint8(udp + 12, choice.type ?? 0);
    view.setUint8(udp + 13, choice.side ?? 0);
    view.setFloat32(udp + 14, choice.price ?? 100.25, true);
    view.setFloat32(udp + 18, choice.quantity ?? 10, true);
  }
  return packet;
}

const AMOUNTS = [0, -0, 1, 0.01, 1e38, -1, NaN, Infinity, -Infinity, 1e-45, -1e-45, 3.4e38];

/** A random packet: mostly ordinary, often odd in one way, sometimes with bytes changed or cut off. */
export function randomPacket(random: Random): Uint8Array {
  const below = (n: number) => (random.next() >>> 0) % n;
  const pick = <T>(values: T[]) => values[below(values.length)];
  const odd = below(3) === 0;
  const packet = tickPacket({
    port: pick([5001, 5001, 5001, 5002, 0, 5001 ^ 0x100]),
    address: pick([0x0a000002, 0x0a000002, 0x0a000003, 0x0b000002]),
    instrument: random.next() >>> 0,
    type: odd ? below(5) : below(3),
    side: odd ? below(4) : below(2),
    price: odd ? pick(AMOUNTS) : below(100000) / 100,
    quantity: odd ? pick(AMOUNTS) : below(1000),
    options: odd ? pick([0, 0, 4, 8, 40]) : 0,
    tags: odd ? pick([0, 0, 1, 2, 3]) : 0,
    payloadBytes: odd ? pick([14, 14, 13, 15, 0, 100]) : 14,
    padding: pick([0, 4, 4, 18]),
  });
  if (below(4) === 0) {
    for (let n = 1 + below(3); n > 0; n--) {
      packet[below(Math.min(packet.length, 60))] = pick([0, 0xff, 0x45, 6, below(256)]);
    }
  }
  return below(8) === 0 ? packet.subarray(0, below(packet.length + 1)) : packet;
}
