/*
 * Purpose: the region of an xdp port, and the hook: an interface's XDP program, which all our sockets on
 * that interface share.
 *
 *   region ┌──────────────┐ 0
 *          │ netmap_if    │
 *          ├──────────────┤ RINGS_OFFSET
 *          │ tx rings     │ one a queue; a single one where there is none to send by, as room to write in
 *          │ rx rings     │ one a queue
 *          ├──────────────┤
 *          │ queue 0      │ rx frames, then tx frames: the UMEM of that queue's socket
 *          │ queue 1 ...  │
 *          └──────────────┘
 *
 *   frame  │ 256: the kernel's │ packet, up to 1792 │     received
 *          │ packet, up to 2048                     │     to send
 */
#ifndef USPF_XDP_H
#define USPF_XDP_H

#include "ring.h"
#include "uspf.h"

#include <linux/bpf.h>

#define MAX_QUEUES 16
#define RX_SLOTS 1024
#define TX_SLOTS 1024
#define RX_KERNEL 8192 /* entries of the kernel's receive ring: 16 ms of half a million packets a second */
#define RX_FRAMES (RX_SLOTS + RX_KERNEL) /* so that both can be full: the fill ring starves only then; 18 MiB */
#define FILL 16384                       /* a power of two that takes all frames */
#define FRAME_BYTES 2048
#define FRAME_HEADROOM 256 /* XDP_PACKET_HEADROOM */
#define TAGGED_HEADER_BYTES 18 /* Ethernet, with one VLAN tag */
#define RINGS_OFFSET 4096
#define RING_BLOCK 20480
#define SPARE_BYTES 4096 /* hot loops look a little beyond a packet's end */

static_assert(RX_FRAMES <= FILL, "every frame fits into the fill ring");
static_assert(sizeof(struct uspf_ring) + RX_SLOTS * sizeof(struct uspf_slot) <= RING_BLOCK, "rx ring fits");
static_assert(sizeof(struct uspf_ring) + TX_SLOTS * sizeof(struct uspf_slot) <= RING_BLOCK, "tx ring fits");
static_assert(sizeof(struct uspf_if) + 2 * MAX_QUEUES * sizeof(int64_t) <= RINGS_OFFSET, "netmap_if fits");

struct kernel_ring {
	uint32_t *producer, *consumer, *flags;
	void *entries;
	void *map;
	size_t map_bytes;
};

struct queue {
	int fd;
	int directions; /* a queue may have no transmit side */
	uint32_t id;
	char *frames;
	int zerocopy, pieces; /* pieces: packets may have several */
	struct uspf_ring *rx_ring, *tx_ring;
	struct kernel_ring rx, tx, fill, completion;
	uint32_t rx_taken, filled; /* our side's index into the kernel's rx ring, fill ring */
	uint32_t released, rx_tail;
	uint32_t tx_given, completed; /* our side's index into the kernel's tx ring, completion ring */
	uint32_t tx_next;             /* the next slot to hand over */
	uint32_t tx_oldest;           /* the first slot that is not done */
	uint8_t done[TX_SLOTS];
	double rejected_before; /* by the program, on this queue, when the port was opened */
	double odd;             /* packets with descriptors that are not what we expect */
};

struct xdp {
	int directions, ifindex;
	int promiscuous; /* a socket that keeps the interface so, or -1 */
	uint32_t queue_count, idle;
	struct xdp_hook *hook;
	struct queue queue[MAX_QUEUES];
};

/* Frames of a queue: first those to receive into, then those to send from. */
static inline uint32_t rx_frames(const struct queue *queue)
{
	return queue->directions & USPF_RX ? RX_FRAMES : 0;
}

static inline uint32_t tx_frames(const struct queue *queue)
{
	return queue->directions & USPF_TX ? TX_SLOTS : 0;
}

/* xdp_open.c */
int xdp_open(struct uspf_port *port, const struct uspf_spec *spec, double info[]);
void xdp_close(struct uspf_port *port);

/* ---- xdp_hook.c ---- */

/* What is asked for; XDP_MODES in port.ts has the same order. */
enum xdp_wish { WISH_AUTO = 0, WISH_ZEROCOPY = 1, WISH_NATIVE = 2, WISH_GENERIC = 3 };

struct xdp_hook {
	int references; /* 0: this entry is free */
	int ifindex;
	uint32_t netns; /* inode of its network namespace */
	uint32_t hash;  /* of the program's instructions */
	int native;
	int not_native; /* errno with which native mode was refused */
	int link, map;
	int counts; /* the map of packets turned away, or: */
#define COUNTS_NONE (-1)    /* the program turns away none */
#define COUNTS_UNKNOWN (-2) /* another capture's program has the map, which we cannot have */
};

/*
 * Gives the interface's hook, attaching the program where there is none yet.
 * -EEXIST: a foreign program is there; -EACCES: a program is there, and we may not see whose;
 * -EALREADY: another capture's, for other packets; -EPROTOTYPE: another capture's, in another mode;
 * -EPROTO: the kernel's verifier refuses the program.
 */
int xdp_hook_get(const struct uspf_spec *spec, int ifindex, uint32_t netns, int wish, struct xdp_hook **hook);

/* Packets of the queue that the program takes go to this socket from now on, until it is closed. */
int xdp_hook_add(const struct xdp_hook *hook, uint32_t queue, int fd);

/* Packets of the queue that the program has turned away since it is there; -1: unknown. */
double xdp_hook_rejected(const struct xdp_hook *hook, uint32_t queue);

void xdp_hook_put(struct xdp_hook *hook);

/*
 * Kernels before 5.18 have no bpf_xdp_get_buff_len, and no packets in several pieces either: in place of its
 * calls, `r1 = r6; call 188` (to_ebpf.ts), `r0 = r8; r0 -= r7`, the packet's end less its begin.
 */
void xdp_hook_make_old(struct bpf_insn *code, uint32_t count);

#endif
