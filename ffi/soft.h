/*
 * Purpose: the memory of soft switches and pipes, shared between processes.
 * ffi/soft_layout.ts holds the same numbers.
 *
 *   switch                          pipe
 *   ┌───────────────┐ 0             ┌───────────────┐ 0
 *   │ header        │               │ header        │  who is here, of which version
 *   ├───────────────┤ 4096          ├───────────────┤
 *   │ members       │               │ members       │  64 × {live, pid, epoch, name}
 *   ├───────────────┤ 8192          ├───────────────┤
 *   │ addresses     │               │               │  1024 × u64: flag | port | MAC
 *   ├───────────────┤ 16384         ├───────────────┤
 *   │ doorbells     │               │ doorbells     │  64 × 256: parked
 *   ├───────────────┤ 32768         ├───────────────┤
 *   │ tx ring of    │               │ direction 0   │  tx ring, rx ring,
 *   │ each port     │               │               │  buffers of both
 *   ├───────────────┤               ├───────────────┤
 *   │ lanes: for    │               │ direction 1   │
 *   │ each receiver │               └───────────────┘
 *   │ a ring from   │
 *   │ each sender   │
 *   └───────────────┘
 *
 * Every ring has one writer of its tail and one of its head, so no lock is ever
 * held while packets move, and a process that is killed leaves nothing locked.
 * Before each ring header lies a link block: the published tail and the released
 * head on cache lines of their own, 128 bytes apart.
 *
 * Who lives is told by record locks, which the kernel drops with a process, even
 * by SIGKILL: byte 0 of the file while joining or leaving, byte 1 + i while
 * member i lives. The file is sparse: memory is spent on the rings in use.
 */
#ifndef USPF_SOFT_H
#define USPF_SOFT_H

#include "ring.h"

#define SOFT_MAGIC 0x66707375u /* "uspf" */
#define SOFT_VERSION 2u

enum soft_shape { SOFT_SWITCH = 1, SOFT_PIPE = 2 };
enum soft_verb { SOFT_WAKE = 1, SOFT_REAP = 2 };

#define SOFT_PORTS 56 /* so that the whole switch is below 2^31 words */
#define SOFT_SLOTS 1024
#define SOFT_BUFFER_BYTES 2112 /* 33 cache lines: see below */

#define SOFT_MEMBERS 4096
#define SOFT_MEMBER_BYTES 64
#define SOFT_ADDRESSES 8192
#define SOFT_ADDRESS_COUNT 1024
#define SOFT_DOORBELLS 16384
#define SOFT_DOORBELL_BYTES 256
#define SOFT_RINGS 32768

#define SOFT_LINK_BYTES 256
#define SOFT_LINK_TAIL 0  /* u32, published by the sender */
#define SOFT_LINK_LOST 8  /* f64, packets that found no room; the sender's */
#define SOFT_LINK_HEAD 128 /* u32, released by the receiver */
#define SOFT_LINK_READY 132 /* u32, 1 once the ring is laid out */
#define SOFT_LINK_LOST_BEFORE 136 /* f64, what was lost when the receiver joined */

/* A ring block: link, header, slots; a switch's blocks also hold their buffers. */
#define SOFT_RING_BYTES (256 + SOFT_SLOTS * 16)
#define SOFT_SWITCH_BLOCK 2183168 /* link + ring + 1024 buffers, rounded up to pages */
#define SOFT_PIPE_BLOCK 20480     /* link + ring, rounded up to pages */
#define SOFT_PIPE_DIRECTION (2 * SOFT_PIPE_BLOCK + 2 * SOFT_SLOTS * SOFT_BUFFER_BYTES)

#define SOFT_SWITCH_BYTES \
	(SOFT_RINGS + (int64_t)SOFT_SWITCH_BLOCK * SOFT_PORTS * (SOFT_PORTS + 1))
#define SOFT_PIPE_BYTES (SOFT_RINGS + 2 * (int64_t)SOFT_PIPE_DIRECTION)

struct soft_header {
	uint32_t magic;
	uint32_t version;
	uint32_t shape;
	uint32_t ports;
	uint32_t slots;
	uint32_t buffer_bytes;
	uint32_t generation; /* changes with every join and leave */
	uint32_t addresses;  /* changes with every change of the address table */
};

struct soft_member {
	uint32_t live;
	uint32_t pid;
	uint32_t epoch; /* the generation at which it joined */
	uint32_t reserved;
	char name[48];
};

/* An address entry: bit 63 set, port in bits 48..55, MAC in the low 48 as it reads from the wire, little-endian. */
#define SOFT_ADDRESS_PORT(entry) ((uint32_t)((entry) >> 48 & 0xff))

struct uspf_port;

/* soft_rings.c: a port's rings, when it has taken place `index` of a switch or `end` of a pipe. */
void soft_join_switch(struct uspf_port *port, int index);
void soft_join_pipe(struct uspf_port *port, int end);

static_assert(sizeof(struct soft_member) == SOFT_MEMBER_BYTES, "member size");
static_assert(SOFT_MEMBERS + 64 * SOFT_MEMBER_BYTES <= SOFT_ADDRESSES, "members fit");
static_assert(SOFT_ADDRESSES + 8 * SOFT_ADDRESS_COUNT <= SOFT_DOORBELLS, "addresses fit");
static_assert(SOFT_DOORBELLS + 64 * SOFT_DOORBELL_BYTES <= SOFT_RINGS, "doorbells fit");
static_assert(SOFT_LINK_BYTES + SOFT_RING_BYTES + SOFT_SLOTS * SOFT_BUFFER_BYTES <= SOFT_SWITCH_BLOCK, "block");
static_assert(SOFT_SWITCH_BLOCK % 4096 == 0 && SOFT_PIPE_BLOCK % 4096 == 0, "pages");
static_assert(SOFT_LINK_BYTES + SOFT_RING_BYTES <= SOFT_PIPE_BLOCK, "pipe block");
static_assert(SOFT_SWITCH_BYTES / 4 < INT32_MAX, "word indices stay small integers");

#endif
