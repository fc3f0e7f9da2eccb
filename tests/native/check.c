/* Purpose: checks and random numbers; see check.h. */
#define _GNU_SOURCE
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

extern uint32_t seed;
static uint32_t state;

void check_failed(const char *file, int line, const char *what, const char *more)
{
	printf("failed %s:%d: %s%s; seed %u\n", file, line, what, more, seed);
	fflush(stdout);
	_Exit(1);
}

void check_equal(const char *file, int line, const char *what, double actual, double expected)
{
	char more[100];

	if (actual == expected)
		return;
	snprintf(more, sizeof(more), " is %.17g, not %.17g", actual, expected);
	check_failed(file, line, what, more);
}

/* xorshift32 (Marsaglia 2003) */
uint32_t random_below(uint32_t limit)
{
	if (state == 0)
		state = seed != 0 ? seed : 1;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % limit;
}

void sleep_ms(int ms)
{
	struct timespec span = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&span, NULL);
}

double elapsed_ms(double since_ns)
{
	return (uspf_now_ns() - since_ns) / 1e6;
}
