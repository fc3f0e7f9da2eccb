/*
 * The tick ring of engine/tick_ring.ts in C: the same layout, the same batches,
 * C11 atomics with the weakest order that is right, POSIX threads. It lies beside
 * bench/tick_ring.bench.ts, which builds it with -O3 -march=native and runs both.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct ring {
	_Alignas(128) _Atomic uint32_t tail;
	_Alignas(128) _Atomic uint32_t head;
	_Alignas(128) uint32_t head_seen; /* the producer's */
	_Alignas(128) uint32_t tail_seen; /* the consumer's */
	_Alignas(128) uint32_t mask;
	uint32_t *words;
};

struct job {
	struct ring *in, *out;
	int64_t ticks;
	uint32_t batch;
	int32_t core;
	_Atomic int *waiting; /* threads that have yet to reach the start */
	uint32_t sum;
	double ns;
};

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct ring *ring_new(uint32_t capacity)
{
	struct ring *r = aligned_alloc(128, sizeof *r);
	if (r == NULL)
		abort();
	*r = (struct ring){.mask = capacity - 1};
	r->words = aligned_alloc(128, (size_t)capacity * 16);
	if (r->words == NULL)
		abort();
	for (size_t i = 0; i < (size_t)capacity * 4; i++)
		r->words[i] = 0;
	return r;
}

static void ring_free(struct ring *r)
{
	free(r->words);
	free(r);
}

static uint32_t claim(struct ring *r, uint32_t wanted)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t free_records = r->mask + 1 - (tail - r->head_seen);
	if (free_records < wanted) {
		r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
		free_records = r->mask + 1 - (tail - r->head_seen);
	}
	return free_records < wanted ? free_records : wanted;
}

static uint32_t take(struct ring *r, uint32_t max)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint32_t ready = r->tail_seen - head;
	if (ready < max) {
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		ready = r->tail_seen - head;
	}
	return ready < max ? ready : max;
}

static void advance(_Atomic uint32_t *index, uint32_t count)
{
	uint32_t at = atomic_load_explicit(index, memory_order_relaxed);
	atomic_store_explicit(index, at + count, memory_order_release);
}

/* The words of tick `i`; bench/harness/tick_moves.ts does the same. */
static void write_tick(uint32_t *word, uint32_t i)
{
	word[0] = i;
	word[1] = 0x0101;
	word[2] = i ^ 0x42c80000;
	word[3] = i + 0x3f800000;
}

static void start(struct job *j)
{
	if (j->core >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(j->core, &set);
		sched_setaffinity(0, sizeof set, &set);
	}
	atomic_fetch_sub(j->waiting, 1);
	while (atomic_load(j->waiting) > 0)
		;
}

static void *produce(void *arg)
{
	struct job *j = arg;
	struct ring *r = j->out;
	start(j);
	for (int64_t done = 0; done < j->ticks; done += j->batch) {
		while (claim(r, j->batch) < j->batch)
			;
		uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
		for (uint32_t i = 0; i < j->batch; i++)
			write_tick(&r->words[((tail + i) & r->mask) << 2], tail + i);
		advance(&r->tail, j->batch);
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct job *j = arg;
	struct ring *r = j->in;
	uint32_t sum = 0;
	start(j);
	double begin = now_ns();
	for (int64_t done = 0; done < j->ticks;) {
		uint32_t count = take(r, j->batch);
		if (count == 0)
			continue;
		uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t *word = &r->words[((head + i) & r->mask) << 2];
			sum += word[0] + word[1] + word[2] + word[3];
		}
		advance(&r->head, count);
		done += count;
	}
	j->ns = now_ns() - begin;
	j->sum = sum;
	return NULL;
}

static void send_one(struct ring *r, uint32_t i)
{
	while (claim(r, 1) == 0)
		;
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	write_tick(&r->words[(tail & r->mask) << 2], i);
	advance(&r->tail, 1);
}

static uint32_t receive_one(struct ring *r)
{
	while (take(r, 1) == 0)
		;
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint32_t i = r->words[(head & r->mask) << 2];
	advance(&r->head, 1);
	return i;
}

static void *ping(void *arg)
{
	struct job *j = arg;
	start(j);
	double begin = now_ns();
	for (int64_t i = 0; i < j->ticks; i++) {
		send_one(j->out, (uint32_t)i);
		j->sum += receive_one(j->in) == (uint32_t)i;
	}
	j->ns = now_ns() - begin;
	return NULL;
}

static void *pong(void *arg)
{
	struct job *j = arg;
	start(j);
	for (int64_t i = 0; i < j->ticks; i++)
		send_one(j->out, receive_one(j->in));
	return NULL;
}

static int run(void *(*a)(void *), struct job *ja, void *(*b)(void *), struct job *jb)
{
	_Atomic int waiting = 2;
	pthread_t thread;
	ja->waiting = jb->waiting = &waiting;
	pthread_t other;
	if (pthread_create(&thread, NULL, a, ja) != 0)
		return -1;
	if (pthread_create(&other, NULL, b, jb) != 0)
		abort(); /* the first already spins */
	pthread_join(thread, NULL);
	pthread_join(other, NULL);
	return 0;
}

/* Moves `ticks` between two threads; returns nanoseconds, or -1 if the sum is not `sum`. */
double yardstick_throughput(double ticks, uint32_t batch, uint32_t capacity, uint32_t sum,
                            int32_t core_a, int32_t core_b)
{
	struct ring *r = ring_new(capacity);
	struct job a = {.out = r, .ticks = (int64_t)ticks, .batch = batch, .core = core_a};
	struct job b = {.in = r, .ticks = (int64_t)ticks, .batch = batch, .core = core_b};
	int failed = run(produce, &a, consume, &b);
	ring_free(r);
	return failed || b.sum != sum ? -1 : b.ns;
}

/* Sends `rounds` ticks there and back; returns nanoseconds, or -1 if one came back wrong. */
double yardstick_round_trips(uint32_t rounds, int32_t core_a, int32_t core_b)
{
	struct ring *there = ring_new(256), *back = ring_new(256);
	struct job a = {.out = there, .in = back, .ticks = rounds, .core = core_a};
	struct job b = {.in = there, .out = back, .ticks = rounds, .core = core_b};
	int failed = run(ping, &a, pong, &b);
	ring_free(there);
	ring_free(back);
	return failed || a.sum != rounds ? -1 : a.ns;
}
