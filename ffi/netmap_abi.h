/*
 * Purpose: netmap's control interface (API 14), declared here so that the
 * library builds where netmap's headers are absent. Sizes, offsets and numbers
 * are those of netmap's public interface and are pinned by the asserts below.
 */
#ifndef USPF_NETMAP_ABI_H
#define USPF_NETMAP_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define NETMAP_DEVICE "/dev/netmap"
#define NETMAP_API_VERSION 14

enum netmap_request { NETMAP_REGISTER = 1, NETMAP_PORT_INFO_GET = 2 };
enum netmap_option_type { NETMAP_OPTION_EXTMEM = 1, NETMAP_OPTION_OFFSETS = 5 };

#define NETMAP_NO_TX_POLL 0x20000u /* poll for input does not also sync the transmit rings */

struct netmap_option {
	uint64_t next; /* address of the next option, 0 at the end */
	uint32_t type;
	uint32_t status;
	uint64_t size;
};

struct netmap_header {
	uint16_t version;
	uint16_t type;
	uint32_t reserved;
	char name[64];
	uint64_t options; /* address of the first option */
	uint64_t body;    /* address of the request's own structure */
};

struct netmap_register {
	uint64_t offset;  /* out: of the netmap_if in the region */
	uint64_t memsize; /* out: bytes of the region */
	uint32_t tx_slots, rx_slots;
	uint16_t tx_rings, rx_rings;
	uint16_t host_tx_rings, host_rx_rings;
	uint16_t mem_id;
	uint16_t ringid;
	uint32_t mode;
	uint32_t extra_bufs;
	uint64_t flags;
};

struct netmap_port_info {
	uint64_t memsize;
	uint32_t tx_slots, rx_slots;
	uint16_t tx_rings, rx_rings;
	uint16_t host_tx_rings, host_rx_rings;
	uint16_t mem_id;
	uint16_t pad[3];
};

struct netmap_pools {
	uint64_t memsize;
	uint16_t mem_id;
	uint16_t pad[3];
	uint64_t if_offset;
	uint32_t if_count, if_bytes;
	uint64_t ring_offset;
	uint32_t ring_count, ring_bytes;
	uint64_t buf_offset;
	uint32_t buf_count, buf_bytes;
};

struct netmap_option_extmem {
	struct netmap_option option;
	uint64_t address;
	struct netmap_pools pools;
};

struct netmap_option_offsets {
	struct netmap_option option;
	uint64_t max_offset;
	uint64_t initial_offset;
	uint32_t offset_bits;
	uint32_t tx_align;
	uint64_t min_gap;
};

#define NETMAP_CONTROL _IOWR('i', 151, struct netmap_header)
#define NETMAP_TXSYNC _IO('i', 148)
#define NETMAP_RXSYNC _IO('i', 149)

#define NETMAP_SIZE(type, size) static_assert(sizeof(struct type) == (size), #type)
#define NETMAP_FIELD(type, field, at) static_assert(offsetof(struct type, field) == (at), #type "." #field)

NETMAP_SIZE(netmap_option, 24);
NETMAP_SIZE(netmap_header, 88);
NETMAP_FIELD(netmap_header, name, 8);
NETMAP_FIELD(netmap_header, options, 72);
NETMAP_FIELD(netmap_header, body, 80);
NETMAP_SIZE(netmap_register, 56);
NETMAP_FIELD(netmap_register, tx_slots, 16);
NETMAP_FIELD(netmap_register, tx_rings, 24);
NETMAP_FIELD(netmap_register, mem_id, 32);
NETMAP_FIELD(netmap_register, ringid, 34);
NETMAP_FIELD(netmap_register, mode, 36);
NETMAP_FIELD(netmap_register, flags, 48);
NETMAP_SIZE(netmap_port_info, 32);
NETMAP_FIELD(netmap_port_info, mem_id, 24);
NETMAP_SIZE(netmap_pools, 64);
NETMAP_SIZE(netmap_option_extmem, 96);
NETMAP_SIZE(netmap_option_offsets, 56);
static_assert(NETMAP_CONTROL == 0xc0586997u, "NIOCCTRL");
static_assert(NETMAP_TXSYNC == 0x6994 && NETMAP_RXSYNC == 0x6995, "NIOCTXSYNC, NIOCRXSYNC");

#endif
