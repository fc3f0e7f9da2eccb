/*
 * Purpose: a netmap port: registers, maps netmap's memory as it is, syncs.
 *
 * libnetmap is not used: its archive cannot be linked into a shared library.
 * The port's name is taken apart by TypeScript (netmap_name.ts).
 *
 * spec: number[0] mode  [1] ringid  [2] flags  [3] mem_id
 *       [4] tx_rings [5] rx_rings [6] host_tx_rings [7] host_rx_rings [8] tx_slots [9] rx_slots
 *       [10] if_num [11] if_size [12] ring_num [13] ring_size [14] buf_num [15] buf_size (extmem)
 *       [16] initial offset [17] offset bits [18] 1: offsets are wanted
 *       [19] buffers of our own, beyond those of the rings
 *       text[0] name for the kernel  [1] port whose memory to share  [2] file of external memory
 */
#define _GNU_SOURCE
#include "netmap_abi.h"
#include "ring.h"
#include "uspf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A driver that goes into netmap mode restarts its NIC; its link comes back in some 2 s. */
#define LINK_WAIT_MS 5000

struct request {
	struct netmap_header header;
	struct netmap_register body;
	struct netmap_option_extmem extmem;
	struct netmap_option_offsets offsets;
};

/* TypeScript has checked the length; what would not fit is cut, never overrun. */
static void set_name(struct netmap_header *header, const char *name)
{
	memcpy(header->name, name, strnlen(name, sizeof(header->name) - 1));
}

/* The memory id of another port, for "@share:port=". */
static int memory_of(int fd, const char *name)
{
	struct netmap_port_info info = { 0 };
	struct netmap_header header = { .version = NETMAP_API_VERSION, .type = NETMAP_PORT_INFO_GET };

	set_name(&header, name);
	header.body = (uintptr_t)&info;
	return ioctl(fd, NETMAP_CONTROL, &header) < 0 ? -errno : info.mem_id;
}

static void push_option(struct request *request, struct netmap_option *option, uint32_t type)
{
	option->type = type;
	option->next = request->header.options;
	request->header.options = (uintptr_t)option;
}

/* Maps a file of the user's (huge pages, say) in which netmap then lays its rings. */
static int add_external_memory(struct uspf_port *port, struct request *request, const struct uspf_spec *spec)
{
	struct netmap_pools *pools = &request->extmem.pools;
	int fd = open(spec->text[2], O_RDWR | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (uspf_status(fd, &status) < 0 || status.st_size == 0) {
		close(fd);
		return -EINVAL;
	}
	port->region_bytes = (size_t)status.st_size;
	port->region = mmap(NULL, port->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (port->region == MAP_FAILED) {
		port->region = NULL;
		return -errno;
	}
	request->extmem.address = (uintptr_t)port->region;
	pools->memsize = port->region_bytes;
	pools->if_count = (uint32_t)spec->number[10];
	pools->if_bytes = (uint32_t)spec->number[11];
	pools->ring_count = (uint32_t)spec->number[12];
	pools->ring_bytes = (uint32_t)spec->number[13];
	pools->buf_count = (uint32_t)spec->number[14];
	pools->buf_bytes = (uint32_t)spec->number[15];
	push_option(request, &request->extmem.option, NETMAP_OPTION_EXTMEM);
	return 0;
}

static void add_offsets(struct request *request, const struct uspf_spec *spec)
{
	request->offsets.max_offset = (uint64_t)spec->number[16];
	request->offsets.initial_offset = (uint64_t)spec->number[16];
	request->offsets.offset_bits = (uint32_t)spec->number[17];
	push_option(request, &request->offsets.option, NETMAP_OPTION_OFFSETS);
}

static int fill_request(struct uspf_port *port, struct request *request, const struct uspf_spec *spec)
{
	struct netmap_register *body = &request->body;
	int result = 0;

	request->header.version = NETMAP_API_VERSION;
	request->header.type = NETMAP_REGISTER;
	request->header.body = (uintptr_t)body;
	set_name(&request->header, spec->text[0]);
	body->mode = (uint32_t)spec->number[0];
	body->ringid = (uint16_t)spec->number[1];
	body->flags = (uint64_t)(uint32_t)spec->number[2];
	if (spec->directions == USPF_RX)
		body->flags |= NETMAP_NO_TX_POLL;
	body->mem_id = (uint16_t)spec->number[3];
	body->tx_rings = (uint16_t)spec->number[4];
	body->rx_rings = (uint16_t)spec->number[5];
	body->host_tx_rings = (uint16_t)spec->number[6];
	body->host_rx_rings = (uint16_t)spec->number[7];
	body->tx_slots = (uint32_t)spec->number[8];
	body->rx_slots = (uint32_t)spec->number[9];
	body->extra_bufs = (uint32_t)spec->number[19];
	if (spec->text[1][0] != 0) {
		result = memory_of(port->fd, spec->text[1]);
		if (result < 0)
			return result;
		body->mem_id = (uint16_t)result;
		result = 0;
	}
	if (spec->text[2][0] != 0)
		result = add_external_memory(port, request, spec);
	if (spec->number[18])
		add_offsets(request, spec);
	return result;
}

/* 1 when a file is there; a module that uses netmap is listed among its holders. */
static int exists(const char *format, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), format, name);
	return access(path, F_OK) == 0;
}

static int admode(void)
{
	char text[8] = "0";
	int fd = open("/sys/module/netmap/parameters/admode", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '0';
		close(fd);
	}
	return text[0] - '0';
}

static int driver_of(const char *interface, char driver[32])
{
	struct ethtool_drvinfo drvinfo = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_data = (void *)&drvinfo;
	result = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
	close(fd);
	if (result == 0)
		memcpy(driver, drvinfo.driver, sizeof(drvinfo.driver));
	return result;
}

/* The interface in a name for the kernel; "" where it is a port of netmap's own. */
static void interface_of(const char *name, char interface[IFNAMSIZ])
{
	int own = strncmp(name, "vale", 4) == 0 || strpbrk(name, "{}") != NULL;

	snprintf(interface, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, own ? "" : name);
}

/* 1: the interface has a link; 0: it has none, or is down; -1: there is no such interface. */
static int link_of(const char *interface)
{
	char path[64], text = '0';
	int fd;

	if (interface[0] == 0)
		return -1;
	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", interface);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, &text, 1) != 1)
		text = '0'; /* EINVAL while it is down */
	close(fd);
	return text == '1';
}

/* What is sent before the link is back is lost, and nothing arrives: the port is not ready before. */
static void wait_for_link(const char *interface)
{
	for (int ms = 0; ms < LINK_WAIT_MS && link_of(interface) == 0; ms += 10)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

/*
 * netmap does not say whether it drives an interface natively or by emulation.
 * It is native when the driver was built with netmap, and then its module holds
 * the netmap module, unless admode 2 asks for emulation. Switch ports and pipes
 * live in netmap itself.
 */
static enum uspf_mode mode_of(const char *interface)
{
	char driver[33] = { 0 };

	if (interface[0] == 0)
		return USPF_MODE_NATIVE;
	if (admode() == 2)
		return USPF_MODE_EMULATED;
	if (admode() == 1)
		return USPF_MODE_NATIVE;
	if (!exists("/sys/module/netmap/%s", "holders") || driver_of(interface, driver) < 0)
		return USPF_MODE_UNKNOWN;
	return exists("/sys/module/netmap/holders/%s", driver) ? USPF_MODE_NATIVE : USPF_MODE_EMULATED;
}

static void netmap_close(struct uspf_port *port)
{
	/* The descriptor first: the kernel lets go of external memory only then. */
	if (port->fd >= 0)
		close(port->fd);
	if (port->region != NULL)
		munmap(port->region, port->region_bytes);
}

static int open_device(void)
{
	int fd = open(NETMAP_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	return fd;
}

static int register_port(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	struct request request = { 0 };
	char interface[IFNAMSIZ];
	int result = fill_request(port, &request, spec), linked;

	if (result < 0)
		return result;
	interface_of(spec->text[0], interface);
	linked = link_of(interface);
	if (ioctl(port->fd, NETMAP_CONTROL, &request.header) < 0) {
		if (request.extmem.option.status != 0 || request.offsets.option.status != 0)
			return -ENOPROTOOPT;
		return -errno;
	}
	if (port->region == NULL) {
		port->region_bytes = request.body.memsize;
		port->region = mmap(NULL, port->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, port->fd, 0);
		if (port->region == MAP_FAILED) {
			port->region = NULL;
			return -errno;
		}
	}
	info[USPF_INFO_INTERFACE_OFFSET] = (double)request.body.offset;
	info[USPF_INFO_MODE] = mode_of(interface);
	if (linked == 1)
		wait_for_link(interface);
	info[USPF_INFO_EXTRA] = link_of(interface) == 0; /* 1: there is no link */
	return 0;
}

static int netmap_open(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	int result;

	port->fd = open_device();
	result = port->fd < 0 ? port->fd : register_port(port, spec, info);
	if (result < 0)
		netmap_close(port);
	return result;
}

static int netmap_rxsync(struct uspf_port *port)
{
	return ioctl(port->fd, NETMAP_RXSYNC, NULL) < 0 ? -errno : 0;
}

static int netmap_txsync(struct uspf_port *port)
{
	return ioctl(port->fd, NETMAP_TXSYNC, NULL) < 0 ? -errno : 0;
}

/* poll() on a netmap descriptor syncs by itself. */
static int netmap_wait(struct uspf_port *port, int directions, int timeout_us)
{
	short events = (short)((directions & USPF_RX ? POLLIN : 0) | (directions & USPF_TX ? POLLOUT : 0));

	return uspf_poll(port->fd, events, timeout_us);
}

static int netmap_stat(struct uspf_port *port, double stat[])
{
	(void)port;
	(void)stat; /* netmap does not count what it could not deliver */
	return 0;
}

const struct uspf_ops uspf_netmap_ops = {
	.open = netmap_open,
	.rxsync = netmap_rxsync,
	.txsync = netmap_txsync,
	.wait = netmap_wait,
	.stat = netmap_stat,
	.close = netmap_close,
};
