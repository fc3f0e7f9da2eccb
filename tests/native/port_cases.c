/* Purpose: tests of the port table and of host.c. */
#define _GNU_SOURCE
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TABLE 256 /* MAX_PORTS in port.c */
#define THREADS 8
#define THREAD_OPENS 40

static const char *speaks_its_interface(void)
{
	CHECK_EQ(uspf_abi(), USPF_ABI);
	return NULL;
}

static const char *refuses_unknown_kinds(void)
{
	const int32_t kinds[] = { 0, -1, 6, INT32_MAX, INT32_MIN };
	double info[USPF_INFO_COUNT];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct uspf_spec spec = { .kind = kinds[i], .directions = USPF_RX };

		CHECK_EQ(uspf_open(&spec, info), -EINVAL);
	}
	return NULL;
}

static const char *refuses_bad_handles(void)
{
	const int32_t handles[] = { -1, 0, TABLE - 1, TABLE, INT32_MAX, INT32_MIN };
	double stat[USPF_STAT_COUNT];

	for (size_t i = 0; i < sizeof(handles) / sizeof(*handles); i++) {
		CHECK_EQ(uspf_rxsync(handles[i]), -EBADF);
		CHECK_EQ(uspf_txsync(handles[i]), -EBADF);
		CHECK_EQ(uspf_wait(handles[i], USPF_RX, 0), -EBADF);
		CHECK_EQ(uspf_stat(handles[i], stat), -EBADF);
		CHECK_EQ(uspf_control(handles[i], SOFT_REAP, 0), -EBADF);
		CHECK_EQ(uspf_close(handles[i]), -EBADF);
		CHECK(uspf_port_of(handles[i]) == NULL);
	}
	return NULL;
}

static const char *refuses_unterminated_texts(void)
{
	double info[USPF_INFO_COUNT];

	for (int kind = USPF_NETMAP; kind <= USPF_UDP; kind++) {
		for (int text = 0; text < USPF_TEXTS; text++) {
			struct uspf_spec spec = { .kind = kind, .directions = USPF_RX, .number = { SOFT_SWITCH } };

			memset(spec.text[text], 'a', USPF_TEXT_BYTES);
			CHECK_EQ(uspf_open(&spec, info), -ENAMETOOLONG);
		}
	}
	return NULL;
}

static const char *says_that_netmap_is_absent(void)
{
	struct uspf_spec spec = { .kind = USPF_NETMAP, .directions = USPF_RX, .number = { 1 }, .text = { "vale0:a" } };
	double info[USPF_INFO_COUNT];

	if (access("/dev/netmap", F_OK) == 0)
		return "netmap is here";
	CHECK_EQ(uspf_open(&spec, info), -ENODEV);
	return NULL;
}

static const char *refuses_a_port_too_many(void)
{
	struct uspf_spec spec = { .kind = USPF_UDP,
				  .directions = USPF_TX,
				  .number = { 9, (int32_t)0x0100007f, 4096 } };
	double info[USPF_INFO_COUNT];

	int32_t handles[TABLE], stale;

	for (int i = 0; i < TABLE; i++)
		CHECK((handles[i] = uspf_open(&spec, info)) >= 0);
	CHECK_EQ(uspf_open(&spec, info), -EMFILE);
	stale = handles[100];
	CHECK_EQ(uspf_close(stale), 0);
	CHECK_EQ(uspf_close(stale), -EBADF);
	/* The place is taken again, but the old handle does not reach who is there now. */
	handles[100] = uspf_open(&spec, info);
	CHECK(handles[100] >= 0 && handles[100] != stale);
	CHECK_EQ(uspf_txsync(stale), -EBADF);
	for (int i = 0; i < TABLE; i++)
		CHECK_EQ(uspf_close(handles[i]), 0);
	return NULL;
}

static void *open_and_close(void *argument)
{
	int self = *(int *)argument;
	char name[8];

	snprintf(name, sizeof(name), "t%d", self);
	for (int i = 0; i < THREAD_OPENS; i++) {
		struct uspf_spec udp = { .kind = USPF_UDP, .directions = USPF_TX, .number = { 9, (int32_t)0x0100007f, 4096 } };
		double info[USPF_INFO_COUNT];
		int32_t socket = uspf_open(&udp, info);
		int32_t port = join(SOFT_SWITCH, "threads", 0, name);

		CHECK(socket >= 0);
		CHECK(port >= 0 && port != socket);
		CHECK_EQ(uspf_wait(port, USPF_RX, 0), 1);
		CHECK(uspf_txsync(socket) >= 0);
		CHECK_EQ(uspf_close(port), 0);
		CHECK_EQ(uspf_close(socket), 0);
	}
	return NULL;
}

static const char *opens_and_closes_in_many_threads(void)
{
	pthread_t thread[THREADS];
	int self[THREADS];

	for (int i = 0; i < THREADS; i++) {
		self[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, open_and_close, &self[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK(!shm_exists("threads"));
	return NULL;
}

/* ---- host.c ---- */

static const char *reads_clocks_that_advance(void)
{
	double tsc = uspf_tsc(), ns = uspf_now_ns(), cpu = uspf_thread_cpu_ns(), hz;

	CHECK_EQ(uspf_sleep_ns(50e6), 0);
	CHECK(elapsed_ms(ns) >= 50);
	CHECK(uspf_thread_cpu_ns() >= cpu);
	hz = uspf_tsc_hz();
	CHECK(hz > 1e6 && hz < 1e11);
	/* The same span by both clocks, within a fifth: others use this machine too. */
	ns = (uspf_now_ns() - ns) / 1e9;
	tsc = (uspf_tsc() - tsc) / hz;
	CHECK(tsc > 0.8 * ns && tsc < 1.25 * ns);
	return NULL;
}

static const char *refuses_impossible_sleeps(void)
{
	CHECK_EQ(uspf_sleep_ns(-1), -EINVAL);
	CHECK_EQ(uspf_sleep_ns(NAN), -EINVAL);
	CHECK_EQ(uspf_sleep_ns(INFINITY), -EINVAL);
	CHECK_EQ(uspf_sleep_ns(0), 0);
	return NULL;
}

static const char *lists_cores_and_pins_to_them(void)
{
	uint8_t allowed[4096];
	int32_t found = uspf_cores(allowed, 4096), counted = 0;

	CHECK(found > 0);
	CHECK_EQ(uspf_cores(allowed, 0), 0);
	for (int core = 0; core < 1024; core++) {
		counted += allowed[core];
		if (!allowed[core])
			continue;
		CHECK_EQ(uspf_pin(core), 0);
		CHECK_EQ(uspf_core(), core);
		CHECK_EQ(uspf_cores(allowed, 0), 0);
	}
	CHECK_EQ(counted, found);
	CHECK_EQ(uspf_may_pin(1023), -EINVAL);
	CHECK_EQ(uspf_pin(-1), -EINVAL);
	CHECK_EQ(uspf_pin(1023), -EINVAL);
	CHECK_EQ(uspf_pin(INT32_MAX), -EINVAL);
	return NULL;
}

static void *run_lists_cores(void *result)
{
	*(const char **)result = lists_cores_and_pins_to_them();
	return NULL;
}

/* In a thread of its own, which takes the pinning away with it. */
static const char *pins_one_thread(void)
{
	const char *result = NULL;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, run_lists_cores, &result), 0);
	pthread_join(thread, NULL);
	return result;
}

static const char *counts_switches(void)
{
	double before = uspf_switches();

	CHECK(before >= 0);
	sleep_ms(1);
	CHECK(uspf_switches() > before);
	return NULL;
}

const struct test_case port_cases[] = {
	{ "uspf_abi is the header's", speaks_its_interface },
	{ "uspf_open refuses unknown kinds", refuses_unknown_kinds },
	{ "uspf_open refuses texts without an end", refuses_unterminated_texts },
	{ "uspf_open says that netmap is absent", says_that_netmap_is_absent },
	{ "uspf_open refuses a port too many", refuses_a_port_too_many },
	{ "uspf_open and uspf_close work in many threads at once", opens_and_closes_in_many_threads },
	{ "uspf_* refuse handles that are not open", refuses_bad_handles },
	{ "uspf_tsc, uspf_now_ns and uspf_tsc_hz agree", reads_clocks_that_advance },
	{ "uspf_sleep_ns refuses impossible spans", refuses_impossible_sleeps },
	{ "uspf_pin keeps a thread on each core of uspf_cores", pins_one_thread },
	{ "uspf_switches counts a sleep", counts_switches },
	{ NULL, NULL },
};
