/* Purpose: joins soft networks, here and in other processes; see check.h. */
#define _GNU_SOURCE
#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHURNS 100

extern const char *prefix;

struct uspf_spec soft_spec(enum soft_shape shape, const char *network, int end, const char *name)
{
	struct uspf_spec spec = { .kind = USPF_SOFT, .directions = USPF_RX, .number = { (int)shape, end } };

	snprintf(spec.text[0], USPF_TEXT_BYTES, "%s.%s", prefix, network);
	snprintf(spec.text[1], USPF_TEXT_BYTES, "%s", name);
	return spec;
}

int32_t join(enum soft_shape shape, const char *network, int end, const char *name)
{
	struct uspf_spec spec = soft_spec(shape, network, end, name);
	double info[USPF_INFO_COUNT];

	return uspf_open(&spec, info);
}

void *region_of(int32_t handle)
{
	return uspf_port_of(handle)->region;
}

void shm_path(char path[200], const char *network)
{
	snprintf(path, 200, "/dev/shm/%s.%s", prefix, network);
}

int shm_exists(const char *network)
{
	char path[200];

	shm_path(path, network);
	return access(path, F_OK) == 0;
}

/* ---- this side ---- */

struct peer peer_start(const char *role, enum soft_shape shape, const char *network, int end, const char *name)
{
	char shape_text[2] = { (char)('0' + shape), 0 }, end_text[2] = { (char)('0' + end), 0 };
	struct peer peer;
	int output[2];
	char ready = 0;

	CHECK(pipe2(output, O_CLOEXEC) == 0);
	peer.pid = fork();
	if (peer.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(output[1], 3);
		execl("/proc/self/exe", "native", prefix, "peer", role, shape_text, network, end_text, name, NULL);
		_exit(127);
	}
	close(output[1]);
	peer.output = output[0];
	CHECK(read(peer.output, &ready, 1) == 1 && ready == '+');
	return peer;
}

void peer_kill(struct peer *peer)
{
	CHECK(kill(peer->pid, SIGKILL) == 0);
	waitpid(peer->pid, NULL, 0);
	close(peer->output);
}

int peer_end(struct peer *peer)
{
	int status = -1;

	waitpid(peer->pid, &status, 0);
	close(peer->output);
	return status;
}

/* ---- the other side ---- */

/* Swaps bursts into the receive ring as soft_pipe.ts does; each packet's length is its number. */
static void swap_forever(int32_t handle, int end)
{
	char *direction = (char *)region_of(handle) + SOFT_RINGS + (int64_t)end * SOFT_PIPE_DIRECTION;
	char *link = direction + SOFT_PIPE_BLOCK;
	struct uspf_slot *from = ((struct uspf_ring *)(direction + SOFT_LINK_BYTES))->slot;
	struct uspf_slot *to = ((struct uspf_ring *)(link + SOFT_LINK_BYTES))->slot;
	_Atomic uint32_t *tail = (void *)(link + SOFT_LINK_TAIL), *head = (void *)(link + SOFT_LINK_HEAD);
	uint32_t sent = 0, filled = *tail;

	for (;;) {
		uint32_t room = (*head - filled - 1) % SOFT_SLOTS;

		for (uint32_t i = 0; i < room; i++) {
			uint32_t buffer = from[sent % SOFT_SLOTS].buf_idx;

			from[sent % SOFT_SLOTS].buf_idx = to[(filled + i) % SOFT_SLOTS].buf_idx;
			to[(filled + i) % SOFT_SLOTS].buf_idx = buffer;
			to[(filled + i) % SOFT_SLOTS].len = (uint16_t)(sent++ % 1000);
		}
		filled = (filled + room) % SOFT_SLOTS;
		*tail = filled;
	}
}

static int churn(enum soft_shape shape, char *argument[])
{
	for (int i = 0; i < CHURNS; i++) {
		int32_t handle = join(shape, argument[2], atoi(argument[3]), argument[4]);

		if (handle < 0) {
			printf("cannot join %s as %s: errno %d\n", argument[2], argument[4], -handle);
			return 1;
		}
		uspf_close(handle);
	}
	return 0;
}

/* argument: role, shape, network, end, name */
int peer_main(char *argument[])
{
	enum soft_shape shape = (enum soft_shape)atoi(argument[1]);
	int end = atoi(argument[3]);
	int32_t handle;

	if (strcmp(argument[0], "churn") == 0)
		return write(3, "+", 1) == 1 ? churn(shape, argument) : 1;
	handle = join(shape, argument[2], end, argument[4]);
	if (handle < 0 || write(3, "+", 1) != 1)
		return 1;
	if (strcmp(argument[0], "swap") == 0)
		swap_forever(handle, end);
	for (;;)
		pause();
}
