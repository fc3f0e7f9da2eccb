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
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * What may be read, as fnmatch(3) has it: a star stands for one name. /proc/sys has keys (tcp_fastopen_key,
 * stable_secret), /sys/devices serial numbers: so it is each by its name.
 */
static const char *const readable[] = {
	"/proc",
	"/proc/cmdline",
	"/proc/cpuinfo",
	"/proc/interrupts",
	"/proc/meminfo",
	"/proc/net/igmp",
	"/proc/net/netstat",
	"/proc/net/protocols",
	"/proc/net/snmp",
	"/proc/net/softnet_stat",
	"/proc/net/udp",
	"/proc/net/udp6",
	"/proc/self/cgroup",
	"/proc/self/limits",
	"/proc/self/status",
	"/proc/self/uid_map",
	"/proc/stat",
	"/proc/sys/kernel/osrelease",
	"/proc/sys/net/core/bpf_jit_enable",
	"/proc/sys/net/core/busy_read",
	"/proc/sys/net/core/rmem_max",
	"/proc/sys/net/ipv4/conf/*/rp_filter",
	"/proc/sys/net/ipv4/ip_unprivileged_port_start",
	"/run/netns",
	"/sys/class/net",
	"/sys/class/net/*/device/msi_irqs",
	"/sys/class/net/*/device/numa_node",
	"/sys/class/net/*/ifindex",
	"/sys/class/net/*/queues",
	"/sys/devices/system/clocksource/clocksource0/*",
	"/sys/devices/system/cpu",
	"/sys/devices/system/cpu/*",
	"/sys/devices/system/cpu/*/cpufreq/scaling_governor",
	"/sys/devices/system/cpu/*/cpuidle",
	"/sys/devices/system/cpu/*/cpuidle/*/disable",
	"/sys/devices/system/cpu/*/cpuidle/*/latency",
	"/sys/devices/system/cpu/*/topology/thread_siblings_list",
	"/sys/devices/system/node",
	"/sys/devices/system/node/*/cpulist",
	"/sys/kernel/mm/transparent_hugepage/enabled",
	"/sys/module/netmap",
	"/sys/module/netmap/holders",
	"/sys/module/netmap/parameters/*",
};

/* Of these and our files in /dev/shm uspf_file_info tells, and nothing else. */
static const char *const visible[] = { "/dev/netmap", "/dev/shm", "/dev/shm/uspf.*" };

static const char control_groups[] = "/sys/fs/cgroup/";
static const char modules[] = "/lib/modules";

static int is_among(const char *path, const char *const list[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fnmatch(list[i], path, FNM_PATHNAME | FNM_NOESCAPE) == 0)
			return 1;
	}
	return 0;
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
	if (is_among(path, readable, sizeof(readable) / sizeof(*readable)) ||
	    strncmp(path, control_groups, sizeof(control_groups) - 1) == 0)
		return 1;
	return rest != NULL &&
	       (strcmp(rest, "/comm") == 0 || strcmp(rest, "/fd") == 0 || is_number_in(rest, "/fdinfo/"));
}

/* A list of a kernel's modules: no step from /lib/modules on may be a link. */
static int open_module_list(const char *path)
{
	char release[NAME_MAX + 1] = "";
	const char *name = path + sizeof(modules), *list = strchr(name, '/');
	int above, folder, fd;

	if (list == NULL || list - name > NAME_MAX)
		return -EACCES;
	memcpy(release, name, (size_t)(list - name));
	above = open(modules, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return -errno;
	folder = openat(above, release, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(above);
	if (folder < 0)
		return -errno;
	fd = openat(folder, list + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(folder);
	return fd;
}

static int open_file(const char *path)
{
	int fd;

	if (fnmatch("/lib/modules/*/modules.*", path, FNM_PATHNAME | FNM_NOESCAPE) == 0 && strstr(path, "/..") == NULL)
		return open_module_list(path);
	if (!may_read(path))
		return -EACCES;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int32_t uspf_read_file(const char *path, void *buffer, int32_t room)
{
	int32_t at = 0;
	int fd = open_file(path);

	if (fd < 0)
		return fd;
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

	if (!is_among(path, visible, sizeof(visible) / sizeof(*visible)) || strstr(path, "/..") != NULL)
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
