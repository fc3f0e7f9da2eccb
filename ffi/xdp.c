/*
 * Purpose: an xdp port: an AF_XDP socket a queue, whose frames are the buffers of our rings.
 *
 *             fill ring                    rx ring                        slots
 *  released ───────────▶ kernel, driver ───────────▶ rxsync ─────────────────────▶ TypeScript
 *     ▲                                                                              │ head
 *     └──────────────────────────────────────────────────────────────────────────────┘
 *
 *  slots ──txsync──▶ tx ring ──▶ kernel, driver ──▶ completion ring ──▶ tail
 *
 * Indices of the kernel's rings run freely, modulo 2^32. Its documentation: networking/af_xdp.rst.
 */
#define _GNU_SOURCE
#include "xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0) /* Linux 6.6: the packet goes on in the next descriptor */
#endif

#define MORE_FRAGMENTS 0x20 /* NS_MOREFRAG */
#define MAX_PIECES 18       /* MAX_SKB_FRAGS + 1: more the kernel does not send */
#define ETHERNET_BYTES 14
#define IDLE_SYNCS 4096 /* empty syncs, after which we ask whether the interface is there */

static uint32_t acquire(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void publish(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* ---- receive ---- */

/* The kernel says that it cannot go on by itself. */
static int wants_wakeup(const struct kernel_ring *ring)
{
	return (__atomic_load_n(ring->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) != 0;
}

/* An interface that is down has no packets; one that is gone will never have any. */
static int verdict_of(const struct xdp *xdp, int error)
{
	char name[IF_NAMESIZE];

	if (error == ENXIO && if_indextoname((unsigned)xdp->ifindex, name) == NULL)
		return -ENODEV;
	switch (error) {
	case EBADF:
	case EFAULT:
	case ENOTSOCK:
		return -error;
	default:
		return 0;
	}
}

static int wake_rx(const struct xdp *xdp, const struct queue *queue)
{
	return recvfrom(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) < 0 ? verdict_of(xdp, errno) : 0;
}

static int wake_tx(const struct xdp *xdp, const struct queue *queue)
{
	return sendto(queue->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? verdict_of(xdp, errno) : 0;
}

static int check(const struct xdp *xdp)
{
	return xdp->directions & USPF_RX ? wake_rx(xdp, &xdp->queue[0]) : wake_tx(xdp, &xdp->queue[0]);
}

static void give_frame(struct queue *queue, uint64_t frame)
{
	((uint64_t *)queue->fill.entries)[queue->filled++ % FILL] = frame * FRAME_BYTES;
}

static void give_released(struct queue *queue)
{
	struct uspf_ring *ring = queue->rx_ring;
	uint32_t head = ring->head % RX_SLOTS, before = queue->filled;

	for (; queue->released != head; queue->released = (queue->released + 1) % RX_SLOTS)
		give_frame(queue, ring->slot[queue->released].buf_idx);
	if (queue->filled != before)
		publish(queue->fill.producer, queue->filled);
}

static const struct xdp_desc *rx_desc(const struct queue *queue, uint32_t index)
{
	return &((const struct xdp_desc *)queue->rx.entries)[index % RX_KERNEL];
}

static int is_odd(const struct xdp_desc *desc)
{
	return desc->addr % FRAME_BYTES != FRAME_HEADROOM || desc->len > FRAME_BYTES - FRAME_HEADROOM ||
	       desc->addr / FRAME_BYTES >= RX_FRAMES;
}

/* Entries of the packet at `first`, 0 where its end is not among the `ready`. */
static uint32_t pieces_of(const struct queue *queue, uint32_t first, uint32_t ready, int *odd)
{
	*odd = 0;
	for (uint32_t i = 0; i < ready; i++) {
		const struct xdp_desc *desc = rx_desc(queue, first + i);

		*odd |= is_odd(desc);
		if ((desc->options & XDP_PKT_CONTD) == 0)
			return i + 1;
	}
	return 0;
}

static void show(struct queue *queue, const struct xdp_desc *desc)
{
	struct uspf_slot *slot = &queue->rx_ring->slot[queue->rx_tail];

	slot->buf_idx = (uint32_t)(desc->addr / FRAME_BYTES);
	slot->len = (uint16_t)desc->len;
	slot->flags = desc->options & XDP_PKT_CONTD ? MORE_FRAGMENTS : 0;
	queue->rx_tail = (queue->rx_tail + 1) % RX_SLOTS;
}

/* Moves whole packets into free slots; returns how many entries of the kernel's ring it took. */
static uint32_t take_received(struct queue *queue)
{
	uint32_t ready = acquire(queue->rx.producer) - queue->rx_taken, first = queue->rx_taken;
	uint32_t room = (queue->released + RX_SLOTS - queue->rx_tail - 1) % RX_SLOTS;
	uint32_t limit = ready < room ? ready : room, taken = 0;

	while (taken < limit) {
		int odd;
		uint32_t pieces = pieces_of(queue, first + taken, limit - taken, &odd);

		if (pieces == 0)
			break;
		for (uint32_t i = 0; i < pieces; i++) {
			const struct xdp_desc *desc = rx_desc(queue, first + taken + i);

			if (odd)
				give_frame(queue, desc->addr / FRAME_BYTES);
			else
				show(queue, desc);
		}
		queue->odd += odd;
		taken += pieces;
	}
	if (taken > 0) {
		queue->rx_taken += taken;
		publish(queue->rx.consumer, queue->rx_taken);
		queue->rx_ring->tail = queue->rx_tail;
	}
	return taken;
}

static int xdp_rxsync(struct uspf_port *port)
{
	struct xdp *xdp = port->state;
	uint32_t taken = 0;
	int result = 0;

	if ((xdp->directions & USPF_RX) == 0)
		return 0;
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		struct queue *queue = &xdp->queue[i];

		give_released(queue);
		taken += take_received(queue);
		if (wants_wakeup(&queue->fill))
			result = wake_rx(xdp, queue);
	}
	xdp->idle = taken > 0 ? 0 : xdp->idle + 1;
	if (xdp->idle < IDLE_SYNCS)
		return result;
	xdp->idle = 0;
	return check(xdp);
}

/* ---- transmit ---- */

static void take_completed(struct queue *queue)
{
	uint32_t end = acquire(queue->completion.producer);
	const uint64_t *entries = queue->completion.entries;

	if (queue->completed == end)
		return;
	for (; queue->completed != end; queue->completed++)
		queue->done[(entries[queue->completed % TX_SLOTS] / FRAME_BYTES - rx_frames(queue)) % TX_SLOTS] = 1;
	publish(queue->completion.consumer, end);
}

/*
 * Slots of the packet at `first`, 0 where its end is not there yet. Some are not for the kernel: it would
 * keep the frames of what it takes for invalid.
 */
static uint32_t measure(const struct queue *queue, uint32_t first, uint32_t head, int *fit)
{
	uint32_t count = 0, more = MORE_FRAGMENTS;

	*fit = 1;
	for (uint32_t at = first; more && at != head; at = (at + 1) % TX_SLOTS) {
		const struct uspf_slot *slot = &queue->tx_ring->slot[at];

		more = slot->flags & MORE_FRAGMENTS;
		count++;
		if (slot->len == 0 || slot->len > FRAME_BYTES || slot->buf_idx != at)
			*fit = 0;
	}
	if (count > MAX_PIECES || (count > 1 && !queue->pieces) || queue->tx_ring->slot[first].len < ETHERNET_BYTES)
		*fit = 0;
	return more && count < TX_SLOTS - 1 ? 0 : count;
}

static void hand_over(struct queue *queue, uint32_t count, int fit)
{
	for (uint32_t i = 0; i < count; i++, queue->tx_next = (queue->tx_next + 1) % TX_SLOTS) {
		const struct uspf_slot *slot = &queue->tx_ring->slot[queue->tx_next];
		struct xdp_desc *desc = &((struct xdp_desc *)queue->tx.entries)[queue->tx_given % TX_SLOTS];

		queue->done[queue->tx_next] = (uint8_t)!fit;
		if (!fit)
			continue;
		desc->addr = (uint64_t)(rx_frames(queue) + queue->tx_next) * FRAME_BYTES;
		desc->len = slot->len;
		desc->options = slot->flags & MORE_FRAGMENTS ? XDP_PKT_CONTD : 0;
		queue->tx_given++;
	}
}

/* In copy mode the packets go out in our call, some at a time: again while the kernel makes progress. */
static int kick(struct xdp *xdp, struct queue *queue)
{
	uint32_t before, after = acquire(queue->tx.consumer);
	int result = 0;

	if (after == queue->tx_given || !wants_wakeup(&queue->tx))
		return 0;
	do {
		before = after;
		result = wake_tx(xdp, queue);
		after = acquire(queue->tx.consumer);
	} while (!queue->zerocopy && result == 0 && after != before && after != queue->tx_given);
	return result;
}

static int sync_tx(struct xdp *xdp, struct queue *queue)
{
	uint32_t head = queue->tx_ring->head % TX_SLOTS;
	int result;

	while (queue->tx_next != head) {
		int fit;
		uint32_t count = measure(queue, queue->tx_next, head, &fit);

		if (count == 0)
			break;
		hand_over(queue, count, fit);
	}
	publish(queue->tx.producer, queue->tx_given);
	result = kick(xdp, queue);
	take_completed(queue);
	while (queue->tx_oldest != queue->tx_next && queue->done[queue->tx_oldest])
		queue->tx_oldest = (queue->tx_oldest + 1) % TX_SLOTS;
	queue->tx_ring->tail = (queue->tx_oldest + TX_SLOTS - 1) % TX_SLOTS;
	return result;
}

static int xdp_txsync(struct uspf_port *port)
{
	struct xdp *xdp = port->state;
	int result = 0;

	for (uint32_t i = 0; i < xdp->queue_count && result == 0; i++) {
		if (xdp->queue[i].tx_ring != NULL)
			result = sync_tx(xdp, &xdp->queue[i]);
	}
	return result;
}

/* ---- */

static int xdp_wait(struct uspf_port *port, int directions, int timeout_us)
{
	struct xdp *xdp = port->state;
	struct timespec timeout = { timeout_us / 1000000, timeout_us % 1000000 * 1000L };
	struct pollfd watched[MAX_QUEUES];
	int ready;

	directions &= xdp->directions;
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		struct queue *queue = &xdp->queue[i];

		if (directions & USPF_RX && acquire(queue->rx.producer) != queue->rx_taken)
			return 1;
		watched[i].fd = queue->fd;
		watched[i].events =
			(short)((directions & USPF_RX ? POLLIN : 0) | (directions & USPF_TX ? POLLOUT : 0));
	}
	ready = ppoll(watched, xdp->queue_count, timeout_us < 0 ? NULL : &timeout, NULL);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	return ready > 0 ? 1 : check(xdp);
}

/* Each port tells of its own queues, so that the numbers of several on an interface add up. */
static double rejected_of(const struct xdp *xdp)
{
	double sum = 0;

	for (uint32_t i = 0; i < xdp->queue_count && xdp->hook != NULL; i++) {
		double now = xdp_hook_rejected(xdp->hook, xdp->queue[i].id), before = xdp->queue[i].rejected_before;

		if (now < 0 || before < 0)
			return -1;
		sum += now - before;
	}
	return sum;
}

/*
 * rx_dropped counts packets that found no free frame or were too large, rx_ring_full those that found no
 * free entry: each lost packet is in one of them (net/xdp/xsk.c). In zero-copy mode what finds no frame is
 * lost in the NIC, which counts it.
 */
static int xdp_stat(struct uspf_port *port, double stat[])
{
	struct xdp *xdp = port->state;
	double lost = 0, starved = 0;

	stat[USPF_STAT_REJECTED] = rejected_of(xdp); /* first: it goes on with every packet after the last sync */
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		struct xdp_statistics statistics = { 0 };
		socklen_t size = sizeof(statistics);

		if (getsockopt(xdp->queue[i].fd, SOL_XDP, XDP_STATISTICS, &statistics, &size) < 0)
			return -errno;
		lost += (double)statistics.rx_dropped + (double)statistics.rx_ring_full + xdp->queue[i].odd;
		starved += (double)statistics.rx_fill_ring_empty_descs;
		if (size < sizeof(statistics)) /* before Linux 5.9 */
			starved = -1;
	}
	stat[USPF_STAT_LOST] = lost;
	stat[USPF_STAT_STARVED] = starved;
	return 0;
}

const struct uspf_ops uspf_xdp_ops = {
	.open = xdp_open,
	.rxsync = xdp_rxsync,
	.txsync = xdp_txsync,
	.wait = xdp_wait,
	.stat = xdp_stat,
	.close = xdp_close,
};
