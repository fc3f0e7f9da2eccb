/*
 * Purpose: reads the kernel's own files, for `deno task doctor`. Deno gives /proc, /sys and /dev to no
 * program that may not do everything; this gives those that tell of the machine, and nobody's secrets: no
 * environment, no memory, no way through a link to files elsewhere.
 */
#define _GNU_SOURCE
#include "uspf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A path below one with a slash at its end, or the very path. */
static const char *const open_to_all[] = {
	"/proc/cpuinfo",        "/proc/meminfo",      "/proc/mounts",      "/proc/cmdline",
	"/proc/stat",           "/proc/interrupts",   "/proc/irq/",        "/proc/sys/",
	"/proc/net/",           "/proc/self/status",  "/proc/self/limits", "/proc/self/cgroup",
	"/proc/self/uid_map",   "/proc",              "/sys/devices/",     "/sys/class/net/",
	"/sys/module/",         "/sys/fs/cgroup/",    "/sys/kernel/mm/",   "/lib/modules/",
	"/dev/netmap",          "/dev/shm",           "/run/netns",        "/sys/class/net",
};

static int matches(const char *path, const char *allowed)
{
	size_t bytes = strlen(allowed);

	return allowed[bytes - 1] == '/' ? strncmp(path, allowed, bytes) == 0 : strcmp(path, allowed) == 0;
}

/* What follows "/proc/N"; NULL: it is no process's. */
static const char *of_process(const char *path)
{
	size_t digits = strncmp(path, "/proc/", 6) == 0 ? strspn(path + 6, "0123456789") : 0;

	return digits == 0 ? NULL : path + 6 + digits;
}

static int is_number_in(const char *path, const char *folder)
{
	size_t bytes = strlen(folder);

	return strncmp(path, folder, bytes) == 0 && path[bytes] != 0 &&
	       path[bytes + strspn(path + bytes, "0123456789")] == 0;
}

/* To be read as a link only: what lies behind it may be anything. */
static int is_descriptor(const char *path)
{
	const char *rest = of_process(path);

	return rest != NULL && is_number_in(rest, "/fd/");
}

static int may_read(const char *path)
{
	const char *rest = of_process(path);

	if (strstr(path, "/..") != NULL)
		return 0;
	for (size_t i = 0; i < sizeof(open_to_all) / sizeof(*open_to_all); i++) {
		if (matches(path, open_to_all[i]))
			return 1;
	}
	return rest != NULL &&
	       (strcmp(rest, "/comm") == 0 || strcmp(rest, "/fd") == 0 || is_number_in(rest, "/fdinfo/"));
}

int32_t uspf_read_file(const char *path, void *buffer, int32_t room)
{
	int32_t at = 0;
	int fd;

	if (!may_read(path))
		return -EACCES;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (at < room) {
		ssize_t bytes = read(fd, (char *)buffer + at, (size_t)(room - at));

		if (bytes <= 0) {
			if (bytes < 0)
				at = -errno;
			break;
		}
		at += (int32_t)bytes;
	}
	close(fd);
	return at;
}

/* The names in a folder, each with a zero byte at its end; returns the bytes of all. */
int32_t uspf_read_folder(const char *path, void *buffer, int32_t room)
{
	DIR *folder;
	int32_t at = 0;

	if (!may_read(path))
		return -EACCES;
	folder = opendir(path);
	if (folder == NULL)
		return -errno;
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
		int32_t bytes = (int32_t)strlen(entry->d_name) + 1;

		if (entry->d_name[0] == '.' || at + bytes > room)
			continue;
		memcpy((char *)buffer + at, entry->d_name, (size_t)bytes);
		at += bytes;
	}
	closedir(folder);
	return at;
}

int32_t uspf_read_link(const char *path, char *buffer, int32_t room)
{
	ssize_t bytes;

	if (!may_read(path) && !is_descriptor(path))
		return -EACCES;
	bytes = readlink(path, buffer, (size_t)room);
	return bytes < 0 ? -errno : (int32_t)bytes;
}

/* info: mode, owner, group, 1 if we may write (and read) it, bytes free on its file system */
int32_t uspf_file_info(const char *path, double *info)
{
	struct stat status;
	struct statvfs system;
	int result;

	if (!may_read(path))
		return -EACCES;
	result = uspf_path_status(path, &status);
	if (result < 0)
		return result;
	info[0] = (double)status.st_mode;
	info[1] = (double)status.st_uid;
	info[2] = (double)status.st_gid;
	info[3] = faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0;
	info[4] = statvfs(path, &system) < 0 ? -1 : (double)system.f_bavail * (double)system.f_frsize;
	return 0;
}
