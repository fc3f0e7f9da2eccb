/*
 * Purpose: what a thread needs from its machine: cores, clocks, sleep.
 *
 * Counters and times leave as f64, which a call from TypeScript returns for
 * free; exact up to 2^53 (43 days of a 2.4 GHz counter; then off by a cycle).
 */
#define _GNU_SOURCE
#include "uspf.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static double clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double uspf_tsc(void)
{
#if defined(__x86_64__)
	return (double)__rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return (double)ticks;
#else
	return clock_ns(CLOCK_MONOTONIC);
#endif
}

/*
 * For differences, taken modulo 2^31 (0.4 s and more). A whole number leaves
 * without a heap object for it, where an f64 that is handed on costs one: at a
 * million syncs a second that kept the garbage collector busy.
 */
int32_t uspf_clock(void)
{
#if defined(__x86_64__)
	return (int32_t)(__rdtsc() & 0x7fffffff);
#else
	return (int32_t)((uint64_t)uspf_tsc() & 0x7fffffff);
#endif
}

#if defined(__aarch64__)
double uspf_tsc_hz(void)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return (double)hz;
}
#else
/* The best bracketed of several readings. */
static void read_both(double *tsc, double *ns)
{
	double narrowest = 1e18;

	for (int i = 0; i < 16; i++) {
		double before = uspf_tsc(), middle = clock_ns(CLOCK_MONOTONIC), after = uspf_tsc();

		if (after - before < narrowest) {
			narrowest = after - before;
			*tsc = (before + after) / 2;
			*ns = middle;
		}
	}
}

/* Measured against CLOCK_MONOTONIC over 20 ms. */
double uspf_tsc_hz(void)
{
	double tsc0 = 0, ns0 = 0, tsc1 = 0, ns1 = 0;

	read_both(&tsc0, &ns0);
	uspf_sleep_ns(20e6);
	read_both(&tsc1, &ns1);
	return (tsc1 - tsc0) * 1e9 / (ns1 - ns0);
}
#endif

double uspf_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

double uspf_thread_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int32_t uspf_sleep_ns(double ns)
{
	struct timespec span;

	if (!(ns >= 0 && ns < 1e18))
		return -EINVAL;
	span.tv_sec = (time_t)(ns / 1e9);
	span.tv_nsec = (long)(ns - (double)span.tv_sec * 1e9);
	return clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL) == 0 ? 0 : -EINTR;
}

int32_t uspf_pin(int32_t core)
{
	cpu_set_t set;

	if (core < 0 || core >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/*
 * Whether this thread may be pinned to a core. An isolated one is not among those of uspf_cores until it is
 * asked for, so it is tried, and undone.
 */
int32_t uspf_may_pin(int32_t core)
{
	cpu_set_t before;
	int32_t result;

	if (sched_getaffinity(0, sizeof(before), &before) < 0)
		return -errno;
	result = uspf_pin(core);
	if (result < 0)
		return result;
	return sched_setaffinity(0, sizeof(before), &before) < 0 ? -errno : 0;
}

int32_t uspf_core(void)
{
	int core = sched_getcpu();

	return core < 0 ? -errno : core;
}

/* Marks in allowed[0..count) the cores that this thread may run on; returns how many. */
int32_t uspf_cores(uint8_t *allowed, int32_t count)
{
	cpu_set_t set;
	int32_t found = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	for (int32_t core = 0; core < count && core < CPU_SETSIZE; core++) {
		allowed[core] = CPU_ISSET(core, &set) ? 1 : 0;
		found += allowed[core];
	}
	return found;
}

/* Times that the scheduler took this thread off its core, willing or not: tells a stall of ours from one of its. */
double uspf_switches(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return -errno;
	return (double)usage.ru_nivcsw + (double)usage.ru_nvcsw;
}

int32_t uspf_realtime(int32_t *now)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	now[0] = (int32_t)(uint32_t)time.tv_sec;
	now[1] = (int32_t)time.tv_nsec;
	return 0;
}

/*
 * Stops the process as Ctrl-Z does by itself, until somebody continues it. A
 * process that nobody could continue (an orphaned group) is not stopped.
 */
int32_t uspf_suspend(void)
{
	struct sigaction standard = { .sa_handler = SIG_DFL }, ours;
	int result;

	if (sigaction(SIGTSTP, &standard, &ours) < 0)
		return -errno;
	result = raise(SIGTSTP);
	sigaction(SIGTSTP, &ours, NULL);
	return result;
}

/* Receive queues of an interface, as /sys/class/net lists them. */
int32_t uspf_rx_queues(const char *interface)
{
	char path[64];
	int32_t queues = 0;
	DIR *directory;

	if (snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface) >= (int)sizeof(path))
		return -ENODEV;
	directory = opendir(path);
	if (directory == NULL)
		return errno == ENOENT ? -ENODEV : -errno;
	for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
		queues += strncmp(entry->d_name, "rx-", 3) == 0;
	closedir(directory);
	return queues;
}

int32_t uspf_is_up(const char *interface)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	if (fd < 0)
		return -errno;
	memcpy(request.ifr_name, interface, strnlen(interface, IFNAMSIZ - 1));
	result = ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? -errno : (request.ifr_flags & IFF_UP) != 0;
	close(fd);
	return result;
}

int32_t uspf_readable(int32_t fd, int32_t timeout_us)
{
	return uspf_poll(fd, POLLIN, timeout_us);
}
