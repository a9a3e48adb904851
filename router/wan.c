/* SPDX-License-Identifier: MIT */
/* wan.c - the host's link towards the IPv6 Internet */
#include "router/wan.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "proto/host/netlink.h"
#include "proto/mac.h"

/* An address of the global unicast space that nobody has a more specific route to: what leads there
 * is the default route. Source: RFC 4291 2.4; 2000::/3 is what IANA hands out. */
static const struct ip6 anywhere = { { 0x20, 0x00 } };

static int take_addresses(struct nl *nl, struct wan *w)
{
    struct nl_addr list[64];

    int n = nl_addr_list(nl, w->ifindex, list, 64);
    if (n < 0)
        return n;
    for (int i = 0; i < n && i < 64 && w->n_addr < WAN_ADDRESSES; i++) {
        if (ip6_is_link_local(list[i].addr) || list[i].flags & IFA_F_DADFAILED)
            continue;
        w->addr[w->n_addr++] = (struct wan_addr){
            .addr = list[i].addr,
            .plen = list[i].plen,
            .temporary = list[i].flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED),
        };
    }
    return 0;
}

int wan_survey(const char *name, struct wan *ret)
{
    struct wan w = { 0 };
    struct nl_link link;
    struct nl_route route;
    struct nl *nl = NULL;

    int err = nl_open(&nl);
    if (err)
        return err;
    int routed = nl_route_to(nl, anywhere, &route);
    if (name && name[0])
        err = nl_link_get_name(nl, name, &link);
    else
        err = routed < 0 ? -ENETUNREACH : nl_link_get(nl, route.ifindex, &link);
    if (!err) {
        snprintf(w.name, sizeof(w.name), "%s", link.name);
        w.ifindex = link.ifindex;
        if (routed == 0 && route.ifindex == link.ifindex) {
            w.has_gateway = route.has_via;
            w.gateway = route.via;
            w.route_from_ra = route.protocol == RTPROT_RA;
        }
        err = take_addresses(nl, &w);
    }
    nl_close(nl);
    if (!err)
        *ret = w;
    return err;
}

const struct wan_addr *wan_address_in(const struct wan *w, struct prefix p)
{
    const struct wan_addr *found = NULL;

    for (unsigned i = 0; i < w->n_addr; i++) {
        if (ip6_in(w->addr[i].addr, p) && (!found || (found->temporary && !w->addr[i].temporary)))
            found = &w->addr[i];
    }
    return found;
}
