/*
 * Purpose: the yardstick of bench/filter_expressions.bench.ts: libpcap's compiler, optimiser on, and its
 * interpreter, bpf_filter(), packet by packet, as programs that read capture files run it.
 */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdlib.h>

enum { SNAPLEN = 262144 };

struct slot {
	uint32_t buf_idx;
	uint16_t len;
	uint16_t flags;
	uint64_t ptr;
};

/* The program of an expression, which ends with a zero; NULL where libpcap refuses it. */
struct bpf_program *yardstick_compile(const char *expression)
{
	struct bpf_program *program = calloc(1, sizeof *program);
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);

	if (program && pcap && pcap_compile(pcap, program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		free(program);
		program = NULL;
	}
	if (pcap)
		pcap_close(pcap);
	return program;
}

/* How many of the packets in the slots from head on, which do not wrap, the program accepts. */
int32_t yardstick_bpf(const struct bpf_program *program, const struct slot *slots, const uint8_t *buffers, int32_t head,
		      int32_t count)
{
	int32_t accepted = 0;

	for (int32_t i = head; i < head + count; i++) {
		const uint8_t *packet = buffers + (int64_t)slots[i].buf_idx * 2048;

		accepted += bpf_filter(program->bf_insns, packet, slots[i].len, slots[i].len) != 0;
	}
	return accepted;
}
