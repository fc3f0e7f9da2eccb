/**
 * Purpose: the region of a packet port, in bytes; packet.h holds the same numbers, and the kernel's
 * linux/if_packet.h those of blocks and frames.
 *
 * ```text
 *  block (TPACKET_V3)                       frame, in a block or to send
 *  ┌─────────────────────┐ 0                ┌────────────────────┐ 0
 *  │ status, frames, ... │                  │ struct tpacket3_hdr│ lengths, status, time, tag
 *  ├─────────────────────┤ offset_to_first  ├────────────────────┤ 48
 *  │ frame               │                  │ who sent it        │ or, to send, the packet
 *  │ frame               │ each says where  ├────────────────────┤ mac: a multiple of 4, see RESERVE
 *  │ ...                 │ the next one is  │ packet             │
 *  └─────────────────────┘                  └────────────────────┘
 * ```
 */

/** Byte offsets in the region. */
export const PACKET = {
  txRing: 0x1000,
  rxRing: 0x6000,
  scratchRing: 0x17000,
  scratchBuffers: 0x19000,
  mapping: 0xa0000,
} as const;

/** Word offsets in the region's head. */
export const HEAD = {
  blockBytes: 0,
  blockCount: 1,
  frameBytes: 2,
  frameCount: 3,
  seesOwn: 4,
} as const;

/** Word offsets in a block. */
export const BLOCK = { status: 2, frames: 3, first: 4 } as const;

/** Word offsets in a frame; `types` are those of its sender's address: hardware, packet, length. */
export const FRAME = {
  next: 0,
  seconds: 1,
  nanoseconds: 2,
  capturedBytes: 3,
  bytes: 4,
  status: 5,
  mac: 6,
  vlanTag: 8,
  vlanType: 9,
  types: 14,
} as const;

/** Bits of a block's and a received frame's status: TP_STATUS_USER and others. */
export const STATUS = { ours: 1, hasTag: 0x10, hasTagType: 0x40 } as const;

/** What is left of a sent frame's status once it is free: the other bits say how its time was taken. */
export const TX_STATUS = { request: 1, busy: 7 } as const;
