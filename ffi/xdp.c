/*
 * Purpose: xdp ports. Not there yet: opening one is refused.
 */
#include "uspf.h"

#include <errno.h>

static int xdp_open(struct uspf_port *port, const struct uspf_spec *spec, double info[])
{
	(void)port;
	(void)spec;
	(void)info;
	return -ENOSYS;
}

const struct uspf_ops uspf_xdp_ops = { .open = xdp_open };
