/*
 * Purpose: questions to the kernel about interfaces and programs, for `deno task doctor`: ethtool, netlink,
 * BPF. Nothing can be changed through here: what is no question is refused.
 *
 * Requests are laid out, and answers are read, by TypeScript (ethtool.ts, netlink.ts): the asserts below
 * pin the offsets that stand there.
 */
#define _GNU_SOURCE
#include "uspf.h"

#include <assert.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_ROOM (1 << 20) /* of ethtool: the kernel writes as much as it has: 32,768 names, say */
#define PATIENCE_S 2
#define ROUTE_QUESTION 2 /* RTM_GETLINK, RTM_GETADDR, ... count from RTM_NEWLINK, RTM_NEWADDR, ... */
#define FAMILY_ROOM 8192 /* what the kernel tells of a family: its commands and groups, too */
#define NETDEV_DEV_GET 1

#define PIN_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
#define PIN(type, field, at) static_assert(offsetof(struct type, field) == (at), #type "." #field)

PIN_SIZE(ethtool_drvinfo, 196);
PIN(ethtool_drvinfo, driver, 4);
PIN(ethtool_drvinfo, version, 36);
PIN(ethtool_drvinfo, fw_version, 68);
PIN(ethtool_drvinfo, bus_info, 100);
PIN_SIZE(ethtool_link_settings, 48);
PIN(ethtool_link_settings, speed, 4);
PIN(ethtool_link_settings, duplex, 8);
PIN(ethtool_link_settings, link_mode_masks_nwords, 15);
PIN_SIZE(ethtool_channels, 36);
PIN(ethtool_channels, max_rx, 4);
PIN(ethtool_channels, max_combined, 16);
PIN(ethtool_channels, rx_count, 20);
PIN(ethtool_channels, combined_count, 32);
PIN_SIZE(ethtool_ringparam, 36);
PIN(ethtool_ringparam, rx_max_pending, 4);
PIN(ethtool_ringparam, rx_pending, 20);
PIN_SIZE(ethtool_pauseparam, 16);
PIN(ethtool_pauseparam, rx_pause, 8);
PIN(ethtool_pauseparam, tx_pause, 12);
PIN(ethtool_coalesce, rx_coalesce_usecs, 4);
PIN(ethtool_coalesce, use_adaptive_rx_coalesce, 40);
PIN(ethtool_rxfh_indir, ring_index, 8);
PIN(ethtool_rxnfc, rule_cnt, 184);
PIN(ethtool_sset_info, sset_mask, 8);
PIN(ethtool_sset_info, data, 16);
PIN(ethtool_gstrings, data, 12);
PIN(ethtool_stats, data, 8);
PIN(ethtool_gfeatures, features, 8);
PIN_SIZE(ethtool_get_features_block, 16);
PIN(ethtool_get_features_block, active, 8);
PIN(ethtool_get_features_block, never_changed, 12);
PIN_SIZE(nlmsghdr, 16);
PIN_SIZE(ifinfomsg, 16);
PIN(ifinfomsg, ifi_type, 2);
PIN(ifinfomsg, ifi_index, 4);
PIN(ifinfomsg, ifi_flags, 8);
PIN_SIZE(ifaddrmsg, 8);
PIN(ifaddrmsg, ifa_index, 4);
PIN_SIZE(rtmsg, 12);
PIN(rtnl_link_stats64, rx_missed_errors, 15 * 8);
PIN_SIZE(genlmsghdr, 4);
static_assert(ETHTOOL_GCOALESCE == 0x0e && ETHTOOL_GRINGPARAM == 0x10 && ETHTOOL_GPAUSEPARAM == 0x12, "ethtool");
static_assert(IFLA_XDP == 43 && IFLA_XDP_ATTACHED == 2 && IFLA_XDP_PROG_ID == 4, "IFLA_XDP");

static int is_question(uint32_t command)
{
	static const uint32_t questions[] = {
		ETHTOOL_GDRVINFO,   ETHTOOL_GLINKSETTINGS, ETHTOOL_GCHANNELS,   ETHTOOL_GRINGPARAM,
		ETHTOOL_GPAUSEPARAM, ETHTOOL_GCOALESCE,    ETHTOOL_GRXFHINDIR,  ETHTOOL_GRXCLSRLCNT,
		ETHTOOL_GSSET_INFO, ETHTOOL_GSTRINGS,      ETHTOOL_GSTATS,      ETHTOOL_GFEATURES,
	};

	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		if (questions[i] == command)
			return 1;
	}
	return 0;
}

/* The answer takes the request's place; what has no room there is cut. */
int32_t uspf_ethtool(const char *interface, void *command, int32_t bytes)
{
	struct ifreq request = { 0 };
	uint32_t number;
	char *room;
	int fd, result;

	if (bytes < (int32_t)sizeof(number) || bytes > ANSWER_ROOM)
		return -EINVAL;
	memcpy(&number, command, sizeof(number));
	if (!is_question(number))
		return -EPERM;
	room = calloc(1, ANSWER_ROOM);
	fd = room == NULL ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		result = room == NULL ? -ENOMEM : -errno;
		free(room);
		return result;
	}
	memcpy(room, command, (size_t)bytes);
	memcpy(request.ifr_name, interface, strnlen(interface, IFNAMSIZ - 1));
	request.ifr_data = room;
	result = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
	close(fd);
	if (result == 0)
		memcpy(command, room, (size_t)bytes);
	free(room);
	return result;
}

/* ---- netlink ---- */

/* 1: that was the last; 0: more will come; or the kernel's -errno. */
static int ends(const struct nlmsghdr *header, ssize_t bytes)
{
	int more = 0;

	for (; NLMSG_OK(header, bytes); header = NLMSG_NEXT(header, bytes)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return 1;
		if (header->nlmsg_type == NLMSG_ERROR) {
			int error = ((const struct nlmsgerr *)NLMSG_DATA(header))->error;

			return error < 0 ? error : 1;
		}
		more = (header->nlmsg_flags & NLM_F_MULTI) != 0;
	}
	return !more;
}

static int32_t receive(int fd, char *answer, int32_t room)
{
	int32_t at = 0;

	for (;;) {
		ssize_t bytes = recv(fd, answer + at, (size_t)(room - at), MSG_TRUNC);
		int result;

		if (bytes < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (bytes > room - at)
			return -EMSGSIZE;
		result = ends((const struct nlmsghdr *)(answer + at), bytes);
		if (result < 0)
			return result;
		at += (int32_t)NLMSG_ALIGN((uint32_t)bytes);
		if (result > 0 || at >= room)
			return at;
	}
}

static int32_t exchange(int32_t protocol, const void *request, int32_t bytes, void *answer, int32_t room)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int32_t result;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	result = send(fd, request, (size_t)bytes, 0) < 0 ? -errno : receive(fd, answer, room);
	close(fd);
	return result;
}

/* The number that the kernel gave the family "netdev" at this boot; 0: it has none. */
static int netdev_family(void)
{
	struct {
		struct nlmsghdr header;
		struct genlmsghdr generic;
		struct nlattr attribute;
		char name[8];
	} request = { .header = { .nlmsg_len = sizeof(request),
				  .nlmsg_type = GENL_ID_CTRL,
				  .nlmsg_flags = NLM_F_REQUEST },
		      .generic = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 },
		      .attribute = { .nla_len = NLA_HDRLEN + sizeof("netdev"), .nla_type = CTRL_ATTR_FAMILY_NAME },
		      .name = "netdev" };
	char answer[FAMILY_ROOM] __attribute__((aligned(4)));
	int32_t bytes = exchange(NETLINK_GENERIC, &request, sizeof(request), answer, sizeof(answer));
	int32_t at = NLMSG_HDRLEN + GENL_HDRLEN;

	while (at + NLA_HDRLEN + (int32_t)sizeof(uint16_t) <= bytes) {
		const struct nlattr *attribute = (const struct nlattr *)(answer + at);
		uint16_t family;

		if (attribute->nla_type == CTRL_ATTR_FAMILY_ID) {
			memcpy(&family, answer + at + NLA_HDRLEN, sizeof(family));
			return family;
		}
		at += NLA_ALIGN(attribute->nla_len < NLA_HDRLEN ? NLA_HDRLEN : attribute->nla_len);
	}
	return 0;
}

/*
 * Of routing messages every fourth is a question (rtnetlink.h). Of generic ones we know two; what one family
 * asks by a number, others change by the same.
 */
static int may_ask(int32_t protocol, const struct nlmsghdr *header, int32_t bytes)
{
	struct genlmsghdr generic;

	if (bytes < (int32_t)(sizeof(*header) + sizeof(generic)) || header->nlmsg_len != (uint32_t)bytes)
		return 0;
	if (protocol == NETLINK_ROUTE)
		return header->nlmsg_type >= RTM_BASE && (header->nlmsg_type - RTM_BASE) % 4 == ROUTE_QUESTION;
	if (protocol != NETLINK_GENERIC)
		return 0;
	memcpy(&generic, (const char *)header + sizeof(*header), sizeof(generic));
	if (header->nlmsg_type == GENL_ID_CTRL)
		return generic.cmd == CTRL_CMD_GETFAMILY;
	return generic.cmd == NETDEV_DEV_GET && header->nlmsg_type >= GENL_MIN_ID &&
	       header->nlmsg_type == netdev_family();
}

int32_t uspf_netlink(int32_t protocol, const void *request, int32_t bytes, void *answer, int32_t room)
{
	return may_ask(protocol, request, bytes) ? exchange(protocol, request, bytes, answer, room) : -EPERM;
}

/* ---- BPF ---- */

/* The name that the kernel keeps of a program, into name[16]; takes CAP_SYS_ADMIN. */
int32_t uspf_program_name(int32_t id, char *name)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { 0 };
	int fd, result;

	attr.prog_id = (uint32_t)id;
	fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info = (uint64_t)(uintptr_t)&info;
	attr.info.info_len = sizeof(info);
	result = syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) < 0 ? -errno : 0;
	close(fd);
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	return result;
}
