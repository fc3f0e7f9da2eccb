/*
 * Purpose: the yardstick of bench/packet_filter.bench.ts: PacketFilter.judge in C, packet by packet: the
 * same questions in the same order, the same verdicts.
 */
#include <stdint.h>

enum { ETHERNET = 14, IPV4 = 20, UDP = 8, MAX_TAGS = 2 };
enum { TYPE_IPV4 = 0x0800, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8, PROTOCOL_UDP = 17 };

/* As in filter/verdict.ts. */
enum verdict {
	ACCEPTED = 0,
	NOT_IPV4 = 1,
	NOT_UDP = 2,
	PORT = 4,
	LENGTH = 5,
	TRUNCATED = 7,
	BAD_HEADER = 8,
	FRAGMENT = 9,
	BAD_UDP_LENGTH = 10,
};

struct slot {
	uint32_t buf_idx;
	uint16_t len;
	uint16_t flags;
	uint64_t ptr;
};

static int32_t be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static enum verdict judge_udp(const uint8_t *udp, int32_t room, int32_t port, int32_t payload)
{
	int32_t length;

	if (room < UDP)
		return BAD_UDP_LENGTH;
	length = be16(udp + 4);
	if (length < UDP || length > room)
		return BAD_UDP_LENGTH;
	if (port != 0 && be16(udp + 2) != port)
		return PORT;
	return length - UDP == payload ? ACCEPTED : LENGTH;
}

static enum verdict judge(const uint8_t *packet, int32_t length, int32_t port, int32_t payload)
{
	int32_t ip = ETHERNET, type, header, total;

	if (length < ETHERNET)
		return TRUNCATED;
	type = be16(packet + 12);
	for (int tags = 0; tags < MAX_TAGS && (type == TYPE_VLAN || type == TYPE_QINQ); tags++) {
		if (length < ip + 4)
			return TRUNCATED;
		type = be16(packet + ip + 2);
		ip += 4;
	}
	if (type != TYPE_IPV4)
		return NOT_IPV4;
	if (length < ip + IPV4)
		return TRUNCATED;
	header = (packet[ip] & 15) * 4;
	total = be16(packet + ip + 2);
	if (packet[ip] >> 4 != 4 || header < IPV4 || total < header)
		return BAD_HEADER;
	if (length < ip + header)
		return TRUNCATED;
	if (packet[ip + 9] != PROTOCOL_UDP)
		return NOT_UDP;
	if ((be16(packet + ip + 6) & 0x3fff) != 0)
		return FRAGMENT;
	if (length < ip + total)
		return TRUNCATED;
	return judge_udp(packet + ip + header, total - header, port, payload);
}

/* Judges the slots from head on, which do not wrap; tally counts the verdicts. */
void yardstick_filter(const struct slot *slots, const uint8_t *buffers, int32_t head, int32_t count, int32_t port,
		      int32_t payload, int32_t *tally)
{
	for (int32_t i = head; i < head + count; i++)
		tally[judge(buffers + (int64_t)slots[i].buf_idx * 2048, slots[i].len, port, payload)]++;
}
