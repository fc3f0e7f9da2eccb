/*
 * Purpose: counts what the kernel's filter turned away before packet ports.
 * Classic BPF cannot count, and a socket's counters leave out what its filter
 * turned away. So a second socket, without a filter, sees all packets of the
 * interface and takes none: its buffer is the smallest that there is, and full.
 *
 *   interface ──▶ port's socket ── filter ──▶ seen (taken and lost)
 *             └─▶ counting socket ──────────▶ all          rejected = all - seen
 *
 * (A second socket with the opposite filter would not count the packets that
 * both reject, for a read beyond their end.)
 *
 * That it is never too much, and so never goes back: the kernel shows a packet
 * to the socket first that was made and bound last, so each packet is counted
 * in `seen` before it is in `all`; and `all` is read first. It is exact when no
 * packet is under way. When the account begins, the port's socket is bound, with
 * a filter that takes nothing: the few packets that come until its own filter is
 * in place count as turned away, for so they were. A fanout group has one such
 * socket, its founder's, which reads the counters of all members, in this
 * process, that have joined.
 */
#define _GNU_SOURCE
#include "packet_count.h"
#include "uspf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* of Linux 4.20 */
#endif

struct packet_count {
	int fd; /* -1: the founder has left */
	double all, rejected;
	double seen_by_gone; /* by members that have left */
	struct packet_member *members;
	int group;     /* -1: of no fanout group */
	ino_t network; /* the namespace that the group's number is of */
	struct packet_count *next;
};

static struct packet_count *groups; /* those of fanout groups whose founder is there */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ino_t own_network(void)
{
	struct stat about = { 0 };
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		uspf_status(fd, &about);
		close(fd);
	}
	return about.st_ino;
}

/* What the socket without a ring has seen since it was last asked: drops are in it. */
static double take_all(int fd)
{
	struct tpacket_stats now = { 0 };
	socklen_t size = sizeof(now);

	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &now, &size);
	return now.tp_packets;
}

static int take_own(struct packet_member *member)
{
	struct tpacket_stats_v3 now;
	socklen_t size = sizeof(now);

	if (getsockopt(member->fd, SOL_PACKET, PACKET_STATISTICS, &now, &size) < 0)
		return -errno;
	member->seen += now.tp_packets; /* drops are in it */
	member->lost += now.tp_drops;
	member->starved += now.tp_freeze_q_cnt;
	return 0;
}

/* ---- opening and closing ---- */

struct packet_count *packet_count_open(void)
{
	struct packet_count *count = calloc(1, sizeof(*count));
	int on = 1, smallest = 0;

	if (count == NULL)
		return NULL;
	count->group = -1;
	count->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (count->fd >= 0 && setsockopt(count->fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)) == 0 &&
	    setsockopt(count->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0)
		return count;
	packet_count_free(count);
	return NULL;
}

int packet_count_bind(struct packet_count *count, int interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = interface };

	return bind(count->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

void packet_count_free(struct packet_count *count)
{
	if (count == NULL)
		return;
	if (count->fd >= 0)
		close(count->fd);
	free(count);
}

void packet_count_start(struct packet_count *count)
{
	take_all(count->fd);
}

static void add(struct packet_count *count, struct packet_member *member)
{
	member->count = count;
	member->next = count->members;
	count->members = member;
}

void packet_count_found(struct packet_count *count, struct packet_member *member, int group)
{
	pthread_mutex_lock(&lock);
	member->is_founder = 1;
	add(count, member);
	if (group >= 0) {
		count->group = group;
		count->network = own_network();
		count->next = groups;
		groups = count;
	}
	pthread_mutex_unlock(&lock);
}

void packet_count_join(struct packet_member *member, int group)
{
	ino_t network = own_network();

	pthread_mutex_lock(&lock);
	for (struct packet_count *count = groups; count != NULL; count = count->next) {
		if (count->group == group && count->network == network) {
			add(count, member);
			break;
		}
	}
	pthread_mutex_unlock(&lock);
}

static void remove_group(struct packet_count *count)
{
	for (struct packet_count **at = &groups; *at != NULL; at = &(*at)->next) {
		if (*at == count) {
			*at = count->next;
			return;
		}
	}
}

static void remove_member(struct packet_count *count, struct packet_member *member)
{
	for (struct packet_member **at = &count->members; *at != NULL; at = &(*at)->next) {
		if (*at == member) {
			*at = member->next;
			return;
		}
	}
}

void packet_count_leave(struct packet_member *member)
{
	struct packet_count *count = member->count;
	int is_last;

	if (count == NULL)
		return;
	pthread_mutex_lock(&lock);
	take_own(member);
	count->seen_by_gone += member->seen;
	remove_member(count, member);
	if (member->is_founder) {
		remove_group(count);
		close(count->fd);
		count->fd = -1;
	}
	is_last = count->members == NULL && count->fd < 0;
	pthread_mutex_unlock(&lock);
	if (is_last)
		packet_count_free(count);
	member->count = NULL;
}

/* ---- running ---- */

int packet_count_own(struct packet_member *member)
{
	int result;

	pthread_mutex_lock(&lock);
	result = take_own(member);
	pthread_mutex_unlock(&lock);
	return result;
}

/* Of a group what its founder says is that of all members, and what the others say is nothing. */
double packet_count_rejected(struct packet_member *member)
{
	struct packet_count *count = member->count;
	double seen;

	if (count == NULL)
		return -1;
	if (!member->is_founder)
		return 0;
	pthread_mutex_lock(&lock);
	count->all += take_all(count->fd);
	seen = count->seen_by_gone;
	for (struct packet_member *m = count->members; m != NULL; m = m->next) {
		take_own(m);
		seen += m->seen;
	}
	if (count->all - seen > count->rejected)
		count->rejected = count->all - seen;
	pthread_mutex_unlock(&lock);
	return count->rejected;
}
