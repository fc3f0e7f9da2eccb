/*
 * Purpose: joins and leaves soft switches and pipes: files of shared memory in
 * /dev/shm. Packets are moved by TypeScript (soft_switch.ts, soft_pipe.ts);
 * here are membership, sleeping and waking; soft_rings.c lays the rings out. See soft.h.
 *
 * spec: number[0] shape; number[1] pipe end (0 or 1)
 *       text[0] file name in /dev/shm; text[1] port name (switch)
 */
#define _GNU_SOURCE
#include "soft.h"
#include "uspf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define JOIN_BYTE 0
#define JOIN_TRIES 2000 /* of a millisecond: another's join or leave takes microseconds */
#define OPEN_TRIES 2000 /* each means that others came and went in the meantime */

struct soft {
	char path[160];
	int index;
	int created; /* the file is ours: nobody was here before */
};

static void *at(struct uspf_port *port, int64_t offset)
{
	return (char *)port->region + offset;
}

static struct soft_header *header_of(struct uspf_port *port)
{
	return port->region;
}

static struct soft_member *member_of(struct uspf_port *port, int index)
{
	return at(port, SOFT_MEMBERS + (int64_t)index * SOFT_MEMBER_BYTES);
}

static _Atomic uint32_t *word_at(struct uspf_port *port, int64_t offset)
{
	return at(port, offset);
}

/* ---- record locks: who lives ---- */

static int lock_byte(int fd, int command, short type, off_t byte)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (fcntl(fd, command, &lock) < 0)
		return -errno;
	return lock.l_type;
}

static int lives(int fd, int index)
{
	return lock_byte(fd, F_OFD_GETLK, F_WRLCK, 1 + index) != F_UNLCK;
}

static int lock_joining(int fd, int tries)
{
	struct timespec millisecond = { 0, 1000000 };

	for (int i = 0; i < tries; i++) {
		int result = lock_byte(fd, F_OFD_SETLK, F_WRLCK, JOIN_BYTE);

		if (result >= 0)
			return 0;
		if (result != -EAGAIN && result != -EACCES)
			return result;
		if (i < tries - 1)
			nanosleep(&millisecond, NULL);
	}
	return -ETIMEDOUT;
}

static void unlock_joining(int fd)
{
	lock_byte(fd, F_OFD_SETLK, F_UNLCK, JOIN_BYTE);
}

/* All our locks. Closing the descriptor would not do: a child that has not reached its exec yet holds it too. */
static void unlock_all(int fd)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_OFD_SETLK, &lock);
}

/* Opens the file and locks joining; a file that its last member just unlinked is opened again. */
static int open_locked(const char *path)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		struct stat status;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int result;

		if (fd < 0)
			return -errno;
		result = lock_joining(fd, JOIN_TRIES);
		if (result == 0 && uspf_status(fd, &status) == 0 && status.st_nlink > 0)
			return fd;
		close(fd);
		if (result < 0)
			return result;
	}
	return -EAGAIN;
}

/* ---- membership, with joining locked ---- */

static void forget_addresses(struct uspf_port *port, int index)
{
	_Atomic uint64_t *entries = at(port, SOFT_ADDRESSES);

	for (int i = 0; i < SOFT_ADDRESS_COUNT; i++) {
		uint64_t entry = entries[i];

		if (entry != 0 && SOFT_ADDRESS_PORT(entry) == (uint32_t)index)
			__atomic_compare_exchange_n((uint64_t *)&entries[i], &entry, 0, 0, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST);
	}
	__atomic_add_fetch(&header_of(port)->addresses, 1, __ATOMIC_SEQ_CST);
}

static void remove_member(struct uspf_port *port, int index)
{
	member_of(port, index)->live = 0;
	*word_at(port, SOFT_DOORBELLS + (int64_t)index * SOFT_DOORBELL_BYTES) = 0;
	forget_addresses(port, index);
	__atomic_add_fetch(&header_of(port)->generation, 1, __ATOMIC_SEQ_CST);
}

/* Removes the members whose process is gone; returns how many live besides us. */
static int reap(struct uspf_port *port, int self)
{
	int others = 0;

	for (uint32_t i = 0; i < header_of(port)->ports; i++) {
		if ((int)i == self)
			continue;
		if (lives(port->fd, (int)i))
			others++;
		else if (member_of(port, (int)i)->live)
			remove_member(port, (int)i);
	}
	return others;
}

/* The place to take: the end of a pipe, or a free one of a switch whose port name nobody has. */
static int choose_place(struct uspf_port *port, const struct uspf_spec *spec)
{
	int place = -ENOSPC;

	if (spec->number[0] == SOFT_PIPE) {
		int end = spec->number[1];

		return lives(port->fd, end) ? -EBUSY : end;
	}
	for (int i = SOFT_PORTS - 1; i >= 0; i--) {
		struct soft_member *member = member_of(port, i);

		if (member->live == 0)
			place = i;
		else if (strncmp(member->name, spec->text[1], sizeof(member->name)) == 0)
			return -EBUSY;
	}
	return place;
}

static int join(struct uspf_port *port, const struct uspf_spec *spec)
{
	struct soft_member *member;
	int index, result;

	reap(port, -1);
	index = choose_place(port, spec);
	if (index < 0)
		return index;
	result = lock_byte(port->fd, F_OFD_SETLK, F_WRLCK, 1 + index);
	if (result < 0)
		return result;
	if (spec->number[0] == SOFT_PIPE)
		soft_join_pipe(port, index);
	else
		soft_join_switch(port, index);
	member = member_of(port, index);
	member->pid = (uint32_t)getpid();
	memcpy(member->name, spec->text[1], sizeof(member->name) - 1);
	member->epoch = __atomic_add_fetch(&header_of(port)->generation, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&member->live, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&header_of(port)->generation, 1, __ATOMIC_SEQ_CST);
	return index;
}

/* A file of another version is refused, not reused, even where nobody is in it: it may be in use in ways we don't know. */
static int check_header(struct uspf_port *port, int shape)
{
	struct soft_header *header = header_of(port);
	struct soft_header ours = { SOFT_MAGIC, SOFT_VERSION, (uint32_t)shape,
				    shape == SOFT_PIPE ? 2 : SOFT_PORTS, SOFT_SLOTS, SOFT_BUFFER_BYTES, 1, 1 };

	if (header->magic == 0) {
		uint32_t magic = ours.magic;

		/* The magic goes last: a creator killed before it leaves a file that the next one lays out. */
		ours.magic = 0;
		*header = ours;
		__atomic_store_n(&header->magic, magic, __ATOMIC_SEQ_CST);
		return 0;
	}
	/* The two counters after it change; addresses even now, for learning takes no lock. */
	return memcmp(header, &ours, offsetof(struct soft_header, generation)) == 0 ? 0 : -EPROTO;
}

/* A sparse file only fails when a page is touched, by SIGBUS: ask for room first. */
static int check_room(int fd)
{
	struct statvfs room;

	if (fstatvfs(fd, &room) < 0)
		return -errno;
	if (room.f_blocks == 0)
		return 0; /* a tmpfs without a limit */
	return (int64_t)room.f_bavail * (int64_t)room.f_frsize < 2 * (int64_t)SOFT_SWITCH_BLOCK ? -ENOSPC : 0;
}

static int map_file(struct uspf_port *port, int shape)
{
	int64_t bytes = shape == SOFT_PIPE ? SOFT_PIPE_BYTES : SOFT_SWITCH_BYTES;
	struct stat status;
	int result = uspf_status(port->fd, &status);

	if (result < 0)
		return result;
	((struct soft *)port->state)->created = status.st_size == 0;
	if (status.st_size == 0 && ftruncate(port->fd, bytes) < 0)
		return -errno;
	if (status.st_size != 0 && status.st_size != bytes)
		return -EPROTO;
	result = check_room(port->fd);
	if (result < 0)
		return result;
	port->region = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, port->fd, 0);
	if (port->region == MAP_FAILED) {
		port->region = NULL;
		return -errno;
	}
	port->region_bytes = (size_t)bytes;
	return check_header(port, shape);
}

static void soft_close(struct uspf_port *port)
{
	struct soft *soft = port->state;

	if (soft != NULL && soft->index >= 0 && lock_joining(port->fd, JOIN_TRIES) == 0) {
		remove_member(port, soft->index);
		if (reap(port, soft->index) == 0)
			unlink(soft->path);
	}
	if (port->region != NULL)
		munmap(port->region, port->region_bytes);
	if (port->fd >= 0) {
		unlock_all(port->fd);
		close(port->fd);
	}
	free(soft);
}

static int check_spec(const struct uspf_spec *spec)
{
	int shape = spec->number[0], end = spec->number[1];

	if (shape != SOFT_SWITCH && (shape != SOFT_PIPE || end < 0 || end > 1))
		return -EINVAL;
	if (spec->text[0][0] == 0 || strchr(spec->text[0], '/') != NULL)
		return -EINVAL;
	if (shape == SOFT_SWITCH && strlen(spec->text[1]) >= sizeof(((struct soft_member *)0)->name))
		return -ENAMETOOLONG;
	return 0;
}

static int soft_open(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	int result = check_spec(spec);
	struct soft *soft;

	if (result < 0)
		return result;
	soft = calloc(1, sizeof(*soft));
	if (soft == NULL)
		return -ENOMEM;
	port->state = soft;
	soft->index = -1;
	snprintf(soft->path, sizeof(soft->path), "/dev/shm/%s", spec->text[0]);
	port->fd = open_locked(soft->path);
	result = port->fd < 0 ? port->fd : map_file(port, spec->number[0]);
	if (result == 0)
		result = join(port, spec);
	if (result < 0 && soft->created)
		unlink(soft->path);
	if (port->fd >= 0)
		unlock_joining(port->fd);
	if (result < 0) {
		soft_close(port);
		return result;
	}
	soft->index = result;
	info[USPF_INFO_INTERFACE_OFFSET] = -1;
	info[USPF_INFO_EXTRA] = soft->index;
	return 0;
}

/* ---- sleeping and waking ---- */

static uint32_t *doorbell(struct uspf_port *port, int index)
{
	return at(port, SOFT_DOORBELLS + (int64_t)index * SOFT_DOORBELL_BYTES);
}

/* TypeScript has set our doorbell to 1 (parked) and looked once more before it calls. */
static int soft_wait(struct uspf_port *port, int directions, int timeout_us)
{
	struct soft *soft = port->state;
	struct timespec timeout = { timeout_us / 1000000, timeout_us % 1000000 * 1000L };

	(void)directions;
	if (syscall(SYS_futex, doorbell(port, soft->index), FUTEX_WAIT, 1, timeout_us < 0 ? NULL : &timeout, NULL, 0) == 0)
		return 1;
	return errno == ETIMEDOUT || errno == EINTR ? 0 : errno == EAGAIN ? 1 : -errno;
}

static int soft_control(struct uspf_port *port, int verb, int argument)
{
	int result;

	if (verb == SOFT_WAKE) {
		if (argument < 0 || (uint32_t)argument >= header_of(port)->ports)
			return -EINVAL;
		__atomic_store_n(doorbell(port, argument), 0, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, doorbell(port, argument), FUTEX_WAKE, 1, NULL, NULL, 0);
		return 0;
	}
	if (verb != SOFT_REAP)
		return -EINVAL;
	/* Not waited for: a sender asks, and whoever joins or leaves looks for the dead himself. */
	result = lock_joining(port->fd, 1);
	if (result < 0)
		return result;
	result = reap(port, ((struct soft *)port->state)->index);
	unlock_joining(port->fd);
	return result;
}

static int soft_sync(struct uspf_port *port)
{
	(void)port;
	return -EOPNOTSUPP; /* TypeScript moves the packets */
}

static int soft_stat(struct uspf_port *port, double stat[])
{
	(void)port;
	(void)stat; /* TypeScript counts */
	return 0;
}

const struct uspf_ops uspf_soft_ops = {
	.open = soft_open,
	.rxsync = soft_sync,
	.txsync = soft_sync,
	.wait = soft_wait,
	.stat = soft_stat,
	.control = soft_control,
	.close = soft_close,
};
