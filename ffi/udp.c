/*
 * Purpose: a udp port: sockets behind rings. recvmmsg fills the buffers of the
 * receive ring, sendmmsg sends those of the transmit ring, a burst a call.
 *
 * spec: number[0] port  [1] IPv4 address as on the wire  [2] socket buffer bytes
 *       [3] busy poll in µs (0: off)  [4] slots a call at most
 *       text[0] interface ("" any); program: struct sock_filter, which sees the
 *       packet from the UDP header on
 * A port opened to receive is bound there; one opened only to transmit is
 * connected there; one opened for both sends where each packet's header says.
 */
#define _GNU_SOURCE
#include "udp.h"
#include "uspf.h"
#include "wide_count.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_BYTES 64 /* IP_PKTINFO and SO_RXQ_OVFL */
#define SEND_TRIES 3
#define SNMP_BYTES 16384
#define SNMP_COLUMNS 16

struct udp {
	struct mmsghdr rx[UDP_SLOTS], tx[UDP_SLOTS];
	struct iovec rx_data[UDP_SLOTS], tx_data[UDP_SLOTS];
	struct sockaddr_in from[UDP_SLOTS], to[UDP_SLOTS];
	uint8_t control[UDP_SLOTS][CONTROL_BYTES] __attribute__((aligned(8)));
	uint32_t rx_tail; /* the next slot to fill */
	uint32_t tx_sent; /* the next slot to send */
	uint32_t burst;
	uint32_t overflow; /* SO_RXQ_OVFL, as of the last packet */
	struct wide_count dropped;
	int connected;
	int has_filter;
	int errors_fd;       /* of the network namespace's counters, -1: it has none */
	double first_errors; /* when the port was opened; -1: cannot be known */
};

static void *at(struct uspf_port *port, int64_t offset)
{
	return (char *)port->region + offset;
}

/* ---- sockets ---- */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* The size asked for where we may (CAP_NET_ADMIN), else what net.core.rmem_max allows. */
static void set_buffer(int fd, int forced, int limited, int bytes)
{
	if (set(fd, SOL_SOCKET, forced, bytes) < 0)
		set(fd, SOL_SOCKET, limited, bytes);
}

static int is_multicast(uint32_t address)
{
	return (ntohl(address) & 0xf0000000u) == 0xe0000000u;
}

static int join_group(int fd, uint32_t group, unsigned interface)
{
	struct ip_mreqn membership = { .imr_multiaddr.s_addr = group, .imr_ifindex = (int)interface };

	set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof(membership)) < 0)
		return -errno;
	return 0;
}

static int choose_interface(int fd, uint32_t address, const char *name, unsigned *interface)
{
	struct ip_mreqn outgoing = { 0 };

	*interface = 0;
	if (name[0] == 0)
		return 0;
	*interface = if_nametoindex(name);
	if (*interface == 0)
		return -ENODEV;
	outgoing.imr_ifindex = (int)*interface;
	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &outgoing, sizeof(outgoing)) < 0)
		return -errno;
	if (!is_multicast(address) && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) < 0)
		return -errno;
	return 0;
}

static int bind_address(int fd, const struct sockaddr_in *address)
{
	/* Several receivers of a group share its port; a port of our own address is not shared. */
	if (is_multicast(address->sin_addr.s_addr))
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

static int bind_socket(int fd, const struct sockaddr_in *address, unsigned interface, int busy_poll_us)
{
	int multicast = is_multicast(address->sin_addr.s_addr);
	int result = bind_address(fd, address);

	if (result < 0)
		return result;
	if (multicast && join_group(fd, address->sin_addr.s_addr, interface) < 0)
		return -ENODEV;
	set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	if (busy_poll_us > 0)
		set(fd, SOL_SOCKET, SO_BUSY_POLL, busy_poll_us); /* refused without CAP_NET_ADMIN: slower, not wrong */
	return 0;
}

/* ---- errors ---- */

/*
 * In one counter the kernel counts what a socket's filter turned away, what
 * found its buffer full, and what had a wrong checksum. Of the latter two there
 * are counts, but for all IPv4 sockets of the network namespace: RcvbufErrors,
 * MemErrors and InCsumErrors of /proc/net/snmp. As long as those stand still all
 * is the filter's; from then on it cannot be known what is whose.
 */
static double read_errors(int fd)
{
	static const char *const wanted[] = { "RcvbufErrors", "MemErrors", "InCsumErrors" };
	char text[SNMP_BYTES], *names, *values, *name_rest = NULL, *value_rest = NULL;
	ssize_t bytes = pread(fd, text, sizeof(text) - 1, 0);
	double sum = 0;
	int found = 0;

	text[bytes > 0 ? bytes : 0] = 0;
	names = strstr(text, "\nUdp: "); /* a line of names, and one of values */
	values = names == NULL ? NULL : strchr(names + 1, '\n');
	if (values == NULL)
		return -1;
	*values++ = 0;
	names = strtok_r(names + 1, " ", &name_rest);
	values = strtok_r(values, " \n", &value_rest);
	for (int i = 0; i < SNMP_COLUMNS && names != NULL && values != NULL; i++) {
		for (size_t w = 0; w < sizeof(wanted) / sizeof(*wanted); w++) {
			if (strcmp(names, wanted[w]) == 0) {
				sum += strtod(values, NULL);
				found++;
			}
		}
		names = strtok_r(NULL, " ", &name_rest);
		values = strtok_r(NULL, " \n", &value_rest);
	}
	return found > 0 ? sum : -1;
}

static void watch_errors(struct udp *udp)
{
	udp->errors_fd = open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC);
	udp->first_errors = udp->errors_fd < 0 ? -1 : read_errors(udp->errors_fd);
}

/* ---- opening ---- */

static int open_socket(struct uspf_port *port, const struct uspf_spec *spec)
{
	struct udp *udp = port->state;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)spec->number[0]),
				       .sin_addr.s_addr = (uint32_t)spec->number[1] };
	unsigned interface;
	int result;

	if (spec->number[0] < 0 || spec->number[0] > UINT16_MAX)
		return -EINVAL;
	port->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (port->fd < 0)
		return -errno;
	set_buffer(port->fd, SO_RCVBUFFORCE, SO_RCVBUF, spec->number[2]);
	set_buffer(port->fd, SO_SNDBUFFORCE, SO_SNDBUF, spec->number[2]);
	set(port->fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (udp->has_filter) {
		result = uspf_attach_filter(port->fd, spec->program, spec->program_bytes);
		if (result < 0)
			return result;
	}
	result = choose_interface(port->fd, address.sin_addr.s_addr, spec->text[0], &interface);
	if (result < 0)
		return result;
	if (spec->directions & USPF_RX)
		return bind_socket(port->fd, &address, interface, spec->number[3]);
	udp->connected = 1;
	return connect(port->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/*
 * Would a port that receives be bound there? A socket is, as open_socket does it, and closed at once. It takes
 * no packet from anybody: of a group, which it does not join, each socket gets its own copy; any other address
 * the kernel gives to one socket alone.
 */
int32_t uspf_try_bind(int32_t port, int32_t address, const char *interface)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = (uint32_t)address };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unsigned index;
	int result;

	if (fd < 0)
		return -errno;
	result = choose_interface(fd, where.sin_addr.s_addr, interface, &index);
	if (result == 0)
		result = bind_address(fd, &where);
	close(fd);
	return result;
}

/* ---- region ---- */

static struct uspf_ring *lay_ring(struct uspf_port *port, int64_t offset, int64_t buffers, int transmit)
{
	struct uspf_ring *ring = at(port, offset);

	ring->buf_ofs = buffers - offset;
	ring->num_slots = UDP_SLOTS;
	ring->nr_buf_size = UDP_BUFFER_BYTES;
	ring->dir = (uint16_t)transmit;
	ring->tail = transmit ? UDP_SLOTS - 1 : 0;
	for (uint32_t i = 0; i < UDP_SLOTS; i++)
		ring->slot[i].buf_idx = i;
	return ring;
}

static void lay_messages(struct uspf_port *port)
{
	struct udp *udp = port->state;

	for (uint32_t i = 0; i < UDP_SLOTS; i++) {
		char *buffer = at(port, UDP_RX_BUFFERS + (int64_t)i * UDP_BUFFER_BYTES);

		udp->rx_data[i] = (struct iovec){ buffer + UDP_HEADROOM, UDP_BUFFER_BYTES - UDP_HEADROOM };
		udp->rx[i].msg_hdr = (struct msghdr){ .msg_name = &udp->from[i],
						      .msg_iov = &udp->rx_data[i],
						      .msg_iovlen = 1,
						      .msg_control = udp->control[i] };
		udp->to[i].sin_family = AF_INET;
		udp->tx[i].msg_hdr = (struct msghdr){ .msg_iov = &udp->tx_data[i], .msg_iovlen = 1 };
		if (!udp->connected) {
			udp->tx[i].msg_hdr.msg_name = &udp->to[i];
			udp->tx[i].msg_hdr.msg_namelen = sizeof(udp->to[i]);
		}
	}
}

static int lay_region(struct uspf_port *port)
{
	struct uspf_if *interface;

	port->region = mmap(NULL, UDP_REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (port->region == MAP_FAILED) {
		port->region = NULL;
		return -errno;
	}
	port->region_bytes = UDP_REGION_BYTES;
	interface = port->region;
	memcpy(interface->ni_name, "udp", 3);
	interface->ni_tx_rings = interface->ni_rx_rings = 1;
	interface->ring_ofs[0] = UDP_TX_RING;
	interface->ring_ofs[1] = UDP_RX_RING;
	lay_ring(port, UDP_TX_RING, UDP_TX_BUFFERS, 1);
	lay_ring(port, UDP_RX_RING, UDP_RX_BUFFERS, 0);
	lay_messages(port);
	return 0;
}

static void udp_close(struct uspf_port *port)
{
	struct udp *udp = port->state;

	if (port->fd >= 0)
		close(port->fd);
	if (udp->errors_fd >= 0)
		close(udp->errors_fd);
	if (port->region != NULL)
		munmap(port->region, port->region_bytes);
	free(udp);
}

static int udp_open(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	struct udp *udp = calloc(1, sizeof(*udp));
	socklen_t size = sizeof(int);
	int result, bytes = 0;

	if (udp == NULL)
		return -ENOMEM;
	port->state = udp;
	udp->errors_fd = -1;
	udp->has_filter = spec->program_bytes > 0 && spec->directions & USPF_RX;
	if (udp->has_filter)
		watch_errors(udp);
	udp->burst = spec->number[4] > 0 && spec->number[4] < UDP_SLOTS ? (uint32_t)spec->number[4] : 256;
	result = open_socket(port, spec);
	if (result == 0)
		result = lay_region(port);
	if (result < 0) {
		udp_close(port);
		return result;
	}
	getsockopt(port->fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size);
	info[USPF_INFO_INTERFACE_OFFSET] = 0;
	info[USPF_INFO_EXTRA] = bytes;
	return 0;
}

/* ---- receive ---- */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare" /* in musl's CMSG_NXTHDR */
static void note_arrival(struct udp *udp, struct udp_arrival *arrival, uint32_t slot)
{
	struct msghdr *message = &udp->rx[slot].msg_hdr;

	arrival->source_address = udp->from[slot].sin_addr.s_addr;
	arrival->source_port = udp->from[slot].sin_port;
	arrival->datagram_bytes = udp->rx[slot].msg_len;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			arrival->destination_address = info.ipi_addr.s_addr;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&udp->overflow, CMSG_DATA(c), sizeof(udp->overflow));
		}
	}
}
#pragma GCC diagnostic pop

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static int udp_rxsync(struct uspf_port *port)
{
	struct udp *udp = port->state;
	struct uspf_ring *ring = at(port, UDP_RX_RING);
	struct udp_arrival *arrivals = at(port, UDP_ARRIVALS);
	uint32_t tail = udp->rx_tail, head = ring->head % UDP_SLOTS;
	uint32_t room = (head + UDP_SLOTS - tail - 1) % UDP_SLOTS;
	uint32_t wanted = min(min(room, UDP_SLOTS - tail), udp->burst);
	int count;

	if (wanted == 0)
		return 0;
	for (uint32_t i = tail; i < tail + wanted; i++) {
		udp->rx[i].msg_hdr.msg_namelen = sizeof(udp->from[i]);
		udp->rx[i].msg_hdr.msg_controllen = CONTROL_BYTES;
	}
	count = recvmmsg(port->fd, &udp->rx[tail], wanted, MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED ? 0 : -errno;
	for (uint32_t i = tail; i < tail + (uint32_t)count; i++) {
		note_arrival(udp, &arrivals[i], i);
		ring->slot[i].len = (uint16_t)(UDP_HEADROOM + min(udp->rx[i].msg_len, UDP_BUFFER_BYTES - UDP_HEADROOM));
	}
	udp->rx_tail = (tail + (uint32_t)count) % UDP_SLOTS;
	ring->tail = udp->rx_tail;
	return 0;
}

/* ---- transmit ---- */

/* Prepares the slots from `first` that are to be sent one after the other; returns how many. */
static uint32_t prepare(struct uspf_port *port, uint32_t first, uint32_t limit)
{
	struct udp *udp = port->state;
	struct uspf_ring *ring = at(port, UDP_TX_RING);

	for (uint32_t n = 0; n < limit; n++) {
		struct uspf_slot *slot = &ring->slot[first + n];
		struct udp_departure departure;
		char *buffer = at(port, UDP_TX_BUFFERS + (int64_t)(slot->buf_idx % UDP_SLOTS) * UDP_BUFFER_BYTES);

		memcpy(&departure, &slot->ptr, sizeof(departure));
		if (departure.payload_offset == 0 || departure.payload_offset > slot->len ||
		    slot->len > UDP_BUFFER_BYTES)
			return n;
		udp->tx_data[first + n] =
			(struct iovec){ buffer + departure.payload_offset, slot->len - departure.payload_offset };
		udp->to[first + n].sin_addr.s_addr = departure.destination_address;
		udp->to[first + n].sin_port = departure.destination_port;
	}
	return limit;
}

/* An ICMP error of an earlier packet is reported by the next send, which then sends nothing: try again. */
static int send_some(int fd, struct mmsghdr *messages, uint32_t count)
{
	int sent = -1;

	for (int i = 0; i < SEND_TRIES && sent < 0; i++) {
		sent = sendmmsg(fd, messages, count, MSG_DONTWAIT);
		if (sent < 0 && errno != ECONNREFUSED && errno != EINTR)
			break;
	}
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ECONNREFUSED ? 0 : -errno;
}

/* There is no way to where all slots go: the packet keeps its place, for the way may come back. */
static int lies_at_way(const struct udp *udp, int result)
{
	return udp->connected && (result == -ENETDOWN || result == -ENETUNREACH);
}

static int udp_txsync(struct uspf_port *port)
{
	struct udp *udp = port->state;
	struct uspf_ring *ring = at(port, UDP_TX_RING);
	uint32_t head = ring->head % UDP_SLOTS;
	int sent = 1;

	while (udp->tx_sent != head && sent > 0) {
		uint32_t first = udp->tx_sent;
		uint32_t limit = min((head > first ? head : UDP_SLOTS) - first, udp->burst);
		uint32_t count = prepare(port, first, limit);

		/* A slot with nothing to send is passed over; so is one that the kernel refuses, after saying so. */
		sent = count == 0 ? 1 : send_some(port->fd, &udp->tx[first], count);
		if (!lies_at_way(udp, sent))
			udp->tx_sent = (first + (uint32_t)(sent < 0 ? 1 : sent)) % UDP_SLOTS;
	}
	ring->tail = (udp->tx_sent + UDP_SLOTS - 1) % UDP_SLOTS;
	return sent < 0 ? sent : 0;
}

/* ---- */

static int udp_wait(struct uspf_port *port, int directions, int timeout_us)
{
	short events = (short)((directions & USPF_RX ? POLLIN : 0) | (directions & USPF_TX ? POLLOUT : 0));

	return uspf_poll(port->fd, events, timeout_us);
}

/*
 * SO_RXQ_OVFL tells only with the next packet; SO_MEMINFO (Linux 4.12) reads the same counter at any time.
 * It is read first: the kernel counts a loss there before it counts it in the namespace's errors.
 */
static int udp_stat(struct uspf_port *port, double stat[])
{
	struct udp *udp = port->state;
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t size = sizeof(info);
	uint32_t now = udp->overflow;
	double dropped;
	int is_known;

	if (getsockopt(port->fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 && size > SK_MEMINFO_DROPS * sizeof(*info))
		now = info[SK_MEMINFO_DROPS];
	dropped = wide_count(&udp->dropped, now);
	if (!udp->has_filter) {
		stat[USPF_STAT_LOST] = dropped;
		return 0;
	}
	is_known = udp->first_errors >= 0 && read_errors(udp->errors_fd) == udp->first_errors;
	stat[USPF_STAT_LOST] = is_known ? 0 : -1;
	stat[USPF_STAT_REJECTED] = is_known ? dropped : -1;
	return 0;
}

const struct uspf_ops uspf_udp_ops = {
	.open = udp_open,
	.rxsync = udp_rxsync,
	.txsync = udp_txsync,
	.wait = udp_wait,
	.stat = udp_stat,
	.close = udp_close,
};
