/*
 * Purpose: the region of a packet port; ffi/packet_layout.ts holds the same numbers.
 *
 *   ┌──────────────┐ 0
 *   │ packet_head  │ what the mapping is like
 *   ├──────────────┤ 4096
 *   │ tx ring      │ slot i stands for frame i
 *   ├──────────────┤
 *   │ rx ring      │ slots point into the blocks, in words; slot.ptr: the packet's time
 *   ├──────────────┤
 *   │ scratch ring │ and its buffers: ours alone
 *   ├──────────────┤ PACKET_MAPPING_AT
 *   │ blocks       │ TPACKET_V3: the kernel writes packets one behind the other
 *   │ frames       │ TPACKET_V3: a packet to send in each
 *   ├──────────────┤
 *   │ spare        │ a loop may read some words beyond a packet
 *   └──────────────┘
 */
#ifndef USPF_PACKET_H
#define USPF_PACKET_H

#include "ring.h"

#define PACKET_RX_SLOTS 4096
#define PACKET_TX_SLOTS 1024 /* at most: fewer where frames are large */
#define PACKET_SCRATCH_SLOTS 256
#define PACKET_SCRATCH_BYTES 2048

#define PACKET_TX_AT 0x1000
#define PACKET_RX_AT 0x6000
#define PACKET_SCRATCH_AT 0x17000
#define PACKET_BUFFERS_AT 0x19000
#define PACKET_MAPPING_AT 0xa0000 /* a multiple of 64 KiB, the largest page that there is */
#define PACKET_SPARE_BYTES 0x10000

struct packet_head {
	uint32_t block_bytes;
	uint32_t block_count; /* 0: opened to transmit only */
	uint32_t frame_bytes;
	uint32_t frame_count; /* 0: opened to receive only */
	uint32_t sees_own;    /* the kernel shows us outgoing packets, too: pass over them */
};

#define PACKET_FITS(start, slots, end) \
	static_assert((start) + sizeof(struct uspf_ring) + (slots) * sizeof(struct uspf_slot) <= (end), "ring fits")

static_assert(sizeof(struct packet_head) <= PACKET_TX_AT, "head fits");
PACKET_FITS(PACKET_TX_AT, PACKET_TX_SLOTS, PACKET_RX_AT);
PACKET_FITS(PACKET_RX_AT, PACKET_RX_SLOTS, PACKET_SCRATCH_AT);
PACKET_FITS(PACKET_SCRATCH_AT, PACKET_SCRATCH_SLOTS, PACKET_BUFFERS_AT);
static_assert(PACKET_BUFFERS_AT + PACKET_SCRATCH_SLOTS * PACKET_SCRATCH_BYTES <= PACKET_MAPPING_AT, "buffers fit");

#endif
