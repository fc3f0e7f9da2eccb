/*
 * Purpose: what the native library's tests share: checks, the list of cases,
 * joining by name, peers (this program once more, as another process).
 *
 * The program prints "case NAME" before and "pass NAME" or "skip NAME: REASON"
 * after each case; tests/native.test.ts turns them into steps. A failed check
 * says where, and ends the program.
 */
#ifndef CHECK_H
#define CHECK_H

#include "../../ffi/soft.h"
#include "../../ffi/udp.h"
#include "../../ffi/uspf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			check_failed(__FILE__, __LINE__, #condition, ""); \
	} while (0)

/* Both sides are printed. */
#define CHECK_EQ(actual, expected) check_equal(__FILE__, __LINE__, #actual, (double)(actual), (double)(expected))

void check_failed(const char *file, int line, const char *what, const char *more);
void check_equal(const char *file, int line, const char *what, double actual, double expected);

struct test_case {
	const char *name;
	const char *(*run)(void); /* NULL, or why it cannot run here */
};

extern const struct test_case port_cases[], soft_switch_cases[], soft_pipe_cases[], udp_cases[], xdp_cases[],
	packet_cases[];

/* The same numbers for the same seed. */
uint32_t random_below(uint32_t limit);

/* ---- soft switches and pipes; `network` is made unique to this run ---- */

struct uspf_spec soft_spec(enum soft_shape shape, const char *network, int end, const char *name);
int32_t join(enum soft_shape shape, const char *network, int end, const char *name);
void *region_of(int32_t handle);
void shm_path(char path[200], const char *network);
int shm_exists(const char *network);

/* ---- peers ---- */

struct peer {
	pid_t pid;
	int output;
};

/* Roles: "stay" joins and sleeps; "swap" joins a pipe and sends; "churn" joins and leaves, then ends. */
struct peer peer_start(const char *role, enum soft_shape shape, const char *network, int end, const char *name);
void peer_kill(struct peer *peer);
int peer_end(struct peer *peer); /* waits; 0 where it found nothing wrong */
int peer_main(char *argument[]);

void sleep_ms(int ms);
double elapsed_ms(double since_ns);

#endif
