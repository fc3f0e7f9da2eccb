/*
 * Purpose: runs programs in the kernel over packets, many of both in one process: XDP programs by
 * BPF_PROG_TEST_RUN; classic BPF as the filter of a socket that is sent each packet. See kernel_bpf.ts.
 *
 *   stdin    u32 kind, flags, programs, packets; then each of them: u32 bytes, and these
 *   stdout   for each program: i32 instructions that the verifier looked at, or -errno where the kernel
 *            refuses the program; then, unless refused, a bit for each packet, 1: accepted, from bit 0 on
 *
 * All numbers as the machine has them. The verifier's words on what it refuses go to stderr.
 */
#define _GNU_SOURCE
#include "../ffi/xdp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KIND_XDP 0
#define KIND_CLASSIC 1
#define FLAG_PIECES 1 /* XDP: packets may have several pieces */
#define FLAG_OLD 2    /* XDP: as for kernels before 5.18 */
#define LOG_BYTES (1 << 20)
#define LOG_SHOWN 2000
#define MAX_BYTES (1 << 20)
#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5) /* Linux 5.18 */
#endif

struct blob {
	uint32_t bytes;
	uint8_t *data;
};

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_all(void *to, size_t bytes)
{
	if (bytes > 0 && fread(to, 1, bytes, stdin) != bytes)
		fail("reading");
}

static void write_all(const void *from, size_t bytes)
{
	if (fwrite(from, 1, bytes, stdout) != bytes)
		fail("writing");
}

static struct blob *read_blobs(uint32_t count)
{
	struct blob *blobs = calloc(count + 1, sizeof(*blobs));

	for (uint32_t i = 0; blobs != NULL && i < count; i++) {
		read_all(&blobs[i].bytes, sizeof(blobs[i].bytes));
		blobs[i].data = blobs[i].bytes > MAX_BYTES ? NULL : malloc(blobs[i].bytes + 1);
		if (blobs[i].data == NULL)
			fail("memory");
		read_all(blobs[i].data, blobs[i].bytes);
	}
	return blobs;
}

/* ---- XDP ---- */

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static uint64_t address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static int make_map(uint32_t type, uint32_t value_bytes)
{
	union bpf_attr attr = { .map_type = type, .key_size = 4, .value_size = value_bytes, .max_entries = 16 };
	int map = (int)bpf(BPF_MAP_CREATE, &attr);

	if (map < 0)
		fail("a map");
	return map;
}

/* Maps as xdp_hook.c puts them in: 0 of sockets, 1 of counters. */
static void put_maps(struct bpf_insn *code, uint32_t count)
{
	static int maps[2] = { -1, -1 };

	for (uint32_t i = 0; i < count; i++) {
		if (code[i].code != (BPF_LD | BPF_DW | BPF_IMM) || code[i].src_reg != BPF_PSEUDO_MAP_FD)
			continue;
		if (maps[0] < 0) {
			maps[0] = make_map(BPF_MAP_TYPE_XSKMAP, 4);
			maps[1] = make_map(BPF_MAP_TYPE_PERCPU_ARRAY, 8);
		}
		code[i].imm = maps[code[i].imm & 1];
	}
}

static int load(const struct blob *program, uint32_t flags, char *log)
{
	union bpf_attr attr = { 0 };
	int result;

	attr.insn_cnt = program->bytes / sizeof(struct bpf_insn);
	put_maps((struct bpf_insn *)program->data, attr.insn_cnt);
	if (flags & FLAG_OLD)
		xdp_hook_make_old((struct bpf_insn *)program->data, attr.insn_cnt);
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.expected_attach_type = BPF_XDP;
	attr.insns = address(program->data);
	attr.license = address("MIT");
	attr.prog_flags = flags & FLAG_PIECES ? BPF_F_XDP_HAS_FRAGS : 0;
	result = (int)bpf(BPF_PROG_LOAD, &attr);
	if (result >= 0)
		return result;
	result = -errno;
	attr.log_level = 1;
	attr.log_size = LOG_BYTES;
	attr.log_buf = address(log);
	log[0] = 0;
	bpf(BPF_PROG_LOAD, &attr);
	fprintf(stderr, "%s\n", log + (strlen(log) > LOG_SHOWN ? strlen(log) - LOG_SHOWN : 0));
	return result;
}

static int32_t instructions_looked_at(int program)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info = address(&info);
	attr.info.info_len = sizeof(info);
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? 0 : (int32_t)info.verified_insns;
}

static int run_xdp(int program, const struct blob *packet)
{
	union bpf_attr attr = { 0 };

	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = address(packet->data);
	attr.test.data_size_in = packet->bytes;
	if (bpf(BPF_PROG_TEST_RUN, &attr) < 0)
		fail("a test run");
	return attr.test.retval == XDP_PASS;
}

/* ---- classic ---- */

static int attach(int fd, const struct blob *program)
{
	struct sock_fprog filter = { (unsigned short)(program->bytes / sizeof(struct sock_filter)),
				     (struct sock_filter *)program->data };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ? -errno : 0;
}

/* What the filter turns away is lost without an error. */
static int run_classic(const int pair[2], const struct blob *packet)
{
	char byte;

	if (send(pair[0], packet->data, packet->bytes, 0) < 0)
		fail("sending");
	if (recv(pair[1], &byte, 1, MSG_DONTWAIT) >= 0)
		return 1;
	if (errno != EAGAIN)
		fail("receiving");
	return 0;
}

/* ---- */

static void run_all(uint32_t kind, uint32_t flags, const struct blob *program, const struct blob *packets,
		    uint32_t count, char *log)
{
	uint8_t *bits = calloc(1, count / 8 + 1);
	int pair[2] = { -1, -1 }, loaded = -1;
	int32_t result;

	if (bits == NULL || (kind == KIND_CLASSIC && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0))
		fail("a pair of sockets");
	result = loaded = kind == KIND_XDP ? load(program, flags, log) : attach(pair[1], program);
	if (result >= 0)
		result = kind == KIND_XDP ? instructions_looked_at(loaded) : 0;
	write_all(&result, sizeof(result));
	for (uint32_t i = 0; result >= 0 && i < count; i++) {
		int accepted = kind == KIND_XDP ? run_xdp(loaded, &packets[i]) : run_classic(pair, &packets[i]);

		bits[i / 8] |= (uint8_t)(accepted << (i % 8));
	}
	if (result >= 0)
		write_all(bits, (count + 7) / 8);
	free(bits);
	if (kind == KIND_XDP && loaded >= 0)
		close(loaded);
	if (kind == KIND_CLASSIC) {
		close(pair[0]);
		close(pair[1]);
	}
}

int main(void)
{
	enum { KIND, FLAGS, PROGRAMS, PACKETS, HEADER };
	uint32_t header[HEADER];
	struct blob *programs, *packets;
	char *log = malloc(LOG_BYTES);

	read_all(header, sizeof(header));
	programs = read_blobs(header[PROGRAMS]);
	packets = read_blobs(header[PACKETS]);
	if (log == NULL || programs == NULL || packets == NULL || header[KIND] > KIND_CLASSIC)
		fail("starting");
	for (uint32_t i = 0; i < header[PROGRAMS]; i++)
		run_all(header[KIND], header[FLAGS], &programs[i], packets, header[PACKETS], log);
	return fflush(stdout) == 0 ? 0 : 1;
}
