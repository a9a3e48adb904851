/* SPDX-License-Identifier: MIT */
/* wan.h - the host's link towards the IPv6 Internet, as its kernel has it configured
 *
 * DOC: read once at a start, by `check` and by `init`; nothing here changes anything. What is found
 * decides what an uplink mode can do: the prefix that is on link there, the host's own address in
 * it, and who must never be mistaken for a client (the host and its gateway).
 */
#ifndef SIXTAP_ROUTER_WAN_H
#define SIXTAP_ROUTER_WAN_H

#include <net/if.h>

#include "proto/addr.h"

#define WAN_ADDRESSES 64u

struct wan_addr {
    struct ip6 addr;
    uint8_t plen;   /* of the on-link prefix; 128: the address alone */
    bool temporary; /* RFC 8981; or deprecated: not for anything that lasts */
};

struct wan {
    char name[IF_NAMESIZE];
    unsigned ifindex;
    bool has_gateway;
    struct ip6 gateway; /* of the IPv6 default route, mostly link-local */
    bool route_from_ra; /* the default route came in a router advertisement and ages */
    struct wan_addr addr[WAN_ADDRESSES]; /* global and unique local ones */
    unsigned n_addr;
};

/* wan_survey() - look at link @name, or at the one the IPv6 default route leads to
 * @name: NULL or "": the default route's
 * Return: 0; -ENODEV no such link; -ENETUNREACH no @name and no IPv6 default route; other -errno;
 * @ret untouched on failure */
int wan_survey(const char *name, struct wan *ret);

/* wan_address_in() - the host's own address inside @p, lasting ones first; NULL when it has none */
const struct wan_addr *wan_address_in(const struct wan *w, struct prefix p);

#endif
