/*
 * Purpose: lays out the rings of soft switches and pipes when a port joins them.
 * See soft.h; soft.c calls this with joining locked.
 */
#include "soft.h"
#include "uspf.h"

#include <string.h>

static void *at(struct uspf_port *port, int64_t offset)
{
	return (char *)port->region + offset;
}

static _Atomic uint32_t *word_at(struct uspf_port *port, int64_t offset)
{
	return at(port, offset);
}

static void lay_ring(struct uspf_port *port, int64_t block, int transmit, uint32_t first_buffer, int64_t buffers)
{
	struct uspf_ring *ring = at(port, block + SOFT_LINK_BYTES);

	memset(ring, 0, sizeof(*ring));
	ring->buf_ofs = buffers - (block + SOFT_LINK_BYTES);
	ring->num_slots = SOFT_SLOTS;
	ring->nr_buf_size = SOFT_BUFFER_BYTES;
	ring->dir = (uint16_t)transmit;
	ring->tail = transmit ? SOFT_SLOTS - 1 : 0;
	for (uint32_t i = 0; i < SOFT_SLOTS; i++) {
		ring->slot[i] = (struct uspf_slot){ .buf_idx = first_buffer + i };
	}
	*word_at(port, block + SOFT_LINK_READY) = 1;
}

static int64_t switch_block(int index)
{
	return SOFT_RINGS + (int64_t)index * SOFT_SWITCH_BLOCK;
}

static void lay_switch_ring(struct uspf_port *port, int index, int transmit)
{
	int64_t block = switch_block(index);

	lay_ring(port, block, transmit, 0, block + SOFT_LINK_BYTES + SOFT_RING_BYTES);
}

/* A port's transmit ring and its lanes. Lanes laid before keep their indices: their senders live on. */
void soft_join_switch(struct uspf_port *port, int index)
{
	lay_switch_ring(port, index, 1);
	for (int source = 0; source < SOFT_PORTS; source++) {
		int lane = SOFT_PORTS + index * SOFT_PORTS + source;
		int64_t block = switch_block(lane);
		uint32_t tail;

		if (*word_at(port, block + SOFT_LINK_READY) == 0)
			lay_switch_ring(port, lane, 0);
		/* What was sent to the port that had this place before is not ours, nor what it lost. */
		tail = *word_at(port, block + SOFT_LINK_TAIL);
		memcpy(at(port, block + SOFT_LINK_LOST_BEFORE), at(port, block + SOFT_LINK_LOST), sizeof(double));
		*word_at(port, block + SOFT_LINK_HEAD) = tail;
		((struct uspf_ring *)at(port, block + SOFT_LINK_BYTES))->head = tail;
		((struct uspf_ring *)at(port, block + SOFT_LINK_BYTES))->cur = tail;
		((struct uspf_ring *)at(port, block + SOFT_LINK_BYTES))->tail = tail;
	}
}

static int64_t pipe_block(int direction, int receive)
{
	return SOFT_RINGS + (int64_t)direction * SOFT_PIPE_DIRECTION + receive * SOFT_PIPE_BLOCK;
}

/*
 * The sending end joins: of the direction's 2 × slots buffers those that are on
 * their way (head to tail of the receive ring) stay, and the others are dealt
 * out anew, so that a sender killed in the middle of a swap leaves no buffer
 * twice in the rings.
 */
static void join_pipe_sender(struct uspf_port *port, int direction)
{
	int64_t tx = pipe_block(direction, 0), rx = pipe_block(direction, 1);
	int64_t buffers = tx + 2 * SOFT_PIPE_BLOCK;
	struct uspf_ring *sending = at(port, tx + SOFT_LINK_BYTES), *receiving = at(port, rx + SOFT_LINK_BYTES);
	uint8_t on_way[2 * SOFT_SLOTS] = { 0 };
	uint32_t head, tail, next = 0;

	if (*word_at(port, rx + SOFT_LINK_READY) == 0)
		lay_ring(port, rx, 0, SOFT_SLOTS, buffers);
	lay_ring(port, tx, 1, 0, buffers);
	head = *word_at(port, rx + SOFT_LINK_HEAD) % SOFT_SLOTS;
	tail = *word_at(port, rx + SOFT_LINK_TAIL) % SOFT_SLOTS;
	for (uint32_t i = head; i != tail; i = (i + 1) % SOFT_SLOTS)
		on_way[receiving->slot[i].buf_idx % (2 * SOFT_SLOTS)] = 1;
	for (uint32_t i = tail, n = (head + SOFT_SLOTS - tail - 1) % SOFT_SLOTS + 1; n > 0; n--) {
		while (on_way[next])
			next++;
		receiving->slot[i].buf_idx = next++;
		i = (i + 1) % SOFT_SLOTS;
	}
	for (uint32_t i = 0; i < SOFT_SLOTS; i++) {
		while (on_way[next])
			next++;
		sending->slot[i].buf_idx = next++;
	}
}

void soft_join_pipe(struct uspf_port *port, int end)
{
	int64_t rx = pipe_block(1 - end, 1);
	struct uspf_ring *receiving = at(port, rx + SOFT_LINK_BYTES);

	join_pipe_sender(port, end);
	if (*word_at(port, rx + SOFT_LINK_READY) == 0)
		lay_ring(port, rx, 0, SOFT_SLOTS, pipe_block(1 - end, 0) + 2 * SOFT_PIPE_BLOCK);
	receiving->head = receiving->cur = *word_at(port, rx + SOFT_LINK_HEAD);
	receiving->tail = receiving->head;
}
