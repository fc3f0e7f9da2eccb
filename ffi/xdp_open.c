/*
 * Purpose: opens and closes xdp ports: queues, sockets with their kernel rings, the region.
 *
 * spec: number[0] queue (-1: all)  [1] enum xdp_wish  [2] promiscuous
 *       text[0] interface  program: struct bpf_insn, see xdp_program.ts
 */
#define _GNU_SOURCE
#include "xdp.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4) /* Linux 6.6: packets of several frames */
#endif
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* Linux 6.17: packets that a sendto takes in copy mode, else 32 */
#endif
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif
#ifndef SO_BUSY_POLL_BUDGET
#define SO_BUSY_POLL_BUDGET 70
#endif
#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

#define BUSY_POLL_US 20
#define BUSY_POLL_BUDGET 64
#define SEND_BUFFER_BYTES (8 * 1024 * 1024) /* of packets on their way, in copy mode */
#define RELEASE_TRIES 50                    /* a closed socket gives its queue back a little later, */
#define RELEASE_NS 10000000                 /* from a work queue of the kernel */

/* ---- the interface ---- */

/* Receive or transmit queues of the interface; sysfs shows the namespace that mounted it, hence the check. */
static int count_queues(const char *interface, int ifindex, const char *prefix)
{
	char path[32 + USPF_TEXT_BYTES];
	struct dirent *entry;
	int count = 0, index = -1;
	FILE *file;
	DIR *directory;

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", interface);
	file = fopen(path, "re");
	if (file == NULL)
		return -ENOENT;
	if (fscanf(file, "%d", &index) != 1 || index != ifindex)
		index = -1;
	fclose(file);
	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface);
	directory = index < 0 ? NULL : opendir(path);
	if (directory == NULL)
		return -ENOENT;
	while ((entry = readdir(directory)) != NULL)
		count += strncmp(entry->d_name, prefix, 3) == 0;
	closedir(directory);
	return count;
}

/* Others, such as tunnels, have packets without an Ethernet header. */
static int check_type(const char *interface)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = 0;

	if (fd < 0)
		return -errno;
	memcpy(request.ifr_name, interface, strnlen(interface, IFNAMSIZ - 1));
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		result = -errno;
	else if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER && request.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		result = -EPROTONOSUPPORT;
	close(fd);
	return result;
}

/* Which queues: all that receive (of a port that only sends: that send), or the one that was named. */
static int choose_queues(struct xdp *xdp, const struct uspf_spec *spec)
{
	int receive = count_queues(spec->text[0], xdp->ifindex, "rx-");
	int transmit = count_queues(spec->text[0], xdp->ifindex, "tx-");
	int count = xdp->directions & USPF_RX ? receive : transmit, wanted = spec->number[0];

	if (count < 0)
		return count;
	if (wanted >= count || count == 0)
		return -ENXIO;
	if (wanted < 0 && count > MAX_QUEUES)
		return -E2BIG;
	xdp->queue_count = wanted < 0 ? (uint32_t)count : 1;
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		struct queue *queue = &xdp->queue[i];

		queue->id = wanted < 0 ? i : (uint32_t)wanted;
		queue->directions = xdp->directions;
		if (queue->id >= (uint32_t)transmit)
			queue->directions &= ~USPF_TX;
	}
	return 0;
}

/* Lasts as long as the socket. */
static int open_promiscuous(int ifindex)
{
	struct packet_mreq membership = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof(membership)) < 0) {
		int result = -errno;

		close(fd);
		return result;
	}
	return fd;
}

static uint32_t namespace_of(int fd)
{
	int netns = ioctl(fd, SIOCGSKNS);
	struct stat status = { 0 };

	if (netns >= 0) {
		uspf_status(netns, &status);
		close(netns);
	}
	return (uint32_t)status.st_ino;
}

/* ---- sockets ---- */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int map_ring(struct queue *queue, struct kernel_ring *ring, const struct xdp_ring_offset *offset, size_t bytes,
		    uint64_t page)
{
	char *map;

	ring->map_bytes = offset->desc + bytes;
	map = mmap(NULL, ring->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, queue->fd, (off_t)page);
	if (map == MAP_FAILED)
		return -errno;
	ring->map = map;
	ring->producer = (uint32_t *)(map + offset->producer);
	ring->consumer = (uint32_t *)(map + offset->consumer);
	ring->flags = (uint32_t *)(map + offset->flags);
	ring->entries = map + offset->desc;
	return 0;
}

static int map_rings(struct queue *queue)
{
	struct xdp_mmap_offsets offset;
	socklen_t size = sizeof(offset);
	int result;

	if (getsockopt(queue->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offset, &size) < 0)
		return -errno;
	if (size < sizeof(offset))
		return -ENOPROTOOPT; /* before Linux 5.4: rings without flags */
	result = map_ring(queue, &queue->fill, &offset.fr, FILL * sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	if (result == 0)
		result = map_ring(queue, &queue->completion, &offset.cr, TX_SLOTS * sizeof(uint64_t),
				  XDP_UMEM_PGOFF_COMPLETION_RING);
	if (result == 0 && queue->directions & USPF_RX)
		result = map_ring(queue, &queue->rx, &offset.rx, RX_KERNEL * sizeof(struct xdp_desc),
				  XDP_PGOFF_RX_RING);
	if (result == 0 && queue->directions & USPF_TX)
		result = map_ring(queue, &queue->tx, &offset.tx, TX_SLOTS * sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	return result;
}

/* All frames are the kernel's to fill: a slot has none until a packet is there. */
static void fill_all(struct queue *queue)
{
	uint64_t *entries = queue->fill.entries;

	for (uint64_t i = 0; i < rx_frames(queue); i++)
		entries[queue->filled++] = i * FRAME_BYTES;
	__atomic_store_n(queue->fill.producer, queue->filled, __ATOMIC_RELEASE);
}

static int open_socket(struct queue *queue)
{
	struct xdp_umem_reg umem = { .addr = (uint64_t)(uintptr_t)queue->frames,
				     .len = (uint64_t)(rx_frames(queue) + tx_frames(queue)) * FRAME_BYTES,
				     .chunk_size = FRAME_BYTES };
	int result = 0;

	queue->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (queue->fd < 0)
		return -errno;
	if (setsockopt(queue->fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) < 0)
		return -errno;
	result = set(queue->fd, SOL_XDP, XDP_UMEM_FILL_RING, FILL);
	if (result == 0)
		result = set(queue->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, TX_SLOTS);
	if (result == 0 && queue->directions & USPF_RX)
		result = set(queue->fd, SOL_XDP, XDP_RX_RING, RX_KERNEL);
	if (result == 0 && queue->directions & USPF_TX)
		result = set(queue->fd, SOL_XDP, XDP_TX_RING, TX_SLOTS);
	if (result < 0)
		return result;
	/* Refused without CAP_NET_ADMIN, or by an older kernel: more calls, not wrong. */
	set(queue->fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
	set(queue->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, TX_SLOTS);
	return map_rings(queue);
}

static int bind_as(struct xdp *xdp, struct queue *queue, uint16_t flags)
{
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP,
					.sxdp_ifindex = (uint32_t)xdp->ifindex,
					.sxdp_queue_id = queue->id };
	struct timespec pause = { 0, RELEASE_NS };
	int result = -EBUSY;

	for (int i = 0; i < RELEASE_TRIES && result == -EBUSY; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		address.sxdp_flags = (uint16_t)(flags | XDP_USE_NEED_WAKEUP | XDP_USE_SG);
		queue->pieces = 1;
		result = bind(queue->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
		if (result == 0 || result == -EBUSY)
			continue;
		address.sxdp_flags = (uint16_t)(flags | XDP_USE_NEED_WAKEUP);
		queue->pieces = 0;
		result = bind(queue->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	}
	return result;
}

/*
 * Our calls then run the driver's poll instead of its interrupts. Not in copy mode, where rxsync makes no
 * call: over veth, polling in each empty sync was tried and gained nothing. Refused without CAP_NET_ADMIN.
 */
static void poll_busily(const struct queue *queue)
{
	set(queue->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, 1);
	set(queue->fd, SOL_SOCKET, SO_BUSY_POLL, BUSY_POLL_US);
	set(queue->fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, BUSY_POLL_BUDGET);
}

/* Zero-copy is the driver's own: behind a generic program there is none. */
static int bind_queue(struct xdp *xdp, struct queue *queue, int wish, double info[])
{
	int result = -EOPNOTSUPP;

	if (wish == WISH_ZEROCOPY || (wish == WISH_AUTO && (xdp->hook == NULL || xdp->hook->native))) {
		result = bind_as(xdp, queue, XDP_ZEROCOPY);
		queue->zerocopy = result == 0;
		if (result == 0)
			poll_busily(queue);
		if (result == 0 || result == -EBUSY || wish == WISH_ZEROCOPY)
			return result;
		info[USPF_INFO_NOT_ZEROCOPY] = -result;
	}
	return bind_as(xdp, queue, XDP_COPY);
}

/* ---- region ---- */

static struct uspf_ring *lay_ring(struct uspf_port *port, uint32_t index, char *buffers, int transmit)
{
	struct uspf_if *interface = port->region;
	int64_t offset = RINGS_OFFSET + (int64_t)index * RING_BLOCK;
	struct uspf_ring *ring = (struct uspf_ring *)((char *)port->region + offset);

	interface->ring_ofs[index] = offset;
	ring->buf_ofs = buffers - (char *)ring;
	ring->num_slots = transmit ? TX_SLOTS : RX_SLOTS;
	ring->nr_buf_size = transmit ? FRAME_BYTES : FRAME_BYTES - FRAME_HEADROOM;
	ring->dir = (uint16_t)transmit;
	ring->tail = transmit ? TX_SLOTS - 1 : 0;
	for (uint32_t i = 0; i < ring->num_slots; i++)
		ring->slot[i].buf_idx = i;
	return ring;
}

/* Returns where the frames begin. */
static size_t count_rings(const struct xdp *xdp, struct uspf_if *interface, size_t *frame_bytes)
{
	uint32_t tx = 0, rx = 0;

	*frame_bytes = 0;
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		const struct queue *queue = &xdp->queue[i];

		rx += rx_frames(queue) > 0;
		tx += tx_frames(queue) > 0;
		*frame_bytes += (size_t)(rx_frames(queue) + tx_frames(queue)) * FRAME_BYTES;
	}
	if (tx == 0)
		*frame_bytes += TX_SLOTS * FRAME_BYTES;
	interface->ni_tx_rings = tx > 0 ? tx : 1;
	interface->ni_rx_rings = rx;
	return RINGS_OFFSET + (size_t)(interface->ni_tx_rings + rx) * RING_BLOCK;
}

static int lay_region(struct uspf_port *port)
{
	struct xdp *xdp = port->state;
	struct uspf_if header = { .ni_name = "xdp" };
	size_t frame_bytes, frames = count_rings(xdp, &header, &frame_bytes);
	uint32_t tx = 0, rx = header.ni_tx_rings;
	char *next;

	port->region_bytes = frames + frame_bytes + SPARE_BYTES;
	port->region = mmap(NULL, port->region_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (port->region == MAP_FAILED) {
		port->region = NULL;
		return -errno;
	}
	memcpy(port->region, &header, sizeof(header));
	next = (char *)port->region + frames;
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		struct queue *queue = &xdp->queue[i];

		queue->frames = next;
		if (rx_frames(queue) > 0)
			queue->rx_ring = lay_ring(port, rx++, next + FRAME_HEADROOM, 0);
		next += rx_frames(queue) * FRAME_BYTES;
		if (tx_frames(queue) > 0)
			queue->tx_ring = lay_ring(port, tx++, next, 1);
		next += tx_frames(queue) * FRAME_BYTES;
	}
	if (tx == 0)
		lay_ring(port, 0, next, 1);
	return 0;
}

/* What is larger the kernel would take, and the driver drop; returns how many rings really send. */
static int limit_to_mtu(struct xdp *xdp, const char *interface)
{
	struct ifreq request = { 0 };
	int rings = 0, known;

	memcpy(request.ifr_name, interface, strnlen(interface, IFNAMSIZ - 1));
	known = ioctl(xdp->queue[0].fd, SIOCGIFMTU, &request) == 0;
	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		struct uspf_ring *ring = xdp->queue[i].tx_ring;

		if (ring == NULL)
			continue;
		rings++;
		if (known && ring->nr_buf_size > (uint32_t)request.ifr_mtu + TAGGED_HEADER_BYTES)
			ring->nr_buf_size = (uint32_t)request.ifr_mtu + TAGGED_HEADER_BYTES;
	}
	return rings;
}

/* ---- open, close ---- */

static void unmap(struct kernel_ring *ring)
{
	if (ring->map != NULL)
		munmap(ring->map, ring->map_bytes);
}

void xdp_close(struct uspf_port *port)
{
	struct xdp *xdp = port->state;

	for (uint32_t i = 0; i < xdp->queue_count; i++) {
		struct queue *queue = &xdp->queue[i];

		unmap(&queue->rx);
		unmap(&queue->tx);
		unmap(&queue->fill);
		unmap(&queue->completion);
		if (queue->fd >= 0)
			close(queue->fd);
	}
	if (xdp->hook != NULL)
		xdp_hook_put(xdp->hook);
	if (xdp->promiscuous >= 0)
		close(xdp->promiscuous);
	if (port->region != NULL)
		munmap(port->region, port->region_bytes);
	free(xdp);
}

static int open_queues(struct xdp *xdp, const struct uspf_spec *spec, double info[])
{
	int result = 0, zerocopy = 1;

	for (uint32_t i = 0; i < xdp->queue_count && result == 0; i++)
		result = open_socket(&xdp->queue[i]);
	if (result == 0 && xdp->directions & USPF_RX)
		result = xdp_hook_get(spec, xdp->ifindex, namespace_of(xdp->queue[0].fd), spec->number[1], &xdp->hook);
	if (result < 0)
		xdp->hook = NULL;
	for (uint32_t i = 0; i < xdp->queue_count && result == 0; i++) {
		struct queue *queue = &xdp->queue[i];

		fill_all(queue);
		result = bind_queue(xdp, queue, spec->number[1], info);
		if (result == 0 && xdp->hook != NULL)
			result = xdp_hook_add(xdp->hook, queue->id, queue->fd);
		if (result == 0 && xdp->hook != NULL)
			queue->rejected_before = xdp_hook_rejected(xdp->hook, queue->id);
		zerocopy = zerocopy && queue->zerocopy;
	}
	if (result < 0)
		return result;
	info[USPF_INFO_INTERFACE_OFFSET] = 0;
	info[USPF_INFO_MODE] = zerocopy ? USPF_MODE_ZEROCOPY : USPF_MODE_NATIVE;
	if (xdp->hook != NULL && !xdp->hook->native)
		info[USPF_INFO_MODE] = USPF_MODE_EMULATED;
	if (xdp->hook != NULL)
		info[USPF_INFO_NOT_NATIVE] = xdp->hook->not_native;
	return 0;
}

int xdp_open(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	struct xdp *xdp = calloc(1, sizeof(*xdp));
	int result;

	if (xdp == NULL)
		return -ENOMEM;
	port->state = xdp;
	xdp->directions = spec->directions;
	xdp->promiscuous = -1;
	for (uint32_t i = 0; i < MAX_QUEUES; i++)
		xdp->queue[i].fd = -1;
	xdp->ifindex = (int)if_nametoindex(spec->text[0]);
	result = xdp->ifindex == 0 ? -ENODEV : check_type(spec->text[0]);
	if (result == 0)
		result = choose_queues(xdp, spec);
	if (result == 0)
		result = lay_region(port);
	if (result == 0)
		result = open_queues(xdp, spec, info);
	if (result == 0 && spec->number[2]) {
		xdp->promiscuous = open_promiscuous(xdp->ifindex);
		result = xdp->promiscuous < 0 ? xdp->promiscuous : 0;
	}
	if (result < 0)
		xdp_close(port);
	else
		info[USPF_INFO_EXTRA] = limit_to_mtu(xdp, spec->text[0]);
	return result;
}

