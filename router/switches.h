/* SPDX-License-Identifier: MIT */
/* switches.h - settings of the WAN that the router changes, and what they were before
 *
 * DOC: a killed router cannot put back what it changed, and the next one would take its own value
 * for the operator's. So the kernel remembers: for each setting that is changed there is a route
 *   unreachable 100::VALUE:KIND:INDEX/128
 * with the router's protocol and metric (reach.h), which says that it was VALUE on the link with
 * that index. It is set before the change, and goes when the value is put back: at the end, or at
 * the next start of a router with the same uplink device. Who sets such a value to the same while
 * the router runs, or after it was killed, has it put back all the same: that leaves no trace.
 *
 * Standards: RFC 6666 (100::/64). The client does the same (client/device_lan.c), with other kinds.
 */
#ifndef SIXTAP_ROUTER_SWITCHES_H
#define SIXTAP_ROUTER_SWITCHES_H

#include "proto/addr.h"
#include "proto/host/netlink.h"

enum switch_kind { /* 1 and 2 are the client's */
                   SWITCH_PROXY_NDP = 3,
                   SWITCH_PROXY_DELAY = 4
};

struct wan_switch {
    enum switch_kind kind;
    unsigned ifindex;
    char link[16];
    char was[16]; /* "": not changed */
};

/* switch_turn() - set @s->kind of the link @s->ifindex, @s->link, as the router needs it
 * @metric: of this router's unreachable routes. Return: 0; -errno, nothing is changed then */
int switch_turn(struct nl *nl, uint32_t metric, struct wan_switch *s);

/* switch_back() - as it was before switch_turn(); nothing where that changed nothing */
void switch_back(struct nl *nl, uint32_t metric, struct wan_switch *s);

/* switches_sweep() - put back all that a killed router with this @metric changed, unless it has
 * another value by now. Before the first switch_turn() */
void switches_sweep(struct nl *nl, uint32_t metric);

/* switch_is_marker() - is this one of the routes above? */
bool switch_is_marker(const struct prefix *p);

#endif
