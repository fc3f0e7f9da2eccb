/* Purpose: tests of xdp ports on the loopback interface of a network namespace of their own. */
#define _GNU_SOURCE
#include "../../ffi/xdp.h"
#include "check.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_ROOT 77
#define PACKETS 20000
#define MORE_FRAGMENTS 0x20

struct port {
	int32_t handle;
	struct xdp *xdp;
	struct uspf_ring *tx, *rx;
	uint32_t sent, received; /* numbers of the packets */
};

/* r2 = context->rx_queue_index; r1 = map; r3 = XDP_PASS; bpf_redirect_map */
static const struct bpf_insn everything[] = {
	{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = 16 },
	{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD },
	{ .code = 0 },
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS },
	{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int32_t open_port(struct port *port, const char *interface, int queue, int wish, uint32_t program_bytes)
{
	struct uspf_spec *spec = calloc(1, sizeof(*spec) + sizeof(everything));
	double info[USPF_INFO_COUNT];

	spec->kind = USPF_XDP;
	spec->directions = USPF_RX | USPF_TX;
	spec->number[0] = queue;
	spec->number[1] = wish;
	spec->program_bytes = (int32_t)program_bytes;
	strcpy(spec->text[0], interface);
	memcpy(spec->program, everything, sizeof(everything));
	*port = (struct port){ .handle = uspf_open(spec, info) };
	free(spec);
	if (port->handle < 0)
		return port->handle;
	port->xdp = uspf_port_of(port->handle)->state;
	port->tx = port->xdp->queue[0].tx_ring;
	port->rx = port->xdp->queue[0].rx_ring;
	return port->handle;
}

static void open_all(struct port *port)
{
	CHECK(open_port(port, "lo", -1, WISH_AUTO, sizeof(everything)) >= 0);
}

static char *tx_buffer(struct port *port, uint32_t slot)
{
	return (char *)port->tx + port->tx->buf_ofs + port->tx->slot[slot].buf_idx * FRAME_BYTES;
}

/* A packet that no stack has a use for: an Ethernet type for experiments, and its number. */
static void put(struct port *port, uint16_t bytes)
{
	struct uspf_slot *slot = &port->tx->slot[port->tx->head];
	char *buffer = tx_buffer(port, port->tx->head);

	memset(buffer, 0, 12);
	buffer[12] = (char)0x88;
	buffer[13] = (char)0xb5;
	memcpy(buffer + 14, &port->sent, sizeof(port->sent));
	slot->len = bytes;
	slot->flags = 0;
	port->tx->head = (port->tx->head + 1) % TX_SLOTS;
	port->sent++;
}

static uint32_t free_slots(const struct port *port)
{
	return (port->tx->tail + TX_SLOTS - port->tx->head) % TX_SLOTS;
}

/* Takes up to `limit` packets, of which `port->received` is the next. */
static uint32_t take(struct port *port, uint32_t limit)
{
	struct uspf_ring *ring = port->rx;
	uint32_t count = 0;

	CHECK(uspf_rxsync(port->handle) >= 0);
	for (; count < limit && ring->head != ring->tail; count++) {
		const struct uspf_slot *slot = &ring->slot[ring->head];
		uint32_t number;

		memcpy(&number, (char *)ring + ring->buf_ofs + slot->buf_idx * FRAME_BYTES + 14, sizeof(number));
		CHECK_EQ(number, port->received);
		CHECK_EQ(slot->flags, 0);
		port->received++;
		ring->head = ring->cur = (ring->head + 1) % RX_SLOTS;
	}
	return count;
}

static double lost(const struct port *port)
{
	double stat[USPF_STAT_COUNT];

	CHECK_EQ(uspf_stat(port->handle, stat), 0);
	return stat[USPF_STAT_LOST];
}

static void carry_bursts(void)
{
	struct port port;

	open_all(&port);
	while (port.received < PACKETS) {
		for (uint32_t n = random_below(200); n > 0 && port.sent < PACKETS && free_slots(&port) > 0; n--)
			put(&port, (uint16_t)(60 + random_below(1400)));
		CHECK(uspf_txsync(port.handle) >= 0);
		take(&port, port.sent - port.received > 500 ? 1000 : random_below(200));
	}
	CHECK_EQ(lost(&port), 0);
	uspf_close(port.handle);
}

/* What the kernel would keep or refuse is passed over, and its slot comes back. */
static void pass_over(void)
{
	const uint16_t unfit[] = { 0, 1, 13, FRAME_BYTES + 1, UINT16_MAX };
	struct port port;

	open_all(&port);
	for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++) {
		put(&port, unfit[i]);
		port.sent--;
	}
	for (int i = 0; i < 30; i++) { /* more pieces than the kernel sends */
		put(&port, 60);
		port.tx->slot[(port.tx->head + TX_SLOTS - 1) % TX_SLOTS].flags = i < 29 ? MORE_FRAGMENTS : 0;
		port.sent--;
	}
	put(&port, 60);
	CHECK(uspf_txsync(port.handle) >= 0);
	while (take(&port, 10) == 0)
		;
	CHECK(uspf_txsync(port.handle) >= 0);
	CHECK_EQ(free_slots(&port), TX_SLOTS - 1);
	uspf_close(port.handle);
}

/* A packet's last piece is not there: the first ones wait. */
static void wait_for_the_rest(void)
{
	struct port port;

	open_all(&port);
	put(&port, 60);
	port.tx->slot[0].flags = MORE_FRAGMENTS;
	CHECK(uspf_txsync(port.handle) >= 0);
	CHECK_EQ(take(&port, 10), 0);
	CHECK_EQ(free_slots(&port), TX_SLOTS - 2);
	port.sent = 0;
	put(&port, 60);
	CHECK(uspf_txsync(port.handle) >= 0);
	CHECK(uspf_wait(port.handle, USPF_RX, 1000000) == 1);
	CHECK(uspf_rxsync(port.handle) >= 0);
	CHECK_EQ(port.rx->tail, 1); /* 120 bytes, in one slot */
	CHECK_EQ(port.rx->slot[0].len, 120);
	uspf_close(port.handle);
}

static void count_odd(void)
{
	struct port port;
	struct xdp_desc *descs;

	open_all(&port);
	descs = port.xdp->queue[0].rx.entries;
	for (int i = 0; i < 5; i++)
		put(&port, 60);
	CHECK(uspf_txsync(port.handle) >= 0);
	descs[0].addr += 64;
	descs[3].len = FRAME_BYTES;
	port.received = 1;
	CHECK_EQ(take(&port, 2), 2);
	port.received = 4;
	CHECK_EQ(take(&port, 2), 1);
	CHECK_EQ(lost(&port), 2);
	/* The frames of the odd ones are in use again: all are, many times over. */
	port.received = port.sent;
	while (port.sent < 3 * RX_FRAMES) {
		put(&port, 60);
		CHECK(uspf_txsync(port.handle) >= 0);
		take(&port, 10);
	}
	while (port.received < port.sent)
		take(&port, 10);
	CHECK_EQ(lost(&port), 2);
	uspf_close(port.handle);
}

/* Slots full, then the kernel's ring: what comes then is lost, and counted once. */
static void count_lost(void)
{
	struct port port;
	uint32_t total = 0;

	open_all(&port);
	for (uint32_t round = 0; round < 25; round++) {
		for (int i = 0; i < 500; i++, total++)
			put(&port, 60);
		CHECK(uspf_txsync(port.handle) >= 0);
		CHECK(uspf_rxsync(port.handle) >= 0);
		CHECK(uspf_txsync(port.handle) >= 0);
	}
	CHECK_EQ(lost(&port), total - (RX_SLOTS - 1) - RX_KERNEL);
	while (take(&port, RX_SLOTS) > 0)
		;
	CHECK_EQ(port.received + lost(&port), total);
	uspf_close(port.handle);
}

static void refuse(void)
{
	struct port first, second;

	CHECK_EQ(open_port(&first, "nix", -1, WISH_AUTO, sizeof(everything)), -ENODEV);
	CHECK_EQ(open_port(&first, "lo", 1, WISH_AUTO, sizeof(everything)), -ENXIO);
	CHECK_EQ(open_port(&first, "lo", 0, WISH_AUTO, 0), -EINVAL);
	CHECK_EQ(open_port(&first, "lo", 0, WISH_AUTO, 12), -EINVAL);
	CHECK_EQ(open_port(&first, "lo", 0, WISH_AUTO, 8), -EPROTO); /* ends without an exit */
	CHECK_EQ(open_port(&first, "lo", 0, WISH_NATIVE, sizeof(everything)), -EOPNOTSUPP);
	CHECK_EQ(open_port(&first, "lo", 0, WISH_ZEROCOPY, sizeof(everything)), -EOPNOTSUPP);
	for (int i = 0; i < 3; i++) {
		open_all(&first);
		CHECK_EQ(open_port(&second, "lo", 0, WISH_GENERIC, sizeof(everything)), -EBUSY);
		CHECK_EQ(open_port(&second, "lo", 0, WISH_NATIVE, sizeof(everything)), -EPROTOTYPE);
		uspf_close(first.handle);
	}
}

static int bring_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result = ioctl(fd, SIOCSIFFLAGS, &request);

	close(fd);
	return result;
}

/* In a child, so that the other tests keep their namespace. */
static const char *isolated(void (*test)(void))
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		struct port port;

		if (unshare(CLONE_NEWNET) < 0 || bring_up() < 0)
			_exit(NO_ROOT);
		if (open_port(&port, "lo", -1, WISH_AUTO, sizeof(everything)) == -EAFNOSUPPORT)
			_exit(NO_ROOT);
		if (port.handle >= 0)
			uspf_close(port.handle);
		test();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_ROOT)
		return "no network namespaces, or no AF_XDP here";
	CHECK_EQ(status, 0);
	return NULL;
}

static const char *carries_bursts(void)
{
	return isolated(carry_bursts);
}

static const char *passes_over_what_is_unfit(void)
{
	return isolated(pass_over);
}

static const char *waits_for_the_rest(void)
{
	return isolated(wait_for_the_rest);
}

static const char *counts_odd_descriptors(void)
{
	return isolated(count_odd);
}

static const char *counts_what_is_lost(void)
{
	return isolated(count_lost);
}

static double rejected_with(const struct port *port, int counts)
{
	double stat[USPF_STAT_COUNT];

	port->xdp->hook->counts = counts;
	CHECK_EQ(uspf_stat(port->handle, stat), 0);
	return stat[USPF_STAT_REJECTED];
}

/* A program that turns nothing away is not one whose map another capture keeps to itself. */
static void tell_unknown_from_none(void)
{
	struct port port;

	CHECK(open_port(&port, "lo", 0, WISH_GENERIC, sizeof(everything)) >= 0);
	CHECK_EQ(port.xdp->hook->counts, COUNTS_NONE);
	CHECK_EQ(rejected_with(&port, COUNTS_UNKNOWN), -1);
	CHECK_EQ(rejected_with(&port, COUNTS_NONE), 0);
	uspf_close(port.handle);
}

static const char *tells_unknown_from_none(void)
{
	return isolated(tell_unknown_from_none);
}

static const char *refuses_what_it_cannot_open(void)
{
	return isolated(refuse);
}

const struct test_case xdp_cases[] = {
	{ "xdp: carries bursts around the rings", carries_bursts },
	{ "xdp: passes over slots that the kernel would keep", passes_over_what_is_unfit },
	{ "xdp: waits for a packet's last piece", waits_for_the_rest },
	{ "xdp: counts odd descriptors, and keeps their frames", counts_odd_descriptors },
	{ "xdp: counts what finds no room", counts_what_is_lost },
	{ "xdp: tells unknown counts from none", tells_unknown_from_none },
	{ "xdp: refuses what it cannot open", refuses_what_it_cannot_open },
	{ NULL, NULL },
};
