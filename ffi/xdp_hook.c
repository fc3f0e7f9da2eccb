/*
 * Purpose: an interface's XDP program, the map of sockets that it redirects to, and that of its counts.
 *
 *   packet ──▶ program ──▶ map[queue] ──▶ socket                wanted, and somebody has that queue
 *                 └──▶ counts[queue] += 1 ──▶ the kernel's stack
 *
 * An interface has one program, so all our sockets on it share that: within a process by the table below,
 * between processes by way of the kernel's list of links. Whoever comes first attaches; each holds the
 * link, and the program leaves with the last of them, even by SIGKILL. The names that the kernel keeps of
 * program and map say that they are ours (see name_program, name_map).
 */
#define _GNU_SOURCE
#include "xdp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_HOOKS 64
#define MAP_ENTRIES 1024 /* queues that an interface may have */
#define COUNTS 1         /* the program's mark for the map of counts, in xdp_program.ts */
#define MAX_CPUS 8192    /* NR_CPUS of the largest kernels */
#define TRIES 3          /* another capture may leave between our attempt to attach and our look for it */
#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5) /* Linux 5.18 */
#endif

#define GET_LENGTH 188 /* bpf_xdp_get_buff_len, of Linux 5.18 */

static struct xdp_hook hooks[MAX_HOOKS];
static pthread_mutex_t hooks_lock = PTHREAD_MUTEX_INITIALIZER;

static int bpf(int command, union bpf_attr *attr)
{
	long result = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : (int)result;
}

static uint64_t address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* FNV-1a. */
static uint32_t hash_of(const uint8_t *bytes, int32_t count)
{
	uint32_t hash = 2166136261u;

	for (int32_t i = 0; i < count; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

/* Two captures may share a program if they want the same packets. */
static void name_program(char name[BPF_OBJ_NAME_LEN], uint32_t hash)
{
	snprintf(name, BPF_OBJ_NAME_LEN, "uspf_%08x", hash);
}

/* Interfaces of two namespaces may have the same index, and a link does not tell its mode. */
static void name_map(char name[BPF_OBJ_NAME_LEN], uint32_t netns, int native)
{
	snprintf(name, BPF_OBJ_NAME_LEN, "xsk%c_%08x", native ? 'n' : 'g', netns);
}

/* ---- a program of our own ---- */

static int make_map(uint32_t netns, int native)
{
	union bpf_attr attr = { 0 };

	attr.map_type = BPF_MAP_TYPE_XSKMAP;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = MAP_ENTRIES;
	name_map(attr.map_name, netns, native);
	return bpf(BPF_MAP_CREATE, &attr);
}

static int is_map(const struct bpf_insn *code)
{
	return code->code == (BPF_LD | BPF_DW | BPF_IMM) && code->src_reg == BPF_PSEUDO_MAP_FD;
}

static int wants_counts(const struct uspf_spec *spec)
{
	for (int32_t at = 0; at < spec->program_bytes; at += (int32_t)sizeof(struct bpf_insn)) {
		struct bpf_insn code;

		memcpy(&code, spec->program + at, sizeof(code));
		if (is_map(&code) && code.imm == COUNTS)
			return 1;
	}
	return 0;
}

/* By queue, as the map of sockets is; each CPU has numbers of its own. */
static int make_counts(void)
{
	union bpf_attr attr = { 0 };

	attr.map_type = BPF_MAP_TYPE_PERCPU_ARRAY;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = MAP_ENTRIES;
	snprintf(attr.map_name, BPF_OBJ_NAME_LEN, "uspf_counts");
	return bpf(BPF_MAP_CREATE, &attr);
}

static int make_maps(const struct uspf_spec *spec, struct xdp_hook *hook)
{
	hook->map = make_map(hook->netns, hook->native);
	if (hook->map < 0)
		return hook->map;
	hook->counts = wants_counts(spec) ? make_counts() : COUNTS_NONE;
	if (hook->counts >= 0 || !wants_counts(spec))
		return 0;
	close(hook->map);
	return hook->counts;
}

static void close_maps(const struct xdp_hook *hook)
{
	close(hook->map);
	if (hook->counts >= 0)
		close(hook->counts);
}

void xdp_hook_make_old(struct bpf_insn *code, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		if (code[i].code != (BPF_JMP | BPF_CALL) || code[i].imm != GET_LENGTH)
			continue;
		code[i - 1] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 0, .src_reg = 8 };
		code[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_SUB | BPF_X, .dst_reg = 0, .src_reg = 7 };
	}
}

static struct bpf_insn *code_of(const struct uspf_spec *spec, const struct xdp_hook *hook, int old)
{
	struct bpf_insn *code = malloc((size_t)spec->program_bytes);
	uint32_t count = (uint32_t)spec->program_bytes / sizeof(*code);

	if (code == NULL)
		return NULL;
	memcpy(code, spec->program, (size_t)spec->program_bytes);
	for (uint32_t i = 0; i < count; i++) {
		if (is_map(&code[i]))
			code[i].imm = code[i].imm == COUNTS ? hook->counts : hook->map;
	}
	if (old)
		xdp_hook_make_old(code, count);
	return code;
}

/* What the verifier finds wrong, and what is too much for it. */
static int is_refusal(int result)
{
	return result == -EINVAL || result == -EACCES || result == -E2BIG || result == -EFAULT;
}

static int load(const struct uspf_spec *spec, const struct xdp_hook *hook, uint32_t flags, int old)
{
	struct bpf_insn *code = code_of(spec, hook, old);
	union bpf_attr attr = { 0 };
	int result;

	if (code == NULL)
		return -ENOMEM;
	attr.insn_cnt = (uint32_t)spec->program_bytes / sizeof(*code);
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.expected_attach_type = BPF_XDP;
	attr.insns = address(code);
	attr.license = address("MIT");
	attr.prog_flags = flags;
	name_program(attr.prog_name, hook->hash);
	result = bpf(BPF_PROG_LOAD, &attr);
	free(code);
	return is_refusal(result) ? -EPROTO : result;
}

static int attach(int program, int ifindex, int native)
{
	union bpf_attr attr = { 0 };

	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_ifindex = (uint32_t)ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
	return bpf(BPF_LINK_CREATE, &attr);
}

static int load_and_attach(const struct uspf_spec *spec, const struct xdp_hook *hook, uint32_t flags, int old)
{
	int program = load(spec, hook, flags, old), link;

	if (program < 0)
		return program;
	link = attach(program, hook->ifindex, hook->native);
	close(program); /* the link holds it */
	return link;
}

static int is_taken(int result)
{
	return result == -EBUSY || result == -EEXIST;
}

/* Packets of several buffers are taken where kernel and driver can: Linux 5.18. */
static int hook_up(const struct uspf_spec *spec, struct xdp_hook *hook, int native)
{
	int result;

	hook->native = native;
	result = make_maps(spec, hook);
	if (result < 0)
		return result;
	hook->link = load_and_attach(spec, hook, BPF_F_XDP_HAS_FRAGS, 0);
	if (hook->link < 0 && !is_taken(hook->link) && hook->link != -EPERM)
		hook->link = load_and_attach(spec, hook, 0, 0);
	if (hook->link == -EPROTO)
		hook->link = load_and_attach(spec, hook, 0, 1);
	if (hook->link < 0)
		close_maps(hook);
	return hook->link < 0 ? hook->link : 0;
}

/* ---- another process's ---- */

static int fd_by_id(int command, uint32_t id)
{
	union bpf_attr attr = { 0 };

	attr.link_id = id; /* the same word for all kinds of objects */
	return bpf(command, &attr);
}

static int describe(int fd, void *info, uint32_t bytes)
{
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info = address(info);
	attr.info.info_len = bytes;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int counts_of(const struct bpf_prog_info *info, uint32_t id)
{
	int map;

	if (info->nr_map_ids < 2)
		return COUNTS_NONE;
	map = fd_by_id(BPF_MAP_GET_FD_BY_ID, id);
	return map < 0 ? COUNTS_UNKNOWN : map;
}

/* The map of a program, if it is one of ours for this namespace; its mode and counts go into the hook. */
static int recognize(int program, struct xdp_hook *hook)
{
	struct bpf_prog_info info = { 0 };
	struct bpf_map_info map_info = { 0 };
	char name[BPF_OBJ_NAME_LEN];
	uint32_t map_ids[2] = { 0 }; /* in the order in which the program names them: sockets, counts */
	int map;

	info.nr_map_ids = 2;
	info.map_ids = address(map_ids);
	if (describe(program, &info, sizeof(info)) < 0 || strncmp(info.name, "uspf_", 5) != 0)
		return -ENOENT;
	map = fd_by_id(BPF_MAP_GET_FD_BY_ID, map_ids[0]);
	if (map < 0 || describe(map, &map_info, sizeof(map_info)) < 0)
		return map < 0 ? map : (close(map), -ENOENT);
	for (hook->native = 0; hook->native < 2; hook->native++) {
		name_map(name, hook->netns, hook->native);
		if (strcmp(map_info.name, name) == 0)
			break;
	}
	name_program(name, hook->hash);
	if (hook->native < 2 && strcmp(info.name, name) == 0) {
		hook->counts = counts_of(&info, map_ids[1]);
		return map;
	}
	close(map);
	return hook->native < 2 ? -EALREADY : -ENOENT;
}

/* Takes the hook over from a link, if that is one of ours on this interface. */
static int join_link(int link, struct xdp_hook *hook)
{
	struct bpf_link_info info = { 0 };
	int program;

	if (describe(link, &info, sizeof(info)) < 0 || info.type != BPF_LINK_TYPE_XDP ||
	    info.xdp.ifindex != (uint32_t)hook->ifindex)
		return -ENOENT;
	program = fd_by_id(BPF_PROG_GET_FD_BY_ID, info.prog_id);
	if (program < 0)
		return program;
	hook->map = recognize(program, hook);
	close(program);
	hook->link = link;
	return hook->map < 0 ? hook->map : 0;
}

static int join(struct xdp_hook *hook)
{
	union bpf_attr attr = { 0 };
	int result;

	while ((result = bpf(BPF_LINK_GET_NEXT_ID, &attr)) >= 0) {
		int link = fd_by_id(BPF_LINK_GET_FD_BY_ID, attr.next_id);

		attr.start_id = attr.next_id;
		if (link < 0)
			continue; /* it has just left */
		result = join_link(link, hook);
		if (result == 0)
			return 0;
		close(link);
		if (result == -EALREADY)
			return result;
	}
	return result == -EPERM ? -EACCES : -EEXIST;
}

/* ---- */

static int refuses(int wish, int native)
{
	return wish != WISH_AUTO && native != (wish != WISH_GENERIC);
}

static int try_once(const struct uspf_spec *spec, int wish, struct xdp_hook *hook)
{
	int result = -EOPNOTSUPP;

	if (wish != WISH_GENERIC) {
		result = hook_up(spec, hook, 1);
		hook->not_native = result < 0 ? -result : 0;
	}
	/* No mode will do where we lack permission, the program is wrong or the hook is taken. */
	if (wish == WISH_GENERIC ||
	    (wish == WISH_AUTO && result < 0 && !is_taken(result) && result != -EPERM && result != -EPROTO))
		result = hook_up(spec, hook, 0);
	if (!is_taken(result))
		return result;
	hook->not_native = 0;
	return join(hook);
}

static int hook_fill(const struct uspf_spec *spec, int wish, struct xdp_hook *hook)
{
	int result = -EEXIST;

	for (int i = 0; i < TRIES && result == -EEXIST; i++)
		result = try_once(spec, wish, hook);
	if (result < 0 || !refuses(wish, hook->native))
		return result;
	close(hook->link);
	close_maps(hook);
	return -EPROTOTYPE;
}

static struct xdp_hook *find(int ifindex, uint32_t netns)
{
	for (int i = 0; i < MAX_HOOKS; i++) {
		if (hooks[i].references > 0 && hooks[i].ifindex == ifindex && hooks[i].netns == netns)
			return &hooks[i];
	}
	return NULL;
}

static int get_locked(const struct uspf_spec *spec, int ifindex, uint32_t netns, int wish, struct xdp_hook **hook)
{
	uint32_t hash = hash_of(spec->program, spec->program_bytes);
	struct xdp_hook *found = find(ifindex, netns);
	int result = 0;

	if (found != NULL && found->hash != hash)
		return -EALREADY;
	if (found != NULL && refuses(wish, found->native))
		return -EPROTOTYPE;
	for (int i = 0; i < MAX_HOOKS && found == NULL; i++) {
		if (hooks[i].references > 0)
			continue;
		found = &hooks[i];
		*found = (struct xdp_hook){ .ifindex = ifindex, .netns = netns, .hash = hash };
		result = hook_fill(spec, wish, found);
	}
	if (found == NULL)
		return -EMFILE;
	if (result == 0)
		found->references++;
	*hook = found;
	return result;
}

int xdp_hook_get(const struct uspf_spec *spec, int ifindex, uint32_t netns, int wish, struct xdp_hook **hook)
{
	int result;

	if (spec->program_bytes <= 0 || spec->program_bytes % (int)sizeof(struct bpf_insn) != 0)
		return -EINVAL;
	pthread_mutex_lock(&hooks_lock);
	result = get_locked(spec, ifindex, netns, wish, hook);
	pthread_mutex_unlock(&hooks_lock);
	return result;
}

int xdp_hook_add(const struct xdp_hook *hook, uint32_t queue, int fd)
{
	union bpf_attr attr = { 0 };
	uint32_t value = (uint32_t)fd;

	attr.map_fd = (uint32_t)hook->map;
	attr.key = address(&queue);
	attr.value = address(&value);
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

/* The kernel writes the number of each possible CPU, in order; the rest stays 0. */
double xdp_hook_rejected(const struct xdp_hook *hook, uint32_t queue)
{
	uint64_t *counts = hook->counts < 0 ? NULL : calloc(MAX_CPUS, sizeof(*counts)), sum = 0;
	union bpf_attr attr = { 0 };
	int result;

	if (counts == NULL)
		return hook->counts == COUNTS_NONE ? 0 : -1;
	attr.map_fd = (uint32_t)hook->counts;
	attr.key = address(&queue);
	attr.value = address(counts);
	result = bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		sum += counts[i];
	free(counts);
	return result < 0 ? -1 : (double)sum;
}

void xdp_hook_put(struct xdp_hook *hook)
{
	pthread_mutex_lock(&hooks_lock);
	if (--hook->references == 0) {
		close(hook->link);
		close_maps(hook);
	}
	pthread_mutex_unlock(&hooks_lock);
}
