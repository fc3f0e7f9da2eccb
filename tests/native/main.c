/*
 * Purpose: runs the native library's tests.
 *
 *   native PREFIX [SEED [NAME]]    PREFIX: of files in /dev/shm; NAME: only cases that contain it
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *prefix;
uint32_t seed = 1;

static void run_cases(const struct test_case *cases, const char *only)
{
	for (; cases->name != NULL; cases++) {
		const char *reason;

		if (strstr(cases->name, only) == NULL)
			continue;
		printf("case %s\n", cases->name);
		reason = cases->run();
		if (reason == NULL)
			printf("pass %s\n", cases->name);
		else
			printf("skip %s: %s\n", cases->name, reason);
	}
}

int main(int count, char *argument[])
{
	const char *only = count > 3 ? argument[3] : "";

	if (count < 2)
		return 2;
	prefix = argument[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count > 2 && strcmp(argument[2], "peer") == 0)
		return peer_main(argument + 3);
	if (count > 2)
		seed = (uint32_t)strtoul(argument[2], NULL, 10);
	run_cases(port_cases, only);
	run_cases(soft_switch_cases, only);
	run_cases(soft_pipe_cases, only);
	run_cases(udp_cases, only);
	run_cases(xdp_cases, only);
	run_cases(packet_cases, only);
	return 0;
}
