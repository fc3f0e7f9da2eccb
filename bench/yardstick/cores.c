/*
 * Purpose: how near two cores are, and the barest ring of packets between them: the yardstick of
 * bench/soft_port.bench.ts.
 *
 * A hypervisor moves virtual cores about. Two that share a cache hand a line
 * over in some 50 ns, two that don't in 250, and everything that crosses cores is
 * three times slower then, C included. A figure of two cores means nothing
 * without this one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRIPS = 20000, SLOTS = 1024, STRIDE = 2112, BURST = 256, MOST_NS = 100000000, ENOUGH = -1 };

struct shared {
	_Atomic int32_t flag __attribute__((aligned(128)));
	_Atomic uint32_t head __attribute__((aligned(128)));
	_Atomic uint32_t tail __attribute__((aligned(128)));
	_Atomic int32_t ready __attribute__((aligned(128)));
	uint32_t packets;
	int core;
	char *buffers;
	volatile uint64_t sum;
};

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *pong(void *argument)
{
	struct shared *shared = argument;

	pin(shared->core);
	shared->ready = 1;
	for (int32_t i = 0; i < TRIPS; i++) {
		int32_t flag;

		while ((flag = atomic_load(&shared->flag)) != 2 * i + 1)
			if (flag == ENOUGH)
				return NULL;
		atomic_store(&shared->flag, 2 * i + 2);
	}
	return NULL;
}

static void *take(void *argument)
{
	struct shared *shared = argument;
	uint32_t head = 0;
	uint64_t sum = 0;

	pin(shared->core);
	shared->ready = 1;
	while (head < shared->packets) {
		uint32_t tail = atomic_load_explicit(&shared->tail, memory_order_acquire);

		for (; head < tail; head++)
			sum += *(uint64_t *)(shared->buffers + (size_t)(head % SLOTS) * STRIDE + 40);
		atomic_store_explicit(&shared->head, head, memory_order_release);
	}
	shared->sum = sum;
	return NULL;
}

static double ping(struct shared *shared)
{
	double start = now_ns();

	int32_t i;

	/* Where a third program holds a core, each trip takes a slice of the scheduler's. */
	for (i = 0; i < TRIPS && (i % 64 != 0 || now_ns() - start < MOST_NS); i++) {
		atomic_store(&shared->flag, 2 * i + 1);
		while (atomic_load(&shared->flag) != 2 * i + 2)
			;
	}
	double took = now_ns() - start;

	atomic_store(&shared->flag, ENOUGH);
	return took / i / 2;
}

/* Packets of 64 bytes, whole, in bursts of 256 through 1024 buffers: Mpps. */
static double give(struct shared *shared)
{
	double start = now_ns();
	uint32_t head = 0;

	for (uint32_t tail = 0; tail < shared->packets;) {
		if (tail + BURST - head > SLOTS) {
			head = atomic_load_explicit(&shared->head, memory_order_acquire);
			continue;
		}
		for (uint32_t i = 0; i < BURST; i++, tail++) {
			uint64_t *packet = (uint64_t *)(shared->buffers + (size_t)(tail % SLOTS) * STRIDE);

			for (int word = 0; word < 8; word++)
				packet[word] = tail + (uint64_t)word;
		}
		atomic_store_explicit(&shared->tail, tail, memory_order_release);
	}
	while (atomic_load(&shared->head) != shared->packets)
		;
	return shared->packets / (now_ns() - start) * 1000;
}

/* Of word 5 of each packet: its number plus 5. */
static uint64_t sum_of(uint32_t packets)
{
	uint64_t count = packets;

	return count == 0 ? 0 : count * (count - 1) / 2 + 5 * count;
}

static double run(int near, int far, uint32_t packets, void *(*other)(void *), double (*here)(struct shared *))
{
	struct shared *shared = aligned_alloc(128, (sizeof(*shared) + 127) / 128 * 128);
	cpu_set_t before;
	pthread_t thread;
	double result = -1;

	if (shared == NULL)
		return -1;
	memset(shared, 0, sizeof(*shared));
	shared->core = far;
	shared->packets = packets;
	shared->buffers = aligned_alloc(4096, ((size_t)SLOTS * STRIDE + 4095) / 4096 * 4096);
	sched_getaffinity(0, sizeof(before), &before);
	if (shared->buffers != NULL && pthread_create(&thread, NULL, other, shared) == 0) {
		memset(shared->buffers, 1, (size_t)SLOTS * STRIDE);
		pin(near);
		while (shared->ready == 0)
			sched_yield();
		result = here(shared);
		pthread_join(thread, NULL);
		if (shared->sum != sum_of(packets))
			result = -1;
	}
	sched_setaffinity(0, sizeof(before), &before);
	free(shared->buffers);
	free(shared);
	return result;
}

/* ns that a cache line takes from one core to the other. */
double yardstick_distance(int32_t near, int32_t far)
{
	return run(near, far, 0, pong, ping);
}

/* Mpps of the barest ring of packets between the cores; -1 where a packet arrived otherwise than it was sent. */
double yardstick_ring(int32_t near, int32_t far, uint32_t packets)
{
	return run(near, far, packets / BURST * BURST, take, give);
}

/* Lets this thread run on the cores marked in allowed[0..count), and on no others. */
int32_t yardstick_allow(const uint8_t *allowed, int32_t count)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int32_t core = 0; core < count && core < CPU_SETSIZE; core++)
		if (allowed[core])
			CPU_SET(core, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}
