/*
 * Purpose: the same work as a capture of a pcap file, as C does it: the yardstick of bench/pcap.bench.ts.
 * Reads in chunks, walks the records, tests what the filter tests, stores 16 bytes a tick.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_HEADER = 24, RECORD_HEADER = 16, TICK_MASK = 16383 };

static uint32_t word(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Ticks among the bytes; what is left of them is in *rest. Sums the instruments. */
static int32_t parse(const char *at, const char *end, uint32_t *ticks, int32_t n, const char **rest, uint32_t *sum)
{
	while (end - at >= RECORD_HEADER) {
		uint32_t captured = word(at + 8);
		const char *packet = at + RECORD_HEADER;
		uint32_t *tick = ticks + (n & TICK_MASK) * 4;

		if (captured > 262144 || end - packet < (int64_t)captured)
			break;
		at = packet + captured;
		if (captured < 56 || (word(packet + 12) & 0xffffff) != 0x450008 ||
		    (word(packet + 16) & 0xffff) != 0x2a00 || (word(packet + 20) & 0xff00ff3f) != 0x11000000 ||
		    word(packet + 36) != (0x8913u | 0x1600u << 16))
			continue;
		tick[0] = word(packet + 42);
		tick[1] = word(packet + 46) & 0xffff;
		tick[2] = word(packet + 48);
		tick[3] = word(packet + 52);
		*sum += tick[0];
		n++;
	}
	*rest = at;
	return n;
}

/* Ticks in the file, to port 5001; the sum of their instruments in *sum. */
int32_t yardstick_pcap(const char *path, int32_t chunk_bytes, uint32_t *sum)
{
	int fd = open(path, O_RDONLY);
	char *buffer = malloc((size_t)chunk_bytes * 2);
	uint32_t *ticks = malloc((TICK_MASK + 1) * 16);
	const char *rest = buffer;
	size_t left = 0;
	int32_t n = 0;

	*sum = 0;
	if (fd >= 0 && lseek(fd, FILE_HEADER, SEEK_SET) == FILE_HEADER && buffer != NULL && ticks != NULL) {
		for (;;) {
			ssize_t count;

			memmove(buffer, rest, left);
			count = read(fd, buffer + left, (size_t)chunk_bytes);
			if (count <= 0)
				break;
			n = parse(buffer, buffer + left + count, ticks, n, &rest, sum);
			left = (size_t)(buffer + left + count - rest);
		}
	}
	if (fd >= 0)
		close(fd);
	free(buffer);
	free(ticks);
	return n;
}
