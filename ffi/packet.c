/*
 * Purpose: a packet port: an AF_PACKET socket with mapped rings (packet(7),
 * Documentation/networking/packet_mmap.rst). Set up here; afterwards TypeScript
 * walks the blocks and fills the frames, and comes here only to sleep, to have
 * frames sent, and for the socket's counters.
 *
 * spec: number[0] promiscuous  [1] bytes of a block  [2] blocks
 *       [3] ms after which the kernel hands over a block that is not full
 *       [4] 0 no fanout, 1 join group number[5], 2 a new group
 *       text[0] interface; program: struct sock_filter
 * info: EXTRA the fanout group, -1 for none
 */
#define _GNU_SOURCE
#include "packet.h"
#include "packet_count.h"
#include "uspf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of Linux 4.20, 4.11 and 6.2; older headers lack them. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef PACKET_FANOUT_FLAG_UNIQUEID
#define PACKET_FANOUT_FLAG_UNIQUEID 0x2000
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

#define FEWEST_BLOCKS 4
#define RX_FRAME_BYTES 2048 /* TPACKET_V3 does not care, but wants it to divide a block */
#define TX_BLOCK_BYTES 65536
#define TX_RING_BYTES (4 << 20)
#define TX_DATA (TPACKET3_HDRLEN - sizeof(struct sockaddr_ll))
#define MAX_FRAME_BYTES 16384
#define TAGGED_HEADER_BYTES 18 /* Ethernet with a VLAN tag */
#define SEND_BUFFER_BYTES (16 << 20)
/*
 * 68 bytes of headers and 14 of Ethernet, which the kernel rounds up to 96, put
 * the packet at byte 82 of a frame; two more put it at a whole word.
 */
#define RESERVE 2
#define SEND_TRIES 2

static_assert(TPACKET3_HDRLEN == 68 && TX_DATA == 48, "frame layout");
static_assert(sizeof(struct tpacket3_hdr) == 48 && offsetof(struct tpacket3_hdr, tp_status) == 20, "frame header");
static_assert(offsetof(struct tpacket3_hdr, tp_mac) == 24 && offsetof(struct tpacket3_hdr, hv1) == 28, "frame header");
static_assert(offsetof(struct tpacket_block_desc, hdr.bh1.offset_to_first_pkt) == 16, "block header");

struct packet {
	struct packet_member member;
	struct packet_count *count; /* of what the filter turns away, until the member has it */
	int has_filter;
	int group_sees_own; /* its fanout group is shown outgoing packets, too */
};

struct device {
	int index, type, mtu, is_up;
};

static void *at(struct uspf_port *port, int64_t offset)
{
	return (char *)port->region + offset;
}

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* ---- interface ---- */

static int find_device(int fd, const char *name, struct device *device)
{
	struct ifreq request = { 0 };

	if (strlen(name) >= sizeof(request.ifr_name))
		return -ENODEV;
	strcpy(request.ifr_name, name);
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return -errno;
	device->index = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	device->mtu = request.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	device->is_up = (request.ifr_flags & IFF_UP) != 0;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	device->type = request.ifr_hwaddr.sa_family;
	return device->type == ARPHRD_ETHER || device->type == ARPHRD_LOOPBACK ? 0 : -EPROTOTYPE;
}

/* The socket forgets its interface when that is removed; it keeps one that is down. */
static int interface_is_gone(int fd)
{
	struct sockaddr_ll address;
	socklen_t size = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.sll_ifindex <= 0;
}

/* ---- rings ---- */

static int make_rx_ring(int fd, const struct uspf_spec *spec, struct packet_head *head)
{
	struct tpacket_req3 request = { .tp_block_size = (unsigned)spec->number[1],
					.tp_frame_size = RX_FRAME_BYTES,
					.tp_retire_blk_tov = (unsigned)spec->number[3] };
	unsigned blocks = (unsigned)spec->number[2];
	int result = -EINVAL;

	/* Rather a small ring than none, where memory is short. */
	for (; blocks >= FEWEST_BLOCKS; blocks /= 2) {
		request.tp_block_nr = blocks;
		request.tp_frame_nr = blocks * (request.tp_block_size / RX_FRAME_BYTES);
		result = setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0 ? -errno : 0;
		if (result != -ENOMEM)
			break;
	}
	head->block_bytes = request.tp_block_size;
	head->block_count = blocks;
	return result;
}

static int make_tx_ring(int fd, int mtu, struct packet_head *head)
{
	unsigned bytes = 2048, count;
	struct tpacket_req3 request = { .tp_block_size = TX_BLOCK_BYTES };

	while (bytes < MAX_FRAME_BYTES && bytes < (unsigned)mtu + TAGGED_HEADER_BYTES + TX_DATA)
		bytes *= 2;
	count = TX_RING_BYTES / bytes < PACKET_TX_SLOTS ? TX_RING_BYTES / bytes : PACKET_TX_SLOTS;
	request.tp_frame_size = bytes;
	request.tp_frame_nr = count;
	request.tp_block_nr = count * bytes / TX_BLOCK_BYTES;
	head->frame_bytes = bytes;
	head->frame_count = count;
	return setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) < 0 ? -errno : 0;
}

static void lay_ring(struct uspf_port *port, int64_t offset, int64_t buffers, uint32_t slots, uint32_t bytes)
{
	struct uspf_ring *ring = at(port, offset);

	ring->buf_ofs = buffers - offset;
	ring->num_slots = slots;
	ring->nr_buf_size = bytes;
}

/* What is larger the kernel would pass over, and count nowhere. */
static void limit_to_mtu(struct uspf_ring *tx, int mtu)
{
	if (tx->nr_buf_size > (uint32_t)mtu + TAGGED_HEADER_BYTES)
		tx->nr_buf_size = (uint32_t)mtu + TAGGED_HEADER_BYTES;
}

static void lay_rings(struct uspf_port *port, const struct packet_head *head, int64_t frames)
{
	struct uspf_ring *tx = at(port, PACKET_TX_AT), *scratch = at(port, PACKET_SCRATCH_AT);

	lay_ring(port, PACKET_RX_AT, PACKET_MAPPING_AT, PACKET_RX_SLOTS, UINT16_MAX);
	lay_ring(port, PACKET_TX_AT, frames + (int64_t)TX_DATA, head->frame_count,
		 head->frame_count > 0 ? head->frame_bytes - (uint32_t)TX_DATA : 0);
	tx->dir = 1;
	tx->tail = head->frame_count > 0 ? head->frame_count - 1 : 0;
	for (uint32_t i = 0; i < head->frame_count; i++)
		tx->slot[i].buf_idx = i;
	lay_ring(port, PACKET_SCRATCH_AT, PACKET_BUFFERS_AT, PACKET_SCRATCH_SLOTS, PACKET_SCRATCH_BYTES);
	scratch->tail = PACKET_SCRATCH_SLOTS - 1;
	for (uint32_t i = 0; i < PACKET_SCRATCH_SLOTS; i++)
		scratch->slot[i].buf_idx = i * (PACKET_SCRATCH_BYTES / 4);
}

/* One region: the rings as TypeScript reads them, and the socket's memory mapped into the middle of it. */
static int lay_region(struct uspf_port *port, const struct packet_head *head)
{
	size_t blocks = (size_t)head->block_bytes * head->block_count;
	size_t mapped = blocks + (size_t)head->frame_bytes * head->frame_count;
	size_t bytes = PACKET_MAPPING_AT + mapped + PACKET_SPARE_BYTES;
	void *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (region == MAP_FAILED)
		return -errno;
	port->region = region;
	port->region_bytes = bytes;
	if (mmap(at(port, PACKET_MAPPING_AT), mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, port->fd, 0) ==
	    MAP_FAILED)
		return -errno;
	memcpy(port->region, head, sizeof(*head));
	lay_rings(port, head, PACKET_MAPPING_AT + (int64_t)blocks);
	return 0;
}

/*
 * Options that the kernel takes only before there are rings, then the rings.
 * Not PACKET_QDISC_BYPASS: on a veth pair it gained nothing, and it would pass
 * by traffic shaping, and be unseen by tcpdump.
 */
static int make_rings(struct uspf_port *port, const struct uspf_spec *spec, const struct device *device)
{
	struct packet_head head = { 0 };
	int result = set(port->fd, PACKET_VERSION, TPACKET_V3), bytes = SEND_BUFFER_BYTES;

	if (result == 0)
		result = set(port->fd, PACKET_RESERVE, RESERVE);
	/* A frame that cannot be sent is passed over, not one at which the ring stops for good. */
	if (result == 0)
		result = set(port->fd, PACKET_LOSS, 1);
	/* A group does not heed what its members want, and before Linux 6.2 nothing can be wanted of it. */
	head.sees_own = set(port->fd, PACKET_IGNORE_OUTGOING, 1) < 0 || spec->number[4] != 0;
	if (result == 0 && spec->directions & USPF_RX)
		result = make_rx_ring(port->fd, spec, &head);
	if (result == 0 && spec->directions & USPF_TX) {
		setsockopt(port->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
		result = make_tx_ring(port->fd, device->mtu, &head);
	}
	if (result == 0)
		result = lay_region(port, &head);
	if (result == 0)
		limit_to_mtu(at(port, PACKET_TX_AT), device->mtu);
	return result;
}

/* ---- what comes in ---- */

static int attach_wanted(int fd, const struct uspf_spec *spec)
{
	int none = 0;

	if (spec->program_bytes > 0)
		return uspf_attach_filter(fd, spec->program, spec->program_bytes);
	setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
	return 0;
}

/*
 * Packets are shared by a hash of their addresses and ports, so that a flow
 * stays with one member, and in order. Fragments are left as they are (no
 * PACKET_FANOUT_FLAG_DEFRAG): what is shown is what was on the wire.
 */
static int join_fanout(int fd, int how, int group, int *sees_own)
{
	int type = PACKET_FANOUT_HASH | (how == 2 ? PACKET_FANOUT_FLAG_UNIQUEID : 0);
	int id = how == 2 ? 0 : group;
	int result = set(fd, PACKET_FANOUT, id | (type | PACKET_FANOUT_FLAG_IGNORE_OUTGOING) << 16);
	socklen_t size = sizeof(group);

	*sees_own = result == -EINVAL;
	if (result == -EINVAL) /* the group is there, made without that flag */
		result = set(fd, PACKET_FANOUT, id | type << 16);
	if (result == -EINVAL || result == -EALREADY)
		return -EBUSY; /* the group is there, for another interface or shared in another way */
	if (result < 0)
		return result;
	return getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, &size) < 0 ? -errno : group & 0xffff;
}

static int bind_to(int fd, int index, uint16_t protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = index };

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/*
 * A socket can join a group only once it is bound, and until then has all
 * packets, which others of the group have, too: a filter that takes nothing
 * stands there meanwhile. So it does where the counting of what is turned away
 * has to begin with an empty account: see packet_count.c.
 */
static int bind_to_receive(struct uspf_port *port, const struct uspf_spec *spec, const struct device *device,
			   int *group)
{
	const struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct packet *packet = port->state;
	int fanout = spec->number[4], waits = fanout || packet->count != NULL;
	int result = waits ? uspf_attach_filter(port->fd, &nothing, sizeof(nothing)) : attach_wanted(port->fd, spec);

	if (result == 0 && packet->count != NULL)
		result = packet_count_bind(packet->count, device->index);
	if (result == 0)
		result = bind_to(port->fd, device->index, ETH_P_ALL);
	if (result == 0 && fanout) {
		result = join_fanout(port->fd, fanout, spec->number[5], &packet->group_sees_own);
		if (result == -EBUSY && !device->is_up)
			return -ENETDOWN; /* which older kernels refuse in the same way */
		*group = result;
	}
	if (result < 0 || !waits)
		return result;
	if (packet->count != NULL)
		packet_count_start(packet->count);
	return attach_wanted(port->fd, spec);
}

/* Where the group is shown outgoing packets, those would be taken for packets that were not turned away. */
static void count_rejected(struct packet *packet, int group)
{
	if (packet->group_sees_own)
		packet_count_free(packet->count);
	else if (packet->count != NULL)
		packet_count_found(packet->count, &packet->member, group);
	else if (packet->has_filter && group >= 0)
		packet_count_join(&packet->member, group);
	packet->count = NULL;
}

static int be_promiscuous(int fd, int index)
{
	struct packet_mreq membership = { .mr_ifindex = index, .mr_type = PACKET_MR_PROMISC };

	return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof(membership)) < 0 ? -errno : 0;
}

/* ---- opening and closing ---- */

static void packet_close(struct uspf_port *port)
{
	struct packet *packet = port->state;

	if (port->region != NULL)
		munmap(port->region, port->region_bytes);
	packet_count_leave(&packet->member);
	packet_count_free(packet->count);
	if (port->fd >= 0)
		close(port->fd);
	free(packet);
}

static int open_all(struct uspf_port *port, const struct uspf_spec *spec, int *group)
{
	struct packet *packet = port->state;
	struct device device = { 0 };
	int result;

	packet->has_filter = spec->program_bytes > 0 && spec->directions & USPF_RX;
	if (packet->has_filter && spec->number[4] != 1)
		packet->count = packet_count_open();
	/* Protocol 0: nothing comes in before all is set up. */
	port->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (port->fd < 0)
		return -errno;
	packet->member.fd = port->fd;
	result = find_device(port->fd, spec->text[0], &device);
	if (result == 0)
		result = make_rings(port, spec, &device);
	if (result == 0 && spec->number[0])
		result = be_promiscuous(port->fd, device.index);
	if (result < 0)
		return result;
	if (spec->directions & USPF_RX)
		return bind_to_receive(port, spec, &device, group);
	return bind_to(port->fd, device.index, 0);
}

static int packet_open(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	int result, group = -1;

	port->state = calloc(1, sizeof(struct packet));
	if (port->state == NULL)
		return -ENOMEM;
	result = open_all(port, spec, &group);
	if (result < 0) {
		packet_close(port);
		return result;
	}
	count_rejected(port->state, group);
	info[USPF_INFO_INTERFACE_OFFSET] = -1;
	info[USPF_INFO_EXTRA] = group;
	return 0;
}

/* ---- running ---- */

/* The blocks are read without us; this is asked now and then, for a ring in which nothing comes. */
static int packet_rxsync(struct uspf_port *port)
{
	return interface_is_gone(port->fd) ? -ENODEV : 0;
}

/* What cannot go out now (no room, interface down) stays in its frame for the next time. */
static int packet_txsync(struct uspf_port *port)
{
	/* That the interface was down is reported by the next send, which then sends nothing: try again. */
	for (int i = 0; i < SEND_TRIES; i++) {
		if (send(port->fd, NULL, 0, MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != ENETDOWN)
			break;
	}
	if (errno == ENETDOWN && interface_is_gone(port->fd))
		return -ENODEV;
	if (errno == ENXIO)
		return -ENODEV;
	return errno == EAGAIN || errno == ENOBUFS || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
}

/*
 * An interface that goes down wakes a sleeper with an error, once: it sleeps on. One that is removed goes
 * down first, and nobody is woken when it is gone.
 */
static int packet_wait(struct uspf_port *port, int directions, int timeout_us)
{
	short events = (short)((directions & USPF_RX ? POLLIN : 0) | (directions & USPF_TX ? POLLOUT : 0));
	double end_ns = uspf_now_ns() + timeout_us * 1e3;
	int left_us = timeout_us;

	do {
		int error = 0, ready = uspf_poll(port->fd, events, left_us);
		socklen_t size = sizeof(error);

		if (ready == 0)
			return interface_is_gone(port->fd) ? -ENODEV : 0;
		if (ready < 0)
			return ready;
		getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error == 0)
			return 1;
		if (interface_is_gone(port->fd))
			return -ENODEV;
		if (timeout_us >= 0)
			left_us = (int)((end_ns - uspf_now_ns()) / 1e3);
	} while (timeout_us < 0 || left_us > 0);
	return 0;
}

static int packet_stat(struct uspf_port *port, double stat[])
{
	struct packet *packet = port->state;
	int result;

	if (packet->has_filter)
		stat[USPF_STAT_REJECTED] = packet_count_rejected(&packet->member);
	result = packet_count_own(&packet->member);
	stat[USPF_STAT_LOST] = packet->member.lost;
	stat[USPF_STAT_STARVED] = packet->member.starved;
	return result;
}

const struct uspf_ops uspf_packet_ops = {
	.open = packet_open,
	.rxsync = packet_rxsync,
	.txsync = packet_txsync,
	.wait = packet_wait,
	.stat = packet_stat,
	.close = packet_close,
};
