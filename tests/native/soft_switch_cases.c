/* Purpose: tests of membership of soft switches: who is in, who is gone, what is left behind. */
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NET "switch"

static struct soft_header *header_of(int32_t handle)
{
	return region_of(handle);
}

static struct soft_member *member_of(int32_t handle, int index)
{
	return (struct soft_member *)((char *)region_of(handle) + SOFT_MEMBERS) + index;
}

static char *lane_of(int32_t handle, int receiver, int sender)
{
	int64_t block = SOFT_PORTS + receiver * SOFT_PORTS + sender;

	return (char *)region_of(handle) + SOFT_RINGS + block * SOFT_SWITCH_BLOCK;
}

static _Atomic uint32_t *doorbell_of(int32_t handle, int index)
{
	return (void *)((char *)region_of(handle) + SOFT_DOORBELLS + index * SOFT_DOORBELL_BYTES);
}

static int32_t join_switch(const char *name)
{
	return join(SOFT_SWITCH, NET, 0, name);
}

static void leave(int32_t handle)
{
	CHECK_EQ(uspf_close(handle), 0);
}

/* A file of the switch's name, as another program might have left it. */
static void make_file(int64_t bytes, const struct soft_header *header)
{
	char path[200];
	int fd;

	shm_path(path, NET);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(ftruncate(fd, bytes) == 0);
	if (header != NULL)
		CHECK(pwrite(fd, header, sizeof(*header), 0) == (ssize_t)sizeof(*header));
	close(fd);
}

static void remove_file(void)
{
	char path[200];

	shm_path(path, NET);
	CHECK(unlink(path) == 0);
}

static const char *joins_and_leaves_nothing(void)
{
	struct uspf_spec spec = soft_spec(SOFT_SWITCH, NET, 0, "a");
	double info[USPF_INFO_COUNT];
	int32_t handle = uspf_open(&spec, info);

	CHECK(handle >= 0 && shm_exists(NET));
	CHECK_EQ(info[USPF_INFO_REGION_BYTES], SOFT_SWITCH_BYTES);
	CHECK_EQ(info[USPF_INFO_INTERFACE_OFFSET], -1);
	CHECK_EQ(info[USPF_INFO_EXTRA], 0);
	CHECK_EQ(member_of(handle, 0)->live, 1);
	CHECK_EQ(member_of(handle, 0)->pid, getpid());
	CHECK(strcmp(member_of(handle, 0)->name, "a") == 0);
	CHECK_EQ(uspf_rxsync(handle), -EOPNOTSUPP);
	leave(handle);
	CHECK(!shm_exists(NET));
	return NULL;
}

static const char *refuses_a_taken_name(void)
{
	int32_t a = join_switch("a"), b = join_switch("b");
	uint32_t generation = header_of(a)->generation;

	CHECK(a >= 0 && b >= 0);
	CHECK_EQ(join_switch("b"), -EBUSY);
	CHECK_EQ(header_of(a)->generation, generation);
	leave(b);
	CHECK(header_of(a)->generation != generation);
	b = join_switch("b");
	CHECK(b >= 0);
	leave(a);
	CHECK(shm_exists(NET));
	leave(b);
	CHECK(!shm_exists(NET));
	return NULL;
}

static const char *refuses_a_member_too_many(void)
{
	int32_t handle[SOFT_PORTS];
	char name[8];

	for (int i = 0; i < SOFT_PORTS; i++) {
		snprintf(name, sizeof(name), "%d", i);
		handle[i] = join_switch(name);
		CHECK(handle[i] >= 0);
	}
	CHECK_EQ(join_switch("more"), -ENOSPC);
	leave(handle[7]);
	handle[7] = join_switch("more");
	CHECK(handle[7] >= 0);
	CHECK(strcmp(member_of(handle[0], 7)->name, "more") == 0);
	for (int i = 0; i < SOFT_PORTS; i++)
		leave(handle[i]);
	CHECK(!shm_exists(NET));
	return NULL;
}

static const char *refuses_bad_requests(void)
{
	static const struct {
		int shape, end;
		const char *file, *name;
		int result;
	} bad[] = {
		{ 0, 0, "x", "a", -EINVAL },        { 3, 0, "x", "a", -EINVAL },  { SOFT_PIPE, 2, "x", "a", -EINVAL },
		{ SOFT_PIPE, -1, "x", "a", -EINVAL }, { SOFT_SWITCH, 0, "", "a", -EINVAL },
		{ SOFT_SWITCH, 0, "../x", "a", -EINVAL },
		{ SOFT_SWITCH, 0, "x", "a name that is longer than a member has room for!", -ENAMETOOLONG },
	};
	double info[USPF_INFO_COUNT];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct uspf_spec spec = { .kind = USPF_SOFT, .directions = USPF_RX, .number = { bad[i].shape, bad[i].end } };

		snprintf(spec.text[0], USPF_TEXT_BYTES, "%s", bad[i].file);
		snprintf(spec.text[1], USPF_TEXT_BYTES, "%s", bad[i].name);
		CHECK_EQ(uspf_open(&spec, info), bad[i].result);
	}
	return NULL;
}

static void refuse_header(struct soft_header header)
{
	make_file(SOFT_SWITCH_BYTES, &header);
	CHECK_EQ(join_switch("a"), -EPROTO);
	CHECK(shm_exists(NET));
	remove_file();
}

static const char *refuses_another_version(void)
{
	struct soft_header ours = { SOFT_MAGIC, SOFT_VERSION, SOFT_SWITCH, SOFT_PORTS, SOFT_SLOTS, SOFT_BUFFER_BYTES, 1, 1 };

	for (size_t word = 0; word < offsetof(struct soft_header, generation) / 4; word++) {
		struct soft_header other = ours;

		((uint32_t *)&other)[word]++;
		refuse_header(other);
	}
	make_file(4096, &ours);
	CHECK_EQ(join_switch("a"), -EPROTO);
	make_file(SOFT_SWITCH_BYTES + 4096, NULL);
	CHECK_EQ(join_switch("a"), -EPROTO);
	remove_file();
	make_file(SOFT_SWITCH_BYTES, &ours);
	leave(join_switch("a"));
	CHECK(!shm_exists(NET));
	return NULL;
}

static const char *lays_out_what_a_killed_creator_left(void)
{
	struct soft_header half = { 0, SOFT_VERSION, SOFT_SWITCH, 0, 0, 0, 0, 0 };

	make_file(0, NULL);
	leave(join_switch("a"));
	CHECK(!shm_exists(NET));
	make_file(SOFT_SWITCH_BYTES, &half);
	leave(join_switch("a"));
	CHECK(!shm_exists(NET));
	return NULL;
}

/* ---- the dead ---- */

static const char *reaps_killed_members(void)
{
	struct peer b = peer_start("stay", SOFT_SWITCH, NET, 0, "b");
	struct peer c = peer_start("stay", SOFT_SWITCH, NET, 0, "c");
	int32_t a = join_switch("a");
	_Atomic uint64_t *addresses = (void *)((char *)region_of(a) + SOFT_ADDRESSES);
	uint32_t generation = header_of(a)->generation, version = header_of(a)->addresses;

	addresses[5] = 1ull << 63 | 0ull << 48 | 0x020000000002ull;
	addresses[6] = 1ull << 63 | 1ull << 48 | 0x020000000003ull;
	*doorbell_of(a, 0) = 1;
	peer_kill(&b);
	CHECK_EQ(member_of(a, 0)->live, 1);
	CHECK_EQ(uspf_control(a, SOFT_REAP, 0), 1);
	CHECK_EQ(member_of(a, 0)->live, 0);
	CHECK_EQ(member_of(a, 1)->live, 1);
	CHECK_EQ(*doorbell_of(a, 0), 0);
	CHECK_EQ(addresses[5], 0);
	CHECK(addresses[6] != 0);
	CHECK(header_of(a)->generation != generation && header_of(a)->addresses != version);
	peer_kill(&c);
	leave(a);
	CHECK(!shm_exists(NET));
	return NULL;
}

static const char *reuses_a_file_of_the_dead(void)
{
	struct peer b = peer_start("stay", SOFT_SWITCH, NET, 0, "b");
	struct peer c = peer_start("stay", SOFT_SWITCH, NET, 0, "c");
	int32_t handle;

	peer_kill(&b);
	peer_kill(&c);
	CHECK(shm_exists(NET));
	handle = join_switch("c");
	CHECK(handle >= 0);
	CHECK(strcmp(member_of(handle, 0)->name, "c") == 0);
	CHECK_EQ(member_of(handle, 1)->live, 0);
	leave(handle);
	CHECK(!shm_exists(NET));
	return NULL;
}

/* What waits in the lanes of a place, and what was lost there, is not its next owner's. */
static const char *gives_a_clean_place(void)
{
	struct peer b = peer_start("stay", SOFT_SWITCH, NET, 0, "b");
	int32_t a = join_switch("a"), c;
	char *lane = lane_of(a, 0, 1);
	struct uspf_ring *ring = (struct uspf_ring *)(lane + SOFT_LINK_BYTES);

	*(uint32_t *)(lane + SOFT_LINK_TAIL) = 700;
	*(double *)(lane + SOFT_LINK_LOST) = 42;
	peer_kill(&b);
	c = join_switch("c");
	CHECK(c >= 0);
	CHECK_EQ(*(uint32_t *)(lane + SOFT_LINK_HEAD), 700);
	CHECK_EQ(*(uint32_t *)(lane + SOFT_LINK_TAIL), 700);
	CHECK(ring->head == 700 && ring->cur == 700 && ring->tail == 700);
	CHECK_EQ(*(double *)(lane + SOFT_LINK_LOST), 42);
	CHECK_EQ(*(double *)(lane + SOFT_LINK_LOST_BEFORE), 42);
	for (uint32_t i = 0; i < SOFT_SLOTS; i++)
		CHECK_EQ(ring->slot[i].buf_idx, i);
	leave(a);
	leave(c);
	return NULL;
}

/* A process that is being started holds copies of our descriptors until its exec. */
static const char *leaves_in_spite_of_a_forked_child(void)
{
	int32_t a = join_switch("a"), b = join_switch("b");
	pid_t child = fork();

	if (child == 0) {
		for (;;)
			pause();
	}
	leave(b);
	b = join_switch("b");
	CHECK(b >= 0);
	leave(a);
	leave(b);
	CHECK(!shm_exists(NET));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return NULL;
}

/* ---- several at once ---- */

static atomic_int learning;

static void *learn(void *header)
{
	while (learning)
		__atomic_add_fetch(&((struct soft_header *)header)->addresses, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* The address table changes without a lock; that is no other version. */
static const char *joins_while_addresses_are_learned(void)
{
	int32_t a = join_switch("a");
	pthread_t thread;

	learning = 1;
	CHECK_EQ(pthread_create(&thread, NULL, learn, region_of(a)), 0);
	for (int i = 0; i < 300; i++) {
		int32_t b = join_switch("b");

		CHECK(b >= 0);
		leave(b);
	}
	learning = 0;
	pthread_join(thread, NULL);
	leave(a);
	return NULL;
}

static const char *joins_and_leaves_in_many_processes(void)
{
	struct peer peer[4];
	char name[2] = "a";

	for (int i = 0; i < 4; i++, name[0]++)
		peer[i] = peer_start("churn", SOFT_SWITCH, NET, 0, name);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(peer_end(&peer[i]), 0);
	CHECK(!shm_exists(NET));
	return NULL;
}

static const char *does_not_wait_for_a_stopped_joiner(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	int32_t a = join_switch("a");
	double since;
	char path[200];
	int fd;

	shm_path(path, NET);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fcntl(fd, F_OFD_SETLK, &lock) == 0);
	since = uspf_now_ns();
	CHECK_EQ(uspf_control(a, SOFT_REAP, 0), -ETIMEDOUT);
	CHECK(elapsed_ms(since) < 500);
	CHECK_EQ(join_switch("b"), -ETIMEDOUT);
	close(fd);
	leave(a);
	CHECK(!shm_exists(NET));
	return NULL;
}

/* ---- sleeping ---- */

struct sleeper {
	int32_t handle;
	int index;
	int result;
	double took_ms;
};

static void *sleep_on_doorbell(void *argument)
{
	struct sleeper *sleeper = argument;
	double since = uspf_now_ns();

	*doorbell_of(sleeper->handle, sleeper->index) = 1;
	sleeper->result = uspf_wait(sleeper->handle, USPF_RX, 5000000);
	sleeper->took_ms = elapsed_ms(since);
	return NULL;
}

static const char *wakes_a_sleeping_thread(void)
{
	int32_t a = join_switch("a"), b = join_switch("b");
	struct sleeper sleeper = { .handle = b, .index = 1 };
	pthread_t thread;

	for (int round = 0; round < 20; round++) {
		CHECK_EQ(pthread_create(&thread, NULL, sleep_on_doorbell, &sleeper), 0);
		while (*doorbell_of(a, 1) == 0)
			;
		if (round % 2 == 0)
			sleep_ms(2);
		CHECK_EQ(uspf_control(a, SOFT_WAKE, 1), 0);
		pthread_join(thread, NULL);
		CHECK_EQ(sleeper.result, 1);
		CHECK(sleeper.took_ms < 3000);
		CHECK_EQ(*doorbell_of(a, 1), 0);
	}
	leave(a);
	leave(b);
	return NULL;
}

static const char *wakes_by_timeout_and_refuses_nonsense(void)
{
	int32_t a = join_switch("a");
	double since = uspf_now_ns();

	*doorbell_of(a, 0) = 1;
	CHECK_EQ(uspf_wait(a, USPF_RX, 20000), 0);
	CHECK(elapsed_ms(since) >= 20);
	*doorbell_of(a, 0) = 0;
	CHECK_EQ(uspf_wait(a, USPF_RX, -1), 1);
	CHECK_EQ(uspf_control(a, SOFT_WAKE, -1), -EINVAL);
	CHECK_EQ(uspf_control(a, SOFT_WAKE, SOFT_PORTS), -EINVAL);
	CHECK_EQ(uspf_control(a, 9, 0), -EINVAL);
	leave(a);
	return NULL;
}

const struct test_case soft_switch_cases[] = {
	{ "soft switch: joins, and leaves nothing behind", joins_and_leaves_nothing },
	{ "soft switch: refuses a taken name", refuses_a_taken_name },
	{ "soft switch: refuses a member too many", refuses_a_member_too_many },
	{ "soft switch: refuses bad requests", refuses_bad_requests },
	{ "soft switch: refuses another version or size", refuses_another_version },
	{ "soft switch: lays out what a killed creator left", lays_out_what_a_killed_creator_left },
	{ "soft switch: reaps killed members", reaps_killed_members },
	{ "soft switch: reuses a file of the dead", reuses_a_file_of_the_dead },
	{ "soft switch: gives a clean place", gives_a_clean_place },
	{ "soft switch: leaves in spite of a forked child", leaves_in_spite_of_a_forked_child },
	{ "soft switch: joins while addresses are learned", joins_while_addresses_are_learned },
	{ "soft switch: joins and leaves in many processes at once", joins_and_leaves_in_many_processes },
	{ "soft switch: does not wait for a stopped joiner", does_not_wait_for_a_stopped_joiner },
	{ "soft switch: wakes a sleeping thread", wakes_a_sleeping_thread },
	{ "soft switch: wakes by timeout and refuses nonsense", wakes_by_timeout_and_refuses_nonsense },
	{ NULL, NULL },
};
