/*
 * Purpose: the native library's whole interface. It makes system calls and maps
 * memory; it never looks inside a packet. What leaves it is numbers and one
 * mapped region a port (handed to TypeScript by napi.c).
 *
 * Every function returns a value >= 0 or -errno. None prints or exits.
 * A handle belongs to the thread that opened it.
 *
 *   library.ts ──▶ port.c ──▶ struct uspf_ops ──▶ netmap.c  soft.c  udp.c  xdp.c  packet.c
 *                  host.c     cores, clocks, sleeping
 *                  napi.c     region as an ArrayBuffer
 */
#ifndef USPF_H
#define USPF_H

#include <stddef.h>
#include <stdint.h>

/* Changes with every change of this file, ring.h or soft.h that a program can see. */
#define USPF_ABI 7

enum uspf_kind { USPF_NETMAP = 1, USPF_SOFT = 2, USPF_UDP = 3, USPF_XDP = 4, USPF_PACKET = 5 };
enum uspf_direction { USPF_RX = 1, USPF_TX = 2 };
enum uspf_mode {
	USPF_MODE_UNKNOWN = 0,
	USPF_MODE_NATIVE = 1,   /* netmap: the driver knows it; xdp: in the driver, frames copied */
	USPF_MODE_EMULATED = 2, /* netmap: any driver; xdp: generic, behind the driver */
	USPF_MODE_ZEROCOPY = 3, /* xdp: the NIC writes into our frames */
};

#define USPF_NUMBERS 32
#define USPF_TEXTS 3
#define USPF_TEXT_BYTES 128

/* What to open. The meaning of number[] and text[] is written in each kind's file. */
struct uspf_spec {
	int32_t kind;
	int32_t directions; /* USPF_RX | USPF_TX */
	int32_t number[USPF_NUMBERS - 2];
	char text[USPF_TEXTS][USPF_TEXT_BYTES]; /* each ends with a zero byte */
	int32_t program_bytes;                  /* 0: none */
	int32_t reserved;
	uint8_t program[]; /* for the kernel: packet, udp: struct sock_filter; xdp: struct bpf_insn */
};

/* What was opened. */
enum uspf_info {
	USPF_INFO_REGION_BYTES,
	USPF_INFO_INTERFACE_OFFSET, /* of the netmap_if; -1: the kind has a layout of its own */
	USPF_INFO_MODE,             /* enum uspf_mode */
	USPF_INFO_EXTRA,            /* soft: index of the port in its switch; udp: receive buffer bytes;
	                               xdp: rings that send */
	USPF_INFO_NOT_ZEROCOPY,     /* xdp: errno of the attempt at zero-copy; 0: not tried, or had */
	USPF_INFO_NOT_NATIVE,       /* xdp: errno of the attempt at native mode; 0: not tried, or had */
	USPF_INFO_COUNT
};

/* What a port counts itself; a value it cannot know is -1. */
enum uspf_stat {
	USPF_STAT_LOST,     /* packets */
	USPF_STAT_STARVED,  /* times that the kernel found no free buffer */
	USPF_STAT_REJECTED, /* packets that a filter in the kernel turned away; 0: there is none */
	USPF_STAT_COUNT
};

struct uspf_port;

struct uspf_ops {
	int (*open)(struct uspf_port *port, const struct uspf_spec *spec, double info[]);
	int (*rxsync)(struct uspf_port *port);
	int (*txsync)(struct uspf_port *port);
	int (*wait)(struct uspf_port *port, int directions, int timeout_us);
	int (*stat)(struct uspf_port *port, double stat[]);
	int (*control)(struct uspf_port *port, int verb, int argument); /* may be NULL */
	void (*close)(struct uspf_port *port);
};

struct uspf_port {
	const struct uspf_ops *ops;
	void *region;
	size_t region_bytes;
	int fd;
	void *state; /* the kind's own */
};

extern const struct uspf_ops uspf_netmap_ops, uspf_soft_ops, uspf_udp_ops, uspf_xdp_ops, uspf_packet_ops;

#define USPF_API __attribute__((visibility("default")))

/* port.c */
USPF_API int32_t uspf_abi(void);
USPF_API int32_t uspf_open(const struct uspf_spec *spec, double *info);
USPF_API int32_t uspf_close(int32_t handle);
USPF_API int32_t uspf_rxsync(int32_t handle); /* uspf_clock() after the sync, or -errno */
USPF_API int32_t uspf_txsync(int32_t handle);
USPF_API int32_t uspf_wait(int32_t handle, int32_t directions, int32_t timeout_us); /* 1 ready, 0 not */
USPF_API int32_t uspf_stat(int32_t handle, double *stat);
USPF_API int32_t uspf_control(int32_t handle, int32_t verb, int32_t argument);
struct uspf_port *uspf_port_of(int32_t handle);
int uspf_poll(int fd, short events, int timeout_us);
struct stat;
int uspf_status(int fd, struct stat *status);
int uspf_path_status(const char *path, struct stat *status);
int uspf_attach_filter(int fd, const void *program, int32_t bytes); /* struct sock_filter; -E2BIG: too large */

/* host.c */
USPF_API double uspf_tsc(void);
USPF_API int32_t uspf_clock(void); /* the counter's low 31 bits */
USPF_API double uspf_tsc_hz(void);
USPF_API double uspf_now_ns(void);
USPF_API double uspf_thread_cpu_ns(void);
USPF_API int32_t uspf_sleep_ns(double ns);
USPF_API int32_t uspf_suspend(void);
USPF_API int32_t uspf_pin(int32_t core);
USPF_API int32_t uspf_may_pin(int32_t core);
USPF_API int32_t uspf_core(void);
USPF_API int32_t uspf_cores(uint8_t *allowed, int32_t count);
USPF_API double uspf_switches(void);
USPF_API int32_t uspf_realtime(int32_t *now); /* seconds and nanoseconds since 1970 */
USPF_API int32_t uspf_rx_queues(const char *interface);
USPF_API int32_t uspf_is_up(const char *interface); /* 1 up, 0 down, as "ip link set" has it */
USPF_API int32_t uspf_readable(int32_t fd, int32_t timeout_us); /* 1: a read would not block */

/* udp.c: -errno where a port that receives would not be bound; port and IPv4 address, that as on the wire */
USPF_API int32_t uspf_try_bind(int32_t port, int32_t address, const char *interface);

/* inquiry.c: nothing is changed through these */
USPF_API int32_t uspf_ethtool(const char *interface, void *command, int32_t bytes); /* struct ethtool_... */
USPF_API int32_t uspf_netlink(int32_t protocol, const void *request, int32_t bytes, void *answer, int32_t room);
USPF_API int32_t uspf_program_name(int32_t id, char *name); /* of a BPF program: name[16] */

/* system_files.c: those of /proc and /sys that tell of the machine; -EACCES for others */
USPF_API int32_t uspf_read_file(const char *path, void *buffer, int32_t room); /* bytes read */
USPF_API int32_t uspf_read_folder(const char *path, void *buffer, int32_t room);
USPF_API int32_t uspf_read_link(const char *path, char *buffer, int32_t room);
USPF_API int32_t uspf_file_info(const char *path, double *info); /* info[5] */

#endif
