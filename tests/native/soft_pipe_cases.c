/* Purpose: tests of soft pipes: their two ends, and what a killed sender or reader leaves. */
#define _GNU_SOURCE
#include "check.h"

#include <stdio.h>
#include <string.h>

#define NET "pipe"
#define BUFFERS (2 * SOFT_SLOTS)
#define STATES 300
#define KILLS 12

/* The sender's view of a direction. */
struct direction {
	struct uspf_ring *tx, *rx;
	_Atomic uint32_t *tail, *head;
};

static struct direction direction_of(int32_t handle, int sender)
{
	char *tx = (char *)region_of(handle) + SOFT_RINGS + (int64_t)sender * SOFT_PIPE_DIRECTION;
	char *rx = tx + SOFT_PIPE_BLOCK;

	return (struct direction){ .tx = (void *)(tx + SOFT_LINK_BYTES),
				   .rx = (void *)(rx + SOFT_LINK_BYTES),
				   .tail = (void *)(rx + SOFT_LINK_TAIL),
				   .head = (void *)(rx + SOFT_LINK_HEAD) };
}

static int32_t join_end(int end)
{
	return join(SOFT_PIPE, NET, end, "pipe");
}

static void leave(int32_t handle)
{
	CHECK_EQ(uspf_close(handle), 0);
}

/* Each of a direction's buffers is in one slot, of the transmit or of the receive ring. */
static void check_buffers(const struct direction *direction)
{
	uint8_t seen[BUFFERS] = { 0 };

	for (int i = 0; i < SOFT_SLOTS; i++) {
		CHECK(direction->tx->slot[i].buf_idx < BUFFERS && direction->rx->slot[i].buf_idx < BUFFERS);
		seen[direction->tx->slot[i].buf_idx]++;
		seen[direction->rx->slot[i].buf_idx]++;
	}
	for (int i = 0; i < BUFFERS; i++)
		CHECK_EQ(seen[i], 1);
}

static const char *has_two_ends(void)
{
	int32_t left = join_end(0), right;

	CHECK(left >= 0);
	CHECK_EQ(join_end(0), -EBUSY);
	right = join_end(1);
	CHECK(right >= 0);
	CHECK_EQ(join_end(1), -EBUSY);
	for (int sender = 0; sender < 2; sender++) {
		struct direction direction = direction_of(left, sender);

		check_buffers(&direction);
		CHECK_EQ(direction.tx->tail, SOFT_SLOTS - 1);
		CHECK_EQ(direction.rx->tail, 0);
	}
	leave(left);
	CHECK(shm_exists(NET));
	leave(right);
	CHECK(!shm_exists(NET));
	return NULL;
}

/* As a sender might leave it: what is on its way is sound, the rest may name any buffer, twice or never. */
static void make_state(struct direction *direction, uint32_t on_way[SOFT_SLOTS])
{
	uint32_t buffer[BUFFERS], count = random_below(4) == 0 ? random_below(2) * 1023 : random_below(SOFT_SLOTS);
	uint32_t head = random_below(SOFT_SLOTS);

	for (uint32_t i = 0; i < BUFFERS; i++) {
		uint32_t j = random_below(i + 1);

		buffer[i] = buffer[j];
		buffer[j] = i;
	}
	for (uint32_t i = 0; i < SOFT_SLOTS; i++) {
		uint32_t at = (head + i) % SOFT_SLOTS;

		on_way[i] = i < count ? buffer[i] : UINT32_MAX;
		direction->rx->slot[at].buf_idx = i < count ? buffer[i] : random_below(BUFFERS);
		direction->rx->slot[at].len = (uint16_t)i;
		direction->tx->slot[at].buf_idx = random_below(BUFFERS);
	}
	*direction->head = head;
	*direction->tail = (head + count) % SOFT_SLOTS;
}

static const char *deals_out_buffers_anew(void)
{
	int32_t right = join_end(1);
	struct direction direction = direction_of(right, 0);
	uint32_t on_way[SOFT_SLOTS];

	for (int state = 0; state < STATES; state++) {
		uint32_t head;
		int32_t left = join_end(0);

		leave(left);
		make_state(&direction, on_way);
		head = *direction.head;
		left = join_end(0);
		CHECK(left >= 0);
		CHECK_EQ(*direction.head, head);
		check_buffers(&direction);
		for (uint32_t i = 0; i < SOFT_SLOTS && on_way[i] != UINT32_MAX; i++) {
			CHECK_EQ(direction.rx->slot[(head + i) % SOFT_SLOTS].buf_idx, on_way[i]);
			CHECK_EQ(direction.rx->slot[(head + i) % SOFT_SLOTS].len, i);
		}
		leave(left);
	}
	leave(right);
	return NULL;
}

/* Reads what is there; packets are numbered from 0 by each sender. */
static void drain(struct direction *direction, uint32_t *next)
{
	uint32_t head = *direction->head, tail = *direction->tail;

	for (; head != tail; head = (head + 1) % SOFT_SLOTS)
		CHECK_EQ(direction->rx->slot[head].len, (*next)++ % 1000);
	*direction->head = head;
}

static const char *goes_on_after_a_killed_sender(void)
{
	int32_t right = join_end(1);
	struct direction direction = direction_of(right, 0);

	for (int kills = 0; kills < KILLS; kills++) {
		struct peer sender = peer_start("swap", SOFT_PIPE, NET, 0, "pipe");
		double since = uspf_now_ns();
		uint32_t next = 0;
		int32_t left;

		while (next < 5000 || elapsed_ms(since) < random_below(4))
			drain(&direction, &next);
		peer_kill(&sender);
		left = join_end(0);
		CHECK(left >= 0);
		check_buffers(&direction);
		drain(&direction, &next);
		check_buffers(&direction);
		leave(left);
	}
	leave(right);
	CHECK(!shm_exists(NET));
	return NULL;
}

static const char *keeps_packets_for_the_next_reader(void)
{
	struct peer reader = peer_start("stay", SOFT_PIPE, NET, 1, "pipe");
	int32_t left = join_end(0), right;
	struct direction direction = direction_of(left, 0);

	*direction.head = 5;
	*direction.tail = 9;
	peer_kill(&reader);
	right = join_end(1);
	CHECK(right >= 0);
	direction = direction_of(right, 0);
	CHECK_EQ(*direction.head, 5);
	CHECK_EQ(*direction.tail, 9);
	CHECK(direction.rx->head == 5 && direction.rx->cur == 5 && direction.rx->tail == 5);
	leave(left);
	leave(right);
	return NULL;
}

static const char *survives_the_death_of_both(void)
{
	struct peer left = peer_start("swap", SOFT_PIPE, NET, 0, "pipe");
	struct peer right = peer_start("swap", SOFT_PIPE, NET, 1, "pipe");
	struct direction direction;
	int32_t handle;

	sleep_ms(5);
	peer_kill(&left);
	peer_kill(&right);
	handle = join_end(1);
	CHECK(handle >= 0);
	direction = direction_of(handle, 1);
	check_buffers(&direction);
	leave(handle);
	CHECK(!shm_exists(NET));
	return NULL;
}

const struct test_case soft_pipe_cases[] = {
	{ "soft pipe: has two ends", has_two_ends },
	{ "soft pipe: deals out buffers anew, whatever a sender left", deals_out_buffers_anew },
	{ "soft pipe: goes on after a killed sender", goes_on_after_a_killed_sender },
	{ "soft pipe: keeps packets for the next reader", keeps_packets_for_the_next_reader },
	{ "soft pipe: survives the death of both ends", survives_the_death_of_both },
	{ NULL, NULL },
};
