/*
 * Purpose: the memory layout that every port presents, which is netmap's own.
 *
 *   region ┌──────────────┐ 0
 *          │ netmap_if    │  name, number of rings, offset of each ring
 *          ├──────────────┤
 *          │ ring         │  header (256 bytes), then num_slots slots
 *          │  slot[0]     │  {buf_idx, len, flags, ptr}: 16 bytes
 *          │  ...         │
 *          ├──────────────┤ ring + buf_ofs
 *          │ buffer 0     │  nr_buf_size bytes each
 *          └──────────────┘
 *
 * The numbers are those of netmap's public interface (netmap(4), API 14);
 * ffi/layout.ts holds the same numbers for TypeScript, and the asserts below
 * keep this file honest. Declared here so that the library builds where
 * netmap's headers are absent.
 */
#ifndef USPF_RING_H
#define USPF_RING_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

struct uspf_slot {
	uint32_t buf_idx;
	uint16_t len;
	uint16_t flags;
	uint64_t ptr;
};

struct uspf_ring {
	int64_t buf_ofs;
	uint32_t num_slots;
	uint32_t nr_buf_size;
	uint16_t ringid;
	uint16_t dir; /* 1 transmit, 0 receive: as the kernel fills it in, which netmap.h describes the other way */
	uint32_t head;
	uint32_t cur;
	uint32_t tail;
	uint32_t flags;
	struct timeval ts;
	uint64_t offset_mask;
	uint64_t buf_align;
	uint8_t sem[128] __attribute__((aligned(128)));
	struct uspf_slot slot[];
};

struct uspf_if {
	char ni_name[16];
	uint32_t ni_version;
	uint32_t ni_flags;
	uint32_t ni_tx_rings;
	uint32_t ni_rx_rings;
	uint32_t ni_bufs_head;
	uint32_t ni_host_tx_rings;
	uint32_t ni_host_rx_rings;
	uint32_t ni_spare1[3];
	int64_t ring_ofs[]; /* transmit rings first, then receive rings */
};

#define USPF_LAYOUT(type, field, offset) \
	static_assert(offsetof(struct type, field) == (offset), #type "." #field)

USPF_LAYOUT(uspf_slot, buf_idx, 0);
USPF_LAYOUT(uspf_slot, len, 4);
USPF_LAYOUT(uspf_slot, flags, 6);
USPF_LAYOUT(uspf_slot, ptr, 8);
static_assert(sizeof(struct uspf_slot) == 16, "slot size");

USPF_LAYOUT(uspf_ring, buf_ofs, 0);
USPF_LAYOUT(uspf_ring, num_slots, 8);
USPF_LAYOUT(uspf_ring, nr_buf_size, 12);
USPF_LAYOUT(uspf_ring, ringid, 16);
USPF_LAYOUT(uspf_ring, dir, 18);
USPF_LAYOUT(uspf_ring, head, 20);
USPF_LAYOUT(uspf_ring, cur, 24);
USPF_LAYOUT(uspf_ring, tail, 28);
USPF_LAYOUT(uspf_ring, flags, 32);
USPF_LAYOUT(uspf_ring, ts, 40);
USPF_LAYOUT(uspf_ring, offset_mask, 56);
USPF_LAYOUT(uspf_ring, buf_align, 64);
USPF_LAYOUT(uspf_ring, slot, 256);

USPF_LAYOUT(uspf_if, ni_version, 16);
USPF_LAYOUT(uspf_if, ni_tx_rings, 24);
USPF_LAYOUT(uspf_if, ni_rx_rings, 28);
USPF_LAYOUT(uspf_if, ni_host_tx_rings, 36);
USPF_LAYOUT(uspf_if, ni_host_rx_rings, 40);
USPF_LAYOUT(uspf_if, ring_ofs, 56);

#endif
