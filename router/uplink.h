/* SPDX-License-Identifier: MIT */
/* uplink.h - the TUN device into the host's IPv6 stack
 *
 * DOC: the host's kernel is the router between the segment and the rest of the world. The TUN
 * carries the router's own address of the segment, with the on-link route that leads everything for
 * clients here. The device vanishes with its descriptor, and its address and route with it. While
 * somebody has set it down, the kernel keeps its address (keep_addr_on_down), because the router
 * has no privilege left to give it again.
 */
#ifndef SIXTAP_ROUTER_UPLINK_H
#define SIXTAP_ROUTER_UPLINK_H

#include "proto/host/netlink.h"
#include "proto/host/tap.h"
#include "router/config.h"

/* uplink_open() - make the TUN and configure it; what goes wrong is logged, with the command that
 * mends it
 * @ret: NULL for `uplink: none`; else the device, to be closed with tap_close()
 * @ret_watch: likewise, what happens to the device; nl_watch_close()
 * Return: 0 or -errno (logged) */
int uplink_open(const struct router_config *c, struct tap **ret, struct nl_watch **ret_watch);

#endif
