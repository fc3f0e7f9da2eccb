/*
 * Purpose: the yardstick of bench/packet_log.bench.ts: the same packets into the
 * same blocks, in C. It copies 64 bytes in any case, as the compiled TypeScript
 * does, because that is the fastest C that we found for small packets.
 */
#include <stdint.h>
#include <string.h>

struct slot {
	uint32_t buf_idx;
	uint16_t len;
	uint16_t flags;
	uint64_t ptr;
};

/* Writes up to count packets while a block begins before end; returns how many, *used gets the bytes. */
int32_t yardstick_log(const uint8_t *region, const int32_t *picks, int32_t count, int32_t buffers_at,
		      int32_t stride, uint8_t *out, int32_t at, int32_t end, uint32_t high, uint32_t low, int32_t *used)
{
	int32_t i;

	for (i = 0; i < count && at < end; i++) {
		const struct slot *s = (const struct slot *)(region + 4l * picks[i]);
		const uint8_t *packet = region + 4l * buffers_at + (size_t)s->buf_idx * (size_t)stride;
		uint32_t total = 32 + ((s->len + 3u) & ~3u);
		uint32_t *block = (uint32_t *)(out + at);

		block[0] = 6;
		block[1] = total;
		block[2] = 0;
		block[3] = high;
		block[4] = low;
		block[5] = block[6] = s->len;
		memcpy(out + at + 28, packet, 64);
		if (s->len > 64)
			memcpy(out + at + 28 + 64, packet + 64, s->len - 64u);
		if (s->len & 3)
			memset(out + at + 28 + s->len, 0, 4 - (s->len & 3u));
		block[total / 4 - 1] = total;
		at += (int32_t)total;
	}
	*used = at;
	return i;
}
