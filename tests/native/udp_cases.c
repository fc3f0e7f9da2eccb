/* Purpose: tests of udp ports on the loopback interface. */
#define _GNU_SOURCE
#include "check.h"
#include "../../ffi/wide_count.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK 0x7f000001u
#define GROUP 0xefff4d4du /* 239.255.77.77 */
#define PACKETS 6000

struct port {
	int32_t handle;
	struct uspf_ring *tx, *rx;
	struct udp_arrival *arrivals;
	uint32_t sent; /* numbers the payloads */
};

static int32_t open_spec(struct port *port, const struct uspf_spec *spec)
{
	double info[USPF_INFO_COUNT];

	*port = (struct port){ .handle = uspf_open(spec, info) };
	if (port->handle < 0)
		return port->handle;
	CHECK_EQ(info[USPF_INFO_REGION_BYTES], UDP_REGION_BYTES);
	CHECK(info[USPF_INFO_EXTRA] > 0);
	port->tx = (void *)((char *)region_of(port->handle) + UDP_TX_RING);
	port->rx = (void *)((char *)region_of(port->handle) + UDP_RX_RING);
	port->arrivals = (void *)((char *)region_of(port->handle) + UDP_ARRIVALS);
	return port->handle;
}

static int32_t open_port(struct port *port, int directions, uint32_t address, int number, const char *interface, int buffer)
{
	struct uspf_spec spec = { .kind = USPF_UDP,
				  .directions = directions,
				  .number = { number, (int32_t)htonl(address), buffer, 0, 0 } };

	strcpy(spec.text[0], interface);
	return open_spec(port, &spec);
}

static int32_t open_filtered(struct port *port, int number, const void *program, size_t bytes)
{
	struct uspf_spec *spec = calloc(1, sizeof(*spec) + bytes);
	int32_t handle;

	CHECK(spec != NULL);
	spec->kind = USPF_UDP;
	spec->directions = USPF_RX;
	spec->number[0] = number;
	spec->number[1] = (int32_t)htonl(LOOPBACK);
	spec->number[2] = 1 << 20;
	spec->program_bytes = (int32_t)bytes;
	memcpy(spec->program, program, bytes);
	handle = open_spec(port, spec);
	free(spec);
	return handle;
}

static int socket_at(uint32_t address, int number)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)number),
				    .sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	return fd;
}

/* A port number that nobody has. */
static int free_number(void)
{
	struct sockaddr_in name;
	socklen_t size = sizeof(name);
	int fd = socket_at(LOOPBACK, 0);

	CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0);
	close(fd);
	return ntohs(name.sin_port);
}

/* Puts a packet into the next transmit slot: payload of `bytes`, which begins with its number. */
static void put(struct port *port, uint32_t address, int number, uint32_t bytes)
{
	struct uspf_ring *ring = port->tx;
	struct uspf_slot *slot = &ring->slot[ring->head];
	struct udp_departure departure = { htonl(address), htons((uint16_t)number), UDP_HEADROOM };
	char *buffer = (char *)ring + ring->buf_ofs + slot->buf_idx * (size_t)UDP_BUFFER_BYTES + UDP_HEADROOM;

	memset(buffer, (int)port->sent, bytes);
	if (bytes >= sizeof(port->sent))
		memcpy(buffer, &port->sent, sizeof(port->sent));
	port->sent++;
	slot->len = (uint16_t)(UDP_HEADROOM + bytes);
	memcpy(&slot->ptr, &departure, sizeof(departure));
	ring->head = ring->cur = (ring->head + 1) % UDP_SLOTS;
}

static uint32_t free_slots(struct port *port)
{
	return (port->tx->tail + UDP_SLOTS - port->tx->head) % UDP_SLOTS;
}

static char *payload_at(struct port *port, uint32_t slot)
{
	return (char *)port->rx + port->rx->buf_ofs + port->rx->slot[slot].buf_idx * (size_t)UDP_BUFFER_BYTES + UDP_HEADROOM;
}

static uint32_t bytes_of(uint32_t number)
{
	return 4 + number * 37 % 1400;
}

/* Checks what has arrived, and gives it back; returns how many. */
static uint32_t take(struct port *port, uint32_t *next, int number)
{
	uint32_t taken = 0;

	CHECK(uspf_rxsync(port->handle) >= 0);
	for (uint32_t at = port->rx->head; at != port->rx->tail; at = (at + 1) % UDP_SLOTS, taken++) {
		uint32_t bytes = bytes_of(*next), seen;
		char *payload = payload_at(port, at);

		memcpy(&seen, payload, sizeof(seen));
		CHECK_EQ(seen, *next);
		CHECK_EQ(port->rx->slot[at].len, UDP_HEADROOM + bytes);
		CHECK_EQ((uint8_t)payload[bytes - 1], bytes > 4 ? (uint8_t)*next : 0);
		CHECK_EQ(port->arrivals[at].datagram_bytes, bytes);
		CHECK_EQ(ntohl(port->arrivals[at].source_address), LOOPBACK);
		CHECK_EQ(ntohl(port->arrivals[at].destination_address), LOOPBACK);
		CHECK(number == 0 || ntohs(port->arrivals[at].source_port) == number);
		++*next;
	}
	port->rx->head = port->rx->cur = port->rx->tail;
	return taken;
}

static const char *carries_bursts_around_the_rings(void)
{
	int a = free_number(), b;
	uint32_t next = 0;
	struct port receiver, sender;

	CHECK(open_port(&receiver, USPF_RX, 0, a, "", 1 << 22) >= 0);
	b = free_number();
	CHECK(open_port(&sender, USPF_RX | USPF_TX, LOOPBACK, b, "", 1 << 22) >= 0);
	while (sender.sent < PACKETS) {
		for (uint32_t burst = 1 + random_below(256); burst > 0 && free_slots(&sender) > 0; burst--)
			put(&sender, LOOPBACK, a, bytes_of(sender.sent));
		CHECK(uspf_txsync(sender.handle) >= 0);
		CHECK_EQ(free_slots(&sender), UDP_SLOTS - 1);
		while (random_below(3) > 0 || next + 1000 < sender.sent)
			take(&receiver, &next, b);
	}
	while (next < sender.sent)
		take(&receiver, &next, b);
	uspf_close(receiver.handle);
	uspf_close(sender.handle);
	return NULL;
}

/* A full receive ring leaves the rest in the socket. */
static const char *loses_nothing_in_a_full_ring(void)
{
	int number = free_number();
	uint32_t next = 0;
	struct port receiver, sender;

	CHECK(open_port(&receiver, USPF_RX, LOOPBACK, number, "", 1 << 24) >= 0);
	CHECK(open_port(&sender, USPF_TX, LOOPBACK, number, "", 1 << 24) >= 0);
	for (int i = 0; i < 2; i++) {
		while (free_slots(&sender) > 0)
			put(&sender, LOOPBACK, number, bytes_of(sender.sent));
		CHECK(uspf_txsync(sender.handle) >= 0);
	}
	for (int i = 0; i < 10; i++)
		CHECK(uspf_rxsync(receiver.handle) >= 0);
	CHECK_EQ((receiver.rx->tail + UDP_SLOTS - receiver.rx->head) % UDP_SLOTS, UDP_SLOTS - 1);
	while (next < sender.sent)
		CHECK(take(&receiver, &next, 0) > 0);
	CHECK_EQ(take(&receiver, &next, 0), 0);
	uspf_close(receiver.handle);
	uspf_close(sender.handle);
	return NULL;
}

static void send_plain(int fd, int number, const void *data, size_t bytes)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)number),
				  .sin_addr.s_addr = htonl(LOOPBACK) };

	CHECK(sendto(fd, data, bytes, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)bytes);
}

static const char *tells_of_truncated_datagrams(void)
{
	static const uint32_t sizes[] = { 0, 1, 2006, 2007, 3000, 65507 };
	static char data[65507];
	int number = free_number(), fd;
	struct port receiver;

	CHECK(open_port(&receiver, USPF_RX, LOOPBACK, number, "", 1 << 22) >= 0);
	fd = socket_at(LOOPBACK, 0);
	for (uint32_t i = 0; i < 6; i++) {
		uint32_t fits = sizes[i] < 2006 ? sizes[i] : 2006;

		memset(data, 'x', sizeof(data));
		send_plain(fd, number, data, sizes[i]);
		CHECK(uspf_rxsync(receiver.handle) >= 0);
		CHECK_EQ(receiver.rx->tail, i + 1);
		CHECK_EQ(receiver.arrivals[i].datagram_bytes, sizes[i]);
		CHECK_EQ(receiver.rx->slot[i].len, UDP_HEADROOM + fits);
		CHECK(fits == 0 || payload_at(&receiver, i)[fits - 1] == 'x');
	}
	close(fd);
	uspf_close(receiver.handle);
	return NULL;
}

static const char *refuses_what_it_cannot_open(void)
{
	int number = free_number();
	struct port first, second;

	CHECK(open_port(&first, USPF_RX, LOOPBACK, number, "", 4096) >= 0);
	CHECK_EQ(open_port(&second, USPF_RX, LOOPBACK, number, "", 4096), -EADDRINUSE);
	CHECK_EQ(open_port(&second, USPF_RX, 0, number, "", 4096), -EADDRINUSE);
	CHECK_EQ(open_port(&second, USPF_RX, 0xc0000201, number, "", 4096), -EADDRNOTAVAIL);
	CHECK_EQ(open_port(&second, USPF_RX, 0, free_number(), "none0", 4096), -ENODEV);
	CHECK_EQ(open_port(&second, USPF_RX, LOOPBACK, 65536, "", 4096), -EINVAL);
	CHECK_EQ(open_port(&second, USPF_RX, LOOPBACK, -1, "", 4096), -EINVAL);
	uspf_close(first.handle);
	CHECK(open_port(&second, USPF_RX, LOOPBACK, number, "", 4096) >= 0);
	uspf_close(second.handle);
	return NULL;
}

static const char *goes_on_when_nobody_listens(void)
{
	int number = free_number();
	struct port sender;
	int fd;

	CHECK(open_port(&sender, USPF_TX, LOOPBACK, number, "", 1 << 20) >= 0);
	for (int i = 0; i < 50; i++) {
		for (int burst = 0; burst < 100 && free_slots(&sender) > 0; burst++)
			put(&sender, 0, 0, 18);
		CHECK(uspf_txsync(sender.handle) >= 0);
	}
	fd = socket_at(LOOPBACK, number);
	for (int i = 0; i < 100 && free_slots(&sender) < UDP_SLOTS - 1; i++)
		CHECK(uspf_txsync(sender.handle) >= 0);
	CHECK_EQ(free_slots(&sender), UDP_SLOTS - 1);
	close(fd);
	uspf_close(sender.handle);
	return NULL;
}

/* Port 0 is nobody's: the kernel refuses such a packet, which must not hold up those behind it. */
static const char *passes_over_a_refused_packet(void)
{
	int number = free_number();
	uint32_t next = 1;
	struct port receiver, sender;

	CHECK(open_port(&receiver, USPF_RX, LOOPBACK, number, "", 1 << 20) >= 0);
	CHECK(open_port(&sender, USPF_RX | USPF_TX, LOOPBACK, free_number(), "", 1 << 20) >= 0);
	put(&sender, LOOPBACK, 0, bytes_of(0));
	put(&sender, LOOPBACK, number, bytes_of(1));
	CHECK_EQ(uspf_txsync(sender.handle), -EINVAL);
	CHECK(uspf_txsync(sender.handle) >= 0);
	CHECK_EQ(take(&receiver, &next, 0), 1);
	sender.tx->slot[sender.tx->head].ptr = 0; /* nothing to send in it */
	sender.tx->head = (sender.tx->head + 1) % UDP_SLOTS;
	sender.sent = 2;
	put(&sender, LOOPBACK, number, bytes_of(2));
	CHECK(uspf_txsync(sender.handle) >= 0);
	CHECK_EQ(take(&receiver, &next, 0), 1);
	CHECK_EQ(free_slots(&sender), UDP_SLOTS - 1);
	uspf_close(receiver.handle);
	uspf_close(sender.handle);
	return NULL;
}

static double lost_by(struct port *port)
{
	double stat[USPF_STAT_COUNT];

	CHECK_EQ(uspf_stat(port->handle, stat), 0);
	return stat[USPF_STAT_LOST];
}

static const char *counts_what_the_socket_lost(void)
{
	int number = free_number();
	uint32_t received = 0, previous = 0;
	struct port receiver, sender;

	CHECK(open_port(&receiver, USPF_RX, LOOPBACK, number, "", 8192) >= 0);
	CHECK(open_port(&sender, USPF_TX, LOOPBACK, number, "", 1 << 20) >= 0);
	CHECK_EQ(lost_by(&receiver), 0);
	while (sender.sent < 2000) {
		for (int i = 0; i < 200; i++)
			put(&sender, 0, 0, 100);
		CHECK(uspf_txsync(sender.handle) >= 0);
	}
	CHECK(lost_by(&receiver) > 0);
	do {
		previous = received;
		CHECK(uspf_rxsync(receiver.handle) >= 0);
		received += (receiver.rx->tail + UDP_SLOTS - receiver.rx->head) % UDP_SLOTS;
		receiver.rx->head = receiver.rx->tail;
	} while (received != previous);
	CHECK_EQ(received + lost_by(&receiver), sender.sent);
	uspf_close(receiver.handle);
	uspf_close(sender.handle);
	return NULL;
}

static const char *sleeps_until_a_packet(void)
{
	int number = free_number();
	double since = uspf_now_ns();
	struct port receiver, sender;

	CHECK(open_port(&receiver, USPF_RX, LOOPBACK, number, "", 1 << 20) >= 0);
	CHECK(open_port(&sender, USPF_TX, LOOPBACK, number, "", 1 << 20) >= 0);
	CHECK_EQ(uspf_wait(receiver.handle, USPF_RX, 20000), 0);
	CHECK(elapsed_ms(since) >= 20);
	put(&sender, 0, 0, 18);
	CHECK(uspf_txsync(sender.handle) >= 0);
	CHECK_EQ(uspf_wait(receiver.handle, USPF_RX, 5000000), 1);
	CHECK_EQ(uspf_wait(sender.handle, USPF_TX, 5000000), 1);
	uspf_close(receiver.handle);
	uspf_close(sender.handle);
	return NULL;
}

static const char *receives_a_group_on_an_interface(void)
{
	int number = free_number();
	struct port first, second, sender;
	int32_t result = open_port(&first, USPF_RX, GROUP, number, "lo", 1 << 20);

	if (result == -ENODEV)
		return "lo takes no multicast here";
	CHECK(result >= 0);
	CHECK(open_port(&second, USPF_RX, GROUP, number, "lo", 1 << 20) >= 0);
	CHECK(open_port(&sender, USPF_TX, GROUP, number, "lo", 1 << 20) >= 0);
	put(&sender, 0, 0, 18);
	CHECK(uspf_txsync(sender.handle) >= 0);
	for (struct port *port = &first;; port = &second) {
		CHECK_EQ(uspf_wait(port->handle, USPF_RX, 1000000), 1);
		CHECK(uspf_rxsync(port->handle) >= 0);
		CHECK_EQ(port->rx->tail, 1);
		CHECK_EQ(ntohl(port->arrivals[0].destination_address), GROUP);
		if (port == &second)
			break;
	}
	uspf_close(first.handle);
	uspf_close(second.handle);
	uspf_close(sender.handle);
	return NULL;
}

/* Of other sockets of this machine's something may be lost meanwhile: then it cannot be known. */
static const char *counts_what_its_filter_rejects(void)
{
	const struct sock_filter longer[] = { /* than 100 bytes, UDP header included */
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	int number = free_number();
	double stat[USPF_STAT_COUNT];
	struct port receiver, sender;

	CHECK_EQ(open_filtered(&receiver, number, longer, sizeof(longer) - 1), -EINVAL);
	CHECK_EQ(open_filtered(&receiver, number, longer, sizeof(*longer)), -EINVAL);
	CHECK(open_filtered(&receiver, number, longer, sizeof(longer)) >= 0);
	CHECK(open_port(&sender, USPF_TX, LOOPBACK, number, "", 1 << 20) >= 0);
	for (int i = 0; i < 100; i++)
		put(&sender, 0, 0, i % 4 == 0 ? 93 : 92);
	CHECK(uspf_txsync(sender.handle) >= 0);
	CHECK(uspf_rxsync(receiver.handle) >= 0);
	CHECK_EQ(receiver.rx->tail, 25);
	CHECK_EQ(uspf_stat(receiver.handle, stat), 0);
	CHECK(stat[USPF_STAT_REJECTED] == 75 || stat[USPF_STAT_REJECTED] == -1);
	CHECK_EQ(stat[USPF_STAT_LOST], stat[USPF_STAT_REJECTED] == 75 ? 0 : -1);
	CHECK_EQ(uspf_stat(sender.handle, stat), 0);
	CHECK_EQ(stat[USPF_STAT_REJECTED], 0);
	uspf_close(receiver.handle);
	uspf_close(sender.handle);
	return NULL;
}

static const char *counts_beyond_32_bits(void)
{
	struct wide_count count = { 0 };
	double sum = 0;

	CHECK_EQ(wide_count(&count, 0), 0);
	for (int i = 0; i < 10; i++) { /* 3 * 2^30 each: it comes round at every step but the first */
		sum += 3.0 * (1u << 30);
		CHECK_EQ(wide_count(&count, (uint32_t)(int64_t)sum), sum);
	}
	CHECK_EQ(wide_count(&count, count.last), sum);
	CHECK_EQ(wide_count(&count, count.last + 1), sum + 1);
	CHECK_EQ(wide_count(&count, count.last - 1), sum + 4294967296.0);
	return NULL;
}

const struct test_case udp_cases[] = {
	{ "udp: carries bursts around the rings", carries_bursts_around_the_rings },
	{ "udp: loses nothing in a full receive ring", loses_nothing_in_a_full_ring },
	{ "udp: tells of truncated and empty datagrams", tells_of_truncated_datagrams },
	{ "udp: refuses what it cannot open", refuses_what_it_cannot_open },
	{ "udp: goes on when nobody listens", goes_on_when_nobody_listens },
	{ "udp: passes over a refused packet", passes_over_a_refused_packet },
	{ "udp: counts what the socket lost", counts_what_the_socket_lost },
	{ "udp: counts what its filter rejects", counts_what_its_filter_rejects },
	{ "udp: counts beyond 32 bits", counts_beyond_32_bits },
	{ "udp: sleeps until a packet comes", sleeps_until_a_packet },
	{ "udp: receives a group on an interface", receives_a_group_on_an_interface },
	{ NULL, NULL },
};
