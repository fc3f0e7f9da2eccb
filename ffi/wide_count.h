/*
 * Purpose: goes on with a 32-bit counter of the kernel's beyond 2^32.
 */
#ifndef USPF_WIDE_COUNT_H
#define USPF_WIDE_COUNT_H

#include <stdint.h>

struct wide_count {
	uint32_t last;
	double sum; /* exact up to 2^53 */
};

/* Takes what the kernel's counter says, and gives the count in all; to be asked before it comes round once more. */
static inline double wide_count(struct wide_count *count, uint32_t now)
{
	count->sum += (uint32_t)(now - count->last);
	count->last = now;
	return count->sum;
}

#endif
