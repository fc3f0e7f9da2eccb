/*
 * Purpose: makes one thread of another process stand still, and no other, as nothing that a process does
 * to itself can: for tests of what notices. Lasts until standard input ends.
 *
 *   freeze_thread THREAD
 *
 * It says "frozen" once it is. Where it is not permitted it says why, and exits with 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

int main(int count, char **arguments)
{
	pid_t thread = count == 2 ? (pid_t)atoi(arguments[1]) : 0;
	char byte;
	int status;

	if (thread <= 0) {
		fprintf(stderr, "usage: freeze_thread THREAD\n");
		return 2;
	}
	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0)
		return failed("PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) < 0)
		return failed("PTRACE_INTERRUPT");
	if (waitpid(thread, &status, __WALL) < 0)
		return failed("waitpid");
	puts("frozen");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	/* Ends also if the thread is gone by now. */
	ptrace(PTRACE_DETACH, thread, NULL, NULL);
	return 0;
}
