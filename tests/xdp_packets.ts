/** Packets of every sort that an XDP program has to decide on. */
import { tickPacket } from "./packets.ts";

/** What is wanted in TABLE. */
export const OURS = { destinationPort: 5001, destinationAddress: 0x0a000002, payloadBytes: 14 };

/** A packet with one byte changed. */
export function changed(at: number, value: number): Uint8Array {
  const packet = tickPacket();
  packet[at] = value;
  return packet;
}

/** What the kernel must do with each packet where OURS is wanted. */
export const TABLE: [string, Uint8Array, "redirect" | "pass"][] = [
  ["a plain packet", tickPacket(), "redirect"],
  ["padding behind", tickPacket({ padding: 18 }), "redirect"],
  ["one tag", tickPacket({ tags: 1 }), "redirect"],
  ["two tags", tickPacket({ tags: 2 }), "redirect"],
  ["three tags", tickPacket({ tags: 3 }), "pass"],
  ["4 bytes of options", tickPacket({ options: 4 }), "redirect"],
  ["40 bytes of options, two tags", tickPacket({ options: 40, tags: 2 }), "redirect"],
  ["another port", tickPacket({ port: 5002 }), "pass"],
  ["another address", tickPacket({ address: 0x0a000003 }), "pass"],
  ["a byte less", tickPacket({ payloadBytes: 13 }), "pass"],
  ["a byte more", tickPacket({ payloadBytes: 15 }), "pass"],
  ["don't fragment unset", changed(20, 0), "redirect"],
  ["more fragments to come", changed(20, 0x20), "pass"],
  ["a later fragment", changed(21, 1), "pass"],
  ["TCP", changed(23, 6), "pass"],
  ["IPv6", changed(12, 0x86), "pass"],
  ["ARP", changed(13, 6), "pass"],
  ["version 6", changed(14, 0x65), "pass"],
  ["a header of 16 bytes", changed(14, 0x44), "pass"],
  ["an Ethernet header alone", tickPacket().subarray(0, 14), "pass"],
  ["a runt of 41 bytes", tickPacket().subarray(0, 41), "pass"],
  ["a UDP header and no payload", tickPacket().subarray(0, 42), "redirect"],
];
