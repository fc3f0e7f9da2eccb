/*
 * Purpose: the table of open ports, and the way from a handle to its kind.
 *
 * A handle is an index into the table and a serial number above it, so that a
 * handle kept beyond its port's life reaches no other port. Opening and closing
 * take a lock, for several threads may open ports at once; a sync takes none.
 */
#define _GNU_SOURCE
#include "uspf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_PORTS 256
#define SERIAL_MASK 0x7fffff

static struct uspf_port *ports[MAX_PORTS];
static int32_t serials[MAX_PORTS]; /* of the port that is there, or was last */
static pthread_mutex_t ports_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct uspf_ops *ops_of(int32_t kind)
{
	switch (kind) {
	case USPF_NETMAP:
		return &uspf_netmap_ops;
	case USPF_SOFT:
		return &uspf_soft_ops;
	case USPF_UDP:
		return &uspf_udp_ops;
	case USPF_XDP:
		return &uspf_xdp_ops;
	case USPF_PACKET:
		return &uspf_packet_ops;
	default:
		return NULL;
	}
}

static int32_t keep(struct uspf_port *port)
{
	int32_t handle = -EMFILE;

	pthread_mutex_lock(&ports_lock);
	for (int32_t i = 0; i < MAX_PORTS; i++) {
		if (ports[i] == NULL) {
			ports[i] = port;
			serials[i] = (serials[i] + 1) & SERIAL_MASK;
			handle = serials[i] * MAX_PORTS + i;
			break;
		}
	}
	pthread_mutex_unlock(&ports_lock);
	return handle;
}

int32_t uspf_abi(void)
{
	return USPF_ABI;
}

struct uspf_port *uspf_port_of(int32_t handle)
{
	if (handle < 0 || serials[handle % MAX_PORTS] != handle / MAX_PORTS)
		return NULL;
	return ports[handle % MAX_PORTS];
}

int32_t uspf_open(const struct uspf_spec *spec, double *info)
{
	const struct uspf_ops *ops = ops_of(spec->kind);
	struct uspf_port *port;
	int32_t result;

	if (ops == NULL)
		return -EINVAL;
	for (int i = 0; i < USPF_TEXTS; i++) {
		if (memchr(spec->text[i], 0, USPF_TEXT_BYTES) == NULL)
			return -ENAMETOOLONG;
	}
	port = calloc(1, sizeof(*port));
	if (port == NULL)
		return -ENOMEM;
	port->ops = ops;
	port->fd = -1;
	for (int i = 0; i < USPF_INFO_COUNT; i++)
		info[i] = 0;
	result = ops->open(port, spec, info);
	if (result == 0) {
		info[USPF_INFO_REGION_BYTES] = (double)port->region_bytes;
		result = keep(port);
		if (result < 0)
			ops->close(port);
	}
	if (result < 0)
		free(port);
	return result;
}

int32_t uspf_close(int32_t handle)
{
	struct uspf_port *port;

	pthread_mutex_lock(&ports_lock);
	port = uspf_port_of(handle);
	if (port != NULL)
		ports[handle % MAX_PORTS] = NULL;
	pthread_mutex_unlock(&ports_lock);
	if (port == NULL)
		return -EBADF;
	port->ops->close(port);
	free(port);
	return 0;
}

int32_t uspf_rxsync(int32_t handle)
{
	struct uspf_port *port = uspf_port_of(handle);
	int result = port == NULL ? -EBADF : port->ops->rxsync(port);

	return result < 0 ? result : uspf_clock();
}

int32_t uspf_txsync(int32_t handle)
{
	struct uspf_port *port = uspf_port_of(handle);
	int result = port == NULL ? -EBADF : port->ops->txsync(port);

	return result < 0 ? result : uspf_clock();
}

int32_t uspf_wait(int32_t handle, int32_t directions, int32_t timeout_us)
{
	struct uspf_port *port = uspf_port_of(handle);

	return port == NULL ? -EBADF : port->ops->wait(port, directions, timeout_us);
}

int32_t uspf_stat(int32_t handle, double *stat)
{
	struct uspf_port *port = uspf_port_of(handle);

	if (port == NULL)
		return -EBADF;
	for (int i = 0; i < USPF_STAT_COUNT; i++)
		stat[i] = -1;
	stat[USPF_STAT_REJECTED] = 0;
	return port->ops->stat(port, stat);
}

int32_t uspf_control(int32_t handle, int32_t verb, int32_t argument)
{
	struct uspf_port *port = uspf_port_of(handle);

	if (port == NULL)
		return -EBADF;
	return port->ops->control == NULL ? -EOPNOTSUPP : port->ops->control(port, verb, argument);
}

/* 1 when an event is there, 0 after the timeout or a signal; for the kinds that wait on a descriptor. */
int uspf_poll(int fd, short events, int timeout_us)
{
	struct pollfd watched = { .fd = fd, .events = events };
	struct timespec timeout = { timeout_us / 1000000, timeout_us % 1000000 * 1000L };
	int ready = ppoll(&watched, 1, timeout_us < 0 ? NULL : &timeout, NULL);

	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	return ready;
}

/*
 * What fstat(2) and stat(2) do. glibc has those names since 2.33 only, and the library shall run with any that
 * the runtime runs with. On 64-bit machines libc's structure is the kernel's.
 */
int uspf_status(int fd, struct stat *status)
{
	return syscall(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int uspf_path_status(const char *path, struct stat *status)
{
	return syscall(SYS_newfstatat, AT_FDCWD, path, status, 0) < 0 ? -errno : 0;
}

/* The kernel has as much room for a program, as it translates it, as net.core.optmem_max says. */
int uspf_attach_filter(int fd, const void *program, int32_t bytes)
{
	const int32_t size = (int32_t)sizeof(struct sock_filter);
	struct sock_fprog filter = { .len = (unsigned short)(bytes / size),
				     .filter = (struct sock_filter *)program };

	if (bytes <= 0 || bytes % size != 0 || bytes / size > BPF_MAXINSNS)
		return -EINVAL;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0)
		return 0;
	return errno == ENOMEM ? -E2BIG : -errno;
}
