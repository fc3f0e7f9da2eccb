/* Purpose: tests of what packet ports count, on the loopback interface of a network namespace of their own. */
#define _GNU_SOURCE
#include "check.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_ROOT 77
#define ALONE 0
#define MEMBER 1
#define FOUNDER 2
#define SHORT 60 /* bytes of payload: with 42 of headers not wanted */
#define LONG 100

/* Packets of more than 120 bytes. */
static const struct sock_filter longer[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 120, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0xffff),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static int32_t open_port(const char *interface, int how, int group, size_t program_bytes, int *own_group)
{
	struct uspf_spec *spec = calloc(1, sizeof(*spec) + sizeof(longer));
	double info[USPF_INFO_COUNT];
	int32_t handle;

	CHECK(spec != NULL);
	spec->kind = USPF_PACKET;
	spec->directions = USPF_RX;
	spec->number[1] = 1 << 16;
	spec->number[2] = 8;
	spec->number[3] = 1;
	spec->number[4] = how;
	spec->number[5] = group;
	spec->program_bytes = (int32_t)program_bytes;
	strcpy(spec->text[0], interface);
	memcpy(spec->program, longer, sizeof(longer));
	handle = uspf_open(spec, info);
	if (own_group != NULL)
		*own_group = (int)info[USPF_INFO_EXTRA];
	free(spec);
	return handle;
}

static double rejected_by(int32_t handle)
{
	double stat[USPF_STAT_COUNT];

	CHECK_EQ(uspf_stat(handle, stat), 0);
	CHECK_EQ(stat[USPF_STAT_LOST], 0);
	return stat[USPF_STAT_REJECTED];
}

/* From a socket to itself. */
static void send_datagrams(int count, size_t bytes)
{
	static const char payload[LONG];
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0);
	CHECK(connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	for (int i = 0; i < count; i++)
		CHECK_EQ(send(fd, payload, bytes, 0), bytes);
	close(fd);
}

static int bring_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int result = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);

	close(fd);
	return result;
}

/* In a process of its own, which has a namespace of its own. */
static const char *isolated(void (*test)(void))
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		if (unshare(CLONE_NEWNET) < 0 || bring_up() < 0)
			_exit(NO_ROOT);
		test();
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_ROOT)
		return "no network namespaces here";
	CHECK_EQ(status, 0);
	return NULL;
}

static void count_rejected(void)
{
	int32_t filtered = open_port("lo", ALONE, 0, sizeof(longer), NULL), plain = open_port("lo", ALONE, 0, 0, NULL);

	CHECK(filtered >= 0 && plain >= 0);
	for (int i = 1; i <= 3; i++) {
		send_datagrams(100, SHORT);
		send_datagrams(50, LONG);
		CHECK_EQ(rejected_by(filtered), 100 * i);
		CHECK_EQ(rejected_by(plain), 0);
	}
	uspf_close(filtered);
	uspf_close(plain);
}

static void count_for_a_group(void)
{
	int group, other;
	int32_t founder = open_port("lo", FOUNDER, 0, sizeof(longer), &group);
	int32_t member = open_port("lo", MEMBER, group, sizeof(longer), NULL);
	int32_t stranger = open_port("lo", MEMBER, group ^ 1, sizeof(longer), NULL);
	int32_t second = open_port("lo", FOUNDER, 0, sizeof(longer), &other);

	CHECK(founder >= 0 && member >= 0 && stranger >= 0 && second >= 0 && group != other);
	for (int i = 0; i < 20; i++)
		send_datagrams(10, i % 2 == 0 ? SHORT : LONG);
	CHECK_EQ(rejected_by(founder), 100);
	CHECK_EQ(rejected_by(second), 100);
	CHECK_EQ(rejected_by(member), 0);
	CHECK_EQ(rejected_by(stranger), -1);
	uspf_close(member);
	send_datagrams(10, LONG);
	CHECK_EQ(rejected_by(founder), 100);
	member = open_port("lo", MEMBER, group, sizeof(longer), NULL);
	uspf_close(founder);
	CHECK_EQ(rejected_by(member), 0);
	uspf_close(member);
	uspf_close(stranger);
	uspf_close(second);
}

static void *come_and_go(void *argument)
{
	int group = *(int *)argument;

	for (int i = 0; i < 20; i++) {
		int32_t member = open_port("lo", MEMBER, group, sizeof(longer), NULL);

		CHECK(member >= 0);
		CHECK_EQ(rejected_by(member), 0);
		uspf_close(member);
	}
	return NULL;
}

static void count_while_members_come_and_go(void)
{
	int group, sent = 0;
	int32_t founder = open_port("lo", FOUNDER, 0, sizeof(longer), &group);
	double last = 0;
	pthread_t thread;

	CHECK(founder >= 0);
	CHECK_EQ(pthread_create(&thread, NULL, come_and_go, &group), 0);
	for (; sent < 2000; sent += 10) {
		double now;

		send_datagrams(10, SHORT);
		now = rejected_by(founder);
		CHECK(now >= last && now <= sent + 10);
		last = now;
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(rejected_by(founder), sent);
	uspf_close(founder);
}

static void refuse(void)
{
	CHECK_EQ(open_port("nosuch", ALONE, 0, sizeof(longer), NULL), -ENODEV);
	CHECK_EQ(open_port("lo", ALONE, 0, sizeof(longer) - 8, NULL), -EINVAL);
	CHECK_EQ(open_port("lo", FOUNDER, 0, sizeof(longer) - 1, NULL), -EINVAL);
}

static const char *counts_what_its_filter_rejects(void)
{
	return isolated(count_rejected);
}

static const char *counts_for_a_group(void)
{
	return isolated(count_for_a_group);
}

static const char *counts_while_members_come_and_go(void)
{
	return isolated(count_while_members_come_and_go);
}

static const char *refuses_what_it_cannot_open(void)
{
	return isolated(refuse);
}

const struct test_case packet_cases[] = {
	{ "packet: counts what its filter rejects", counts_what_its_filter_rejects },
	{ "packet: counts what the filters of a group reject", counts_for_a_group },
	{ "packet: counts while members come and go", counts_while_members_come_and_go },
	{ "packet: refuses what it cannot open", refuses_what_it_cannot_open },
	{ NULL, NULL },
};
