/*
 * Purpose: the yardstick of bench/hot_loop.bench.ts: the capture loop in C, for
 * the same ring, the same questions and the same records. Compiled with
 * -O3 -march=native into a shared library and called in the same process.
 *
 * It is written as the compiled TypeScript is, with one branch a packet and a
 * store that happens in any case, because that is the fastest C that we found.
 */
#include <stdint.h>
#include <string.h>

enum { ACCEPTED = 0, PORT = 4, OTHER = 7, BYTES = 13 };

struct slot {
	uint32_t buf_idx;
	uint16_t len;
	uint16_t flags;
	uint64_t ptr;
};

static inline uint32_t word(const uint8_t *packet, int index)
{
	uint32_t value;

	memcpy(&value, packet + 4 * index, 4);
	return value;
}

/* Returns the ticks stored; tally gets what else was found. */
int32_t yardstick_loop(const struct slot *slots, const uint8_t *buffers, int32_t slot_count, int32_t head,
		       int32_t count, uint32_t *records, int32_t record_mask, uint32_t position, int32_t port,
		       int32_t *tally)
{
	uint32_t start = position, mask = (uint32_t)slot_count - 1;
	uint32_t wanted = (uint32_t)((port & 0xff) << 8 | port >> 8);
	int32_t others = 0, other_bytes = 0, other_port = 0;
	const struct slot *first = &slots[(uint32_t)head & mask];
	uint16_t length = first->len, flags = first->flags;

	if (length < 56 || length > 2048 || (flags & 0x20))
		return -1;

	for (int32_t i = 0; i < count; i++) {
		const struct slot *s = &slots[(uint32_t)(head + i) & mask];
		const uint8_t *packet = buffers + (size_t)s->buf_idx * 2048;
		uint32_t x = word(packet, 11), price = word(packet, 12), quantity = word(packet, 13);
		uint32_t *record = records + (size_t)(position & (uint32_t)record_mask) * 4;

		if (s->len != length || s->flags != flags || (word(packet, 3) & 0xffffff) != 0x450008 ||
		    (word(packet, 4) & 0xffff) != 0x2a00 || (word(packet, 5) & 0xff00ff3f) != 0x11000000 ||
		    word(packet, 9) >> 16 != 0x1600 || (x >> 16 & 0xfeff) > 2 ||
		    price >= 0x7f800000 || quantity >= 0x7f800000) {
			others++;
			other_bytes += s->len;
			continue;
		}
		record[0] = word(packet, 10) >> 16 | x << 16;
		record[1] = x >> 16;
		record[2] = price;
		record[3] = quantity;
		int32_t differs = (word(packet, 9) & 0xffff) != wanted;
		other_port += differs;
		position += 1 - (uint32_t)differs;
	}
	tally[ACCEPTED] += (int32_t)(position - start);
	tally[PORT] += other_port;
	tally[OTHER] += others;
	tally[BYTES] += (count - others) * length + other_bytes;
	return (int32_t)(position - start);
}
