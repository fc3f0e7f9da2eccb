/*
 * Purpose: packet ports. Not there yet: opening one is refused.
 */
#include "uspf.h"

#include <errno.h>

static int packet_open(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	(void)port;
	(void)spec;
	(void)info;
	return -ENOSYS;
}

const struct uspf_ops uspf_packet_ops = { .open = packet_open };
