/*
 * Purpose: the region of a udp port; ffi/udp_port.ts holds the same numbers.
 *
 *   ┌────────────┐ 0
 *   │ netmap_if  │ one ring of each direction
 *   ├────────────┤ 4096
 *   │ tx ring    │ slot.ptr: destination address, port, where the payload starts
 *   ├────────────┤
 *   │ rx ring    │
 *   ├────────────┤
 *   │ arrivals   │ a record a receive slot: who sent it, to whom, how long it was
 *   ├────────────┤
 *   │ tx buffers │ whole packets; the payload is sent
 *   ├────────────┤
 *   │ rx buffers │ 42 bytes of room, then the payload: TypeScript writes the headers
 *   └────────────┘
 */
#ifndef USPF_UDP_H
#define USPF_UDP_H

#include "ring.h"

#define UDP_SLOTS 1024
#define UDP_BUFFER_BYTES 2048
#define UDP_HEADROOM 42 /* Ethernet 14, IPv4 20, UDP 8 */
#define UDP_RING_BLOCK 20480
#define UDP_TX_RING 4096
#define UDP_RX_RING (UDP_TX_RING + UDP_RING_BLOCK)
#define UDP_ARRIVALS (UDP_RX_RING + UDP_RING_BLOCK)
#define UDP_TX_BUFFERS (UDP_ARRIVALS + UDP_SLOTS * 16)
#define UDP_RX_BUFFERS (UDP_TX_BUFFERS + UDP_SLOTS * UDP_BUFFER_BYTES)
#define UDP_REGION_BYTES (UDP_RX_BUFFERS + UDP_SLOTS * UDP_BUFFER_BYTES)

/* Addresses and ports as on the wire. */
struct udp_arrival {
	uint32_t source_address;
	uint16_t source_port;
	uint16_t reserved;
	uint32_t destination_address;
	uint32_t datagram_bytes; /* the payload's true size, also where it did not fit */
};

/* slot.ptr of a transmit slot; payload_offset 0: nothing to send in this slot. */
struct udp_departure {
	uint32_t destination_address;
	uint16_t destination_port;
	uint16_t payload_offset;
};

static_assert(sizeof(struct udp_arrival) == 16, "arrival size");
static_assert(sizeof(struct udp_departure) == 8, "departure size");
static_assert(sizeof(struct uspf_ring) + UDP_SLOTS * 16 <= UDP_RING_BLOCK, "ring fits");

#endif
